//! The loss ledger: what each point took in, lost and wrote, second by second, beside what its interface counted.
//!
//! One line covers the time since the line before it, so a quiet hour costs a line a minute (the heartbeat, which tells
//! silence from death), and the sums over all lines are the sums of the run. Keys are short because a busy night has many
//! lines: about 2 MB for a point that is busy all eight hours.

use serde::{Deserialize, Serialize};

use crate::manifest::Manifest;
use crate::{Nanos, input::Files, layout};

/// Lines kept of one ledger: a month of seconds.
const LINES_MAX: usize = 2_678_400;

/// What one point did in one span of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Bytes on the wire of the packets written.
    #[serde(rename = "b", default, skip_serializing_if = "is_zero")]
    pub wire_bytes: u64,
    /// What the interface counted meanwhile; absent when it could not be asked.
    #[serde(rename = "if", default, skip_serializing_if = "Option::is_none")]
    pub iface: Option<IfaceCounts>,
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

/// What the kernel's receive path lost on the whole host in one span (`/proc/net/softnet_stat`, all CPUs together).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoftnetSpan {
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
}

/// The ledger of one point.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PointLedger {
    /// The point's id.
    pub point: String,
    /// In order of time.
    pub spans: Vec<PointSpan>,
    /// Lines that were not understood; one torn last line is normal after a crash.
    pub defects: usize,
}

/// All that the ledgers of a run say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// By point, in the order of their ids.
    pub points: Vec<PointLedger>,
    /// Host-wide losses before any point; only spans with a loss or at a heartbeat.
    pub softnet: Vec<SoftnetSpan>,
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

    /// Packets in both directions.
    pub fn packets(self) -> u64 {
        self.rx_packets.saturating_add(self.tx_packets)
    }
}

impl PointLedger {
    /// Reads the lines of a ledger.
    pub fn from_lines(point: &str, text: &str) -> Self {
        let (spans, defects) = lines(text);
        Self { point: point.to_owned(), spans, defects }
    }

    /// Sums over the whole run.
    pub fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        for span in &self.spans {
            sums.received = sums.received.saturating_add(span.received);
            sums.dropped = sums.dropped.saturating_add(span.dropped);
            sums.written = sums.written.saturating_add(span.written);
            sums.wire_bytes = sums.wire_bytes.saturating_add(span.wire_bytes);
        }
        sums
    }
}

impl Ledger {
    /// The ledgers among the files of a bundle; empty for bundles that have none.
    pub fn read(files: &Files) -> Self {
        let points = files.paths().filter_map(layout::parse_ledger);
        let read = |point: &str| {
            let text = files.text(&layout::ledger(point)).unwrap_or_default();
            PointLedger::from_lines(point, &text)
        };
        let points = points.map(read).collect();
        let softnet = files.text(layout::SOFTNET).map(|text| lines(&text).0).unwrap_or_default();
        Self { points, softnet }
    }

    /// The ledger of a point.
    pub fn point(&self, id: &str) -> Option<&PointLedger> {
        self.points.iter().find(|ledger| ledger.point == id)
    }

    /// Where the sums of a run do not agree, one sentence for each place: received = written + dropped, and the ledger
    /// says the same as the segments, those included that were removed to keep to the disk budget.
    pub fn imbalances(&self, manifest: &Manifest) -> Vec<String> {
        let mut out = Vec::new();
        for count in &manifest.counts {
            let point = &count.point;
            let gone = manifest.pruned.iter().find(|gone| gone.point == *point);
            let with = |kept: u64, gone: Option<u64>| kept.saturating_add(gone.unwrap_or(0));
            let segments = Sums {
                received: with(count.received, gone.map(|g| g.received)),
                dropped: with(count.dropped, gone.map(|g| g.dropped)),
                written: with(count.written, gone.map(|g| g.packets)),
                wire_bytes: with(count.wire_bytes, gone.map(|g| g.wire_bytes)),
            };
            let sum = segments.written.saturating_add(segments.dropped);
            if segments.received != sum {
                out.push(format!(
                    "{point}: the kernel counted {} packets, but {} were written and {} dropped: {} are unaccounted for",
                    segments.received,
                    segments.written,
                    segments.dropped,
                    segments.received.abs_diff(sum)
                ));
            }
            let Some(ledger) = self.point(point) else { continue };
            let sums = ledger.sums();
            if sums != segments {
                out.push(format!(
                    "{point}: ledger and segments disagree: received {} / {}, dropped {} / {}, written {} / {}, \
                     bytes {} / {}",
                    sums.received,
                    segments.received,
                    sums.dropped,
                    segments.dropped,
                    sums.written,
                    segments.written,
                    sums.wire_bytes,
                    segments.wire_bytes
                ));
            }
        }
        out
    }
}

/// A line of a ledger.
pub fn line<T: Serialize>(span: &T) -> std::io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(span)?;
    line.push(b'\n');
    Ok(line)
}

fn lines<T: serde::de::DeserializeOwned>(text: &str) -> (Vec<T>, usize) {
    let mut defects = 0;
    let mut out = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()).take(LINES_MAX) {
        match serde_json::from_str(line) {
            Ok(span) => out.push(span),
            Err(_) => defects += 1,
        }
    }
    (out, defects)
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// The counters of every interface in `/proc/net/dev`; lines that are not understood are left out.
pub fn parse_net_dev(text: &str) -> std::collections::BTreeMap<String, IfaceCounts> {
    let mut out = std::collections::BTreeMap::new();
    for line in text.lines().skip(2) {
        let Some((name, rest)) = line.rsplit_once(':') else { continue };
        let numbers: Vec<u64> = rest.split_whitespace().map_while(|word| word.parse().ok()).collect();
        // Receive: bytes packets errs drop fifo frame compressed multicast; transmit: bytes packets errs drop …
        let [_, rx_packets, rx_errors, rx_dropped, _, _, _, _, _, tx_packets, tx_errors, tx_dropped, ..] =
            numbers[..]
        else {
            continue;
        };
        let counts = IfaceCounts { rx_packets, tx_packets, rx_dropped, tx_dropped, rx_errors, tx_errors };
        out.insert(name.trim().to_owned(), counts);
    }
    out
}

/// Processed, dropped and squeezed of all CPUs in `/proc/net/softnet_stat`: the first three hexadecimal columns
/// (net/core/net-procfs.c, `softnet_seq_show`). Each column is 32 bits wide and wraps by itself.
pub fn parse_softnet(text: &str) -> Vec<[u32; 3]> {
    let cpu = |line: &str| {
        let mut words = line.split_whitespace().map(|word| u32::from_str_radix(word, 16));
        Some([words.next()?.ok()?, words.next()?.ok()?, words.next()?.ok()?])
    };
    text.lines().filter_map(cpu).collect()
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
            iface: Some(IfaceCounts { rx_packets: 12, ..IfaceCounts::default() }),
            away: false,
        };
        let mut text = String::from_utf8(line(&span).unwrap()).unwrap();
        assert!(text.len() < 100, "{text}");
        text.push_str("{\"at\":17952192");
        let ledger = PointLedger::from_lines("eth2", &text);
        assert_eq!((ledger.spans.as_slice(), ledger.defects), (&[span][..], 1));
        assert_eq!(ledger.sums(), Sums { received: 12, dropped: 2, written: 10, wire_bytes: 600 });
    }

    #[test]
    fn the_kernels_tables() {
        let dev = "Inter-|   Receive                                                |  Transmit\n \
            face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n\
            \x20   lo:     100       2    0    0    0     0          0         0      100       2    0    0    0     0       0          0\n\
            vnet0:1 5 6 7 0 0 0 0 1 8 9 10 0 0 0 0\n\
            short: 1 2 3\n";
        let got = parse_net_dev(dev);
        assert_eq!(got.len(), 2);
        let want = IfaceCounts {
            rx_packets: 5,
            rx_errors: 6,
            rx_dropped: 7,
            tx_packets: 8,
            tx_errors: 9,
            tx_dropped: 10,
        };
        assert_eq!(got["vnet0"], want);
        assert_eq!(want.since(want), Some(IfaceCounts::default()));
        assert_eq!(IfaceCounts::default().since(want), None);
        let softnet = "0000c0de 00000002 00000001 00000000\n0000000a 00000000 00000000\nbroken\n";
        assert_eq!(parse_softnet(softnet), [[0xc0de, 2, 1], [10, 0, 0]]);
    }

    proptest! {
        #[test]
        fn any_text_is_answered(
            text in "(\\{\"at\":[0-9-]{0,20},\"ms\":[0-9]{0,21}(,\"[rdwb]\":[0-9.e]{0,21}){0,4}\\}?\n|\\PC{0,40}\n){0,8}"
        ) {
            let _ = PointLedger::from_lines("x", &text).sums();
            let _ = (parse_net_dev(&text), parse_softnet(&text));
        }

        #[test]
        fn any_table_is_answered(text in "([ a-z0-9:@|]{0,20}:? ?([0-9a-f]{0,20} ){0,18}\n){0,6}") {
            let _ = (parse_net_dev(&text), parse_softnet(&text));
        }
    }
}
