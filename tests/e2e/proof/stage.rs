//! A host to break: several points, an Open vSwitch of its own, and netcap on it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use netcap_tests::said;
use tempfile::TempDir;

use crate::net::{Net, ip};
use crate::run::wait_for;

/// Namespaces with `count` pairs `capN`/`peerN`.
pub(crate) struct Stage {
    /// The namespaces.
    pub(crate) net: Net,
    /// How many points.
    pub(crate) count: usize,
    ovs: Option<Switch>,
}

impl Stage {
    /// Raises it.
    pub(crate) fn new(count: usize, with_ovs: bool) -> Self {
        let net = Net::new();
        for n in 1..count {
            let (near, far) = (&net.near, &net.far);
            ip(&format!("-n {near} link add cap{n} type veth peer name peer{n} netns {far}"));
            ip(&format!("-n {far} link set peer{n} up"));
            ip(&format!("-n {near} link set cap{n} up"));
        }
        let ovs = with_ovs.then(|| Switch::new(&net.far));
        Self { net, count, ovs }
    }

    /// `cap0,cap1,…`.
    pub(crate) fn ifaces(&self) -> String {
        (0..self.count).map(|n| format!("cap{n}")).collect::<Vec<_>>().join(",")
    }

    /// netcap with these words, in the near namespace.
    pub(crate) fn netcap(&self, words: &[&str]) -> Command {
        let mut command = crate::run::netcap(&self.net, words);
        if let Some(ovs) = &self.ovs {
            command.env("OVS_RUNDIR", ovs.dir.path());
        }
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Recording all points into `out`, pinging itself, looking at the host's state as often as may be.
    pub(crate) fn recorder(&self, out: &Path, words: &[&str]) -> Command {
        let (ifaces, out) = (self.ifaces(), out.display().to_string());
        let mut command = self.netcap(&["--iface", &ifaces, "--out", &out]);
        command.args(["--ping=127.0.0.1", "--state-interval=1s"]).args(words);
        command
    }

    /// Processes of the near namespace.
    pub(crate) fn processes(&self) -> Vec<String> {
        let output = Command::new("ip").args(["netns", "pids", &self.net.near]).output().unwrap();
        let pids = String::from_utf8_lossy(&output.stdout).into_owned();
        let name = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        pids.split_whitespace().map(|pid| format!("{pid} {}", name(pid).trim())).collect()
    }

    /// The recorder is dead: nothing of it may be left running, and the host must be as before.
    pub(crate) fn nothing_is_left(&self) {
        wait_for("the end of every process", || self.processes().is_empty());
        // A process leaves its namespace before the kernel has let go of its sockets.
        wait_for("promiscuity 0 of every interface", || {
            let show = ["-n", &self.net.near, "-d", "link", "show"];
            let shown = Command::new("ip").args(show).output().expect("iproute2");
            let text = String::from_utf8_lossy(&shown.stdout).into_owned();
            let words: Vec<&str> = text.split_whitespace().collect();
            let counts: Vec<_> = words.windows(2).filter(|w| w[0] == "promiscuity").map(|w| w[1]).collect();
            counts.len() > self.count && counts.iter().all(|n| *n == "0")
        });
    }
}

/// An Open vSwitch with a bridge, all of it in a directory of its own.
struct Switch {
    dir: TempDir,
    daemons: Vec<Child>,
}

impl Switch {
    fn new(ns: &str) -> Self {
        let dir = tempfile::tempdir().expect("a place for the switch");
        let mut switch = Self { dir, daemons: Vec::new() };
        let database = switch.path("conf.db");
        let socket = format!("unix:{}", switch.path("db.sock"));
        let schema = "/usr/share/openvswitch/vswitch.ovsschema";
        let made = made_of(Command::new("ovsdb-tool").args(["create", &database, schema]));
        assert!(made.status.success(), "{}", said(&made));
        switch.daemon(ns, &["ovsdb-server", &database, &format!("--remote=p{socket}")]);
        wait_for("the switch's database", || switch.dir.path().join("db.sock").exists());
        let vsctl = |words: &[&str]| {
            let mut command = Command::new("ovs-vsctl");
            let done = made_of(command.args(["--timeout=10", &format!("--db={socket}")]).args(words));
            assert!(done.status.success(), "{}", said(&done));
        };
        vsctl(&["--no-wait", "init"]);
        switch.daemon(ns, &["ovs-vswitchd", &socket, "--disable-system"]);
        vsctl(&["add-br", "proof0", "--", "set", "Bridge", "proof0", "datapath_type=netdev"]);
        switch
    }

    fn path(&self, name: &str) -> String {
        let path: PathBuf = self.dir.path().join(name);
        path.display().to_string()
    }

    fn daemon(&mut self, ns: &str, words: &[&str]) {
        let pidfile = format!("--pidfile={}", self.path(&format!("{}.pid", words[0])));
        let mut command = Command::new("ip");
        command.args(["netns", "exec", ns]).args(words).arg(pidfile).env("OVS_RUNDIR", self.dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.daemons.push(command.spawn().expect("Open vSwitch is installed"));
    }
}

fn made_of(command: &mut Command) -> std::process::Output {
    command.output().expect("Open vSwitch is installed")
}

impl Drop for Switch {
    fn drop(&mut self) {
        for daemon in self.daemons.iter_mut().rev() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}
