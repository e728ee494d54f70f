//! Finding the runs of this host: the listening sockets named `@netcap/RUN` in every network namespace.
//!
//! Abstract names belong to a network namespace, and people record inside of them (`ip netns exec`). `/proc/PID/net/unix`
//! shows those of the namespace PID lives in, so one process of each namespace is looked at.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use crate::privileged::CONTROL_NAME;

/// Bytes read of one list of sockets: a host of a thousand VMs has some tens of thousand lines of a hundred bytes.
const LIST_MAX: u64 = 64 << 20;
/// Flag of a socket that accepts connections: `__SO_ACCEPTCON` (include/uapi/linux/net.h), hexadecimal in the list.
const LISTENS: u32 = 1 << 16;

/// A socket that bears a run's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Socket {
    /// Its name without the leading zero byte.
    pub name: String,
    /// The network namespace it is in, when that is not ours.
    pub netns: Option<PathBuf>,
}

impl Socket {
    /// The run it says it is; the one who answers says it again.
    pub(crate) fn run(&self) -> &str {
        let run = self.name.strip_prefix(CONTROL_NAME).unwrap_or(&self.name);
        run.split('/').next().unwrap_or(run)
    }
}

/// All of them, sorted by name.
pub(crate) fn sockets(proc: &Path) -> Vec<Socket> {
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    let own = proc.join("self");
    let _ = fs::read_link(own.join("ns/net")).map(|ns| seen.insert(ns));
    out.extend(listed(&own).into_iter().map(|name| Socket { name, netns: None }));
    for entry in fs::read_dir(proc).into_iter().flatten().flatten() {
        let is_process =
            entry.file_name().to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()));
        if !is_process {
            continue;
        }
        let process = entry.path();
        let Ok(ns) = fs::read_link(process.join("ns/net")) else { continue };
        if seen.insert(ns) {
            let netns = process.join("ns/net");
            out.extend(listed(&process).into_iter().map(|name| Socket { name, netns: Some(netns.clone()) }));
        }
    }
    out.sort();
    out
}

fn listed(process: &Path) -> Vec<String> {
    let Ok(file) = File::open(process.join("net/unix")) else { return Vec::new() };
    let lines = BufReader::new(std::io::Read::take(file, LIST_MAX)).split(b'\n');
    lines.map_while(Result::ok).filter_map(|line| name_in(&String::from_utf8_lossy(&line))).collect()
}

/// The name in a line of `/proc/net/unix` (`Num RefCount Protocol Flags Type St Inode Path`) if it is a listening
/// netcap. An abstract name begins with `@`; zero bytes inside are shown as `@` too, and ours has none.
fn name_in(line: &str) -> Option<String> {
    let mut words = line.split_ascii_whitespace();
    let flags = u32::from_str_radix(words.nth(3)?, 16).ok()?;
    let name = words.nth(3)?.strip_prefix('@')?;
    let ours = name.strip_prefix(CONTROL_NAME).is_some_and(|run| !run.is_empty()) && words.next().is_none();
    (flags & LISTENS != 0 && ours && !name.contains(char::is_control)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIST: &str = "\
Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 10873211 @netcap/host-20261121040000
0000000000000000: 00000003 00000000 00000000 0001 03 10873299 @netcap/host-20261121040000
0000000000000000: 00000002 00000000 00010000 0001 01 10873212 /run/netcap/host-2
0000000000000000: 00000002 00000000 00010000 0001 01 10873213 @netcap/
0000000000000000: 00000003 00000000 00000000 0001 03 1087
";

    #[test]
    fn only_those_that_listen_under_our_name() {
        let names: Vec<String> = LIST.lines().filter_map(name_in).collect();
        assert_eq!(names, ["netcap/host-20261121040000"]);
        let socket = Socket { name: "netcap/h-1/2".into(), netns: None };
        assert_eq!(socket.run(), "h-1");
    }

    #[test]
    fn each_namespace_is_looked_into_once() {
        let proc = tempfile::tempdir().unwrap();
        for (pid, ns) in [("self", "net:[1]"), ("10", "net:[1]"), ("20", "net:[2]"), ("21", "net:[2]")] {
            let dir = proc.path().join(pid);
            fs::create_dir_all(dir.join("net")).unwrap();
            fs::create_dir_all(dir.join("ns")).unwrap();
            std::os::unix::fs::symlink(ns, dir.join("ns/net")).unwrap();
            fs::write(dir.join("net/unix"), LIST.replace("host", if ns.contains('1') { "a" } else { "b" }))
                .unwrap();
        }
        let found = sockets(proc.path());
        let runs: Vec<&str> = found.iter().map(Socket::run).collect();
        assert_eq!(runs, ["a-20261121040000", "b-20261121040000"]);
        assert!(found[0].netns.is_none() && found[1].netns.is_some());
    }

    proptest! {
        #[test]
        fn any_line_is_answered(line in "([0-9a-f: ]{0,40} 0001[0-9]{0,4} 1 2 3 @(netcap/)?\\PC{0,20})|\\PC{0,80}") {
            if let Some(name) = name_in(&line) {
                prop_assert!(name.starts_with(CONTROL_NAME) && name.len() > CONTROL_NAME.len());
            }
        }
    }
}
