//! The sandbox from inside: a process that confines itself and then tries what a recorder that was taken over would try.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use netcap::testing::{User, confine};
use netcap_tests::privileged;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use nix::unistd::{Pid, Uid, setuid};

/// Set in the process that tries; holds where it may write.
const PLACE: &str = "NETCAP_TEST_CONFINED";

#[test]
fn nothing_outside_the_results_can_be_touched() {
    if !privileged("nothing_outside_the_results_can_be_touched") {
        return;
    }
    let (place, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mine = outside.path().join("mine");
    fs::write(&mine, "as it was").unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "confined::attempts", "--nocapture"])
        .env(PLACE, place.path())
        .env("NETCAP_TEST_OUTSIDE", outside.path())
        .output()
        .unwrap();
    assert!(status.status.success(), "{status:?}");
    let report = fs::read_to_string(place.path().join("report")).expect("it got as far as that");
    let wrong: Vec<&str> = report.lines().filter(|line| !line.ends_with(": as it should")).collect();
    assert!(wrong.is_empty() && report.lines().count() >= 20, "{report}");
    assert_eq!(fs::read_to_string(&mine).unwrap(), "as it was");
    assert_eq!(crate::run::entries(outside.path()), [mine]);
}

/// Not a test by itself: the process that [`nothing_outside_the_results_can_be_touched`] starts.
#[test]
fn attempts() {
    let Some(place) = std::env::var_os(PLACE).map(PathBuf::from) else { return };
    let outside = PathBuf::from(std::env::var_os("NETCAP_TEST_OUTSIDE").expect("both are set"));
    let sandbox = confine(&User::find(None).unwrap(), std::slice::from_ref(&place)).unwrap();
    let landlock = sandbox.landlock_abi.is_some();
    let mut report = Report(String::new());
    report.allowed("a file of its own", inside(&place));
    report.allowed("counters", fs::read_to_string("/proc/net/dev"));
    report.allowed("its own memory", netcap::testing::resident().ok_or_else(|| io::Error::other("not told")));
    report.allowed("the list of interfaces", nix::ifaddrs::getifaddrs());
    report.allowed("a thread", std::thread::Builder::new().spawn(|| ()).map(|t| t.join().is_ok()));
    report.allowed("a listener", std::os::unix::net::UnixListener::bind(place.join("sock")));
    if landlock {
        files(&mut report, &outside);
    }
    calls(&mut report, &place);
    fs::write(place.join("report"), report.0).unwrap();
}

fn inside(place: &Path) -> io::Result<()> {
    fs::create_dir(place.join("a"))?;
    fs::write(place.join("a/x"), "x")?;
    fs::rename(place.join("a/x"), place.join("y"))?;
    File::open(place.join("y"))?.sync_all()?;
    fs::remove_file(place.join("y"))
}

fn files(report: &mut Report, outside: &Path) {
    let mine = outside.join("mine");
    report.refused("a new file", File::create(outside.join("new")));
    report.refused("an old file", OpenOptions::new().append(true).open(&mine));
    report.refused("removing", fs::remove_file(&mine));
    report.refused("renaming", fs::rename(&mine, outside.join("other")));
    report.refused("a directory", fs::create_dir(outside.join("dir")));
    report.refused("a link", std::os::unix::fs::symlink("/", outside.join("link")));
    report.refused("reading", fs::read(&mine));
    report.refused("the passwords", fs::read("/etc/shadow"));
    report.refused("a setting of the kernel", fs::write("/proc/sys/net/ipv4/ip_forward", "0"));
    report.refused("a program", OpenOptions::new().write(true).open("/usr/bin/env"));
}

fn calls(report: &mut Report, place: &Path) {
    let open = |family, kind, protocol| socket(family, kind, SockFlag::empty(), protocol);
    report.refused("a packet socket", open(AddressFamily::Packet, SockType::Raw, None));
    report.refused("a raw socket", open(AddressFamily::Inet, SockType::Raw, Some(SockProtocol::Icmp)));
    report.refused("another kind of socket", open(AddressFamily::Vsock, SockType::Stream, None));
    report.refused("another program", Command::new("/bin/true").status());
    report.refused("root again", setuid(Uid::from_raw(0)));
    report.refused("another namespace", unshare(CloneFlags::CLONE_NEWUSER));
    report.refused("its parent", kill(Pid::parent(), None));
    report.refused("everybody", kill(Pid::from_raw(-1), Signal::SIGCONT));
    report.refused("a service", UnixStream::connect(place.join("sock")));
    report.refused("a host", std::net::TcpStream::connect("127.0.0.1:9"));
    report.refused("another root", nix::unistd::chroot(place));
    report.allowed("a tool", fs::write(place.join("tool"), ""));
    let rights = |mode| fs::set_permissions(place.join("tool"), fs::Permissions::from_mode(mode));
    report.allowed("harmless rights", rights(0o755));
    report.refused("root's rights for all", rights(0o4755));
    let born = std::os::unix::fs::OpenOptionsExt::mode(OpenOptions::new().write(true).create(true), 0o4755)
        .open(place.join("born"));
    report.refused("being born with root's rights", born);
    let nowhere: Option<&str> = None;
    let mount = nix::mount::mount(Some("none"), place, Some("tmpfs"), nix::mount::MsFlags::empty(), nowhere);
    report.refused("a mount", mount);
}

/// What was tried, and whether the answer is the right one.
struct Report(String);

impl Report {
    fn allowed<T, E: std::fmt::Display>(&mut self, what: &str, done: Result<T, E>) {
        let verdict = done.map_or_else(|e| e.to_string(), |_| "as it should".to_owned());
        let _ = writeln!(self.0, "{what}: {verdict}");
    }

    fn refused<T, E: Into<io::Error>>(&mut self, what: &str, done: Result<T, E>) {
        let verdict = match done.map_err(Into::into) {
            Ok(_) => "it worked".to_owned(),
            Err(e) if [Some(libc::EPERM), Some(libc::EACCES)].contains(&e.raw_os_error()) => {
                "as it should".to_owned()
            }
            Err(e) => e.to_string(),
        };
        let _ = writeln!(self.0, "{what}: {verdict}");
    }
}
