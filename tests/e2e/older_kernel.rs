//! A recording where the kernel has no Landlock: the call that asks for it does not exist for the program.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use netcap_bundle::packets::Direction::In;
use netcap_tests::privileged;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

use crate::net::{Net, arp};
use crate::run::{Bundle, entries, lying, netcap, wait_for};

/// Set in the process that becomes netcap; holds the words of its command line, a line each.
const WORDS: &str = "NETCAP_TEST_OLDER_KERNEL";
/// The namespace it runs in.
const NEAR: &str = "NETCAP_TEST_NEAR";

/// Not a test by itself: the process that becomes netcap on a kernel without Landlock.
#[test]
fn becomes_netcap() {
    let (Ok(words), Ok(near)) = (std::env::var(WORDS), std::env::var(NEAR)) else { return };
    let rules = BTreeMap::from([(libc::SYS_landlock_create_ruleset, Vec::new())]);
    let errno = SeccompAction::Errno(u32::try_from(libc::ENOSYS).unwrap());
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, errno, arch).unwrap();
    apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &near, env!("CARGO_BIN_EXE_netcap")]).args(words.lines());
    panic!("{}", command.env_remove(WORDS).exec());
}

/// netcap with these words, on such a kernel.
fn older(net: &Net, words: &[&str]) -> Command {
    let usual = netcap(net, &[]);
    let mut command = Command::new(std::env::current_exe().expect("it has a name"));
    command.args(["--exact", "older_kernel::becomes_netcap", "--nocapture"]);
    command.envs(usual.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env(WORDS, words.join("\n")).env(NEAR, &net.near).stdin(Stdio::null());
    command
}

#[test]
fn without_landlock_it_records_in_a_root_of_its_own() {
    if !privileged("without_landlock_it_records_in_a_root_of_its_own") {
        return;
    }
    let net = Net::new();
    let place = tempfile::Builder::new().prefix("netcap-test-").tempdir_in("/var/tmp").unwrap();
    let link = place.path().join("link");
    std::os::unix::fs::symlink(place.path(), &link).unwrap();
    // Made by netcap, and named by a path with a link on it.
    let (results, out) = (place.path().join("deep/results"), link.join("deep/results").display().to_string());
    let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count();
    let before = mounts();
    let words = [
        "--iface=cap0",
        "--out",
        &out,
        "--min-free=1M",
        "--ping=127.0.0.1",
        "--state-interval=1s",
        "--rotate-time=1s",
        "--duration=4s",
        "arp",
    ];
    let recorder = older(&net, &words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let run = || entries(&results).into_iter().find(|dir| netcap_tests::is_recording(dir));
    wait_for("a run that records", || run().is_some());
    net.send_in(&arp(&[], 100), 50);
    wait_for("the packets in the file", || run().is_none_or(|dir| lying(&dir) == 50));
    assert_eq!(mounts(), before, "the host sees none of it");
    let output = recorder.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(mounts(), before);
    let bundle = Bundle::open(&entries(&results).pop().expect("a bundle"), None);
    assert_eq!(bundle.count(In, &arp(&[], 100)), 50);
    let sandbox = bundle.manifest.info.sandbox.clone().expect("it is said");
    assert!(sandbox.on && sandbox.own_root && sandbox.seccomp && sandbox.missing.is_empty(), "{sandbox:?}");
    assert_eq!((sandbox.landlock_abi, sandbox.capabilities.len()), (None, 0));
    assert!(bundle.manifest.segments.len() >= 3, "it rotates: {:?}", bundle.manifest.segments);
    assert_eq!(bundle.path.metadata().unwrap().uid(), 0, "results are root's");
    let files = netcap_bundle::files::Files::tar(&bundle.path).unwrap().unwrap();
    let samples = files.text(netcap_bundle::layout::STATE_INDEX).unwrap();
    assert!(samples.contains("\"source\":\"links\"") && samples.contains("\"status\":\"ok\""), "{samples}");
}
