//! What cannot be recorded is refused at once, with the names of what can.

use netcap_tests::privileged;

use crate::net::Net;
use crate::run::{entries, netcap};

#[test]
fn unknown_names_and_bad_filters_exit_2_and_leave_nothing() {
    if !privileged("unknown_names_and_bad_filters_exit_2_and_leave_nothing") {
        return;
    }
    let net = Net::new();
    let out = tempfile::tempdir().unwrap();
    let place = out.path().display().to_string();
    for (words, parts) in [
        (&["--iface=cap9"][..], &["cap9", "cap0", "did you mean 'cap0'"][..]),
        (
            &["--vswitch", "vswitch0"],
            &["vswitch0", "none", "Open vSwitch could not be asked", "/nonexistent/db.sock"],
        ),
        (&["--vm=ubu14"], &["ubu14"]),
        (&["--iface_mac=0c:da:41:1d:f6:4b"], &["0c:da:41:1d:f6:4b"]),
        (&["--iface_mac=nonsense"], &["not a MAC"]),
        (&["--iface=cap0", "icmmp"], &["icmmp", "^"]),
        (&["--iface=cap0", "--preset=arpp"], &["arpp", "arp"]),
        (&["icmp"], &["--vswitch"]),
        (&["--ping", "www.example.com"], &["names are not looked up"]),
        (&["--ping=fe80::1%vswitch0"], &["on one link only"]),
        (&["--duration", "-5"], &["'-5' is not a duration"]),
        (&["--iface=cap0", "--lang=fr"], &["fr", "en, zh-CN"]),
        (&["--ifaces=cap0"], &["there is no option --ifaces", "--iface"]),
        (&["--iface=cap0", "--out="], &["--out <DIR> wants a value"]),
        (&["--iface=cap0", "--buffer=10TiB"], &["--buffer", "a quarter of the memory", "at most"]),
        (&["--duration=never"], &["never", "30s"]),
        (&["--no-such-option"], &["there is no option --no-such-option"]),
    ] {
        let output = netcap(&net, words).args(["--out", &place]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {text}");
        for part in parts {
            assert!(text.contains(part), "{words:?}: '{part}' is not in: {text}");
        }
    }
    assert!(entries(out.path()).is_empty());
}

#[test]
fn no_arguments_say_what_could_be_recorded() {
    if !privileged("no_arguments_say_what_could_be_recorded") {
        return;
    }
    let net = Net::new();
    for (words, rundir) in [(&[][..], "/nonexistent"), (&["points"], "/nonexistent"), (&["points"], "")] {
        // A variable that is empty says nothing.
        let output = netcap(&net, words).env("OVS_RUNDIR", rundir).env("NETCAP_TOOLS", "").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success() && text.contains("netcap --iface") && text.contains("cap0"),
            "{text}"
        );
    }
    let chinese = netcap(&net, &["--lang=zh-CN"]).output().unwrap();
    assert!(String::from_utf8_lossy(&chinese.stdout).contains("抓包"));
}

#[test]
fn the_analyzer_is_looked_for_at_the_start_and_speaks_the_same_language() {
    use std::os::unix::fs::PermissionsExt;
    use std::{fs, process::Command};
    if !privileged("the_analyzer_is_looked_for_at_the_start_and_speaks_the_same_language") {
        return;
    }
    let (net, place) = (Net::new(), tempfile::tempdir().unwrap());
    let (program, out) = (place.path().join("netcap"), place.path().join("out"));
    fs::copy(env!("CARGO_BIN_EXE_netcap"), &program).unwrap();
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &net.near]).arg(&program).arg("--out").arg(&out);
    command.args(["--iface=cap0", "--duration=1s", "--disk-reserve=1M", "--lang=zh_CN", "--analyze"]);
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("OVS_RUNDIR", "/nonexistent");
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && text.contains("netcap-analyze"), "{output:?}");
    assert!(entries(&out).is_empty());

    let analyzer = place.path().join("netcap-analyze");
    fs::write(&analyzer, "#!/bin/sh\necho \"asked: $*\"\n").unwrap();
    fs::set_permissions(&analyzer, fs::Permissions::from_mode(0o755)).unwrap();
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("asked: --lang zh-CN /"), "{output:?}");
}
