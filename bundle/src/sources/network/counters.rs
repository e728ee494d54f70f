//! `counters`: the kernel's network counters, taken again and again: only what grows is news.
//!
//! `/proc/net/dev` (net/core/net-procfs.c `dev_seq_printf_stats`), `/proc/net/softnet_stat` (`softnet_seq_show`, there),
//! `/proc/net/snmp` and `/proc/net/netstat` (net/ipv4/proc.c).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::source::{Cadence, Each, How, Parsed, RawItem, Recipe, Snapshot, SourceDef};
use crate::sources::shared::text::{lines, push_capped, usable};

/// All counters of one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Counters {
    /// By interface.
    pub devices: BTreeMap<String, DeviceCounters>,
    /// By CPU, in the kernel's order.
    pub softnet: Vec<Softnet>,
    /// Protocol counters by group and name (`Ip` → `InDiscards`); `MaxConn` may be −1.
    pub protocols: BTreeMap<String, BTreeMap<String, i64>>,
}

/// One line of `/proc/net/dev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct DeviceCounters {
    /// Bytes received.
    pub rx_bytes: u64,
    /// Frames received.
    pub rx_packets: u64,
    /// Errors receiving, of all kinds.
    pub rx_errors: u64,
    /// Dropped receiving: no buffer in the host, or the card missed it (both in one column).
    pub rx_dropped: u64,
    /// FIFO overruns receiving.
    pub rx_fifo: u64,
    /// Length, overrun, checksum and alignment errors in one column.
    pub rx_frame: u64,
    /// Multicast frames received.
    pub rx_multicast: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Frames sent.
    pub tx_packets: u64,
    /// Errors sending.
    pub tx_errors: u64,
    /// Dropped sending.
    pub tx_dropped: u64,
    /// FIFO errors sending.
    pub tx_fifo: u64,
    /// Half-duplex links only.
    pub tx_collisions: u64,
    /// Carrier lost while sending.
    pub tx_carrier: u64,
}

/// One CPU's line of `/proc/net/softnet_stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Softnet {
    /// CPU number as printed (since 5.10), else the line's place.
    pub cpu: u32,
    /// Frames processed.
    pub processed: u32,
    /// Dropped because the backlog was full (`net.core.netdev_max_backlog`).
    pub dropped: u32,
    /// Times the budget ran out with work left (`net.core.netdev_budget`).
    pub time_squeeze: u32,
}

impl Counters {
    /// A protocol counter, `protocol("Ip", "InDiscards")`.
    pub fn protocol(&self, group: &str, name: &str) -> Option<i64> {
        self.protocols.get(group)?.get(name).copied()
    }
}

impl DeviceCounters {
    /// What was counted since `earlier`; `None` when a counter went backwards, so it is another device by that name.
    pub fn since(&self, earlier: &Self) -> Option<Self> {
        Some(Self {
            rx_bytes: self.rx_bytes.checked_sub(earlier.rx_bytes)?,
            rx_packets: self.rx_packets.checked_sub(earlier.rx_packets)?,
            rx_errors: self.rx_errors.checked_sub(earlier.rx_errors)?,
            rx_dropped: self.rx_dropped.checked_sub(earlier.rx_dropped)?,
            rx_fifo: self.rx_fifo.checked_sub(earlier.rx_fifo)?,
            rx_frame: self.rx_frame.checked_sub(earlier.rx_frame)?,
            rx_multicast: self.rx_multicast.checked_sub(earlier.rx_multicast)?,
            tx_bytes: self.tx_bytes.checked_sub(earlier.tx_bytes)?,
            tx_packets: self.tx_packets.checked_sub(earlier.tx_packets)?,
            tx_errors: self.tx_errors.checked_sub(earlier.tx_errors)?,
            tx_dropped: self.tx_dropped.checked_sub(earlier.tx_dropped)?,
            tx_fifo: self.tx_fifo.checked_sub(earlier.tx_fifo)?,
            tx_collisions: self.tx_collisions.checked_sub(earlier.tx_collisions)?,
            tx_carrier: self.tx_carrier.checked_sub(earlier.tx_carrier)?,
        })
    }
}

/// A file of `/proc/net`.
const fn file(item: &'static str, path: &'static str) -> Recipe {
    Recipe { item, each: Each::Once, how: How::File(path), bytes_max: 4 << 20, timeout_ms: 1_000 }
}

impl Snapshot for Counters {
    const DEF: SourceDef = SourceDef {
        id: "counters",
        about: "Network counters of the kernel: devices, CPUs, protocols",
        cadence: Cadence::Periodic,
        recipes: &[
            file("dev", "/proc/net/dev"),
            file("softnet", "/proc/net/softnet_stat"),
            file("snmp", "/proc/net/snmp"),
            file("netstat", "/proc/net/netstat"),
        ],
    };

    fn parse(items: &[RawItem<'_>]) -> Parsed<Self> {
        let mut parsed = Parsed::default();
        let mut found = Self::default();
        for item in items {
            let text = usable(item, &mut parsed);
            match item.item {
                "dev" => devices(&text, item, &mut found, &mut parsed),
                "softnet" => softnet(&text, item, &mut found, &mut parsed),
                "snmp" | "netstat" => protocols(&text, item, &mut found, &mut parsed),
                _ => {}
            }
        }
        parsed.value = found;
        parsed
    }
}

/// Interfaces kept; the kernel has a few thousand at most.
const DEVICES_MAX: usize = 16_384;

fn devices(text: &str, item: &RawItem<'_>, found: &mut Counters, parsed: &mut Parsed<Counters>) {
    for (number, line) in lines(text) {
        // Two lines of headings.
        if line.contains('|') {
            continue;
        }
        match device(line) {
            Some((name, _)) if found.devices.len() >= DEVICES_MAX && !found.devices.contains_key(&name) => {
                parsed.give_up(item, "too many interfaces; the rest is ignored");
                return;
            }
            Some((name, counters)) => {
                found.devices.insert(name, counters);
            }
            None => parsed.defect(item, number, format!("not a line of /proc/net/dev: {line}")),
        }
    }
}

fn device(line: &str) -> Option<(String, DeviceCounters)> {
    // An alias (`eth0:1`) has no line of its own, but a name may hold a colon.
    let (name, numbers) = line.rsplit_once(':')?;
    let numbers: Option<Vec<u64>> = numbers.split_whitespace().map(|word| word.parse().ok()).collect();
    let [rx_bytes, rx_packets, rx_errors, rx_dropped, rx_fifo, rx_frame, _compressed, rx_multicast, tx @ ..] =
        numbers?.try_into().ok().map(|all: [u64; 16]| all)?;
    let [tx_bytes, tx_packets, tx_errors, tx_dropped, tx_fifo, tx_collisions, tx_carrier, _] = tx;
    let counters = DeviceCounters {
        rx_bytes,
        rx_packets,
        rx_errors,
        rx_dropped,
        rx_fifo,
        rx_frame,
        rx_multicast,
        tx_bytes,
        tx_packets,
        tx_errors,
        tx_dropped,
        tx_fifo,
        tx_collisions,
        tx_carrier,
    };
    Some((name.trim().to_owned(), counters))
}

fn softnet(text: &str, item: &RawItem<'_>, found: &mut Counters, parsed: &mut Parsed<Counters>) {
    for (at, (number, line)) in lines(text).enumerate() {
        let words: Option<Vec<u32>> =
            line.split_whitespace().map(|word| u32::from_str_radix(word, 16).ok()).collect();
        let Some([processed, dropped, time_squeeze, rest @ ..]) = words.as_deref() else {
            parsed.defect(item, number, format!("not a line of softnet_stat: {line}"));
            continue;
        };
        let place = u32::try_from(at).unwrap_or(u32::MAX);
        // The thirteenth column is the CPU, since 5.10; offline CPUs have no line.
        let cpu = rest.get(9).copied().unwrap_or(place);
        let entry = Softnet { cpu, processed: *processed, dropped: *dropped, time_squeeze: *time_squeeze };
        if !push_capped(&mut found.softnet, entry, item, parsed) {
            break;
        }
    }
}

/// Pairs of lines: `Ip: Forwarding …` with the names, `Ip: 1 …` with the values.
fn protocols(text: &str, item: &RawItem<'_>, found: &mut Counters, parsed: &mut Parsed<Counters>) {
    let mut names: Option<(&str, Vec<&str>)> = None;
    for (number, line) in lines(text) {
        let Some((group, rest)) = line.split_once(':') else {
            parsed.defect(item, number, format!("not a line of protocol counters: {line}"));
            continue;
        };
        let words: Vec<&str> = rest.split_whitespace().collect();
        match names.take() {
            Some((named, list)) if named == group && list.len() == words.len() => {
                let values = list
                    .iter()
                    .zip(&words)
                    .filter_map(|(name, value)| Some(((*name).to_owned(), value.parse().ok()?)));
                found.protocols.entry(group.to_owned()).or_default().extend(values);
            }
            Some(_) => parsed.defect(item, number, format!("names and values differ: {line}")),
            None => names = Some((group, words)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::shared::testing::{corpus_texts, hostile, item, parse_one, score, survives};
    use proptest::prelude::*;

    const DEV: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
  eth6:106867962564 54153826    1    7    2 83979          0         9 1528917305 8404047    3    4    5     6       7          0
";
    const SOFTNET: &str = "\
00049279 00000000 00000001 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
000dfb82 00000029 0000000a 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000005
";
    const SNMP: &str = "\
Ip: Forwarding DefaultTTL InReceives InDiscards
Ip: 1 64 57740232 3
Tcp: RtoAlgorithm MaxConn RetransSegs
Tcp: 1 -1 42
";

    #[test]
    fn devices_even_without_a_blank_after_the_colon() {
        let parsed = parse_one::<Counters>("dev", "", DEV);
        assert_eq!(parsed.defects, []);
        let eth6 = parsed.value.devices["eth6"];
        assert_eq!(
            (eth6.rx_bytes, eth6.rx_dropped, eth6.rx_fifo, eth6.rx_frame),
            (106_867_962_564, 7, 2, 83_979)
        );
        assert_eq!((eth6.tx_errors, eth6.tx_collisions, eth6.tx_carrier), (3, 6, 7));
        let later = DeviceCounters { rx_dropped: 10, ..eth6 };
        assert_eq!(later.since(&eth6).unwrap().rx_dropped, 3);
        assert_eq!(eth6.since(&later), None);
    }

    #[test]
    fn cpus_and_protocols() {
        let parsed = Counters::parse(&[item("softnet", "", SOFTNET), item("snmp", "", SNMP)]);
        assert_eq!(parsed.defects, []);
        assert_eq!(
            parsed.value.softnet.iter().map(|cpu| (cpu.cpu, cpu.dropped)).collect::<Vec<_>>(),
            [(0, 0), (5, 0x29)]
        );
        assert_eq!(parsed.value.protocol("Ip", "InDiscards"), Some(3));
        assert_eq!(parsed.value.protocol("Tcp", "MaxConn"), Some(-1));
    }

    #[test]
    fn half_lines_are_defects() {
        assert_eq!(parse_one::<Counters>("dev", "", "eth0: 1 2 3\n").defects.len(), 1);
        assert_eq!(parse_one::<Counters>("snmp", "", "Ip: A B\nIp: 1\n").defects.len(), 1);
        assert_eq!(parse_one::<Counters>("softnet", "", "xyz\n").defects.len(), 1);
    }

    #[test]
    fn corpus_parses() {
        let folder = "text/prometheus+node_exporter/proc/net";
        for (name, needle) in [("softnet", "/softnet_stat"), ("netstat", "/netstat")] {
            let (files, clean) = score::<Counters>(name, &corpus_texts(folder, &[needle]));
            assert_eq!(files, clean);
        }
        let snmp: Vec<_> =
            corpus_texts(folder, &["/snmp"]).into_iter().filter(|(name, _)| name.ends_with("snmp")).collect();
        let (files, clean) = score::<Counters>("snmp", &snmp);
        assert_eq!(files, clean);
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics(bytes in prop_oneof![hostile(DEV), hostile(SOFTNET), hostile(SNMP)], cut: bool) {
            survives::<Counters>(&bytes, cut);
        }
    }
}
