//! The host before and after a recording: nothing has changed, however the recording ended.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use netcap_tests::lab::{Lab, said};
use netcap_tests::wait_for;

use crate::NETCAP;
use crate::recording::Recording;

/// What is looked at, and the command that shows it. Counters and clocks are left out: those change by themselves.
const LOOKS: [(&str, &str); 9] = [
    // Its log: whatever is changed for good becomes a line in it, and statistics never do.
    ("the database's file", "cksum /var/lib/openvswitch/conf.db"),
    ("bridges", "ovsdb-client dump Open_vSwitch Bridge _uuid name ports mirrors external_ids other_config"),
    (
        "ports",
        "ovsdb-client dump Open_vSwitch Port _uuid name interfaces tag bond_mode external_ids other_config",
    ),
    (
        "interfaces",
        "ovsdb-client dump Open_vSwitch Interface _uuid name type options external_ids other_config",
    ),
    ("flows", "ovs-ofctl --no-stats dump-flows vswitch0"),
    ("links", "ip -d link"),
    ("addresses and routes", "sh -c 'ip -d addr | grep -v valid_lft; ip route; ip rule'"),
    ("the firewall", "nft list ruleset"),
    ("queues", "tc qdisc"),
];

/// Where nobody but a package manager or an administrator writes, and where clients like virsh leave things.
const QUIET: [&str; 9] =
    ["/etc", "/usr", "/boot", "/opt", "/srv", "/var/spool", "/root/.cache", "/root/.config", "/root/.local"];

/// Until the kernel has taken back what the sockets of a recording held.
const GIVEN_UP: Duration = Duration::from_secs(10);

fn look(lab: &Lab) -> BTreeMap<&'static str, String> {
    let shown = |(what, command): &(&'static str, &str)| {
        let out = lab.exec("host1", &["sh", "-c", command]);
        assert!(out.status.success(), "{what}: {}", said(&out));
        (*what, String::from_utf8_lossy(&out.stdout).into_owned())
    };
    LOOKS.iter().map(shown).collect()
}

/// The host is as it was before. A dying process gives its sockets up one after the other, some milliseconds each, when it is
/// no longer seen by its program.
fn same(lab: &Lab, before: &BTreeMap<&'static str, String>, when: &str) {
    let until = Instant::now() + GIVEN_UP;
    let mut after = look(lab);
    while after != *before && Instant::now() < until {
        thread::sleep(Duration::from_millis(100));
        after = look(lab);
    }
    for (what, text) in before {
        assert_eq!(Some(text), after.get(what), "{what} {when}");
    }
}

/// Files of quiet places that were changed since then, as the host of the lab sees them.
fn written_since(lab: &Lab, since: SystemTime) -> String {
    let at = since.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs_f64();
    let script = format!("find {} -xdev -newermt @{at} ! -type d 2>/dev/null; true", QUIET.join(" "));
    String::from_utf8_lossy(&lab.exec("host1", &["sh", "-c", &script]).stdout).into_owned()
}

/// Who listens to everything, all interfaces together.
fn promiscuous(links: &str) -> u32 {
    let counts = links.split("promiscuity ").skip(1).filter_map(|rest| rest.split(' ').next());
    counts.filter_map(|count| count.trim().parse::<u32>().ok()).sum()
}

/// Records until `end` is through; gives what the links looked like meanwhile.
fn recorded(lab: &Lab, name: &str, end: impl FnOnce(&str)) -> String {
    let options =
        ["--vswitch", "vswitch0", "--iface", "vnet0", "--ping", crate::GATEWAY, "--state-interval", "1s"];
    let recording = Recording::start(lab, "host1", name, &options);
    // The first round of host state, and some of the small ones.
    let flows = || recording.taken("\"ovs-datapath\",\"item\":\"dump-flows\"");
    wait_for("some rounds of host state", || flows() >= 3);
    let during = look(lab)["links"].clone();
    let out = lab.dir().join(name);
    end(&out.to_string_lossy());
    let ended = recording.ended();
    assert!(netcap_tests::files_below(&out, "").len() == 1 || !ended.status.success(), "{}", said(&ended));
    wait_for("the end of all processes", || left_over(lab) == 0);
    during
}

fn signal(name: &str, place: &str) {
    let pattern = format!("^{NETCAP}.*{place}");
    let done = Command::new("pkill").args([&format!("-{name}"), "-f", &pattern]).status().expect("pkill");
    assert!(done.success());
}

/// Processes whose network is that of the host and whose program is ours.
fn left_over(lab: &Lab) -> usize {
    let own = lab.exec("host1", &["readlink", "/proc/self/ns/net"]);
    let own = String::from_utf8_lossy(&own.stdout).trim().to_owned();
    let all = fs::read_dir("/proc").expect("proc").flatten().map(|entry| entry.path());
    let ours = |dir: &Path| {
        let is = |link: &str, wanted: &Path| fs::read_link(dir.join(link)).is_ok_and(|to| to == wanted);
        is("exe", Path::new(NETCAP)) && is("ns/net", Path::new(&own))
    };
    all.filter(|dir| ours(dir)).count()
}

/// Every daemon answered the commands that may write nothing.
fn host_state_is_there(bundle: &Path) {
    let files = netcap_bundle::files::Files::tar(bundle).expect("it opens").expect("it is a bundle");
    let index = files.text(netcap_bundle::layout::STATE_INDEX).expect("it has state");
    let asked = |line: &&str| line.contains("\"source\":\"ovs") || line.contains("\"source\":\"libvirt\"");
    let (well, ill): (Vec<&str>, Vec<&str>) =
        index.lines().filter(asked).partition(|line| line.contains("\"status\":\"ok\""));
    // conntrack is refused by the userspace datapath of old releases, in a sandbox and out of it.
    let ill: Vec<_> = ill.into_iter().filter(|line| !line.contains("ovs-conntrack")).collect();
    assert!(well.len() > 10 && ill.is_empty(), "{ill:#?}");
}

#[test]
fn the_host_is_as_it_was_after_an_end_and_after_a_kill() {
    let Some(lab) = Lab::up("harmless", &["--libvirt"]) else { return };
    let rules = "add table inet harmless; add chain inet harmless c { type filter hook input priority 0; }";
    let made = lab.exec("host1", &["nft", rules]);
    assert!(made.status.success(), "{}", said(&made));
    let (before, since) = (look(&lab), SystemTime::now());
    assert!(before["the firewall"].contains("harmless") && before["bridges"].contains("vswitch0"));

    let during = recorded(&lab, "ended", |place| signal("INT", place));
    assert!(promiscuous(&during) > promiscuous(&before["links"]), "it listens: {during}");
    same(&lab, &before, "after an orderly end");
    host_state_is_there(&Lab::bundle(&lab.dir().join("ended")));

    let during = recorded(&lab, "killed", |place| signal("KILL", place));
    assert!(promiscuous(&during) > promiscuous(&before["links"]), "it listens: {during}");
    same(&lab, &before, "after SIGKILL");
    assert_eq!(written_since(&lab, since), "", "files outside --out");
}
