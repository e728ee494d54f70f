//! Landlock: which files a process may still touch (Documentation/userspace-api/landlock.rst; Linux 5.13 and later).
//!
//! Rules hold for the calling thread and all it starts later, so they are set before there is a second thread. What the
//! kernel does not know yet is left out by the crate; the interface's version goes into the manifest.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd, RestrictionStatus,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

/// The first version that keeps files from being cut (Linux 6.2); before, a root of its own does (`mounts.rs`).
pub(super) const SUFFICIENT: u32 = 3;
/// The newest version this was tried with.
const NEWEST: ABI = ABI::V7;
/// What a recording reads besides its own results: counters, zones, and libraries that are loaded late.
pub(super) const READABLE: [&str; 11] = [
    "/proc",
    "/sys",
    "/usr/share/zoneinfo",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/dev/urandom",
];
/// What anybody may read and write.
pub(super) const DEVICES: [&str; 2] = ["/dev/null", "/dev/tty"];

/// Confines a recording: it writes beneath its results and nowhere else, executes nothing, connects nowhere over TCP,
/// and signals nobody but itself. Gives the version of the kernel's interface, or why there is none.
pub(super) fn confine(writable: &[PathBuf]) -> Result<u32, String> {
    status(confined(writable))
}

fn confined(writable: &[PathBuf]) -> Result<RestrictionStatus, RulesetError> {
    let read: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
    let results = AccessFs::from_all(NEWEST)
        & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
    Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(READABLE, read))?
        .add_rules(path_beneath_rules(DEVICES, AccessFs::ReadFile | AccessFs::WriteFile))?
        .add_rules(path_beneath_rules(writable, results))?
        .restrict_self()
}

/// Lets this process and its children read and execute everything and write nothing but devices that forget. Files that
/// are in `locks` may be opened for writing, neither made nor cut: ovs-appctl opens the daemon's pid file so, to see
/// whether it is locked (`read_pidfile`, lib/daemon-unix.c of Open vSwitch). In `sockets` sockets may be made and taken
/// away.
pub(super) fn read_only(locks: &Path, sockets: &Path) -> Result<u32, String> {
    status(reading(locks, sockets))
}

fn reading(locks: &Path, sockets: &Path) -> Result<RestrictionStatus, RulesetError> {
    let device = AccessFs::ReadFile | AccessFs::WriteFile;
    let mut rules = Ruleset::default().handle_access(AccessFs::from_write(NEWEST))?.create()?;
    for path in DEVICES.iter().map(Path::new).chain([locks]) {
        if let Ok(fd) = PathFd::new(path) {
            rules = rules.add_rule(PathBeneath::new(fd, device & AccessFs::from_write(NEWEST)))?;
        }
    }
    if let Ok(fd) = PathFd::new(sockets) {
        rules = rules.add_rule(PathBeneath::new(fd, AccessFs::MakeSock | AccessFs::RemoveFile))?;
    }
    // Commands are the host's own; some of them change their profile when they are started, which this would forbid.
    rules.no_new_privs(false).restrict_self()
}

fn status(done: Result<RestrictionStatus, RulesetError>) -> Result<u32, String> {
    let status = done.map_err(|e| e.to_string())?;
    match (status.landlock, status.ruleset) {
        (LandlockStatus::NotImplemented, _) => Err("this kernel has no Landlock".into()),
        (LandlockStatus::NotEnabled, _) => Err("Landlock is not enabled on this kernel (lsm=)".into()),
        (_, RulesetStatus::NotEnforced) => Err("the kernel enforces nothing".into()),
        (LandlockStatus::Available { effective_abi, .. }, _) => {
            Ok(u32::try_from(effective_abi as i32).unwrap_or(0))
        }
    }
}
