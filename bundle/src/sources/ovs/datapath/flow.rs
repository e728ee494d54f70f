//! One flow of `dpctl/dump-flows` (lib/odp-util.c `odp_flow_format`, lib/dpif.c `dpif_flow_stats_format`).

use super::model::{DpFlow, OvsDatapath};
use crate::source::{Parsed, RawItem};
use crate::sources::shared::text::{call, lines, number, push_capped, seconds_as_ms, split_top, value_of};
use crate::sources::shared::{Masked, MaskedIp, MaskedMac};

/// Tags nested deeper than this are not looked into: OVS parses two at most (`FLOW_MAX_VLAN_HEADERS`, flow.h).
const NESTING_MAX: usize = 4;

impl DpFlow {
    /// It throws the packet away: `drop`, `drop(reason)`, or nothing to do.
    pub fn is_drop(&self) -> bool {
        let actions = self.actions.trim();
        actions.is_empty()
            || actions == "drop"
            || actions.starts_with("drop(")
            || actions.starts_with("drop:")
    }

    /// A field's text, of the innermost headers.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut key = format!("{}{name}", "encap/".repeat(NESTING_MAX));
        loop {
            if let Some(text) = self.fields.get(&key) {
                return Some(text);
            }
            key = key.strip_prefix("encap/")?.to_owned();
        }
    }

    /// A part of a field, `sub("ipv4", "dst")`.
    pub fn sub(&self, field: &str, part: &str) -> Option<&str> {
        value_of(self.field(field)?, part)
    }

    /// Ethernet source.
    pub fn eth_src(&self) -> Option<MaskedMac> {
        MaskedMac::parse(self.sub("eth", "src")?)
    }

    /// Ethernet destination.
    pub fn eth_dst(&self) -> Option<MaskedMac> {
        MaskedMac::parse(self.sub("eth", "dst")?)
    }

    /// EtherType behind all VLAN tags, when matched exactly.
    pub fn eth_type(&self) -> Option<u16> {
        Masked::parse(self.field("eth_type")?)?.exact(16).and_then(|value| u16::try_from(value).ok())
    }

    /// VLAN ids from the outermost tag inwards; `None` inside for a tag whose id does not matter.
    pub fn vlans(&self) -> Vec<Option<u16>> {
        let tags =
            (0..NESTING_MAX).map_while(|depth| self.fields.get(&format!("{}vlan", "encap/".repeat(depth))));
        tags.map(|tag| {
            let vid = Masked::parse(value_of(tag, "vid")?)?.exact(12)?;
            u16::try_from(vid).ok()
        })
        .collect()
    }

    /// IP source (IPv4 or IPv6), or the sender of ARP.
    pub fn ip_src(&self) -> Option<MaskedIp> {
        let text =
            self.sub("ipv4", "src").or_else(|| self.sub("ipv6", "src")).or_else(|| self.sub("arp", "sip"));
        MaskedIp::parse(text?)
    }

    /// IP destination (IPv4 or IPv6), or the target of ARP.
    pub fn ip_dst(&self) -> Option<MaskedIp> {
        let text =
            self.sub("ipv4", "dst").or_else(|| self.sub("ipv6", "dst")).or_else(|| self.sub("arp", "tip"));
        MaskedIp::parse(text?)
    }

    /// IP protocol, when matched exactly.
    pub fn ip_proto(&self) -> Option<u8> {
        let text = self.sub("ipv4", "proto").or_else(|| self.sub("ipv6", "proto"))?;
        u8::try_from(Masked::parse(text)?.exact(8)?).ok()
    }

    /// TCP, UDP or SCTP destination port.
    pub fn l4_dst(&self) -> Option<Masked> {
        self.l4("dst")
    }

    fn l4(&self, part: &str) -> Option<Masked> {
        ["tcp", "udp", "sctp"].into_iter().find_map(|field| self.sub(field, part)).and_then(Masked::parse)
    }

    /// ICMP or ICMPv6 type.
    pub fn icmp_type(&self) -> Option<Masked> {
        self.sub("icmp", "type").or_else(|| self.sub("icmpv6", "type")).and_then(Masked::parse)
    }

    /// ICMP or ICMPv6 code.
    pub fn icmp_code(&self) -> Option<Masked> {
        self.sub("icmp", "code").or_else(|| self.sub("icmpv6", "code")).and_then(Masked::parse)
    }

    /// Conntrack state as printed: `+new-est`, `-trk` or `0x2a/0x3f`.
    pub fn ct_state(&self) -> Option<&str> {
        self.field("ct_state")
    }
}

pub(super) fn dump(text: &str, item: &RawItem<'_>, parsed: &mut Parsed<OvsDatapath>) {
    let mut flows = std::mem::take(&mut parsed.value.flows);
    for (number, line) in lines(text) {
        // `flow-dump from the main thread:`, `flow-dump from pmd on cpu core: 2` (userspace datapath only).
        if line.starts_with("flow-dump from") {
            continue;
        }
        match flow(number, line) {
            Some(flow) => {
                if !push_capped(&mut flows, flow, item, parsed) {
                    break;
                }
            }
            None => parsed.defect(item, number, format!("not a datapath flow: {line}")),
        }
    }
    parsed.value.flows = flows;
}

/// `MATCH, packets:N, bytes:N, used:0.5s, flags:S, actions:LIST`.
fn flow(line: usize, text: &str) -> Option<DpFlow> {
    let at = text.find("actions:")?;
    let (left, actions) = text.split_at_checked(at)?;
    let mut flow = DpFlow { line, raw: text.to_owned(), ..DpFlow::default() };
    actions.strip_prefix("actions:")?.trim().clone_into(&mut flow.actions);
    cut_extra_info(&mut flow.actions);
    let mut understood = false;
    for piece in split_top(left, ',') {
        if let Some((name, inside)) = call(piece) {
            insert(&mut flow, "", name, inside);
            understood = true;
        } else if let Some((key, value)) = piece.split_once(':') {
            statistic(&mut flow, key.trim(), value.trim());
        }
    }
    flow.in_port = flow.fields.get("in_port").cloned();
    flow.recirc_id = flow
        .fields
        .get("recirc_id")
        .and_then(|id| number(id))
        .and_then(|id| u32::try_from(id).ok())
        .unwrap_or(0);
    understood.then_some(flow)
}

/// `, dp-extra-info:miniflow_bits(5,1)` may follow the actions with `-m`.
fn cut_extra_info(actions: &mut String) {
    if let Some(at) = actions.find(", dp-extra-info:") {
        actions.truncate(at);
    }
}

fn insert(flow: &mut DpFlow, prefix: &str, name: &str, inside: &str) {
    if name != "encap" || prefix.len() >= "encap/".len() * NESTING_MAX {
        flow.fields.insert(format!("{prefix}{name}"), inside.to_owned());
        return;
    }
    let deeper = format!("{prefix}encap/");
    for piece in split_top(inside, ',') {
        if let Some((name, inside)) = call(piece) {
            insert(flow, &deeper, name, inside);
        }
    }
}

fn statistic(flow: &mut DpFlow, key: &str, value: &str) {
    match key {
        "packets" => flow.packets = value.parse().unwrap_or(0),
        "bytes" => flow.bytes = value.parse().unwrap_or(0),
        "used" => flow.used_ms = seconds_as_ms(value),
        "flags" => flow.tcp_flags = Some(value.to_owned()),
        "ufid" => flow.ufid = Some(value.to_owned()),
        _ => {}
    }
}
