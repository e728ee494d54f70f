//! A real ovs-vswitchd of its own, on the dummy datapath, in a temporary directory.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use netcap_bundle::Nanos;
use netcap_bundle::source::{How, Outcome, RawItem, Snapshot};

const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

pub(crate) struct Switch {
    dir: tempfile::TempDir,
}

impl Switch {
    /// `None`, with a word, where Open vSwitch is not installed; in CI it must be.
    pub(crate) fn start() -> Option<Self> {
        if !Path::new(SCHEMA).is_file() {
            assert!(std::env::var_os("CI").is_none(), "Open vSwitch is not installed, and in CI it must be");
            eprintln!("skipped: Open vSwitch is not installed");
            return None;
        }
        let switch = Self { dir: tempfile::tempdir().unwrap() };
        let db = switch.path("conf.db");
        switch.run("ovsdb-tool", &["create", &db, SCHEMA]);
        let remote = format!("--remote=punix:{}", switch.path("db.sock"));
        switch.run(
            "ovsdb-server",
            &[&db, &remote, "--detach", "--pidfile", "--no-chdir", "-vconsole:off", "-vsyslog:off"],
        );
        switch.vsctl(&["--no-wait", "init"]);
        let socket = format!("unix:{}", switch.path("db.sock"));
        let dummy = ["--enable-dummy=override", "--disable-system", "--disable-system-route"];
        let rest = ["--detach", "--pidfile", "--no-chdir", "-vconsole:off", "-vsyslog:off"];
        switch.run("ovs-vswitchd", &[&[socket.as_str()][..], &dummy, &rest].concat());
        switch.bridges();
        Some(switch)
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_string_lossy().into_owned()
    }

    fn command(&self, program: &str, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(words).stdin(Stdio::null());
        for name in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR"] {
            command.env(name, self.dir.path());
        }
        command
    }

    fn run(&self, program: &str, words: &[&str]) -> String {
        let out = self.command(program, words).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(out.status.success(), "{program} {words:?}: {}{}", text(&out.stdout), text(&out.stderr));
        text(&out.stdout)
    }

    fn vsctl(&self, words: &[&str]) {
        let db = format!("--db=unix:{}", self.path("db.sock"));
        self.run("ovs-vsctl", &[&[db.as_str(), "--timeout=20"][..], words].concat());
    }

    /// What the switch says, even when it refuses.
    pub(crate) fn appctl(&self, words: &[&str]) -> String {
        let out = self.command("ovs-appctl", words).output().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
    }

    /// br0 with access, trunk and native ports, br1 behind a patch, learned addresses in both.
    fn bridges(&self) {
        let mut words = Vec::new();
        for bridge in ["br0", "br1"] {
            words.extend([
                "--",
                "add-br",
                bridge,
                "--",
                "set",
                "bridge",
                bridge,
                "datapath_type=dummy",
                "fail_mode=secure",
            ]);
        }
        let ports = [
            ("br0", "p1", "tag=5", "type=dummy", "ofport_request=1"),
            ("br0", "p2", "tag=5", "type=dummy", "ofport_request=2"),
            ("br0", "p3", "trunks=5,6", "type=dummy", "ofport_request=3"),
            ("br0", "p4", "tag=6", "type=dummy", "ofport_request=4"),
            ("br1", "q1", "external_ids:a=b", "type=dummy", "ofport_request=1"),
            ("br1", "q2", "vlan_mode=native-untagged", "type=dummy", "ofport_request=2"),
        ];
        for (bridge, port, vlan, kind, number) in ports {
            words.extend([
                "--",
                "add-port",
                bridge,
                port,
                vlan,
                "--",
                "set",
                "interface",
                port,
                kind,
                number,
            ]);
        }
        for (bridge, port, peer) in [("br0", "pp", "options:peer=qq"), ("br1", "qq", "options:peer=pp")] {
            words.extend([
                "--",
                "add-port",
                bridge,
                port,
                "--",
                "set",
                "interface",
                port,
                "type=patch",
                peer,
                "ofport_request=9",
            ]);
        }
        words.extend(["--", "set", "port", "q2", "tag=5"]);
        self.vsctl(&words);
        for words in [
            ["br0", "p2", "5", "02:00:00:00:00:02"],
            ["br0", "pp", "6", "02:00:00:00:00:03"],
            ["br1", "q1", "5", "02:00:00:00:00:02"],
        ] {
            self.appctl(&[&["fdb/add"][..], &words].concat());
        }
    }

    /// Replaces the rules and groups of a bridge.
    pub(crate) fn rules(&self, bridge: &str, groups: &[String], rules: &[String]) {
        self.run("ovs-ofctl", &["-O", "OpenFlow13", "del-flows", bridge]);
        self.run("ovs-ofctl", &["-O", "OpenFlow13", "del-groups", bridge]);
        let (old, new): (Vec<String>, Vec<String>) = rules.iter().cloned().partition(|rule| is_old(rule));
        let parts = [
            ("OpenFlow13", "add-groups", groups),
            ("OpenFlow13", "add-flows", &new),
            ("OpenFlow10", "add-flows", &old),
        ];
        for (version, what, lines) in parts {
            let mut command = self.command("ovs-ofctl", &["-O", version, what, bridge, "-"]);
            let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(lines.join("\n").as_bytes()).unwrap();
            let out = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(out.status.success(), "{what}: {said}\n{}", lines.join("\n"));
        }
    }

    /// A source as the recorder takes it, read by its own parser.
    pub(crate) fn dump<S: Snapshot>(&self, bridges: &[&str]) -> S {
        let mut taken: Vec<(&str, &str, String)> = Vec::new();
        for recipe in S::DEF.recipes {
            let How::Command(argv) = recipe.how else { continue };
            let args = if recipe.each.elements().is_some() { bridges } else { &[""] };
            for arg in args {
                let db = format!("unix:{}", self.path("db.sock"));
                let words: Vec<String> =
                    argv.iter().skip(1).map(|word| word.replace("{db}", &db).replace("{}", arg)).collect();
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                taken.push((recipe.item, arg, self.run(argv[0], &words)));
            }
        }
        let item =
            |(item, arg, text): &'_ (&'static str, &'_ str, String)| (*item, (*arg).to_owned(), text.clone());
        let owned: Vec<_> = taken.iter().map(item).collect();
        let items: Vec<RawItem<'_>> = owned
            .iter()
            .map(|(item, arg, text)| RawItem {
                item,
                arg,
                at: Nanos(0),
                outcome: &Outcome::Ok,
                bytes: text.as_bytes(),
                truncated: false,
            })
            .collect();
        let parsed = S::parse(&items);
        assert_eq!(parsed.defects, [], "{}", S::DEF.id);
        parsed.value
    }

    /// Names of ports by their datapath number.
    pub(crate) fn ports(&self) -> BTreeMap<u32, String> {
        let text = self.appctl(&["dpif/show"]);
        let port = |line: &str| {
            let (name, rest) = line.trim().split_once(' ')?;
            let (_, number) = rest.split_once(':')?.0.split_once('/')?;
            Some((number.parse().ok()?, name.to_owned()))
        };
        text.lines().filter_map(port).collect()
    }
}

/// Actions that OpenFlow 1.0 alone takes without a match on the tag.
pub(crate) fn is_old(text: &str) -> bool {
    text.contains("strip_vlan") || text.contains("mod_vlan")
}

impl Drop for Switch {
    fn drop(&mut self) {
        for daemon in ["ovs-vswitchd", "ovsdb-server"] {
            let _ = self.command("ovs-appctl", &["-t", daemon, "exit"]).output();
        }
    }
}
