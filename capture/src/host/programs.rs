//! Where programs are looked for, and what they are given of the environment.
//!
//! Never in the caller's PATH: it may name a directory of somebody else, or, by an empty or relative element, the one that
//! root happens to stand in; and what sudo, cron or a service leave of it would decide what is recorded. The host's own
//! directories, then those of vendors that only root can change. Who has a tool elsewhere says where (`--tools`). Commands
//! get nothing of the environment that they do not need: libvirt's client writes logs, and Open vSwitch's tools read
//! settings, wherever a variable says.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use netcap_bundle::held::Dir;

use crate::ui::zone;

/// The host's own directories of programs.
const SYSTEM: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// Where vendors of hosts and what is built there put theirs; each counts only while nobody but root can change it.
const VENDORS: [&str; 4] = ["/usr/local/sbin", "/usr/local/bin", "/opt/sbin", "/opt/bin"];
/// Names the directory of tools that the user has chosen; the helper of a recording gets it this way.
const TOOLS_ENV: &str = "NETCAP_TOOLS";

/// The directory of tools that the user has chosen.
static TOOLS: OnceLock<PathBuf> = OnceLock::new();

/// Looks for programs in this directory first. Refused where somebody else could put one.
pub(crate) fn use_tools(dir: &Path) -> io::Result<()> {
    let dir = std::path::absolute(dir)?;
    ours(&dir)?;
    let _ = TOOLS.set(dir);
    Ok(())
}

/// Has a program of ours look in the same directories.
pub(crate) fn pass_on(command: &mut Command) {
    match TOOLS.get() {
        Some(dir) => command.env(TOOLS_ENV, dir),
        None => command.env_remove(TOOLS_ENV),
    };
}

/// Whether nobody but root and this user can put a file there.
fn ours(dir: &Path) -> io::Result<()> {
    Dir::open(dir).and_then(|dir| dir.is_private())
}

/// The directories programs are looked for in, in order.
fn dirs() -> &'static [PathBuf] {
    static DIRS: OnceLock<Vec<PathBuf>> = OnceLock::new();
    DIRS.get_or_init(|| {
        let given = || std::env::var_os(TOOLS_ENV).map(PathBuf::from).filter(|dir| dir.is_absolute());
        let tools = TOOLS.get().cloned().or_else(given);
        trusted(tools.into_iter(), VENDORS.iter().map(PathBuf::from))
    })
}

/// The directory that was chosen, the host's own, and those of vendors; those that are not the host's only when nobody but
/// root and this user can change them.
fn trusted(tools: impl Iterator<Item = PathBuf>, vendors: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let private = |dir: &PathBuf| ours(dir).is_ok();
    tools.filter(private).chain(SYSTEM.map(PathBuf::from)).chain(vendors.filter(private)).collect()
}

/// A program of that name, by an absolute path: beside `beside`, where one is given and nobody else can put one there,
/// else where programs are looked for.
pub(crate) fn find(name: &str, beside: Option<&Path>) -> Option<PathBuf> {
    let beside = beside.into_iter().filter(|dir| ours(dir).is_ok()).map(Path::to_owned);
    first(name, beside.chain(dirs().iter().cloned()))
}

/// The first of these directories that has a program of that name.
fn first(name: &str, mut dirs: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let runs = |path: &Path| {
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    dirs.find_map(|dir| Some(dir.join(name)).filter(|path| runs(path)))
}

/// The environment of a command of the host's: where it looks for programs itself, English, and little else.
pub(crate) fn environment(command: &mut Command) {
    command.env_clear().env("LC_ALL", "C");
    if let Ok(path) = std::env::join_paths(dirs()) {
        command.env("PATH", path);
    }
    // Its times are printed in this zone.
    if let Some(zone) = zone::variable() {
        command.env("TZ", zone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path, bits: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
    }

    #[test]
    fn only_what_can_be_run_is_a_program() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let dirs = || [a.path().to_owned(), b.path().to_owned()].into_iter();
        assert_eq!(first("x", dirs()), None);
        for dir in [&a, &b] {
            fs::write(dir.path().join("x"), "").unwrap();
        }
        mode(&b.path().join("x"), 0o755);
        assert_eq!(first("x", dirs()), Some(b.path().join("x")));
    }

    #[test]
    fn what_is_not_the_hosts_own_counts_only_where_nobody_else_can_change_it() {
        let (ours, open) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (ours, open) = (ours.path().to_owned(), open.path().to_owned());
        for bits in [0o777, 0o1777] {
            mode(&open, bits);
            let dirs = trusted(std::iter::once(open.clone()), [open.clone(), ours.clone()].into_iter());
            assert_eq!(dirs[..SYSTEM.len()], SYSTEM.map(PathBuf::from), "{bits:o}");
            assert_eq!(dirs[SYSTEM.len()..], *std::slice::from_ref(&ours), "{bits:o}");
            assert!(use_tools(&open).is_err(), "{bits:o}");
            let program = open.join("netcap-test-program");
            fs::write(&program, "").unwrap();
            mode(&program, 0o755);
            assert_eq!(find("netcap-test-program", Some(&open)), None, "{bits:o}: anybody's");
        }
        let dirs = trusted(std::iter::once(ours.clone()), std::iter::empty());
        assert_eq!((dirs.first(), dirs.len()), (Some(&ours), SYSTEM.len() + 1));
        mode(&open, 0o755);
        assert!(find("netcap-test-program", Some(&open)).is_some());
    }
}
