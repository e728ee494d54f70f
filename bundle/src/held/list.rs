//! What lies in a held directory.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{self as sys, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::Dir;
use super::below::plain;
use super::leftover::is_leftover;
use super::trust::Mistrust;

/// Folders below the top that are looked into: a run has four.
const DEPTH_MAX: usize = 64;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A link, a pipe, a device or a socket.
    Other,
}

/// What is known of a file without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// A file, a directory, or something that is never opened.
    pub kind: Kind,
    /// Its bytes.
    pub len: u64,
}

impl Kind {
    fn of(kind: FileType) -> Self {
        match kind {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Dir,
            _ => Self::Other,
        }
    }
}

impl Dir {
    /// Visits the names in it that are text, in no order, until `visit` returns false.
    pub fn each(&self, mut visit: impl FnMut(&str, Kind) -> io::Result<bool>) -> io::Result<()> {
        each(&self.fd, |name, kind| name.to_str().map_or(Ok(true), |name| visit(name, Kind::of(kind))))
    }

    /// The names in it that are text, in order; so many at most.
    pub fn list(&self, most: usize) -> io::Result<Vec<(String, Kind)>> {
        let mut out = Vec::new();
        self.each(|name, kind| {
            out.push((name.to_owned(), kind));
            Ok(out.len() < most)
        })?;
        out.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(out)
    }

    /// What a path names; a link is not followed.
    pub fn meta(&self, path: &str) -> io::Result<Meta> {
        let (dir, name) = self.parent_of(&plain(path)?)?;
        let stat = sys::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(Meta { kind: Kind::of(FileType::from_raw_mode(stat.st_mode)), len: length(&stat) })
    }

    /// Whether a regular file has this name.
    pub fn has_file(&self, path: &str) -> bool {
        self.meta(path).is_ok_and(|meta| meta.kind == Kind::File)
    }

    /// Whether anything has this name; what cannot be told counts as there.
    pub fn has(&self, path: &str) -> bool {
        !matches!(self.meta(path), Err(e) if e.kind() == io::ErrorKind::NotFound)
    }

    /// Bytes of all files below it; what cannot be read counts nothing.
    pub fn bytes(&self) -> u64 {
        bytes(&self.fd, 0)
    }

    /// Whether no file lies in it, or below it, but those that were removed and are kept by somebody who has them open.
    pub fn has_leftovers_only(&self) -> bool {
        leftovers_only(&self.fd, 0).unwrap_or(false)
    }

    /// Removes all that lies in it but for one name; links are removed, not followed. What stays because somebody has it
    /// open is no error: the directory it lies in cannot be removed then, which says so.
    pub(crate) fn clear_but(&self, kept: &str) -> io::Result<()> {
        clear(&self.fd, kept.as_bytes(), 0)
    }

    /// Removes the directory and all that lies in it.
    pub fn remove_with_all(&self) -> io::Result<()> {
        self.clear_but("")?;
        self.remove_itself()
    }
}

fn length(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

/// Visits every name in a directory but itself and the one above, until there are no more or `visit` ends it.
fn each(dir: impl AsFd, mut visit: impl FnMut(&CStr, FileType) -> io::Result<bool>) -> io::Result<()> {
    for entry in sys::Dir::read_from(&dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            // Not every file system says it.
            FileType::Unknown => match sys::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                Err(_) => continue,
            },
            kind => kind,
        };
        if !visit(name, kind)? {
            break;
        }
    }
    Ok(())
}

fn folder(dir: impl AsFd, name: &CStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    sys::openat(dir, name, flags, Mode::empty())
}

fn bytes(dir: impl AsFd, depth: usize) -> u64 {
    let mut sum = 0u64;
    let _ = each(&dir, |name, kind| {
        sum = sum.saturating_add(match kind {
            FileType::Directory if depth < DEPTH_MAX => {
                folder(&dir, name).map_or(0, |inside| bytes(inside, depth + 1))
            }
            FileType::Directory => 0,
            _ => sys::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW).map_or(0, |stat| length(&stat)),
        });
        Ok(true)
    });
    sum
}

/// Removes all names but one. They are listed first: a name that is removed while it is open gets another on some file
/// systems, and a listing that goes on meanwhile might never end, or pass some over.
fn clear(dir: impl AsFd, kept: &[u8], depth: usize) -> io::Result<()> {
    let is_left = |name: &CStr| name.to_str().is_ok_and(is_leftover);
    let mut before = Vec::new();
    loop {
        let names = some(&dir, |name| name.to_bytes() != kept && !is_left(name))?;
        // Names that stay would be found for ever.
        if names.is_empty() || names == before {
            break;
        }
        for (name, kind) in &names {
            remove(&dir, name, *kind, depth)?;
        }
        before = names;
    }
    for (name, _) in some(&dir, is_left)? {
        // Nobody may have it open any more.
        let _ = sys::unlinkat(&dir, name, AtFlags::empty());
    }
    Ok(())
}

fn leftovers_only(dir: impl AsFd, depth: usize) -> io::Result<bool> {
    let mut only = true;
    each(&dir, |name, kind| {
        only = match kind {
            FileType::Directory if depth < DEPTH_MAX => leftovers_only(folder(&dir, name)?, depth + 1)?,
            _ => name.to_str().is_ok_and(is_leftover),
        };
        Ok(only)
    })?;
    Ok(only)
}

/// Names that are listed at a time.
const NAMES_MAX: usize = 1024;

/// The first of the names that are wanted.
fn some(dir: impl AsFd, wanted: impl Fn(&CStr) -> bool) -> io::Result<Vec<(CString, FileType)>> {
    let mut out = Vec::new();
    each(dir, |name, kind| {
        if wanted(name) {
            out.push((name.to_owned(), kind));
        }
        Ok(out.len() < NAMES_MAX)
    })?;
    Ok(out)
}

fn remove(dir: impl AsFd, name: &CStr, kind: FileType, depth: usize) -> io::Result<()> {
    let gone = |done: rustix::io::Result<()>| match done {
        Err(Errno::NOENT) | Ok(()) => Ok(()),
        Err(e) => Err(io::Error::from(e)),
    };
    if kind != FileType::Directory {
        return gone(sys::unlinkat(dir, name, AtFlags::empty()));
    }
    if depth >= DEPTH_MAX {
        return Err(Mistrust::Outside.into());
    }
    let inside = match folder(&dir, name) {
        Err(Errno::NOENT) => return Ok(()),
        done => done?,
    };
    clear(&inside, b"", depth + 1)?;
    match sys::unlinkat(dir, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOTEMPTY) => Ok(()),
        done => gone(done),
    }
}
