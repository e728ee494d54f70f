//! `scripts/check_network.sh` as it is installed beside netcap, on a host with real Open vSwitch: the old command lines,
//! the old names, and a result that can be read.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use netcap_bundle::Role;
use netcap_bundle::input::{Input, Kind};
use netcap_tests::lab::{Lab, said};
use netcap_tests::{root, wait_for};

use crate::{GATEWAY, NETCAP};

/// Puts the script beside netcap, as on a customer's host.
fn install(at: &Path) -> PathBuf {
    fs::create_dir_all(at).expect("a directory");
    let script = at.join("check_network.sh");
    for (from, to) in
        [(Path::new(NETCAP), &at.join("netcap")), (&root().join("scripts/check_network.sh"), &script)]
    {
        fs::copy(from, to).expect("a copy");
        fs::set_permissions(to, fs::Permissions::from_mode(0o755)).expect("a program");
    }
    script
}

fn run(lab: &Lab, dir: &Path, script: &Path, words: &[&str]) -> Output {
    let place = format!("CHECK_NETWORK_DIR={}", dir.display());
    let script = script.display().to_string();
    lab.exec("host1", &[&["env", &place, &script][..], words].concat())
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn the_old_command_line_gives_the_old_files() {
    let Some(lab) = Lab::up("check-network", &[]) else { return };
    let (script, dir) = (install(&lab.dir().join("installed")), lab.dir().join("tcpdump"));
    let ping = format!("--ping={GATEWAY}");
    let began = run(&lab, &dir, &script, &["--vswitch=vswitch0", "--iface=vnet0", &ping, "icmp"]);
    assert!(began.status.success(), "{}", said(&began));
    let ours = names(&dir);
    let pid_file = ours.iter().find(|name| name.ends_with("-check_network.pid")).expect("a pid file").clone();
    let stamp = pid_file.trim_end_matches("-check_network.pid");
    assert!(stamp.len() == 14 && stamp.bytes().all(|b| b.is_ascii_digit()), "{pid_file}");
    for name in ["ovs_dbg_listports", "ping.log"] {
        assert!(ours.contains(&format!("{stamp}-{name}")), "{name} in {ours:?}");
    }
    for name in ["check_network.log", "eth2", "eth3", "vnet0", "vswitch0"] {
        assert!(ours.contains(&name.to_owned()), "{name} in {ours:?}");
    }
    // Traffic of a VM, long enough for three pings of the script's own.
    lab.exec("vm1", &["ping", "-c", "4", GATEWAY]);
    // The old way to end it.
    let pid = fs::read_to_string(dir.join(&pid_file)).unwrap();
    assert!(Command::new("kill").arg(pid.trim()).status().unwrap().success());
    let sealed = || names(&dir).iter().any(|name| dir.join(name).join("manifest.json").is_file());
    wait_for("an orderly end after the kill", sealed);
    let first = dir.join("vnet0").join(stamp).join("000001.pcapng.zst");
    assert!(first.is_file(), "the packets are behind the interface's name");
    let ping_log = fs::read_to_string(dir.join(format!("{stamp}-ping.log"))).unwrap();
    assert!(ping_log.contains(GATEWAY) && ping_log.lines().count() > 3, "{ping_log}");

    let input = Input::open(&dir).unwrap();
    assert_eq!(input.kind, Kind::Legacy);
    let of =
        |iface: &str| input.points.iter().find(|p| p.iface == iface).unwrap_or_else(|| panic!("no {iface}"));
    assert_eq!((of("vswitch0").role.clone(), of("vnet0").role.word()), (Role::Internal, "vnet"));
    assert!(matches!(&of("eth2").role, Role::Uplink { bond: Some(_) }), "{:?}", of("eth2"));
    assert_eq!(input.segments.len(), 4, "each segment once, links notwithstanding");
    assert!(input.pings.iter().any(|ping| !ping.records.is_empty()));
    let explained = Command::new(crate::analyze()).args(["--json", "-"]).arg(&dir).output().unwrap();
    // The run inside is what is explained: it knows more than the old files do. One line for it, one for the sum.
    let text = String::from_utf8_lossy(&explained.stdout);
    let reports: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("netcap-analyze reads it")).collect();
    assert_eq!(reports.len(), 2, "{text}");
    assert!(reports[0]["findings"].is_array(), "{text}");

    // Mistakes are netcap's to tell, with its exit status, and leave nothing but a line in the log.
    let before = names(&dir);
    let refused = run(&lab, &dir, &script, &["--iface=nosuch"]);
    assert!(refused.status.code() == Some(2) && said(&refused).contains("nosuch"), "{}", said(&refused));
    assert_eq!(run(&lab, &dir, &script, &[]).status.code(), Some(2));
    assert_eq!(names(&dir), before);
}
