//! What Open vSwitch drops, once a second. A daemon that takes long to answer is asked less often, and one that hangs is
//! left alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use netcap_bundle::ledger::{Datapaths, parse_dpctl_show};

use crate::privileged::Privileged;

/// Share of the daemon's time that may go into answers: one in so many.
const SHARE: u32 = 100;
/// Time between two tries to connect.
const RETRY: Duration = Duration::from_secs(10);

/// What the datapaths counted, as differences.
#[derive(Debug)]
pub(super) struct Drops {
    privileged: Arc<dyn Privileged>,
    before: Option<Datapaths>,
    /// Not asked before this time.
    next: Instant,
}

impl Drops {
    /// Nothing is asked before the first look.
    pub(super) fn new(privileged: Arc<dyn Privileged>) -> Self {
        Self { privileged, before: None, next: Instant::now() }
    }

    /// What was counted since the last answer; `None` when there was no answer, when it is not time to ask, and the first
    /// time. A port or a datapath that is a new one counts from now on.
    pub(super) fn since_last(&mut self) -> Option<Datapaths> {
        let start = Instant::now();
        if start < self.next {
            return None;
        }
        let Ok(text) = self.privileged.datapaths() else {
            self.before = None;
            self.next = Instant::now() + RETRY;
            return None;
        };
        self.next = start + start.elapsed() * SHARE;
        let now = parse_dpctl_show(&text);
        let before = self.before.replace(now.clone())?;
        Some(difference(&now, &before))
    }
}

fn difference(now: &Datapaths, before: &Datapaths) -> Datapaths {
    let ports = now.ports.iter().filter_map(|(name, drops)| {
        let before = before.ports.get(name)?;
        Some((name.clone(), drops.since(*before)?))
    });
    Datapaths {
        missed: now.missed.saturating_sub(before.missed),
        lost: now.lost.saturating_sub(before.lost),
        ports: ports.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::services::Host;
    use crate::host::unixctl::{ANSWER_MAX, QUESTION};
    use crate::privileged::Direct;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;
    use std::path::Path;
    use std::thread;

    fn daemon(answers: Vec<String>) -> (tempfile::TempDir, thread::JoinHandle<()>) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ovs-vswitchd.pid"), "77\n").unwrap();
        let listener = UnixListener::bind(dir.path().join("ovs-vswitchd.77.ctl")).unwrap();
        let thread = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for answer in answers {
                let mut question = vec![0; QUESTION.len()];
                stream.read_exact(&mut question).unwrap();
                assert_eq!(question, QUESTION);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        (dir, thread)
    }

    fn drops(rundir: &Path) -> Drops {
        Drops::new(Arc::new(Direct::new(Host { root: "/".into(), ovs_rundir: rundir.to_owned() })))
    }

    fn shown(dropped: u64, lost: u64) -> String {
        let text = format!(
            "x:\n lookups: hit:1 missed:{lost} lost:{lost}\n port 1: vnet0\n RX dropped:{dropped}\n TX dropped:1\n"
        );
        serde_json::json!({ "id": 0, "error": null, "result": text }).to_string()
    }

    #[test]
    fn differences_are_given_and_a_daemon_that_goes_is_no_error() {
        let (dir, thread) = daemon(vec![shown(5, 1), shown(9, 3), shown(0, 0)]);
        let mut ctl = drops(dir.path());
        let mut next = || {
            ctl.next = Instant::now();
            ctl.since_last()
        };
        assert_eq!(next(), None, "counts from the start of the switch are not ours");
        let got = next().unwrap();
        assert_eq!((got.lost, got.missed, got.ports["vnet0"].rx_dropped), (2, 2, 4));
        assert!(next().unwrap().ports.is_empty(), "it began anew");
        thread.join().unwrap();
        assert_eq!(next(), None);
    }

    #[test]
    fn a_hanging_daemon_holds_nothing_up() {
        let (dir, thread) = daemon(vec!["{\"id\":".into()]);
        let mut ctl = drops(dir.path());
        let start = Instant::now();
        assert_eq!(ctl.since_last(), None);
        assert!(start.elapsed() < 3 * ANSWER_MAX);
        assert_eq!(ctl.since_last(), None, "not asked again at once");
        thread.join().unwrap();
        assert_eq!(drops(Path::new("/nonexistent")).since_last(), None);
    }
}
