//! The services of a host that commands ask: where they are, and whether they are there.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use netcap_bundle::held::{Dir, Mistrust, mistrust};
use netcap_bundle::source::Reason;
use rust_i18n::t;

/// Where libvirt's sockets lie: the old daemon and the one of its modular successor that knows domains.
const LIBVIRT_SOCKETS: [&str; 4] = ["libvirt-sock", "libvirt-sock-ro", "virtqemud-sock", "virtqemud-sock-ro"];
/// Where Open vSwitch keeps its sockets, by packager.
const OVS_RUNDIRS: [&str; 3] = ["/var/run/openvswitch", "/run/openvswitch", "/usr/local/var/run/openvswitch"];

/// Users of daemons have numbers up to this (`SYS_UID_MAX`, login.defs(5)): packages let Open vSwitch run as one.
const DAEMON_UID_MAX: u32 = 999;

/// The host that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Files are read below this; `/` but in tests.
    pub root: PathBuf,
    /// Directory of Open vSwitch's sockets.
    pub ovs_rundir: PathBuf,
}

/// A service that knows of switches or machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Its database and its daemon.
    OpenVswitch,
    /// The daemon of machines.
    Libvirt,
}

/// Why a service cannot be asked: a missing daemon can make its clients wait.
#[derive(Debug)]
pub(crate) enum Absent {
    /// Open vSwitch's database has no socket there.
    NoDatabase(PathBuf),
    /// Whether there is one cannot be seen.
    Hidden(PathBuf, std::io::Error),
    /// libvirt has no socket.
    NoLibvirt,
}

impl Service {
    /// The service that a command of this name asks, if it is one of these.
    pub(crate) fn asked_by(program: &str) -> Option<Self> {
        match program {
            "virsh" => Some(Self::Libvirt),
            program if program.starts_with("ovs") => Some(Self::OpenVswitch),
            _ => None,
        }
    }

    /// As its makers call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OpenVswitch => "Open vSwitch",
            Self::Libvirt => "libvirt",
        }
    }
}

/// As the bundle has it, in English.
impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDatabase(socket) => {
                write!(f, "no Open vSwitch here: {} does not exist", socket.display())
            }
            Self::Hidden(socket, why) => write!(f, "{}: {why}", socket.display()),
            Self::NoLibvirt => write!(f, "no libvirt here: there is no socket in /run/libvirt"),
        }
    }
}

impl Absent {
    /// As the bundle has it, for programs.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::NoDatabase(_) | Self::NoLibvirt => Reason::NoService,
            Self::Hidden(_, why) => Reason::of_file(why),
        }
    }

    /// As the user reads it.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::NoDatabase(socket) => t!("points.missing", path = socket.display()).into_owned(),
            Self::Hidden(..) => self.to_string(),
            Self::NoLibvirt => t!("points.no_socket").into_owned(),
        }
    }
}

impl Host {
    /// This host, with Open vSwitch where the user says or where it usually is.
    pub(crate) fn this(ovs_rundir: Option<PathBuf>) -> Self {
        let usual = || OVS_RUNDIRS.iter().map(PathBuf::from).find(|dir| dir.join("db.sock").exists());
        let ovs_rundir = ovs_rundir.or_else(usual).unwrap_or_else(|| OVS_RUNDIRS[0].into());
        Self { root: "/".into(), ovs_rundir }
    }

    /// This host, with Open vSwitch where the user or the environment says. What root is told there decides what is
    /// recorded, so it is refused where somebody else could answer.
    pub(crate) fn chosen(ovs_rundir: Option<PathBuf>) -> io::Result<Self> {
        if let Some(dir) = &ovs_rundir
            && !OVS_RUNDIRS.iter().any(|usual| dir == Path::new(usual))
        {
            trusted(dir)?;
        }
        Ok(Self::this(ovs_rundir))
    }

    /// Socket of Open vSwitch's database.
    pub(crate) fn ovs_database(&self) -> PathBuf {
        self.ovs_rundir.join("db.sock")
    }

    /// Whether that can be asked.
    pub(crate) fn has_ovs(&self) -> bool {
        self.ovs_database().exists()
    }

    /// Why a service is not worth asking, if so.
    pub(crate) fn absent(&self, service: Service) -> Option<Absent> {
        match service {
            Service::OpenVswitch => {
                let socket = self.ovs_database();
                match socket.try_exists() {
                    Ok(true) => None,
                    Ok(false) => Some(Absent::NoDatabase(socket)),
                    Err(why) => Some(Absent::Hidden(socket, why)),
                }
            }
            Service::Libvirt => {
                let run = self.root.join("run/libvirt");
                let there = LIBVIRT_SOCKETS.iter().any(|name| run.join(name).exists());
                (!there).then_some(Absent::NoLibvirt)
            }
        }
    }

    /// The words of a command for this host: the database and what it is repeated over are put in.
    pub(super) fn words(&self, words: &[&str], arg: &str) -> Vec<String> {
        let db = format!("unix:{}", self.ovs_database().display());
        words.iter().map(|word| word.replace("{db}", &db).replace("{}", arg)).collect()
    }
}

/// Whether nobody but root, or the user of a daemon whom root has given a directory, can answer there.
fn trusted(dir: &Path) -> io::Result<()> {
    let done = Dir::open(dir).and_then(|dir| dir.is_private());
    let Err(e) = done else { return Ok(()) };
    match mistrust(&e) {
        // What is not there answers nothing.
        None => Ok(()),
        Some(Mistrust::Owner { dir: at, uid })
            if *uid <= DAEMON_UID_MAX && std::fs::canonicalize(dir)? == *at =>
        {
            Dir::around(at).and_then(|(above, _)| above.is_private())
        }
        Some(_) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_and_the_element_are_put_in() {
        let host = Host { root: "/".into(), ovs_rundir: "/run/ovs".into() };
        assert_eq!(host.words(&["x", "{db}", "a{}"], "br0"), ["x", "unix:/run/ovs/db.sock", "abr0"]);
    }

    #[test]
    fn switches_are_asked_only_where_nobody_else_can_answer() {
        use std::os::unix::fs::{PermissionsExt, chown};
        rust_i18n::set_locale("en");
        let top = tempfile::tempdir().unwrap();
        let dir = top.path().join("ovs");
        assert!(trusted(&dir).is_ok(), "nobody is there");
        std::fs::create_dir(&dir).unwrap();
        assert!(trusted(&dir).is_ok());
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        chown(&dir, Some(DAEMON_UID_MAX), None).unwrap();
        assert!(trusted(&dir).is_ok(), "root has given it to the daemon's user");
        chown(&dir, Some(65534), None).unwrap();
        let refused = Host::chosen(Some(dir.clone())).unwrap_err();
        assert!(matches!(mistrust(&refused), Some(Mistrust::Owner { uid: 65534, .. })), "{refused}");
        chown(&dir, Some(DAEMON_UID_MAX), None).unwrap();
        std::fs::set_permissions(top.path(), std::fs::Permissions::from_mode(0o1777)).unwrap();
        assert!(trusted(&dir).is_err(), "anybody could have put it there");
    }

    #[test]
    fn who_is_not_there_is_said_for_the_bundle_and_for_people() {
        rust_i18n::set_locale("en");
        let dir = tempfile::tempdir().unwrap();
        let host = Host { root: dir.path().to_owned(), ovs_rundir: dir.path().join("ovs") };
        let absent = host.absent(Service::OpenVswitch).unwrap();
        let missing = format!("{} does not exist", host.ovs_database().display());
        assert_eq!(
            (absent.to_string(), absent.words()),
            (format!("no Open vSwitch here: {missing}"), missing)
        );
        assert!(host.absent(Service::Libvirt).unwrap().words().contains("/run/libvirt"));
        std::fs::create_dir_all(dir.path().join("run/libvirt")).unwrap();
        std::fs::create_dir(dir.path().join("ovs")).unwrap();
        for socket in ["run/libvirt/libvirt-sock", "ovs/db.sock"] {
            std::fs::write(dir.path().join(socket), "").unwrap();
        }
        assert!(host.absent(Service::OpenVswitch).is_none() && host.absent(Service::Libvirt).is_none());
    }
}
