//! What surrounds netcap: the environment that sudo, cron or a shell leave, other users of the host, and disks that take
//! nothing.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use netcap_bundle::layout;
use netcap_bundle::packets::Direction::In;
use netcap_tests::privileged;
use nix::sys::signal::Signal;

use crate::attacks_files::STRANGER;
use crate::life::text;
use crate::net::{Net, arp};
use crate::run::{Bundle, Run, entries, netcap};

/// Longest time that a run of a second may take.
const RUN_MAX: Duration = Duration::from_secs(90);

/// What a command of the host must not get to see.
const KEPT_BACK: &str = "HOME TMPDIR LANG SUDO_USER SUDO_COMMAND LD_LIBRARY_PATH OVS_SYSCONFDIR OVS_DBDIR \
    LIBVIRT_DEFAULT_URI LIBVIRT_LOG_OUTPUTS XDG_CONFIG_HOME BASH_ENV ENV PYTHONPATH TERM COLUMNS";

/// An `ip` that fails when it sees one of them, and else is the host's own.
fn wary_ip(dir: &Path) {
    let own =
        ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"].into_iter().find(|ip| Path::new(ip).exists());
    let script = format!(
        "#!/bin/sh\nfor v in {KEPT_BACK}; do eval \"[ -z \\\"\\${{$v+x}}\\\" ]\" || exit 9; done\nexec {} \"$@\"\n",
        own.expect("iproute2 is installed")
    );
    fs::write(dir.join("ip"), script).expect("a file");
    fs::set_permissions(dir.join("ip"), fs::Permissions::from_mode(0o755)).expect("a program");
}

#[test]
fn what_is_left_in_the_environment_changes_nothing() {
    if !privileged("what_is_left_in_the_environment_changes_nothing") {
        return;
    }
    let (net, place) = (Net::new(), tempfile::tempdir().unwrap());
    let (tools, theirs) = (place.path().join("tools"), place.path().join("theirs"));
    for dir in [&tools, &theirs] {
        fs::create_dir(dir).unwrap();
    }
    chown(&theirs, Some(STRANGER), Some(STRANGER)).unwrap();
    wary_ip(&tools);
    let pipe = place.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
    for (n, zone) in ["/dev/zero", ":/dev/zero", pipe.to_str().unwrap(), "/proc/kmsg", "../../dev/zero", ""]
        .into_iter()
        .enumerate()
    {
        let out = place.path().join(format!("out{n}"));
        let mut command = netcap(&net, &["--iface=cap0", "--duration=1s", "--min-free=1M", "--out"]);
        command.arg(&out).env("NETCAP_TOOLS", &tools).env_remove("LC_ALL");
        for name in KEPT_BACK.split_whitespace() {
            command.env(name, &theirs);
        }
        command.env("TZ", zone).env("LANG", "\u{1b}]0;x\u{7}").env("TERM", "\u{1b}[31m");
        command.env("SUDO_USER", "\u{1b}[31m$(reboot)").env("COLUMNS", "99999999999999999999");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let status = netcap_tests::ended_within(&mut child, RUN_MAX);
        let _ = child.kill();
        let output = child.wait_with_output().unwrap();
        assert!(status.is_some_and(|status| status.success()), "TZ={zone}: {status:?} {output:?}");
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(!said.contains('\u{1b}'), "TZ={zone}: {said:?}");
        assert!(entries(&theirs).is_empty(), "TZ={zone}: {:?}", entries(&theirs));
        let bundle = Bundle::open(&entries(&out)[0], None);
        assert_eq!(bundle.manifest.info.utc_offset_s, 0, "TZ={zone}: as the C library has it");
    }
}

/// The program where everybody may start it.
fn for_all(place: &Path) -> PathBuf {
    let program = place.join("netcap");
    fs::copy(env!("CARGO_BIN_EXE_netcap"), &program).expect("a copy");
    for path in [place, &program] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("ours");
    }
    program
}

#[test]
fn other_users_end_nothing_see_nothing_and_break_nothing() {
    if !privileged("other_users_end_nothing_see_nothing_and_break_nothing") {
        return;
    }
    let (nets, place) = ([Net::new(), Net::new()], tempfile::tempdir().unwrap());
    let program = for_all(place.path());
    // Two of root's at once: two people with sudo.
    let runs = nets.each_ref().map(|net| Run::start(net, &["arp"]));
    for (net, run) in nets.iter().zip(&runs) {
        net.send_in(&arp(&[], 100), 20);
        run.took(20);
    }
    let dir = runs[0].dir().unwrap().display().to_string();
    let name = Path::new(&dir).file_name().unwrap().to_str().unwrap();
    for words in [
        &["status"][..],
        &["status", name],
        &["status", &dir, "--json"],
        &["stop", name, "--timeout=5s"],
        &["stop", "--all", "--timeout=5s"],
        &["rotate", "--all"],
        &["seal", &dir],
        &["seal", "--no-bundle", &dir],
        &["bundle", &dir, "-o", "-"],
        &["bundle", "--move", &dir],
        &["--iface=lo", "--duration=1s"],
    ] {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&program).args(words);
        let output = command.env("LC_ALL", "C").current_dir("/").stdin(Stdio::null()).output().unwrap();
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(
            matches!(output.status.code(), Some(0..=2)) && !said.contains("panicked"),
            "{words:?}: {said}"
        );
        assert!(!output.status.success() || words[0] == "status", "{words:?}: {said}");
        // The run that it names itself is all that it may say of it.
        assert!(!said.contains("cap0") && said.trim().len() > 10, "{words:?}: {said}");
    }
    for (net, run) in nets.iter().zip(runs) {
        net.send_in(&arp(&[], 100), 10);
        let (output, bundle) = run.end(Signal::SIGTERM);
        assert!(output.status.success(), "{output:?}");
        assert_eq!((bundle.count(In, &arp(&[], 100)), bundle.manifest.segments.len()), (30, 1));
    }
}

/// A tmpfs with these options.
struct Disk(PathBuf, tempfile::TempDir);

impl Disk {
    fn new(options: &str) -> Self {
        let dir = tempfile::tempdir().expect("a place");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", options, "e2e"]).arg(dir.path()).status();
        assert!(done.is_ok_and(|status| status.success()), "a disk can be mounted");
        Self(dir.path().to_owned(), dir)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.1.path()).status();
    }
}

#[test]
fn a_disk_that_takes_nothing_is_said_and_nothing_is_left_on_it() {
    if !privileged("a_disk_that_takes_nothing_is_said_and_nothing_is_left_on_it") {
        return;
    }
    let net = Net::new();
    for (options, filled, why) in [
        ("size=1m", true, "left"),
        ("size=8m,ro", false, "Read-only file system"),
        ("size=8m,nr_inodes=2", false, "No space left on device"),
    ] {
        let disk = Disk::new(options);
        if filled {
            // As much as fits.
            let _ = fs::write(disk.0.join("others"), vec![1; 2 << 20]);
        }
        let before = entries(&disk.0);
        for sandbox in [&[][..], &["--no-sandbox"]] {
            let out = disk.0.join("out").display().to_string();
            let words = ["--iface=cap0", "--duration=1s", "--min-free=64K", "--out", &out];
            let output = netcap(&net, &words).args(sandbox).output().unwrap();
            let said = text(&output.stderr);
            assert!(output.status.code() == Some(1) && said.contains(why), "{options}: {output:?}");
            let left: Vec<_> = entries(&disk.0).into_iter().filter(|path| !before.contains(path)).collect();
            let runs = entries(Path::new(&out));
            assert!(left.len() <= 1 && runs.is_empty(), "{options}: {left:?} {runs:?}");
        }
    }
}

/// The recording of a run that died, on a disk that has no room for its tar.
#[test]
fn a_run_that_cannot_be_bundled_is_sealed_and_has_a_status_of_its_own() {
    if !privileged("a_run_that_cannot_be_bundled_is_sealed_and_has_a_status_of_its_own") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["arp"]);
    net.send_in(&arp(&[], 100), 20);
    run.wrote(20);
    let (dir, _out) = run.kill();
    // A folder has the name that the tar would get.
    let in_the_way = dir.with_extension("tar.partial");
    fs::create_dir(&in_the_way).unwrap();
    fs::write(in_the_way.join("x"), "").unwrap();
    let name = dir.display().to_string();
    let sealed = netcap(&net, &["seal", &name]).output().unwrap();
    let said = text(&sealed.stdout);
    assert!(sealed.status.code() == Some(3) && said.contains("not bundled"), "{sealed:?}");
    assert!(dir.join(layout::MANIFEST).is_file());
    let kept = netcap(&net, &["seal", "--no-bundle", &name]).output().unwrap();
    assert!(kept.status.success(), "{kept:?}");
    fs::remove_dir_all(&in_the_way).unwrap();
    let sealed = netcap(&net, &["seal", &name]).output().unwrap();
    assert!(sealed.status.success(), "{sealed:?}");
    assert_eq!(Bundle::open(&dir.with_extension("tar"), None).packets.len(), 20);
}
