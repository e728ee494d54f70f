//! `ovs-conntrack`: the datapath's connection tracking table (`dpctl/dump-conntrack`, lib/ct-dpif.c
//! `ct_dpif_format_entry`).
//!
//! A zone is a table of its own; zone 0 is not printed.

use std::net::IpAddr;

use serde::Serialize;

use crate::source::{Cadence, Each, How, Outcome, Parsed, RawItem, Recipe, Snapshot, SourceDef};
use crate::sources::shared::text::{call, lines, number, push_capped, split_top, usable, value_of};

/// The table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct OvsConntrack {
    /// Entries in the dump's order.
    pub entries: Vec<CtEntry>,
    /// The dump is whole: only then does "no such connection" mean anything.
    pub complete: bool,
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CtEntry {
    /// Line in the dump, counted from 1.
    pub line: usize,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, `sctp`, or a number.
    pub proto: String,
    /// As the first packet went.
    pub orig: CtTuple,
    /// As answers are expected.
    pub reply: CtTuple,
    /// Zone; 0 when none is printed.
    pub zone: u16,
    /// `ct_mark`: 32 bits that rules set and match.
    pub mark: u32,
    /// Labels, 128 bits.
    pub label: u128,
    /// State: TCP's (`SYN_SENT`, `ESTABLISHED`, …; the original side's where both are printed), else empty.
    pub state: String,
    /// State of the answering side, in the userspace datapath's verbose dumps.
    pub state_reply: Option<String>,
    /// `SEEN_REPLY`, `ASSURED`, `CONFIRMED`, `DYING`, … when printed.
    pub status: Vec<String>,
    /// Seconds left, when printed.
    pub timeout_s: Option<u64>,
    /// Kernel module that follows the protocol (`ftp`).
    pub helper: Option<String>,
    /// The whole line.
    pub raw: String,
}

/// One direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CtTuple {
    /// Source address.
    pub src: Option<IpAddr>,
    /// Destination address.
    pub dst: Option<IpAddr>,
    /// Source port; none for ICMP.
    pub sport: Option<u16>,
    /// Destination port; none for ICMP.
    pub dport: Option<u16>,
    /// ICMP identifier.
    pub icmp_id: Option<u16>,
    /// Of ICMP and ICMPv6 only; ports are absent then.
    pub icmp_type: Option<u8>,
    /// See `icmp_type`.
    pub icmp_code: Option<u8>,
}

impl CtTuple {
    /// Goes from here to there, any port.
    pub(crate) fn is_between(&self, src: IpAddr, dst: IpAddr) -> bool {
        self.src == Some(src) && self.dst == Some(dst)
    }
}

impl CtEntry {
    /// Only one side was ever seen: TCP before the answer, or a status without `SEEN_REPLY`.
    pub(crate) fn is_half_open(&self) -> bool {
        let by_state = matches!(self.state.as_str(), "SYN_SENT" | "SYN_RECV");
        by_state
            || (!self.status.is_empty()
                && self.state.is_empty()
                && !self.status.iter().any(|s| s == "SEEN_REPLY"))
    }
}

impl OvsConntrack {
    /// Entries between two addresses, in either direction.
    pub fn between(&self, a: IpAddr, b: IpAddr) -> impl Iterator<Item = &CtEntry> {
        self.entries.iter().filter(move |entry| entry.orig.is_between(a, b) || entry.orig.is_between(b, a))
    }
}

impl Snapshot for OvsConntrack {
    const DEF: SourceDef = SourceDef {
        id: "ovs-conntrack",
        about: "Open vSwitch connection tracking: connections, zones, states",
        cadence: Cadence::Periodic,
        recipes: &[Recipe {
            item: "dump",
            each: Each::Once,
            how: How::Command(&["ovs-appctl", "dpctl/dump-conntrack"]),
            bytes_max: 8 << 20,
            timeout_ms: 5_000,
        }],
    };

    fn parse(items: &[RawItem<'_>]) -> Parsed<Self> {
        let mut parsed = Parsed::default();
        let mut entries = Vec::new();
        let mut complete = false;
        for item in items.iter().filter(|item| item.item == "dump") {
            let text = usable(item, &mut parsed);
            complete = *item.outcome == Outcome::Ok && !item.truncated;
            for (number, line) in lines(&text) {
                let Some(entry) = entry(number, line.trim()) else {
                    complete = false;
                    parsed.defect(item, number, format!("not a conntrack entry: {line}"));
                    continue;
                };
                if !push_capped(&mut entries, entry, item, &mut parsed) {
                    complete = false;
                    break;
                }
            }
        }
        parsed.value = Self { entries, complete };
        parsed
    }
}

fn entry(line: usize, text: &str) -> Option<CtEntry> {
    let mut pieces = split_top(text, ',').into_iter();
    let proto = pieces.next().filter(|word| !word.contains('='))?.to_owned();
    let mut entry = CtEntry { line, proto, raw: text.to_owned(), ..CtEntry::default() };
    for piece in pieces {
        let (key, value) = piece.split_once('=')?;
        match key {
            "orig" => entry.orig = tuple(value),
            "reply" => entry.reply = tuple(value),
            "zone" => entry.zone = number(value).and_then(|zone| u16::try_from(zone).ok())?,
            "labels" => {
                let hex = value.strip_prefix("0x").unwrap_or(value);
                entry.label = u128::from_str_radix(hex, 16).unwrap_or(0);
            }
            "mark" => entry.mark = number(value).and_then(|mark| u32::try_from(mark).ok()).unwrap_or(0),
            "status" => entry.status = words(value),
            "timeout" => entry.timeout_s = number(value),
            "helper" => entry.helper = Some(value.to_owned()),
            "protoinfo" => states(&mut entry, value),
            _ => {}
        }
    }
    (entry.orig.src.is_some() && entry.orig.dst.is_some()).then_some(entry)
}

/// `(src=…,dst=…,sport=…,dport=…)`.
fn tuple(text: &str) -> CtTuple {
    let inside = call(text).map_or(text, |(_, inside)| inside);
    let small = |key: &str| value_of(inside, key).and_then(number);
    CtTuple {
        src: value_of(inside, "src").and_then(|text| text.parse().ok()),
        dst: value_of(inside, "dst").and_then(|text| text.parse().ok()),
        sport: small("sport").and_then(|n| u16::try_from(n).ok()),
        dport: small("dport").and_then(|n| u16::try_from(n).ok()),
        icmp_id: small("id").and_then(|n| u16::try_from(n).ok()),
        icmp_type: small("type").and_then(|n| u8::try_from(n).ok()),
        icmp_code: small("code").and_then(|n| u8::try_from(n).ok()),
    }
}

/// `(state=SYN_SENT)`, `(state_orig=SYN_SENT,state_reply=CLOSED,…)`.
fn states(entry: &mut CtEntry, text: &str) {
    let inside = call(text).map_or(text, |(_, inside)| inside);
    let state = value_of(inside, "state").or_else(|| value_of(inside, "state_orig"));
    state.unwrap_or_default().clone_into(&mut entry.state);
    entry.state_reply = value_of(inside, "state_reply").map(ToOwned::to_owned);
}

/// `SEEN_REPLY|CONFIRMED`; `0` is none.
fn words(text: &str) -> Vec<String> {
    text.split('|').filter(|word| *word != "0" && !word.is_empty()).map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::shared::testing::{corpus_texts, hostile, parse_one, score, survives};
    use proptest::prelude::*;

    const DUMP: &str = "\
tcp,orig=(src=172.16.51.23,dst=172.16.51.70,sport=51682,dport=22),reply=(src=172.16.51.70,dst=172.16.51.23,sport=22,dport=51682),zone=188,protoinfo=(state=SYN_SENT)
tcp,orig=(src=10.1.1.1,dst=10.1.1.2,sport=1,dport=80),reply=(src=10.1.1.2,dst=10.1.1.1,sport=80,dport=1),id=0,status=SEEN_REPLY|ASSURED|CONFIRMED,timeout=29,mark=0x2a,protoinfo=(state_orig=ESTABLISHED,state_reply=FIN_WAIT_1,flags_orig=0,flags_reply=0)
icmp,orig=(src=10.1.1.1,dst=10.1.1.2,id=7,type=8,code=0),reply=(src=10.1.1.2,dst=10.1.1.1,id=7,type=0,code=0),zone=5,labels=0xaa00000000
icmpv6,orig=(src=fc00::1,dst=fc00::2,id=7,type=128,code=0),reply=(src=fc00::2,dst=fc00::1,id=7,type=129,code=0)
";

    #[test]
    fn zones_states_and_tuples() {
        let parsed = parse_one::<OvsConntrack>("dump", "", DUMP);
        assert_eq!(parsed.defects, []);
        let [half, full, icmp, icmpv6] = parsed.value.entries.as_slice() else { panic!("four entries") };
        assert_eq!((half.zone, half.state.as_str(), half.is_half_open()), (188, "SYN_SENT", true));
        assert_eq!((half.orig.dport, half.reply.sport), (Some(22), Some(22)));
        assert_eq!((full.zone, full.mark, full.timeout_s, full.is_half_open()), (0, 0x2a, Some(29), false));
        assert_eq!(
            (full.state.as_str(), full.state_reply.as_deref(), full.status.len()),
            ("ESTABLISHED", Some("FIN_WAIT_1"), 3)
        );
        assert_eq!((icmp.orig.icmp_id, icmp.orig.icmp_type, icmp.orig.sport), (Some(7), Some(8), None));
        assert_eq!((icmp.label, parsed.value.complete), (0xaa_0000_0000, true));
        assert!(icmpv6.orig.src.unwrap().is_ipv6());
        let (a, b) = ("172.16.51.70".parse().unwrap(), "172.16.51.23".parse().unwrap());
        assert_eq!(parsed.value.between(a, b).count(), 1);
    }

    #[test]
    fn a_stranger_is_a_defect() {
        let parsed =
            parse_one::<OvsConntrack>("dump", "", "ovs-vswitchd: opening datapath (No such device)\n");
        assert_eq!((parsed.value.entries.len(), parsed.defects.len()), (0, 1));
    }

    #[test]
    fn corpus_parses() {
        let texts: Vec<_> = corpus_texts("text/openvswitch+ovs/blocks", &["/dump-conntrack/"])
            .into_iter()
            // Some blocks hold the test suite's other output.
            .filter(|(_, text)| text.contains("orig=(") && text.lines().all(|line| line.contains("orig=(")))
            .collect();
        let (files, clean) = score::<OvsConntrack>("dump", &texts);
        assert_eq!(files, clean);
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics(bytes in hostile(DUMP), cut: bool) {
            survives::<OvsConntrack>(&bytes, cut);
        }
    }
}
