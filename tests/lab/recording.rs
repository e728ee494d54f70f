//! netcap at work in the lab, from the moment that it listens to the moment that its bundle is there.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

use netcap_tests::lab::{Lab, said};
use netcap_tests::{is_recording, run_in, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::NETCAP;

/// As long as a packet may take to cross, and a little more: what was sent last is told from what is lost.
const CROSSING: Duration = Duration::from_millis(2_300);

/// The machine's own disk may be as full as it likes.
pub(crate) const MIN_FREE: &str = "--min-free=1M";

/// A recording that has begun.
pub(crate) struct Recording {
    child: Child,
    out: PathBuf,
}

impl Recording {
    /// Starts one on a host of the lab, below this name of the lab's directory.
    pub(crate) fn start(lab: &Lab, host: &str, name: &str, options: &[&str]) -> Self {
        let out = lab.dir().join(name);
        let place = out.to_string_lossy().into_owned();
        let child = lab.spawn(host, &[&[NETCAP, "--out", &place, MIN_FREE], options].concat());
        Self::of(child, &out)
    }

    /// Waits until netcap listens to all of its points and knows the host's state.
    pub(crate) fn of(mut child: Child, out: &Path) -> Self {
        let mut runs = true;
        wait_for("the recording to begin", || {
            runs = child.try_wait().expect("a child can be waited for").is_none();
            !runs || run_in(out).is_some_and(|run| is_recording(&run))
        });
        if runs {
            return Self { child, out: out.to_owned() };
        }
        let ended = child.wait_with_output().expect("netcap ends");
        panic!("netcap ends before it has begun: {}", said(&ended))
    }

    /// Its directory.
    pub(crate) fn dir(&self) -> PathBuf {
        run_in(&self.out).expect("it records")
    }

    /// How often a thing of the host's state was taken, such as `"ovs-datapath","item":"dump-flows"`.
    pub(crate) fn taken(&self, what: &str) -> usize {
        let index = self.dir().join(netcap_bundle::layout::STATE_INDEX);
        std::fs::read_to_string(index).unwrap_or_default().matches(what).count()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("it is there");
    }

    /// Ends it once nothing is on its way any more; gives the bundle.
    pub(crate) fn end(self) -> PathBuf {
        sleep(CROSSING);
        self.signal(Signal::SIGINT);
        let out = self.child.wait_with_output().expect("netcap ends");
        assert!(out.status.success(), "netcap: {}", said(&out));
        let bundle = Lab::bundle(&self.out);
        assert!(
            said(&out).contains(&*bundle.to_string_lossy()),
            "the last lines say where the bundle is: {}",
            said(&out)
        );
        bundle
    }

    /// Ends it as [`Recording::end`] does, where it makes no bundle; gives its directory.
    pub(crate) fn end_unbundled(self) -> PathBuf {
        sleep(CROSSING);
        self.signal(Signal::SIGINT);
        let out = self.child.wait_with_output().expect("netcap ends");
        assert!(out.status.success(), "netcap: {}", said(&out));
        run_in(&self.out).expect("its directory stays")
    }

    /// Waits for an end that somebody else brings about.
    pub(crate) fn ended(self) -> std::process::Output {
        self.child.wait_with_output().expect("netcap ends")
    }
}
