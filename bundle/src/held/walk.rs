//! The way to a directory: every step is checked, links included.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{self as sys, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::trust::{self, Mistrust, Trust};
use super::{Dir, files};

/// Links on one way (`MAXSYMLINKS`, include/linux/namei.h).
const LINKS_MAX: u32 = 40;

/// What becomes of a directory that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Refuse,
    Make,
}

/// A component that is still to be walked.
#[derive(Debug)]
enum Step {
    Root,
    Up,
    Down(OsString),
}

/// The directories walked so far, each by its name; the first is `/`.
struct Way {
    dirs: Vec<(OsString, Arc<OwnedFd>)>,
    links: u32,
}

/// Opens a directory by its path.
pub(super) fn walk(path: &Path, missing: Missing) -> io::Result<Dir> {
    let given = std::path::absolute(path)?;
    let mut way = Way { dirs: Vec::new(), links: 0 };
    let mut left = steps(&given);
    while let Some(step) = left.pop_front() {
        match step {
            Step::Root => way.restart()?,
            Step::Up if way.dirs.len() > 1 => drop(way.dirs.pop()),
            Step::Up => {}
            Step::Down(name) => {
                for step in way.down(name, missing)?.into_iter().rev() {
                    left.push_front(step);
                }
            }
        }
    }
    way.arrive()
}

fn steps(path: &Path) -> VecDeque<Step> {
    let step = |part: Component<'_>| match part {
        Component::Normal(name) => Some(Step::Down(name.to_owned())),
        Component::ParentDir => Some(Step::Up),
        Component::RootDir => Some(Step::Root),
        Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(step).collect()
}

impl Way {
    fn restart(&mut self) -> io::Result<()> {
        self.dirs.clear();
        let fd = sys::openat(CWD, "/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        trust::directory(&fd, &sys::fstat(&fd)?, || "/".into())?;
        self.dirs.push((OsString::new(), Arc::new(fd)));
        Ok(())
    }

    fn here(&self) -> io::Result<&Arc<OwnedFd>> {
        self.dirs.last().map(|(_, fd)| fd).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn path(&self) -> PathBuf {
        Path::new("/").join(self.dirs.iter().skip(1).map(|(name, _)| name).collect::<PathBuf>())
    }

    /// One step down. Where there is a link, the steps it stands for.
    fn down(&mut self, name: OsString, missing: Missing) -> io::Result<VecDeque<Step>> {
        let here = self.here()?;
        let open =
            || sys::openat(here, &*name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
        let fd = match open() {
            Err(Errno::NOENT) if missing == Missing::Make => {
                match sys::mkdirat(here, &*name, files::DIR_MODE) {
                    Ok(()) | Err(Errno::EXIST) => open()?,
                    Err(e) => return Err(e.into()),
                }
            }
            done => done?,
        };
        let stat = sys::fstat(&fd)?;
        let there = || self.path().join(&name);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                trust::directory(&fd, &stat, there)?;
                self.dirs.push((name, Arc::new(fd)));
                Ok(VecDeque::new())
            }
            FileType::Symlink => {
                // The directory it lies in is trusted: only in a sticky one could others have made it.
                if !trust::ours(stat.st_uid) {
                    return Err(Mistrust::Owner { dir: there(), uid: stat.st_uid }.into());
                }
                self.links += 1;
                if self.links > LINKS_MAX {
                    return Err(Errno::LOOP.into());
                }
                let target = sys::readlinkat(&fd, "", Vec::new())?;
                Ok(steps(Path::new(OsStr::from_bytes(target.as_bytes()))))
            }
            _ => Err(Mistrust::NotADirectory.into()),
        }
    }

    /// The directory at the end of the way, such that it can be listed.
    fn arrive(mut self) -> io::Result<Dir> {
        let path = self.path();
        let (name, fd) = self.dirs.pop().ok_or(io::ErrorKind::NotFound)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = match sys::openat(&fd, ".", flags, Mode::empty()) {
            // It may still be enough to go through.
            Err(Errno::ACCESS) => fd,
            done => Arc::new(done?),
        };
        let above = self.dirs.pop().map(|(_, above)| (above, name));
        Ok(Dir { fd, path, above, trust: Trust::Own })
    }
}
