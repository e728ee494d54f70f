//! Opening what lies below a held directory, without following a link.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::fs::{self as sys, AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::Dir;
use super::trust::Mistrust;

/// This kernel, or the sandbox, has no `openat2`.
static WITHOUT: AtomicBool = AtomicBool::new(false);

/// How a path below the directory is walked.
const RESOLVE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

/// The components of a path that cannot lead anywhere else.
pub(super) fn plain(path: &str) -> io::Result<Vec<&str>> {
    let parts: Vec<&str> = path.split('/').collect();
    if parts.iter().any(|part| part.is_empty() || *part == "." || *part == ".." || part.contains('\0')) {
        return Err(Mistrust::Outside.into());
    }
    Ok(parts)
}

impl Dir {
    /// Opens what a path names. A link, wherever on the way, is refused.
    pub(super) fn open_below(&self, path: &str, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let parts = plain(path)?;
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if !WITHOUT.load(Relaxed) {
            match sys::openat2(&self.fd, path, flags, mode, RESOLVE) {
                // Containers of the time before it answer EPERM to a call that they do not know.
                Err(Errno::NOSYS) => WITHOUT.store(true, Relaxed),
                Err(Errno::PERM) => {}
                Err(Errno::LOOP) => return Err(Mistrust::Link.into()),
                done => return done.map_err(|e| explained(e, &self.fd, path)),
            }
        }
        self.step_by_step(&parts, flags, mode)
    }

    /// The same without `openat2`.
    pub(super) fn step_by_step(&self, parts: &[&str], flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let (parent, name) = self.parent_of(parts)?;
        sys::openat(&parent, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, mode).map_err(|e| match e {
            Errno::LOOP => Mistrust::Link.into(),
            e => explained(e, &parent, name),
        })
    }

    /// The directory that the last component lies in, and that component.
    pub(super) fn parent_of<'a>(&self, parts: &[&'a str]) -> io::Result<(Arc<OwnedFd>, &'a str)> {
        let (name, folders) = parts.split_last().ok_or(Mistrust::Outside)?;
        let mut at = self.fd.clone();
        for folder in folders {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let opened = sys::openat(&at, *folder, flags, Mode::empty());
            at = Arc::new(opened.map_err(|e| explained(e, &at, folder))?);
        }
        Ok((at, name))
    }
}

/// What the system answered when a link or no file was in the way.
fn explained(e: Errno, dir: impl AsFd, name: &str) -> io::Error {
    let is_link = || {
        let stat = sys::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW);
        stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
    };
    match e {
        Errno::NOTDIR if is_link() => Mistrust::Link.into(),
        // A socket, or a pipe that nobody reads.
        Errno::NXIO => Mistrust::NotAFile.into(),
        e => e.into(),
    }
}
