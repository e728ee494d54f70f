//! Whom root believes: who may have put a file or a directory where it is.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::sync::OnceLock;

use rustix::fs::{self as sys, FileType, SeekFrom, Stat};
use rustix::io::Errno;

/// Whose files are opened below a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Those of this process's user and of root.
    Own,
    /// Anybody's, for reading.
    Any,
}

/// Why a file or directory is not touched. The text is English; whoever speaks other languages words it by the variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistrust {
    /// A symbolic link where a file or directory should be.
    #[error("it is a symbolic link, and links are not followed here; remove the link")]
    Link,
    /// A pipe, a device, a socket or a directory where a file should be.
    #[error("it is no regular file; remove it")]
    NotAFile,
    /// A file where a directory should be.
    #[error("it is no directory")]
    NotADirectory,
    /// A file of somebody else.
    #[error(
        "it belongs to user {uid}, and only files of one's own and root's are trusted; check it, then chown it"
    )]
    FileOwner {
        /// Whose it is.
        uid: u32,
    },
    /// A file that can also be reached by another name, which may be anywhere.
    #[error(
        "it has {links} names (hard links), so that it may be another file too; copy it and remove the link"
    )]
    Linked {
        /// How many.
        links: u64,
    },
    /// Larger than a file of its kind ever gets.
    #[error("it has {size} bytes, and such a file never has more than {max}; move it away")]
    TooLarge {
        /// Bytes it has.
        size: u64,
        /// Bytes it may have.
        max: u64,
    },
    /// A file that says to be large and has nothing in it: it would be read for hours.
    #[error("it has holes of {bytes} bytes, and netcap leaves none; move it away")]
    Holes {
        /// Bytes of holes, of those that were looked at.
        bytes: u64,
    },
    /// A tar whose name says that it is one of a run, and is not.
    #[error("it is no tar of this run, or not all of it; move it away")]
    NotOfThisRun,
    /// Not a path of plain names.
    #[error("its path leads out of the directory")]
    Outside,
    /// It is no longer where it was.
    #[error("something else lies where it was")]
    Moved,
    /// A directory that somebody else can put something else in place of.
    #[error(
        "{} belongs to user {uid}, who can change what lies there at any moment; use a directory that only root can write, or do it as that user",
        dir.display()
    )]
    Owner {
        /// The directory, or one above it.
        dir: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// A directory that others can write.
    #[error(
        "other users can write to {} and change what lies there at any moment; use a directory that only root can write, or take that right away (chmod go-w)",
        dir.display()
    )]
    Writable {
        /// The directory, or one above it.
        dir: PathBuf,
    },
}

impl From<Mistrust> for io::Error {
    fn from(mistrust: Mistrust) -> Self {
        Self::new(io::ErrorKind::PermissionDenied, mistrust)
    }
}

/// The mistrust that an error tells of, if it does.
pub fn mistrust(error: &io::Error) -> Option<&Mistrust> {
    error.get_ref()?.downcast_ref()
}

/// Mode bits of others and of the group that allow writing.
const OTHERS_WRITE: u32 = 0o002;
/// See [`OTHERS_WRITE`].
const GROUP_WRITES: u32 = 0o020;
/// Bytes of holes that a file may have.
const HOLES_MAX: u64 = 64 << 20;
/// Holes that are looked for in one file.
const EXTENTS_MAX: usize = 1024;
/// Only owners remove and rename in such a directory.
const STICKY: u32 = 0o1000;

/// The user and group that files are made with: a confined recording is nobody and still makes root's files.
fn me() -> (u32, u32) {
    static ME: OnceLock<(u32, u32)> = OnceLock::new();
    *ME.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        // Real, effective, saved, file system (proc_pid_status(5)).
        let id = |name: &str| -> Option<u32> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().nth(3)?.parse().ok()
        };
        // Without /proc only root's are trusted.
        (id("Uid:").unwrap_or(0), id("Gid:").unwrap_or(0))
    })
}

/// Whether this user could only have been this process's own, or root.
pub(super) fn ours(uid: u32) -> bool {
    uid == 0 || uid == me().0
}

/// Whether users other than the owner may add names to a directory.
pub(super) fn others_write(fd: impl AsFd, stat: &Stat) -> bool {
    let group_is_ours = stat.st_gid == 0 || stat.st_gid == me().1;
    stat.st_mode & OTHERS_WRITE != 0 || (stat.st_mode & GROUP_WRITES != 0 && (!group_is_ours || has_acl(fd)))
}

/// With an access list the bits of the group are those of everybody on the list (acl(5)).
fn has_acl(fd: impl AsFd) -> bool {
    // By way of /proc, for a descriptor that was opened with O_PATH has no attributes.
    let path = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    let size = sys::getxattr(path, "system.posix_acl_access", &mut [0u8; 0][..]);
    !matches!(size, Err(Errno::NODATA | Errno::NOTSUP | Errno::NOSYS))
}

/// Whether a directory on the way is one in which nobody else can change what is ours.
pub(super) fn directory(fd: impl AsFd, stat: &Stat, dir: impl FnOnce() -> PathBuf) -> io::Result<()> {
    if !ours(stat.st_uid) {
        return Err(Mistrust::Owner { dir: dir(), uid: stat.st_uid }.into());
    }
    if stat.st_mode & STICKY == 0 && others_write(fd, stat) {
        return Err(Mistrust::Writable { dir: dir() }.into());
    }
    Ok(())
}

/// Whether an open file is a regular one.
pub(super) fn regular(file: &File) -> io::Result<Stat> {
    let stat = sys::fstat(file)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(stat),
        _ => Err(Mistrust::NotAFile.into()),
    }
}

/// Whether an open file is one to read or write.
pub(super) fn file(file: &File, trust: Trust) -> io::Result<Stat> {
    let stat = regular(file)?;
    if trust == Trust::Own {
        own(&stat)?;
        let bytes = holes(file, u64::try_from(stat.st_size).unwrap_or(0))?;
        if bytes > HOLES_MAX {
            return Err(Mistrust::Holes { bytes }.into());
        }
    }
    Ok(stat)
}

/// Bytes of holes in a file, as far as it matters. A small file is read sooner than asked, and a file system that knows
/// no holes has none (lseek(2)).
fn holes(file: &File, size: u64) -> io::Result<u64> {
    let (mut at, mut bytes) = (0, 0_u64);
    for _ in 0..EXTENTS_MAX {
        if at >= size || size <= HOLES_MAX || bytes > HOLES_MAX {
            break;
        }
        let seek = |to| match sys::seek(file, to) {
            // Nothing but a hole is left.
            Err(Errno::NXIO) => Ok(size),
            Err(Errno::INVAL) => Ok(size.saturating_add(1)),
            done => done,
        };
        let hole = seek(SeekFrom::Hole(at))?;
        if hole >= size {
            break;
        }
        at = seek(SeekFrom::Data(hole))?.min(size);
        bytes = bytes.saturating_add(at.saturating_sub(hole));
    }
    sys::seek(file, SeekFrom::Start(0))?;
    Ok(bytes)
}

/// Whether a file is of one's own.
pub(super) fn owner(stat: &Stat) -> io::Result<()> {
    if ours(stat.st_uid) { Ok(()) } else { Err(Mistrust::FileOwner { uid: stat.st_uid }.into()) }
}

/// Whether a file is of one's own and nothing else besides.
pub(super) fn own(stat: &Stat) -> io::Result<()> {
    owner(stat)?;
    #[allow(clippy::useless_conversion)] // 32 bits on aarch64
    let links = u64::from(stat.st_nlink);
    if links > 1 { Err(Mistrust::Linked { links }.into()) } else { Ok(()) }
}
