//! The loss ledger: what each point took in, lost and wrote, second by second, beside what its interface counted.
//!
//! One line covers the time since the line before it, so a quiet hour costs a line a minute (the heartbeat, which tells
//! silence from death), and the sums over all lines are the sums of the run. Keys are short because a busy night has many
//! lines: about 2 MB for a point that is busy all eight hours. Lines of other kinds may lie between ([`StepLine`]); a reader
//! leaves out those it does not know.
//!
//! What the filter did not want is counted nowhere in the kernel: a packet socket's statistics begin behind its filter
//! (`packet_rcv`/`tpacket_rcv` return before any counter, net/packet/af_packet.c), and a second socket that counts
//! everything would cost every frame of the host another clone. So [`PointSpan::filtered`] is what crossed the interface
//! less what the socket received, and it is as good as the interface's counters are:
//! - the two are not read in the same instant, so a frame may be counted one second late, never twice;
//! - with receive offload (GRO, LRO) a NIC counts wire frames and the socket gets the joined one; with segmentation
//!   offload (TSO) a driver counts segments and the socket saw one frame before them: the difference is too large;
//! - frames that a driver does not count (dropped while sending) make it too small, never negative;
//! - tags do not matter: a tagged frame is one frame, on the interface and on the socket.
//!
//! On taps, veths and internal ports of a switch, which carry the same frames that the socket sees, it is exact. A point
//! without a filter filters nothing, so there it is zero and not derived.

use serde::{Deserialize, Serialize};

use crate::{Nanos, input::Files, layout};

mod balance;
mod kept;
mod kernel;
mod ovs;
mod steps;

pub use kernel::{parse_net_dev, parse_softnet};
pub use ovs::{Datapaths, OvsDrops, parse_dpctl_show};
pub use steps::{Shed, Step, StepLine, Why};

use kept::{Joins, Kept};

/// Lines read of one ledger: a month of seconds.
const LINES_MAX: usize = 2_678_400;
/// Steps of load shedding kept of one ledger.
const STEPS_MAX: usize = 4_096;
/// Ledgers read of one run: as many as points.
const LEDGERS_MAX: usize = 4_096;

/// What one point did in one span of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointSpan {
    /// End of the span.
    pub at: Nanos,
    /// Its length in milliseconds.
    pub ms: u64,
    /// Packets past the filter as the kernel counted them for the socket, dropped ones included.
    #[serde(rename = "r", default, skip_serializing_if = "is_zero")]
    pub received: u64,
    /// Packets the kernel dropped because the ring was full.
    #[serde(rename = "d", default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
    /// Packets written. A block of the ring may lie between two spans, so only sums balance.
    #[serde(rename = "w", default, skip_serializing_if = "is_zero")]
    pub written: u64,
    /// Packets taken from the ring and not recorded, because the point was shed ([`Step::Off`]).
    #[serde(rename = "s", default, skip_serializing_if = "is_zero")]
    pub shed: u64,
    /// Bytes on the wire of the packets written.
    #[serde(rename = "b", default, skip_serializing_if = "is_zero")]
    pub wire_bytes: u64,
    /// Packets that crossed the interface and that the filter did not want, derived as the module says; absent where
    /// nobody can tell, and in ledgers of older recorders.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub filtered: Option<u64>,
    /// What the interface counted meanwhile; absent when it could not be asked.
    #[serde(rename = "if", default, skip_serializing_if = "Option::is_none")]
    pub iface: Option<IfaceCounts>,
    /// What Open vSwitch dropped at this port meanwhile; absent when it could not be asked or the port is not its own.
    #[serde(rename = "ovs", default, skip_serializing_if = "Option::is_none")]
    pub ovs: Option<OvsDrops>,
    /// The name of the interface from this line on; said when it is not the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The interface was down or gone at the end of the span.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub away: bool,
}

/// Counters of a network interface (`/proc/net/dev`, net/core/net-procfs.c), as differences over a span.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IfaceCounts {
    /// Packets received.
    #[serde(rename = "rx", default, skip_serializing_if = "is_zero")]
    pub rx_packets: u64,
    /// Packets sent.
    #[serde(rename = "tx", default, skip_serializing_if = "is_zero")]
    pub tx_packets: u64,
    /// Received packets dropped, by the NIC (`rx_missed_errors`) or the stack.
    #[serde(rename = "rxd", default, skip_serializing_if = "is_zero")]
    pub rx_dropped: u64,
    /// Packets to send dropped.
    #[serde(rename = "txd", default, skip_serializing_if = "is_zero")]
    pub tx_dropped: u64,
    /// Errors while receiving.
    #[serde(rename = "rxe", default, skip_serializing_if = "is_zero")]
    pub rx_errors: u64,
    /// Errors while sending.
    #[serde(rename = "txe", default, skip_serializing_if = "is_zero")]
    pub tx_errors: u64,
}

/// What the host lost in one span before any point: the kernel's receive path (`/proc/net/softnet_stat`, all CPUs
/// together) and the datapaths of Open vSwitch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSpan {
    /// End of the span.
    pub at: Nanos,
    /// Its length in milliseconds.
    pub ms: u64,
    /// Packets processed.
    #[serde(default)]
    pub processed: u64,
    /// Packets dropped because the backlog of a CPU was full (`net.core.netdev_max_backlog`).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
    /// Times a CPU ran out of its budget with work left (`net.core.netdev_budget`).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub squeezed: u64,
    /// Packets that found no flow in a datapath of Open vSwitch and had to ask ovs-vswitchd; absent when it could not be
    /// asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upcalls: Option<u64>,
    /// Packets lost because ovs-vswitchd could not take such a question (`lost` of dpctl/show).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub upcalls_lost: u64,
}

/// The ledger of one point.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PointLedger {
    /// The point's id.
    pub point: String,
    /// In order of time.
    pub spans: Vec<PointSpan>,
    /// What it gave up, and when; the last few thousand.
    pub steps: Vec<StepLine>,
    /// Lines that were not understood; one torn last line is normal after a crash.
    pub defects: usize,
    /// There were so many lines that neighbouring ones, first those without a loss, were joined: sums are exact, times
    /// are coarser.
    pub joined: bool,
}

/// All that the ledgers of a run say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// By point, in the order of their ids.
    pub points: Vec<PointLedger>,
    /// Host-wide losses before any point; only spans with a loss or at a heartbeat.
    pub host: Vec<HostSpan>,
    /// Ledgers that were not read: more than points may be.
    pub unread: u64,
}

/// Sums over spans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// See [`PointSpan::received`].
    pub received: u64,
    /// See [`PointSpan::dropped`].
    pub dropped: u64,
    /// See [`PointSpan::written`].
    pub written: u64,
    /// See [`PointSpan::wire_bytes`].
    pub wire_bytes: u64,
    /// See [`PointSpan::shed`].
    pub shed: u64,
}

impl IfaceCounts {
    /// What was added since `before`; `None` when a counter went back, for then the interface is a new one.
    pub fn since(self, before: Self) -> Option<Self> {
        Some(Self {
            rx_packets: self.rx_packets.checked_sub(before.rx_packets)?,
            tx_packets: self.tx_packets.checked_sub(before.tx_packets)?,
            rx_dropped: self.rx_dropped.checked_sub(before.rx_dropped)?,
            tx_dropped: self.tx_dropped.checked_sub(before.tx_dropped)?,
            rx_errors: self.rx_errors.checked_sub(before.rx_errors)?,
            tx_errors: self.tx_errors.checked_sub(before.tx_errors)?,
        })
    }

    /// The sum.
    fn plus(self, more: Self) -> Self {
        Self {
            rx_packets: self.rx_packets.saturating_add(more.rx_packets),
            tx_packets: self.tx_packets.saturating_add(more.tx_packets),
            rx_dropped: self.rx_dropped.saturating_add(more.rx_dropped),
            tx_dropped: self.tx_dropped.saturating_add(more.tx_dropped),
            rx_errors: self.rx_errors.saturating_add(more.rx_errors),
            tx_errors: self.tx_errors.saturating_add(more.tx_errors),
        }
    }

    /// Packets in both directions.
    pub fn packets(self) -> u64 {
        self.rx_packets.saturating_add(self.tx_packets)
    }
}

impl PointSpan {
    /// Start of the span.
    pub fn begin(&self) -> Nanos {
        self.at.plus(i64::try_from(self.ms).unwrap_or(i64::MAX).saturating_mul(-1_000_000))
    }

    /// Packets that came to the point's socket, wanted or not; absent where nobody can tell.
    pub fn seen(&self) -> Option<u64> {
        self.filtered.map(|filtered| filtered.saturating_add(self.received))
    }
}

impl PointLedger {
    /// Reads the lines of a ledger.
    pub fn from_lines(point: &str, text: &str) -> Self {
        Self::read(point, 1, |line| text.lines().all(line))
    }

    /// Reads lines as `each` gives them, in the memory that one of that many ledgers may have.
    fn read(point: &str, ledgers: usize, each: impl FnOnce(&mut dyn FnMut(&str) -> bool) -> bool) -> Self {
        let mut steps = std::collections::VecDeque::new();
        let step = |line: &str| {
            let Ok(step) = serde_json::from_str(line) else { return false };
            steps.push_back(step);
            if steps.len() > STEPS_MAX {
                steps.pop_front();
            }
            true
        };
        let (kept, defects) = lines(ledgers, each, step);
        let (point, steps) = (point.to_owned(), steps.into());
        Self { point, spans: kept.lines, steps, defects, joined: kept.joined }
    }

    /// Sums over the whole run.
    pub fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        self.spans.iter().for_each(|span| sums.add(span));
        sums
    }

    /// Packets that the filter did not want, over the whole run; absent when no line tells.
    pub fn filtered(&self) -> Option<u64> {
        self.spans.iter().filter_map(|span| span.filtered).reduce(u64::saturating_add)
    }

    /// What its interface and its port dropped over the whole run: NIC or stack, then Open vSwitch, both directions.
    pub fn dropped_outside(&self) -> (u64, u64) {
        let nic = self
            .spans
            .iter()
            .filter_map(|span| span.iface)
            .map(|i| i.rx_dropped.saturating_add(i.tx_dropped));
        let ovs = self.spans.iter().filter_map(|span| span.ovs).map(OvsDrops::both);
        (nic.fold(0, u64::saturating_add), ovs.fold(0, u64::saturating_add))
    }
}

impl Ledger {
    /// The ledgers among the files of a bundle; empty for bundles that have none.
    pub fn read(files: &Files) -> Self {
        let mut points: Vec<&str> = files.paths().filter_map(layout::parse_ledger).collect();
        let unread = points.len().saturating_sub(LEDGERS_MAX) as u64;
        points.truncate(LEDGERS_MAX);
        let ledgers = points.len() + 1;
        let read = |point: &&str| {
            PointLedger::read(point, ledgers, |line| files.lines(&layout::ledger(point), line))
        };
        let host = lines(ledgers, |line| files.lines(layout::SOFTNET, line), |_| false).0.lines;
        let points = points.iter().map(read).collect();
        Self { points, host, unread }
    }

    /// The ledger of a point.
    pub fn point(&self, id: &str) -> Option<&PointLedger> {
        self.points.iter().find(|ledger| ledger.point == id)
    }
}

/// A line of a ledger.
pub fn line<T: Serialize>(span: &T) -> std::io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(span)?;
    line.push(b'\n');
    Ok(line)
}

/// The lines that `each` gives, and how many were not understood.
fn lines<T: serde::de::DeserializeOwned + Joins>(
    ledgers: usize,
    each: impl FnOnce(&mut dyn FnMut(&str) -> bool) -> bool,
    mut other: impl FnMut(&str) -> bool,
) -> (Kept<T>, usize) {
    let (mut kept, mut defects, mut read) = (Kept::share_of(ledgers), 0, 0);
    each(&mut |line| {
        if !line.trim().is_empty() {
            read += 1;
            match serde_json::from_str(line) {
                Ok(span) => kept.push(span),
                Err(_) if other(line) || is_of_another_kind(line) => {}
                Err(_) => defects += 1,
            }
        }
        read < LINES_MAX
    });
    (kept, defects)
}

/// A line with a time that is none of ours: a newer recorder's, left out like a field that nobody knows.
fn is_of_another_kind(line: &str) -> bool {
    #[derive(Deserialize)]
    struct Timed {
        #[serde(rename = "at")]
        _at: Nanos,
    }
    serde_json::from_str::<Timed>(line).is_ok()
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so
fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_read_as_they_were_written_and_a_torn_one_is_counted() {
        let span = PointSpan {
            at: Nanos(1_795_219_200_000_000_000),
            ms: 1000,
            received: 12,
            dropped: 2,
            written: 10,
            wire_bytes: 600,
            iface: Some(IfaceCounts { rx_packets: 15, ..IfaceCounts::default() }),
            filtered: Some(3),
            ..PointSpan::default()
        };
        let mut text = String::from_utf8(line(&span).unwrap()).unwrap();
        assert!(text.len() < 100, "{text}");
        text.push_str("{\"at\":17952192");
        let ledger = PointLedger::from_lines("eth2", &text);
        assert_eq!((ledger.spans.as_slice(), ledger.defects), (&[span][..], 1));
        assert_eq!(ledger.sums(), Sums { received: 12, dropped: 2, written: 10, wire_bytes: 600, shed: 0 });
    }

    #[test]
    fn lines_of_older_recorders_say_nothing_of_what_they_did_not_know() {
        let ledger =
            PointLedger::from_lines("x", "{\"at\":5,\"ms\":1000,\"r\":2,\"w\":2,\"if\":{\"rx\":9}}\n");
        assert_eq!((ledger.spans.len(), ledger.defects), (1, 0));
        assert_eq!(
            (ledger.filtered(), ledger.spans[0].seen(), ledger.dropped_outside()),
            (None, None, (0, 0))
        );
        let told = PointLedger::from_lines(
            "x",
            "{\"at\":5,\"ms\":1,\"r\":2,\"f\":7,\"if\":{\"rxd\":1,\"txd\":2},\"ovs\":{\"rxd\":4}}\n{\"at\":6,\"ms\":1}\n",
        );
        assert_eq!(
            (told.filtered(), told.spans[0].seen(), told.dropped_outside()),
            (Some(7), Some(9), (3, 4))
        );
    }

    proptest! {
        #[test]
        fn any_text_is_answered(
            text in "(\\{\"at\":[0-9-]{0,20},\"ms\":[0-9]{0,21}(,\"[rdwb]\":[0-9.e]{0,21}){0,4}\\}?\n|\\PC{0,40}\n){0,8}"
        ) {
            let _ = PointLedger::from_lines("x", &text).sums();
        }
    }
}
