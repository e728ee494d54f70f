//! Directories that are held open, and every file below them: root trusts no name that somebody else could have changed.
//!
//! A path is walked once, component by component, and each directory on it must be such that no other user can put
//! something else in its place ([`Trust::Own`]). From then on files are named relative to the descriptor, by plain
//! components, and no symbolic link below it is ever followed. What is read must be a regular file of ours with one name;
//! what is created did not exist before; what is removed is a name, never what a link points to. Nothing is waited for: a
//! pipe that lies where a file should be is refused, not read.
//!
//! The explainer reads directories of other people ([`Trust::Any`]): there owners do not matter, links still do.
//!
//! `openat2` does the walk below the descriptor in one call (Linux 5.6). Without it, and in a sandbox that refuses it, each
//! component is opened by itself with `O_NOFOLLOW`.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{self as sys, AtFlags, CWD, Mode, OFlags};

mod below;
mod files;
mod leftover;
mod list;
mod output;
mod trust;
mod walk;

pub use leftover::is_leftover;
pub use list::{Kind, Meta};
pub use output::{output, read_chosen};
pub use trust::{Mistrust, Trust, mistrust};

/// A directory that is held open.
#[derive(Clone)]
pub struct Dir {
    fd: Arc<OwnedFd>,
    /// For messages, and for whoever has to open it again.
    path: PathBuf,
    /// The directory it lies in, and its name there; nothing lies above `/`.
    above: Option<(Arc<OwnedFd>, OsString)>,
    trust: Trust,
}

impl Dir {
    /// A directory that only this user and root can change, by any path: every directory on the way is checked, and links
    /// on the way are followed only where nobody else could have made them. Other users may write to it, or to one of
    /// those above, only if it is sticky, as `/tmp` is: there they cannot touch what is ours.
    pub fn open(path: &Path) -> io::Result<Self> {
        walk::walk(path, walk::Missing::Refuse)
    }

    /// The same; directories that are missing at its end are made.
    pub fn create(path: &Path) -> io::Result<Self> {
        walk::walk(path, walk::Missing::Make)
    }

    /// Whether [`Dir::create`] would trust what is there of the path now.
    pub fn check(path: &Path) -> io::Result<()> {
        match walk::walk(path, walk::Missing::Refuse) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done.map(drop),
        }
    }

    /// The directory that a file lies in, checked as [`Dir::open`] does, and the file's name.
    pub fn around(file: &Path) -> io::Result<(Self, String)> {
        let name = file.file_name().and_then(|name| name.to_str()).ok_or(Mistrust::Outside)?;
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        Ok((Self::open(parent.unwrap_or(Path::new(".")))?, name.to_owned()))
    }

    /// A directory of anybody, to be read only.
    pub fn visit(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = Arc::new(sys::openat(CWD, path, flags, Mode::empty())?);
        Ok(Self { fd, path: path.to_owned(), above: None, trust: Trust::Any })
    }

    /// Where it is, as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory it lies in.
    pub fn beside(&self) -> io::Result<Self> {
        let (above, _) = self.above.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = Arc::new(sys::openat(above, ".", flags, Mode::empty())?);
        let path = self.path.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { fd, path, above: None, trust: self.trust })
    }

    /// Refuses a directory to which other users may add files, sticky or not.
    pub fn is_private(&self) -> io::Result<()> {
        let stat = sys::fstat(&self.fd)?;
        if trust::others_write(&self.fd, &stat) {
            return Err(Mistrust::Writable { dir: self.path.clone() }.into());
        }
        Ok(())
    }

    /// Whether its path still leads to it.
    pub fn is_in_place(&self) -> bool {
        let here = sys::fstat(&self.fd).map(|stat| (stat.st_dev, stat.st_ino));
        let there = sys::statat(CWD, &self.path, AtFlags::empty()).map(|stat| (stat.st_dev, stat.st_ino));
        matches!((here, there), (Ok(here), Ok(there)) if here == there)
    }

    /// Where it is, when somebody has moved it: the path that leads to it now, if one does.
    pub fn moved_to(&self) -> Option<PathBuf> {
        if self.is_in_place() {
            return None;
        }
        // What the kernel says of a directory that is removed, or on a disk that is unmounted, leads elsewhere or nowhere.
        let path = format!("/proc/self/fd/{}", self.fd.as_raw_fd());
        let target = sys::readlinkat(CWD, path, Vec::new()).ok()?;
        let path = PathBuf::from(OsStr::from_bytes(target.as_bytes()));
        let moved = Self { path, ..self.clone() };
        moved.is_in_place().then_some(moved.path)
    }

    /// Makes sure that its names are on the disk.
    pub fn sync(&self) -> io::Result<()> {
        Ok(sys::fsync(&self.fd)?)
    }

    /// Removes the directory, which must be empty.
    pub fn remove_itself(&self) -> io::Result<()> {
        let (above, name) = self.above.as_ref().ok_or(Mistrust::Moved)?;
        let (here, there) = (sys::fstat(&self.fd)?, sys::statat(above, name, AtFlags::SYMLINK_NOFOLLOW)?);
        if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino) {
            return Err(Mistrust::Moved.into());
        }
        Ok(sys::unlinkat(above, name, AtFlags::REMOVEDIR)?)
    }

    /// A file of the user's own choice that is only read, such as a capture: links are followed, nothing is waited for.
    pub(crate) fn file_of_anybody(path: &Path) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(sys::openat(CWD, path, flags, Mode::empty())?);
        trust::regular(&file)?;
        Ok(file)
    }
}

impl fmt::Debug for Dir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dir").field(&self.path).finish()
    }
}

#[cfg(test)]
mod tests;
