//! A root of its own: which files there are at all, where the kernel has no Landlock that would do.
//!
//! In a mount namespace (mount_namespaces(7)) the recording gets an empty file system with its results in their place and
//! read-only what it reads. Of `/proc` there is the host's counters and this process, and no other: the file-system user of
//! a recording is root, and `/proc/PID/root` of a root process without capabilities would lead back out (ptrace(2), access
//! mode checking). Nothing is said by the host's mount table: what is mounted here ends with the recording.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, pivot_root};

use super::files::{DEVICES, READABLE};

/// Where the new root is put together: on every host, and no results lie below it.
const STAGE: &str = "/sys";
/// Of `/proc`, besides this process.
const COUNTERS: [&str; 10] = [
    "cpuinfo",
    "filesystems",
    "loadavg",
    "meminfo",
    "pressure",
    "softirqs",
    "stat",
    "sys",
    "uptime",
    "version",
];
/// What the root takes at most: directories and names to mount on.
const ROOT_OPTIONS: &str = "mode=755,size=1m,nr_inodes=2k";

/// Gives this process such a root. Results are written where they were; everything else is read-only or not there.
pub(super) fn enter(writable: &[PathBuf]) -> Result<(), String> {
    let here = std::env::current_dir().ok().filter(|dir| writable.iter().any(|out| dir.starts_with(out)));
    unshare(CloneFlags::CLONE_NEWNS).map_err(say("unshare"))?;
    change("/", MsFlags::MS_REC | MsFlags::MS_SLAVE).map_err(say("propagation"))?;
    // Only what was opened in this namespace can be mounted in it.
    let results = writable.iter().map(|dir| Ok((dir.clone(), held(dir)?))).collect::<io::Result<Vec<_>>>();
    let (results, sys) = (results.map_err(say("the results"))?, held(Path::new(STAGE)).map_err(say(STAGE))?);
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(None::<&str>, STAGE, Some("tmpfs"), flags, Some(ROOT_OPTIONS)).map_err(say("an empty root"))?;
    let built = build(&results, &sys).and_then(|()| {
        change(STAGE, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | flags)?;
        std::env::set_current_dir(STAGE)?;
        pivot_root(".", ".").map_err(io::Error::from)
    });
    if let Err(e) = built {
        // The old root, as it was.
        let _ = umount2(STAGE, MntFlags::MNT_DETACH);
        let _ = std::env::set_current_dir(here.as_deref().unwrap_or(Path::new("/")));
        return Err(format!("the new root: {e}"));
    }
    // The old root lies on the new one.
    umount2(".", MntFlags::MNT_DETACH).map_err(say("the old root"))?;
    std::env::set_current_dir(here.as_deref().unwrap_or(Path::new("/"))).map_err(say("its directory"))?;
    drop((results, sys));
    close_ways_back().map_err(say("open directories"))
}

fn say<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> String {
    move |e| format!("{what}: {e}")
}

/// A directory as a source of mounts, whatever is mounted over its path later.
fn held(path: &Path) -> io::Result<OwnedFd> {
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    OpenOptions::new().read(true).custom_flags(flags).open(path).map(OwnedFd::from)
}

fn build(results: &[(PathBuf, OwnedFd)], sys: &OwnedFd) -> io::Result<()> {
    let by_number = |fd: &OwnedFd| PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    let locked = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    for path in
        READABLE.iter().map(Path::new).filter(|path| !path.starts_with("/proc") && *path != Path::new(STAGE))
    {
        bind_if_there(path, path, if path.starts_with("/dev") { MsFlags::MS_NOSUID } else { locked })?;
    }
    for path in DEVICES.iter().map(Path::new) {
        bind_if_there(path, path, MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC)?;
    }
    bind(&by_number(sys), Path::new(STAGE), locked | MsFlags::MS_NOEXEC, false)?;
    proc(locked | MsFlags::MS_NOEXEC)?;
    // Last: results may lie anywhere, also below what was just mounted.
    for (path, fd) in results {
        let source = by_number(fd);
        let kept = if statvfs(&source)?.flags().contains(FsFlags::ST_RDONLY) {
            MsFlags::MS_RDONLY
        } else {
            MsFlags::empty()
        };
        bind(&source, path, kept | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC, true)?;
    }
    Ok(())
}

/// This process and the host's counters.
fn proc(flags: MsFlags) -> io::Result<()> {
    let this = fs::read_link("/proc/self")?;
    bind(&Path::new("/proc").join(&this), &Path::new("/proc").join(&this), flags, false)?;
    for name in COUNTERS {
        let path = Path::new("/proc").join(name);
        bind_if_there(&path, &path, flags)?;
    }
    symlink(&this, in_stage(Path::new("/proc/self")))?;
    symlink("self/net", in_stage(Path::new("/proc/net")))?;
    symlink("self/mounts", in_stage(Path::new("/proc/mounts")))
}

fn in_stage(path: &Path) -> PathBuf {
    Path::new(STAGE).join(path.strip_prefix("/").unwrap_or(path))
}

fn bind_if_there(source: &Path, at: &Path, flags: MsFlags) -> io::Result<()> {
    if source.exists() { bind(source, at, flags, false) } else { Ok(()) }
}

/// Mounts a file or directory at its place in the new root, with these flags; `deep`: with what is mounted below it.
fn bind(source: &Path, at: &Path, flags: MsFlags, deep: bool) -> io::Result<()> {
    let target = in_stage(at);
    let mut dirs = DirBuilder::new();
    dirs.mode(0o755).recursive(true);
    if fs::metadata(source)?.is_dir() {
        dirs.create(&target)?;
    } else {
        target.parent().map_or(Ok(()), |above| dirs.create(above))?;
        File::create(&target)?;
    }
    let all = if deep { MsFlags::MS_BIND | MsFlags::MS_REC } else { MsFlags::MS_BIND };
    let nothing = None::<&str>;
    mount(Some(source), &target, nothing, all, nothing)?;
    // Flags of a bind mount are taken from a second call only (mount(2)).
    change(&target, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | flags)
}

fn change(at: impl AsRef<Path>, flags: MsFlags) -> io::Result<()> {
    let nothing = None::<&str>;
    mount(nothing, at.as_ref(), nothing, flags, nothing).map_err(io::Error::from)
}

/// A directory that is open leads back to the old root. Whoever started us may have left some open; ours would be needed.
fn close_ways_back() -> io::Result<()> {
    let open: Vec<i32> = fs::read_dir("/proc/self/fd")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    for number in open {
        let is_dir = fs::metadata(format!("/proc/self/fd/{number}")).is_ok_and(|meta| meta.is_dir());
        if is_dir {
            close_inherited(number)?;
        }
    }
    Ok(())
}

fn close_inherited(number: i32) -> io::Result<()> {
    let null = || OpenOptions::new().read(true).write(true).open("/dev/null");
    match number {
        0 => dup2_stdin(null()?)?,
        1 => dup2_stdout(null()?)?,
        2 => dup2_stderr(null()?)?,
        // What this program opens is closed on exec; so this one came from elsewhere, and nobody here knows of it.
        _ if !closes_on_exec(number)? => nix::unistd::close(number)?,
        _ => return Err(io::Error::other(format!("{number} is in use"))),
    }
    Ok(())
}

/// `flags` of `/proc/self/fdinfo/N`, in octal (proc_pid_fdinfo(5)).
fn closes_on_exec(number: i32) -> io::Result<bool> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{number}"))?;
    let flags =
        text.lines().find_map(|line| i32::from_str_radix(line.strip_prefix("flags:")?.trim(), 8).ok());
    Ok(flags.is_none_or(|flags| flags & libc::O_CLOEXEC != 0))
}
