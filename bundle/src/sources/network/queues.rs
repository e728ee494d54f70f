//! `queues`: the kernel's queues of packets to send and its policers of packets received (`tc -s qdisc`, tc(8)), with what
//! each dropped: whether a packet that entered the host and never left it died in a queue.

use serde::Serialize;

use crate::source::{Cadence, Each, How, Parsed, RawItem, Recipe, Snapshot, SourceDef};
use crate::sources::shared::text::{lines, push_capped, usable};

/// All queues at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Queues {
    /// In the kernel's order.
    pub queues: Vec<Qdisc>,
}

/// One queueing discipline of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Qdisc {
    /// Interface.
    pub dev: String,
    /// `tbf`, `htb`, `fq_codel`, `ingress`, …
    pub kind: String,
    /// Its own number, as printed (`8001:`).
    pub handle: String,
    /// The class or queue it belongs to (`parent 1:2`); `None` at the root.
    pub parent: Option<String>,
    /// Packets it sent, or let pass.
    pub sent: u64,
    /// Packets it dropped. A root counts what its children dropped as well (net/sched/sch_api.c `qdisc_tree_reduce_backlog`).
    pub dropped: u64,
    /// Times it held a packet back, or found it over the rate.
    pub overlimits: u64,
    /// The first line, as printed.
    pub raw: String,
}

impl Qdisc {
    /// It looks at what is received (`ingress`, `clsact`), and not at what is sent.
    pub fn is_ingress(&self) -> bool {
        matches!(self.kind.as_str(), "ingress" | "clsact")
    }

    /// It limits the rate on purpose.
    pub fn is_shaper(kind: &str) -> bool {
        matches!(kind, "tbf" | "htb" | "hfsc" | "cbq" | "cake" | "netem" | "red" | "gred" | "choke")
    }
}

impl Snapshot for Queues {
    const DEF: SourceDef = SourceDef {
        id: "queues",
        about: "Queues and policers of network interfaces, and what they dropped",
        cadence: Cadence::Periodic,
        recipes: &[Recipe {
            item: "qdisc",
            each: Each::Once,
            how: How::Command(&["tc", "-s", "qdisc", "show"]),
            bytes_max: 4 << 20,
            timeout_ms: 5_000,
        }],
    };

    fn parse(items: &[RawItem<'_>]) -> Parsed<Self> {
        let mut parsed = Parsed::default();
        let mut queues: Vec<Qdisc> = Vec::new();
        for item in items.iter().filter(|item| item.item == "qdisc") {
            let text = usable(item, &mut parsed);
            for (number, line) in lines(&text) {
                if let Some(rest) = line.strip_prefix("qdisc ") {
                    let Some(queue) = head(rest, line) else {
                        parsed.defect(item, number, format!("not a queue: {line}"));
                        continue;
                    };
                    if !push_capped(&mut queues, queue, item, &mut parsed) {
                        break;
                    }
                } else if let Some(rest) = line.trim_start().strip_prefix("Sent ") {
                    let counted = queues.last_mut().and_then(|queue| counters(rest, queue));
                    if counted.is_none() {
                        parsed.defect(item, number, format!("not the counters of a queue: {line}"));
                    }
                } else if !line.starts_with(char::is_whitespace) {
                    parsed.defect(item, number, format!("not a queue: {line}"));
                }
                // Other indented lines are a kind's own.
            }
        }
        parsed.value = Self { queues };
        parsed
    }
}

/// `tbf 8001: [offloaded] dev eth3 root refcnt 2 rate 400Kbit burst 4Kb lat 0us`.
fn head(text: &str, line: &str) -> Option<Qdisc> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let after = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1).map(|word| (*word).to_owned())
    };
    Some(Qdisc {
        dev: after("dev")?,
        kind: (*words.first()?).to_owned(),
        handle: (*words.get(1)?).to_owned(),
        parent: after("parent"),
        raw: line.trim_end().to_owned(),
        ..Qdisc::default()
    })
}

/// `90846 bytes 1203 pkt (dropped 103, overlimits 410 requeues 0)`.
fn counters(text: &str, queue: &mut Qdisc) -> Option<()> {
    let words: Vec<&str> = text.split([' ', '(', ')', ',']).filter(|word| !word.is_empty()).collect();
    let number = |word: &str| word.parse::<u64>().ok();
    let after = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1).and_then(|word| number(word))
    };
    let packets = words.iter().position(|word| matches!(*word, "pkt" | "pkts"))?;
    queue.sent = packets.checked_sub(1).and_then(|at| words.get(at)).and_then(|word| number(word))?;
    queue.dropped = after("dropped")?;
    queue.overlimits = after("overlimits")?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::shared::testing::{hostile, parse_one, survives};
    use proptest::prelude::*;

    /// iproute2 6.1.0.
    const REAL: &str = "\
qdisc noqueue 0: dev lo root refcnt 2 
 Sent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0) 
 backlog 0b 0p requeues 0
qdisc tbf 8002: dev eth3 root refcnt 9 rate 400Kbit burst 4Kb lat 0us 
 Sent 90846 bytes 1203 pkt (dropped 103, overlimits 410 requeues 0) 
 backlog 1Kb 2p requeues 0
qdisc fq_codel 0: dev eth2 parent :1 limit 10240p flows 1024 quantum 1514 target 5ms interval 100ms memory_limit 32Mb ecn drop_batch 64 
 Sent 11 bytes 1 pkt (dropped 0, overlimits 0 requeues 0) 
 backlog 0b 0p requeues 0
  maxpacket 0 drop_overlimit 0 new_flow_count 0 ecn_mark 0
  new_flows_len 0 old_flows_len 0
qdisc ingress ffff: dev vnet0 parent ffff:fff1 ---------------- 
 Sent 7840 bytes 80 pkt (dropped 60, overlimits 0 requeues 0) 
 backlog 0b 0p requeues 0
";

    #[test]
    fn kinds_places_and_counters() {
        let parsed = parse_one::<Queues>("qdisc", "", REAL);
        assert_eq!(parsed.defects, []);
        let shown: Vec<_> = parsed
            .value
            .queues
            .iter()
            .map(|q| (q.dev.as_str(), q.kind.as_str(), q.parent.as_deref(), q.sent, q.dropped, q.overlimits))
            .collect();
        assert_eq!(
            shown,
            [
                ("lo", "noqueue", None, 0, 0, 0),
                ("eth3", "tbf", None, 1203, 103, 410),
                ("eth2", "fq_codel", Some(":1"), 1, 0, 0),
                ("vnet0", "ingress", Some("ffff:fff1"), 80, 60, 0),
            ]
        );
        assert!(parsed.value.queues[1].raw.ends_with("rate 400Kbit burst 4Kb lat 0us"));
    }

    #[test]
    fn strangers_are_defects() {
        let parsed = parse_one::<Queues>("qdisc", "", "Error: no\nqdisc tbf\n Sent many bytes\n");
        assert_eq!((parsed.value.queues.len(), parsed.defects.len()), (0, 3));
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics(bytes in hostile(REAL), cut: bool) {
            survives::<Queues>(&bytes, cut);
        }
    }
}
