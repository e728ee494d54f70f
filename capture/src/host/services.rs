//! The services of a host that commands ask: where they are, and whether they are there.

use std::fmt;
use std::path::PathBuf;

use netcap_bundle::source::Reason;
use rust_i18n::t;

/// Where libvirt's sockets lie: the old daemon and the one of its modular successor that knows domains.
const LIBVIRT_SOCKETS: [&str; 4] = ["libvirt-sock", "libvirt-sock-ro", "virtqemud-sock", "virtqemud-sock-ro"];
/// Where Open vSwitch keeps its sockets, by packager.
const OVS_RUNDIRS: [&str; 3] = ["/var/run/openvswitch", "/run/openvswitch", "/usr/local/var/run/openvswitch"];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_and_the_element_are_put_in() {
        let host = Host { root: "/".into(), ovs_rundir: "/run/ovs".into() };
        assert_eq!(host.words(&["x", "{db}", "a{}"], "br0"), ["x", "unix:/run/ovs/db.sock", "abr0"]);
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
