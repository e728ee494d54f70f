//! The control socket of a run: a file in a directory that is root's alone, so nobody else can take or flood its name.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use rust_i18n::t;

/// Where the control sockets of this host are.
pub(crate) const DIR: &str = "/run/netcap";
/// Between the name of a run and the number of a further run of that name (in another `--out`).
pub(crate) const NUMBER: char = '~';
/// Rights of the group and of everybody else, in a mode (inode(7)).
const OTHERS: u32 = 0o077;
/// Runs of one name.
const NAMES_MAX: u32 = 8;

/// Makes the directory, or sees that the one which is there can be trusted: whoever may write to it could answer for a
/// run, or take its name.
pub(crate) fn prepare(dir: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        done => return done,
    }
    let meta = fs::symlink_metadata(dir)?;
    let ours = meta.is_dir() && meta.uid() == geteuid().as_raw() && meta.mode() & OTHERS == 0;
    let why = || t!("control.dir", dir = dir.display());
    if ours { Ok(()) } else { Err(io::Error::new(io::ErrorKind::PermissionDenied, why().into_owned())) }
}

/// A listening socket for that run, and its file. It listens before it has its name: a name on which nobody listens is
/// swept by whoever finds it.
pub(super) fn bind(dir: &Path, run: &str) -> io::Result<(UnixListener, PathBuf)> {
    prepare(dir)?;
    let early = dir.join(format!(".{run}{NUMBER}{}", std::process::id()));
    let _ = fs::remove_file(&early);
    let listener = UnixListener::bind(&early)?;
    let named = (1..=NAMES_MAX).find_map(|n| {
        let path = dir.join(if n == 1 { run.to_owned() } else { format!("{run}{NUMBER}{n}") });
        // A link does not replace what is there, as a rename would.
        let link = || fs::hard_link(&early, &path);
        match link() {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && is_dead(&path) => {
                fs::remove_file(&path).and_then(|()| link()).is_ok().then_some(path)
            }
            done => done.is_ok().then_some(path),
        }
    });
    let _ = fs::remove_file(&early);
    Ok((listener, named.ok_or(io::ErrorKind::AddrInUse)?))
}

/// Nobody listens there any more: its process was killed.
pub(crate) fn is_dead(path: &Path) -> bool {
    UnixStream::connect(path).is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_directory_that_others_may_write_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("netcap");
        prepare(&dir).unwrap();
        prepare(&dir).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o701)).unwrap();
        assert_eq!(prepare(&dir).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        let link = place.path().join("link");
        std::os::unix::fs::symlink(&dir, &link).unwrap();
        assert!(prepare(&link).is_err(), "a link may lead elsewhere tomorrow");
    }

    #[test]
    fn a_dead_name_is_taken_over_and_a_live_one_is_not() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("netcap");
        let (first, path) = bind(&dir, "h-1").unwrap();
        let (_second, other) = bind(&dir, "h-1").unwrap();
        assert_eq!((path.as_path(), other.as_path()), (&*dir.join("h-1"), &*dir.join("h-1~2")));
        assert!(!is_dead(&path));
        drop(first);
        assert!(is_dead(&path));
        let (_third, again) = bind(&dir, "h-1").unwrap();
        assert_eq!(again, path);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2, "no early name is left");
    }
}
