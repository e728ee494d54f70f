//! The sandbox from inside: a process that confines itself and then tries what a recorder that was taken over would try.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use netcap::testing::{FileLayer, User, confine, disk_left};
use netcap_tests::privileged;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use nix::unistd::{Pid, Uid, setuid};

/// Set in the process that tries; holds where it may write.
const PLACE: &str = "NETCAP_TEST_CONFINED";

/// Which layer keeps it from files: `best` or `mounts`.
const LAYER: &str = "NETCAP_TEST_LAYER";
/// A process of root's without capabilities: root may look into it without any.
const BARE: &str = "NETCAP_TEST_BARE";
/// Descriptors of directories that the process that tries is started with.
const LEFT_OPEN: [&str; 2] = ["0", "9"];

#[test]
fn nothing_outside_the_results_can_be_touched() {
    if privileged("nothing_outside_the_results_can_be_touched") {
        tried("best");
    }
}

#[test]
fn without_landlock_there_is_nothing_outside_the_results() {
    if privileged("without_landlock_there_is_nothing_outside_the_results") {
        tried("mounts");
    }
}

/// Has another process confine itself and try.
fn tried(layer: &str) {
    let (place, outside) =
        (tempfile::tempdir().expect("it can be made"), tempfile::tempdir().expect("it can be made"));
    let mine = outside.path().join("mine");
    fs::write(&mine, "as it was").expect("it can be made");
    std::os::unix::fs::symlink("/etc", place.path().join("way-out")).expect("it can be made");
    let mut bare = Command::new("setpriv")
        .args(["--bounding-set=-all", "sleep", "120"])
        .spawn()
        .expect("it can be made");
    // Directories that a careless caller left open, the current one included.
    let status = Command::new("sh")
        .args(["-c", "exec \"$0\" \"$@\" 0</ 9</etc"])
        .arg(std::env::current_exe().expect("it can be made"))
        .args(["--exact", "confined::attempts", "--nocapture", "--test-threads=1"])
        .current_dir("/etc")
        .env(PLACE, place.path())
        .env("NETCAP_TEST_OUTSIDE", outside.path())
        .env(LAYER, layer)
        .env(BARE, bare.id().to_string())
        .output()
        .expect("it can be made");
    let _ = (bare.kill(), bare.wait());
    assert!(status.status.success(), "{status:?}");
    let report = fs::read_to_string(place.path().join("report")).expect("it got as far as that");
    let wrong: Vec<&str> = report.lines().filter(|line| !line.ends_with(": as it should")).collect();
    assert!(wrong.is_empty() && report.lines().count() >= 20, "{report}");
    assert_eq!(fs::read_to_string(&mine).expect("it can be made"), "as it was");
    assert_eq!(crate::run::entries(outside.path()), [mine]);
}

/// Not a test by itself: the process that [`tried`] starts.
#[test]
fn attempts() {
    let Some(place) = std::env::var_os(PLACE).map(PathBuf::from) else { return };
    let outside = PathBuf::from(std::env::var_os("NETCAP_TEST_OUTSIDE").expect("all are set"));
    let own_root = std::env::var(LAYER).is_ok_and(|layer| layer == "mounts");
    let layer = if own_root { FileLayer::Mounts } else { FileLayer::Best };
    // What process 1 is depends on the machine.
    for way in ways_out(&place).iter().filter(|way| !way.starts_with("/proc/1/")) {
        assert!(way.exists(), "before, root gets there: {}", way.display());
    }
    // As in a recording, this is the only thread that counts: each layer holds for it.
    let sandbox = confine(&User::find(None).unwrap(), std::slice::from_ref(&place), layer, 1000).unwrap();
    assert!(!own_root || sandbox.own_root, "{sandbox:?}");
    // Where Landlock does not do, it has a root of its own whatever was asked for.
    let own_root = sandbox.own_root;
    let mut report = Report { text: String::new(), own_root };
    report.allowed("a file of its own", inside(&place));
    report.allowed("counters", fs::read_to_string("/proc/net/dev"));
    report.allowed("its own memory", netcap::testing::resident().ok_or_else(|| io::Error::other("not told")));
    report.allowed("the list of interfaces", nix::ifaddrs::getifaddrs());
    report.allowed("a thread", std::thread::Builder::new().spawn(|| ()).map(|t| t.join().is_ok()));
    report.allowed("how much is free", disk_left(&place).ok_or_else(|| io::Error::other("not told")));
    if own_root || sandbox.landlock_abi.is_some() {
        files(&mut report, &outside);
        for way in ways_out(&place) {
            report.refused(&way.display().to_string(), fs::read(&way));
        }
    }
    report.allowed("a thing", fs::write(place.join("thing"), ""));
    if own_root {
        mounts(&mut report, &place);
    }
    calls(&mut report, &place);
    fs::write(place.join("report"), report.text).unwrap();
}

/// Other names of a file of root's.
fn ways_out(place: &Path) -> Vec<PathBuf> {
    let bare = std::env::var(BARE).expect("all are set");
    let parent = nix::unistd::getppid();
    let mut ways: Vec<PathBuf> = [
        "/etc/shadow".to_owned(),
        "shadow".to_owned(),
        format!("/proc/{bare}/root/etc/shadow"),
        format!("/proc/{bare}/cwd/Cargo.toml"),
        format!("/proc/{parent}/root/etc/shadow"),
        "/proc/1/root/etc/shadow".to_owned(),
        "/proc/self/fd/9/shadow".to_owned(),
        "/proc/self/fd/0/etc/shadow".to_owned(),
    ]
    .map(PathBuf::from)
    .into();
    ways.push(place.join("way-out/shadow"));
    ways.push(place.join("../../../../../etc/shadow"));
    ways
}

/// What a root of its own must keep, and what it must not.
fn mounts(report: &mut Report, place: &Path) {
    for number in LEFT_OPEN {
        let is_dir = fs::metadata(format!("/proc/self/fd/{number}")).is_ok_and(|meta| meta.is_dir());
        report.allowed(number, if is_dir { Err("still a directory") } else { Ok(()) });
    }
    report.refused("a job for cron", File::create("/etc/cron.d/netcap-test"));
    report.refused("a file in its root", File::create("/new"));
    report.refused("a directory in its root", fs::create_dir("/new"));
    report.refused("a hard link of a password", fs::hard_link("/etc/shadow", place.join("shadow")));
    report.refused("a hard link out", fs::hard_link(place.join("thing"), "/new"));
    report.refused("a rename out", fs::rename(place.join("thing"), "/new"));
    report.refused("a library", OpenOptions::new().append(true).open("/etc/ld.so.cache"));
    report.refused("a way to load modules", OpenOptions::new().write(true).open("/proc/sys/kernel/modprobe"));
    report.refused("a file of sysfs", OpenOptions::new().write(true).open("/sys/kernel/uevent_helper"));
    report.refused("a switch of the kernel", OpenOptions::new().write(true).open("/proc/sysrq-trigger"));
    let processes = fs::read_dir("/proc").expect("it is there").flatten();
    let numbers =
        processes.filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok()).count();
    report.allowed("itself", if numbers == 1 { Ok(()) } else { Err("other processes are there") });
    report.allowed("nothing", File::options().write(true).open("/dev/null"));
    report.allowed("the interfaces", fs::read_dir("/sys/class/net"));
    report.allowed("memory", fs::read("/proc/meminfo"));
    report.allowed("zones", fs::metadata("/usr/share/zoneinfo").or_else(|_| fs::metadata("/lib")));
    let offset = netcap::testing::utc_offset_s();
    report.allowed("the time zone", if offset.abs() < 86_400 { Ok(()) } else { Err("not known") });
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
    report.refused("a listener", std::os::unix::net::UnixListener::bind(place.join("sock")));
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
struct Report {
    text: String,
    /// What is not there cannot be refused in another way.
    own_root: bool,
}

impl Report {
    fn allowed<T, E: std::fmt::Display>(&mut self, what: &str, done: Result<T, E>) {
        let verdict = done.map_or_else(|e| e.to_string(), |_| "as it should".to_owned());
        let _ = writeln!(self.text, "{what}: {verdict}");
    }

    fn refused<T, E: Into<io::Error>>(&mut self, what: &str, done: Result<T, E>) {
        let verdict = match done.map_err(Into::into) {
            Ok(_) => "it worked".to_owned(),
            Err(e) if [Some(libc::EPERM), Some(libc::EACCES)].contains(&e.raw_os_error()) => {
                "as it should".to_owned()
            }
            Err(e)
                if self.own_root
                    && [Some(libc::ENOENT), Some(libc::EROFS), Some(libc::ENOTDIR), Some(libc::EXDEV)]
                        .contains(&e.raw_os_error()) =>
            {
                "as it should".to_owned()
            }
            Err(e) => e.to_string(),
        };
        let _ = writeln!(self.text, "{what}: {verdict}");
    }
}
