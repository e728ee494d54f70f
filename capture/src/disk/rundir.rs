//! The directory of a run: made, named, described at the start, and locked while it is recorded.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use netcap_bundle::held::{Dir, Mistrust, mistrust};
use netcap_bundle::run::{RunInfo, SCHEMA, Sandbox};
use netcap_bundle::{Op, Point, layout, seal};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::utsname::{UtsName, uname};
use rust_i18n::t;

use crate::error::{Error, Result};
use crate::host::clock;

/// A run's directory, held by this process.
pub(crate) struct RunDir {
    pub path: PathBuf,
    /// It is held open, and so is the directory it lies in: that of its tar.
    pub dir: Dir,
    /// See `dir`.
    pub out: Dir,
    /// Where its tar will be, as the user knows it.
    place: PathBuf,
    /// What the run says about itself.
    pub info: RunInfo,
    /// Held until the run is sealed: `netcap seal` keeps off. Absent where a file system has no locks, and when it was let
    /// go.
    lock: Mutex<Option<Flock<File>>>,
}

/// What a run is about, as far as it is known at the start.
#[derive(Debug, Default)]
pub(crate) struct Start {
    /// What is recorded.
    pub(crate) points: Vec<Point>,
    /// Addresses that are pinged.
    pub(crate) pings: Vec<String>,
    /// Directory of Open vSwitch's sockets, if there are any.
    pub(crate) ovs_rundir: Option<String>,
    /// How the recording is confined.
    pub(crate) sandbox: Option<Sandbox>,
}

/// Runs of one second on one host: more are not started by people.
const SAME_SECOND_MAX: u32 = 100;

/// Of them those that may be put off because another run seems to have the name.
const TAKEN_MAX: u32 = 10;
/// How often a new run tries to get its lock, and the time between.
const LOCK_TRIES: u32 = 50;
/// See [`LOCK_TRIES`].
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// `netcap 0.1.0`.
pub(crate) fn tool() -> String {
    format!("netcap {}", env!("CARGO_PKG_VERSION"))
}

impl RunDir {
    /// Makes `OUT/HOST-STAMP` and writes what is known at the start; `taken` are names of runs in other directories.
    pub(crate) fn create(out: &Path, taken: &[String], start: Start) -> Result<Self> {
        let Start { points, pings, ovs_rundir, sandbox } = start;
        let held = Dir::create(out).map_err(Error::out(out))?;
        let started = clock::both();
        let utc_offset_s = clock::utc_offset_s();
        let name = uname().ok();
        let text = |value: Option<&std::ffi::OsStr>| value.map(|v| v.to_string_lossy().into_owned());
        let host = text(name.as_ref().map(UtsName::nodename)).unwrap_or_else(|| "host".into());
        let kernel = text(name.as_ref().map(UtsName::release)).unwrap_or_default();
        let (run, dir) = fresh(taken, &held, &host, &started.realtime.stamp(utc_offset_s))?;
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let (boot_id, path) = (boot_id.trim().to_owned(), out.join(&run));
        let options = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        let info = RunInfo {
            schema: SCHEMA,
            tool: tool(),
            run,
            host,
            kernel,
            boot_id,
            options,
            utc_offset_s,
            started,
            points,
            pings,
            ovs_rundir,
            sandbox,
        };
        let described = seal::write_json(&dir, layout::RUN, &info).map_err(Error::from);
        let described = described.and_then(|()| held.sync().map_err(Error::file(Op::Write, out)));
        if let Err(e) = described {
            // A directory that does not say what it is would be in everybody's way.
            let _ = dir.remove_with_all();
            return Err(e);
        }
        let lock = first_lock(&dir, &path).inspect_err(|_| drop(dir.remove_with_all()))?;
        Ok(Self { path, dir, out: held, place: out.to_owned(), info, lock: Mutex::new(lock) })
    }

    /// Takes over the directory of a run whose recorder is gone.
    pub(crate) fn adopt(path: &Path) -> Result<Self> {
        let not_a_run = || Error::Usage(t!("seal.not_a_run", dir = path.display()).into_owned());
        let dir = find(path)?.ok_or_else(not_a_run)?;
        let out = dir.beside().map_err(Error::run(path))?;
        let info = seal::read_run(&dir)?;
        let lock = lock(&dir, path)?;
        let (place, lock) = (out.path().to_owned(), Mutex::new(Some(lock)));
        Ok(Self { path: path.to_owned(), dir, place, out, info, lock })
    }

    /// Removes the directory of a run that is in its tar, or of one that never began. Nobody of this process has a file of
    /// it open any more but for the lock, which is let go before the file it is on is removed.
    pub(crate) fn remove(&self) -> io::Result<()> {
        seal::clear_run(&self.dir)?;
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        let mut tries = GONE_TRIES;
        loop {
            match seal::remove_cleared(&self.dir) {
                Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty && tries > 0 => {
                    std::thread::sleep(GONE_PAUSE);
                    tries -= 1;
                    seal::clear_run(&self.dir)?;
                }
                done => return done,
            }
        }
    }

    /// Where its directory is now: somebody may have moved it while it was recorded.
    pub(crate) fn place_now(&self) -> PathBuf {
        self.dir.moved_to().unwrap_or_else(|| self.path.clone())
    }

    /// The name of its tar.
    pub(crate) fn tar_name(&self) -> String {
        format!("{}{}", self.info.run, layout::BUNDLE_END)
    }

    /// Where its tar will be, as the user knows it.
    pub(crate) fn tar_path(&self) -> PathBuf {
        self.place.join(self.tar_name())
    }
}

/// How often the directory of a run that is in its tar is tried to be removed, and the time between: NFS and FUSE keep a
/// name for a removed file that is open, and take it away a moment after it is closed.
const GONE_TRIES: u32 = 10;
/// See [`GONE_TRIES`].
const GONE_PAUSE: Duration = Duration::from_millis(20);

/// The directory of a run, if there is one. One that others can change is refused.
pub(crate) fn find(path: &Path) -> Result<Option<Dir>> {
    let opened = Dir::open(path).and_then(|dir| dir.is_private().map(|()| dir));
    match opened {
        Ok(dir) => Ok(Some(dir).filter(|dir| dir.has(layout::RUN))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) if mistrust(&e) == Some(&Mistrust::NotADirectory) => Ok(None),
        Err(e) => Err(Error::run(path)(e)),
    }
}

/// A new directory; two runs that start in the same second get different ones, and so do those in other directories as
/// far as they are seen. Anybody may take a socket's name, so that a name looks taken is no reason not to record.
fn fresh(taken: &[String], out: &Dir, host: &str, stamp: &str) -> Result<(String, Dir)> {
    for n in 1..=SAME_SECOND_MAX {
        let stamp = if n == 1 { stamp.to_owned() } else { format!("{stamp}-{n}") };
        let run = layout::run_name(host, &stamp);
        if (n <= TAKEN_MAX && taken.contains(&run)) || out.has(&format!("{run}{}", layout::BUNDLE_END)) {
            continue;
        }
        match out.make_new_dir(&run) {
            Ok(dir) => return Ok((run, dir)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => return Err(Error::out(out.path())(e)),
            Err(e) => return Err(Error::file(Op::Create, out.path().join(run))(e)),
        }
    }
    Err(Error::Other(t!("run.crowd", dir = out.path().display()).into_owned()))
}

/// The lock of a new run. Somebody who looks which runs are dead may hold it for a moment. A file system without locks is
/// one where nobody gets this one either, so that the run is not taken for a dead one.
fn first_lock(dir: &Dir, path: &Path) -> Result<Option<Flock<File>>> {
    let mut tries = LOCK_TRIES;
    loop {
        match lock(dir, path) {
            Err(Error::Active(_)) if tries > 0 => {
                std::thread::sleep(LOCK_PAUSE);
                tries -= 1;
            }
            Err(Error::NoLocks(_)) => return Ok(None),
            done => return done.map(Some),
        }
    }
}

/// The kernel drops the lock when the process dies, however it dies. Opened for writing too: on NFS an exclusive lock
/// wants that (flock(2)).
fn lock(dir: &Dir, path: &Path) -> Result<Flock<File>> {
    let run = path.join(layout::RUN);
    let file = match dir.modify(layout::RUN) {
        Err(e) if e.kind() == io::ErrorKind::ReadOnlyFilesystem => dir.read(layout::RUN),
        done => done,
    };
    let file = file.map_err(Error::file(Op::Open, &run))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((_, Errno::EWOULDBLOCK)) => Err(Error::Active(path.to_owned())),
        Err((_, Errno::ENOLCK | Errno::EOPNOTSUPP | Errno::ENOSYS)) => Err(Error::NoLocks(path.to_owned())),
        Err((_, e)) => Err(Error::file(Op::Lock, run)(e.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_of_one_second_and_the_lock() {
        let out = tempfile::tempdir().unwrap();
        let one = RunDir::create(out.path(), &[], Start::default()).unwrap();
        let two = RunDir::create(out.path(), &[], Start::default()).unwrap();
        let other = tempfile::tempdir().unwrap();
        let other = Dir::open(other.path()).unwrap();
        let (host, taken) = ("h", ["h-1".to_owned(), "h-1-2".to_owned()]);
        assert_eq!(fresh(&taken, &other, host, "1").unwrap().0, "h-1-3");
        let squatted: Vec<String> = (0..200).map(|n| format!("h-2-{n}")).chain(["h-2".to_owned()]).collect();
        assert_eq!(fresh(&squatted, &other, host, "2").unwrap().0, "h-2-11", "a name is not a lock");
        assert_ne!(one.path, two.path);
        assert!(matches!(RunDir::adopt(&one.path), Err(Error::Active(_))));
        let (path, run) = (one.path.clone(), one.info.run.clone());
        drop(one);
        assert_eq!(RunDir::adopt(&path).unwrap().info.run, run);
    }
}
