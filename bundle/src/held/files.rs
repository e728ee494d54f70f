//! The files below a held directory: read, made, put in place, removed.

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::fs::{self as sys, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::Dir;
use super::below::plain;
use super::trust::{self, Mistrust};
use crate::run::layout::PARTIAL_END;

/// Mode of a directory of ours, less the umask.
pub(super) const DIR_MODE: Mode = Mode::from_raw_mode(0o755);
/// Mode of a file of ours, less the umask.
const FILE_MODE: Mode = Mode::from_raw_mode(0o644);
/// Nothing is waited for and nothing becomes our terminal, whatever lies there.
const CAREFUL: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY);

impl Dir {
    /// Opens a file for reading.
    pub fn read(&self, path: &str) -> io::Result<File> {
        self.open_file(path, OFlags::RDONLY)
    }

    /// Opens a file that is there for reading and writing.
    pub fn modify(&self, path: &str) -> io::Result<File> {
        self.open_file(path, OFlags::RDWR)
    }

    /// Opens a file for reading that has exactly one other name: that one in another directory of ours.
    pub(crate) fn read_twin(&self, path: &str, other: &Self, name: &str) -> io::Result<File> {
        let file = File::from(self.open_below(path, OFlags::RDONLY | CAREFUL, Mode::empty())?);
        let stat = trust::regular(&file)?;
        let (dir, name) = other.parent_of(&plain(name)?)?;
        let twin = sys::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if stat.st_nlink == 2 && (stat.st_dev, stat.st_ino) == (twin.st_dev, twin.st_ino) {
            return trust::owner(&stat).map(|()| file);
        }
        Err(Mistrust::Moved.into())
    }

    fn open_file(&self, path: &str, flags: OFlags) -> io::Result<File> {
        let file = File::from(self.open_below(path, flags | CAREFUL, Mode::empty())?);
        trust::file(&file, self.trust)?;
        Ok(file)
    }

    /// The content of a file of at most so many bytes; a larger one is refused before it is read.
    pub fn read_all(&self, path: &str, max: u64) -> io::Result<Vec<u8>> {
        let file = self.read(path)?;
        let size = file.metadata()?.len();
        let too_large = |size| Err(Mistrust::TooLarge { size, max }.into());
        if size > max {
            return too_large(size);
        }
        let mut bytes = Vec::new();
        // It may grow meanwhile.
        file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > max { too_large(bytes.len() as u64) } else { Ok(bytes) }
    }

    /// Makes a file that is not there.
    pub fn create_new(&self, path: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | CAREFUL;
        Ok(self.open_below(path, flags, FILE_MODE)?.into())
    }

    /// Makes a file, in place of one of ours that an earlier attempt left.
    pub fn create_anew(&self, path: &str) -> io::Result<File> {
        match self.create_new(path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                self.is_ours(path)?;
                self.remove(path)?;
                self.create_new(path)
            }
            done => done,
        }
    }

    /// Opens a file to append to, and makes it if it is not there.
    pub fn append(&self, path: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::APPEND;
        let made = self.open_below(path, flags | OFlags::CREATE | OFlags::EXCL | CAREFUL, FILE_MODE);
        match made {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => self.open_file(path, flags),
            done => Ok(done?.into()),
        }
    }

    /// Opens a device or a pipe of this directory for writing, also by way of a link that nobody else can have made, as
    /// `/dev/stdout` is one. A pipe of somebody else would tell them what is written.
    pub fn stream(&self, name: &str) -> io::Result<File> {
        let (dir, name) = self.parent_of(&plain(name)?)?;
        let link = sys::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        // Opening a pipe waits for whoever reads it: a stranger's is not waited for.
        let there = sys::statat(&dir, name, AtFlags::empty())?;
        if FileType::from_raw_mode(there.st_mode) == FileType::Fifo && !trust::ours(there.st_uid) {
            return Err(Mistrust::FileOwner { uid: there.st_uid }.into());
        }
        let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(sys::openat(&dir, name, flags, Mode::empty())?);
        let stat = sys::fstat(&file)?;
        match FileType::from_raw_mode(stat.st_mode) {
            _ if !trust::ours(link.st_uid) => Err(Mistrust::FileOwner { uid: link.st_uid }.into()),
            FileType::RegularFile | FileType::Directory => Err(Mistrust::Moved.into()),
            FileType::CharacterDevice => Ok(file),
            _ if !trust::ours(stat.st_uid) => Err(Mistrust::FileOwner { uid: stat.st_uid }.into()),
            _ => Ok(file),
        }
    }

    /// Writes a file so that it is complete or absent, also after a power cut.
    pub fn replace(&self, path: &str, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        let partial = partial(path);
        let mut file = self.create_anew(&partial)?;
        let written = write(&mut file).and_then(|()| file.sync_all());
        if let Err(e) = written.and_then(|()| self.rename(&partial, path)) {
            // It may be the disk that is full.
            let _ = self.remove(&partial);
            return Err(e);
        }
        self.sync_around(path)
    }

    /// The same with all bytes at once.
    pub(crate) fn replace_with(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.replace(path, |file| file.write_all(bytes))
    }

    /// Gives a file another name; what had that name is gone.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let ((from_dir, from), (to_dir, to)) = (self.parent_of(&plain(from)?)?, self.parent_of(&plain(to)?)?);
        Ok(sys::renameat(&from_dir, from, &to_dir, to)?)
    }

    /// Removes a file's name; of a link the link, not what it leads to.
    pub fn remove(&self, path: &str) -> io::Result<()> {
        let (dir, name) = self.parent_of(&plain(path)?)?;
        Ok(sys::unlinkat(&dir, name, AtFlags::empty())?)
    }

    /// Removes a file's name, if it is there.
    pub fn remove_if_there(&self, path: &str) -> io::Result<()> {
        match self.remove(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    /// Makes a directory and those above it that are missing.
    pub fn make_dir(&self, path: &str) -> io::Result<()> {
        let parts = plain(path)?;
        for depth in 1..=parts.len() {
            let (dir, name) = self.parent_of(parts.get(..depth).unwrap_or_default())?;
            match sys::mkdirat(&dir, name, DIR_MODE) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(e) => return Err(e.into()),
            }
        }
        self.dir(path).map(drop)
    }

    /// Makes a directory that is not there.
    pub fn make_new_dir(&self, name: &str) -> io::Result<Self> {
        let (dir, name) = self.parent_of(&plain(name)?)?;
        sys::mkdirat(&dir, name, DIR_MODE)?;
        // A server may give what root makes to somebody else: then it is no place for anything.
        self.dir(name).inspect_err(|_| {
            let _ = sys::unlinkat(&dir, name, AtFlags::REMOVEDIR);
        })
    }

    /// A directory below this one.
    pub fn dir(&self, path: &str) -> io::Result<Self> {
        let parts = plain(path)?;
        let fd = self.open_below(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        if self.trust == trust::Trust::Own {
            trust::directory(&fd, &sys::fstat(&fd)?, || self.path.join(path))?;
        }
        let (above, name) = self.parent_of(&parts)?;
        let (fd, above) = (fd.into(), Some((above, name.into())));
        Ok(Self { fd, path: self.path.join(path), above, trust: self.trust })
    }

    /// Makes sure that a file, or the names in a directory, are on the disk.
    pub fn sync_below(&self, path: &str) -> io::Result<()> {
        let fd = self.open_below(path, OFlags::RDONLY | CAREFUL, Mode::empty())?;
        Ok(sys::fdatasync(&fd)?)
    }

    /// Makes sure that a file's name is on the disk.
    pub(crate) fn sync_around(&self, path: &str) -> io::Result<()> {
        match path.rsplit_once('/') {
            Some((folder, _)) => self.sync_below(folder),
            None => self.sync(),
        }
    }

    /// Whether what has this name is a file of ours, and not a link or somebody else's.
    pub(crate) fn is_ours(&self, path: &str) -> io::Result<()> {
        let (dir, name) = self.parent_of(&plain(path)?)?;
        let stat = sys::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => trust::own(&stat),
            FileType::Symlink => Err(Mistrust::Link.into()),
            _ => Err(Mistrust::NotAFile.into()),
        }
    }
}

/// The name of a file that is not complete yet.
pub(super) fn partial(path: &str) -> String {
    let at = path.rfind('/').map_or(0, |slash| slash + 1);
    let (folder, name) = path.split_at(at);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    format!("{folder}{stem}{PARTIAL_END}")
}
