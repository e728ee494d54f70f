//! Where programs are looked for, and what they are given of the environment.
//!
//! Root's PATH may name a directory of somebody else, or, by an empty or relative element, the one that root happens to
//! stand in. The host's own directories come first, whatever the PATH says; of it only directories count that nobody but
//! root and this user can change. Commands get nothing of the environment that they do not need: libvirt's client writes
//! logs, and Open vSwitch's tools read settings, wherever a variable says.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use netcap_bundle::held::Dir;

/// The host's own directories of programs.
const SYSTEM: [&str; 6] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"];
/// Directories of the PATH that are looked at.
const PATH_MAX: usize = 64;
/// What a command is given of the environment: the zone its times are printed in.
const KEPT: [&str; 1] = ["TZ"];

/// The directories programs are looked for in, in order.
fn dirs() -> &'static [PathBuf] {
    static DIRS: OnceLock<Vec<PathBuf>> = OnceLock::new();
    DIRS.get_or_init(|| trusted(&std::env::var_os("PATH").unwrap_or_default()))
}

/// The host's own, then those of a PATH that only root and this user can change.
fn trusted(path: &OsStr) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = SYSTEM.map(PathBuf::from).to_vec();
    for dir in std::env::split_paths(path).filter(|dir| dir.is_absolute()).take(PATH_MAX) {
        if !dirs.contains(&dir) && Dir::open(&dir).is_ok_and(|dir| dir.is_private().is_ok()) {
            dirs.push(dir);
        }
    }
    dirs
}

/// A program of that name, by an absolute path: beside `beside`, where one is given, else where programs are looked for.
pub(crate) fn find(name: &str, beside: Option<&Path>) -> Option<PathBuf> {
    first(name, beside.into_iter().map(Path::to_owned).chain(dirs().iter().cloned()))
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
    for name in KEPT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
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
    fn of_the_path_counts_what_nobody_else_can_change_and_never_before_the_hosts_own() {
        let (ours, open) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        mode(open.path(), 0o777);
        let relative = Path::new("bin");
        let path = [Path::new(""), relative, Path::new("."), open.path(), ours.path(), Path::new("/usr/bin")];
        let dirs = trusted(&std::env::join_paths(path).unwrap());
        assert_eq!(dirs[..SYSTEM.len()], SYSTEM.map(PathBuf::from));
        assert_eq!(dirs[SYSTEM.len()..], [ours.path()]);
        mode(open.path(), 0o1777);
        assert_eq!(trusted(open.path().as_os_str()).len(), SYSTEM.len(), "sticky, and still anybody's");
    }
}
