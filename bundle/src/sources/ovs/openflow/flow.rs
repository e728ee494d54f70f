//! One rule of `ovs-ofctl dump-flows` (lib/ofp-flow.c, `ofputil_flow_stats_format`).

use super::matching::FlowMatch;
use super::model::{BridgeFlows, Flow, OvsOpenflow};
use crate::source::{Outcome, Parsed, RawItem};
use crate::sources::shared::text::{lines, number, push_capped, seconds_as_ms, split_top};

/// Priority of a rule that names none (`OFP_DEFAULT_PRIORITY`).
const PRIORITY_DEFAULT: u16 = 32_768;

impl Flow {
    /// It throws the packet away: `drop`, or nothing to do.
    pub fn is_drop(&self) -> bool {
        matches!(self.actions.trim(), "" | "drop")
    }

    /// The same rule in another dump: table, priority, match and cookie agree (counters and ages do not matter).
    pub fn same_rule(&self, other: &Self) -> bool {
        (&self.bridge, self.table, self.priority, self.cookie)
            == (&other.bridge, other.table, other.priority, other.cookie)
            && self.matches == other.matches
    }

    /// `table=0 priority=20,icmp,in_port=4,nw_dst=172.16.51.6 actions=drop`: the rule without its counters.
    pub fn describe(&self) -> String {
        let mut text = format!("table={} priority={}", self.table, self.priority);
        for (name, value) in &self.matches.fields {
            text.push(',');
            text.push_str(name);
            if !value.is_empty() {
                text.push('=');
                text.push_str(value);
            }
        }
        text.push_str(" actions=");
        text.push_str(if self.actions.is_empty() { "drop" } else { &self.actions });
        text
    }
}

pub(super) fn dump(text: &str, item: &RawItem<'_>, parsed: &mut Parsed<OvsOpenflow>) {
    let mut flows = Vec::new();
    let mut complete = !item.truncated && *item.outcome == Outcome::Ok;
    for (number, line) in lines(text) {
        if is_heading(line) {
            continue;
        }
        if let Some(flow) = flow(item.arg, number, line) {
            if !push_capped(&mut flows, flow, item, parsed) {
                complete = false;
                break;
            }
        } else {
            complete = false;
            parsed.defect(item, number, format!("not an OpenFlow rule: {line}"));
        }
    }
    let bridge: &mut BridgeFlows = parsed.value.bridges.entry(item.arg.to_owned()).or_default();
    bridge.flows.append(&mut flows);
    bridge.complete = complete;
}

/// `NXST_FLOW reply (xid=0x4):`, `OFPST_FLOW reply (OF1.5) (xid=0x2):`.
fn is_heading(line: &str) -> bool {
    line.contains("ST_FLOW reply")
}

fn flow(bridge: &str, line: usize, text: &str) -> Option<Flow> {
    let text = text.trim();
    let at = text.find("actions=")?;
    let (left, actions) = text.split_at_checked(at)?;
    let mut flow = Flow {
        bridge: bridge.to_owned(),
        line,
        priority: PRIORITY_DEFAULT,
        actions: actions.strip_prefix("actions=")?.trim().to_owned(),
        raw: text.to_owned(),
        ..Flow::default()
    };
    let left = left.trim_end().trim_end_matches(',');
    let mut fields = Vec::new();
    // Statistics are separated by ", ", match fields by ","; one list after the other, and neither has blanks inside.
    for piece in split_top(left, ',').into_iter().flat_map(str::split_whitespace) {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        if !statistic(&mut flow, name, value)? {
            fields.push((name.to_owned(), value.to_owned()));
        }
    }
    flow.matches = FlowMatch { fields };
    Some(flow)
}

/// Takes what is about the rule and not about packets; `None` when its number is not one.
fn statistic(flow: &mut Flow, name: &str, value: &str) -> Option<bool> {
    match name {
        "cookie" => flow.cookie = number(value)?,
        "duration" => flow.duration_ms = seconds_as_ms(value)?,
        "table" => flow.table = u8::try_from(number(value)?).ok()?,
        "n_packets" => flow.n_packets = number(value)?,
        "n_bytes" => flow.n_bytes = number(value)?,
        "priority" => flow.priority = u16::try_from(number(value)?).ok()?,
        "idle_age" => flow.idle_age_s = number(value),
        "idle_timeout" => flow.idle_timeout_s = number(value),
        "hard_timeout" => flow.hard_timeout_s = number(value),
        "hard_age" | "importance" | "send_flow_rem" | "check_overlap" | "reset_counts"
        | "no_packet_counts" | "no_byte_counts" | "n_offload_packets" | "n_offload_bytes" | "out_port"
        | "out_group" => {}
        _ => return Some(false),
    }
    Some(true)
}
