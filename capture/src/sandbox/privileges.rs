//! User and capabilities: from root to nobody, for good.
//!
//! Results stay root's: files are made with the file-system user 0 (setfsuid(2)), which gives the rights of root's own
//! files and no capability. Where that is not enough to reach `--out`, `CAP_DAC_OVERRIDE` stays as well. What the
//! file-system user could do elsewhere is taken away by Landlock.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::prctl::set_no_new_privs;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Gid, Uid, setfsgid, setfsuid, setgroups, setresgid, setresuid};
use rust_i18n::t;

use crate::error::{Error, Result};
use crate::sys;

/// Who a recording becomes when nobody says otherwise.
const NOBODY: &str = "nobody";
/// What that user is where no file names one (the kernel's overflow ids, kernel/sys.c).
const OVERFLOW: u32 = 65534;
/// `RLIMIT_NICE` that allows a nice value of 0 (getrlimit(2): 20 minus it), for the threads that record.
const NICE_ZERO: u64 = 20;

/// A user of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// As it was named.
    pub name: String,
    uid: u32,
    gid: u32,
}

impl User {
    /// The user of that name or number, else nobody. Read from the file, for a static program cannot ask NSS.
    pub fn find(wanted: Option<&str>) -> Result<Self> {
        Self::of(wanted, &fs::read_to_string("/etc/passwd").unwrap_or_default())
    }

    fn of(wanted: Option<&str>, passwd: &str) -> Result<Self> {
        let name = wanted.unwrap_or(NOBODY);
        let number = name.parse().ok();
        let named = passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (have, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
            let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
            (have == name || number == Some(uid)).then(|| Self { name: have.to_owned(), uid, gid })
        });
        let found = named.or_else(|| match (wanted, number) {
            (None, _) => Some(Self { name: NOBODY.into(), uid: OVERFLOW, gid: OVERFLOW }),
            (Some(_), Some(id)) => Some(Self { name: name.into(), uid: id, gid: id }),
            (Some(_), None) => None,
        });
        match found {
            Some(user) if user.uid == 0 => Err(Error::Usage(t!("sandbox.root").into_owned())),
            Some(user) => Ok(user),
            None => Err(Error::Usage(t!("sandbox.no_user", name = name).into_owned())),
        }
    }
}

/// Becomes that user. Layers that this host refuses are named in `missing`, and the others are laid all the same.
pub(super) fn drop_to(user: &User, writable: &[PathBuf], missing: &mut Vec<String>) {
    let mut note = |layer: &str, done: std::result::Result<(), String>| {
        if let Err(why) = done {
            missing.push(format!("{layer}: {why}"));
        }
    };
    if setrlimit(Resource::RLIMIT_NICE, NICE_ZERO, NICE_ZERO).is_err() {
        // The threads that record could not take back what the others give: then nobody gives.
        let _ = sys::nice_this_thread(0);
    }
    let keep = if writable.iter().all(|path| root_can_use(path)) {
        CapsHashSet::new()
    } else {
        CapsHashSet::from([Capability::CAP_DAC_OVERRIDE])
    };
    note("securebits", sys::detach_capabilities_from_user().map_err(|e| e.to_string()));
    note("bounding set", empty_bounding_set());
    if caps::runtime::ambient_set_supported().is_ok() {
        note("ambient set", caps::clear(None, CapSet::Ambient).map_err(|e| e.to_string()));
    }
    note("user", become_user(user).map_err(|e| e.to_string()));
    let set = |which| caps::set(None, which, &keep).map_err(|e| e.to_string());
    note("inheritable capabilities", caps::clear(None, CapSet::Inheritable).map_err(|e| e.to_string()));
    note("effective capabilities", set(CapSet::Effective));
    note("permitted capabilities", set(CapSet::Permitted));
    note("no_new_privs", set_no_new_privs().map_err(|e| e.to_string()));
}

fn empty_bounding_set() -> std::result::Result<(), String> {
    let drop = |capability| caps::drop(None, CapSet::Bounding, capability).map_err(|e| e.to_string());
    caps::runtime::thread_all_supported().into_iter().try_for_each(drop)
}

fn become_user(user: &User) -> nix::Result<()> {
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    setgroups(&[])?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)?;
    // Neither gives an error; what they did is seen by calling them again with what cannot be.
    setfsgid(Gid::from_raw(0));
    setfsuid(Uid::from_raw(0));
    let nobody = u32::MAX;
    let is = (setfsuid(Uid::from_raw(nobody)).as_raw(), setfsgid(Gid::from_raw(nobody)).as_raw());
    if is == (0, 0) { Ok(()) } else { Err(nix::Error::EPERM) }
}

/// Whether root may work in a directory by the mode bits alone, as its owner or as anybody, without capabilities.
fn root_can_use(dir: &Path) -> bool {
    let Ok(dir) = dir.canonicalize() else { return false };
    let allows = |path: &Path, wanted: u32| {
        path.metadata().is_ok_and(|meta| {
            let class = match (meta.uid(), meta.gid()) {
                (0, _) => 6,
                (_, 0) => 3,
                _ => 0,
            };
            meta.mode() >> class & wanted == wanted
        })
    };
    allows(&dir, 7) && dir.ancestors().skip(1).all(|above| allows(above, 1))
}

/// Fields of `/proc/self/status` by name.
pub(super) fn status() -> BTreeMap<String, String> {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

/// The capabilities that are in effect, by name.
pub(super) fn effective() -> Vec<String> {
    let set = caps::read(None, CapSet::Effective).unwrap_or_default();
    let mut names: Vec<String> = set.iter().map(ToString::to_string).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn users_by_name_and_number_and_never_root() {
        rust_i18n::set_locale("en");
        let passwd = "root:x:0:0::/:\nnobody:x:99:98::/:\nnetcap:x:500:501::/:\nbroken\n";
        let user = |wanted| User::of(wanted, passwd).map(|user| (user.name, user.uid, user.gid));
        assert_eq!(user(None).unwrap(), ("nobody".into(), 99, 98));
        assert_eq!(user(Some("netcap")).unwrap(), ("netcap".into(), 500, 501));
        assert_eq!(user(Some("500")).unwrap(), ("netcap".into(), 500, 501));
        assert_eq!(user(Some("777")).unwrap(), ("777".into(), 777, 777));
        assert_eq!(User::of(None, "").unwrap().uid, OVERFLOW);
        for wanted in ["root", "0", "who"] {
            assert_eq!(user(Some(wanted)).unwrap_err().exit_status(), 2, "{wanted}");
        }
    }

    #[test]
    fn what_root_reaches_without_capabilities() {
        if nix::unistd::geteuid().as_raw() != 0 {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        assert!(root_can_use(dir.path()) && !root_can_use(Path::new("/no/such/place")));
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o500)).unwrap();
        assert!(!root_can_use(dir.path()));
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::chown(dir.path(), Some(1000), Some(1000)).unwrap();
        assert!(!root_can_use(dir.path()));
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o707)).unwrap();
        assert!(root_can_use(dir.path()));
    }
}
