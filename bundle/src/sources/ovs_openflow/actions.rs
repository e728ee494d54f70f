//! What an action does, as far as the way of a packet is concerned. ovs-actions(7) is the reference.

use crate::sources::shared::text::{call, number, split_top, value_of};
use crate::sources::shared::{OfPort, PacketFields, VlanTag};

use super::registers::Registers;

/// One action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Leaves the bridge, or goes to the bridge's own switching.
    Send,
    /// Leaves by that port.
    SendTo(OfPort),
    /// Looked up again, perhaps as if from another port.
    Resubmit {
        /// The port it is taken to come from.
        port: Option<OfPort>,
        /// The table; `None` for the same.
        table: Option<u8>,
    },
    /// The rest of its way is in that table.
    Goto(u8),
    /// Through conntrack; with a table, a copy goes on there.
    Ct {
        /// Where the copy goes on.
        table: Option<u8>,
        /// Addresses may be translated.
        nat: bool,
    },
    /// Conntrack state is forgotten.
    CtClear,
    /// The packet ends.
    Drop,
    /// Nothing after this is done.
    Exit,
    /// Changes something.
    Change(Change),
    /// No effect on the way.
    Nothing,
    /// Where it goes is not known.
    Unknown,
}

/// What is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// The VLAN tag.
    Vlan,
    /// The Ethernet source.
    EthSrc,
    /// The Ethernet destination.
    EthDst,
    /// Addresses, ports or other headers above Ethernet.
    Upper,
    /// A register or metadata: destination, value, mask.
    Register(String, Option<u64>, Option<u64>),
    /// Something this reader does not know.
    Anything,
}

/// Splits and reads an action list.
pub(super) fn steps(actions: &str) -> impl Iterator<Item = Step> {
    split_top(actions, ',').into_iter().map(step)
}

fn step(action: &str) -> Step {
    if let Some((name, inside)) = call(action) {
        return with_parentheses(name.trim_end_matches(':'), inside);
    }
    if let Some((name, value)) = action.split_once(':') {
        return with_colon(name, value);
    }
    match action.to_ascii_lowercase().as_str() {
        "drop" => Step::Drop,
        "normal" | "flood" | "all" | "in_port" | "local" => Step::Send,
        "strip_vlan" | "pop_vlan" => Step::Change(Change::Vlan),
        "ct_clear" => Step::CtClear,
        "exit" => Step::Exit,
        "ct" => Step::Ct { table: None, nat: false },
        "dec_ttl" | "pop_queue" | "clear_actions" | "dec_nsh_ttl" => Step::Nothing,
        number => number.parse().map_or(Step::Unknown, Step::SendTo),
    }
}

fn with_parentheses(name: &str, inside: &str) -> Step {
    match name {
        "resubmit" => {
            let mut parts = inside.split(',').map(str::trim);
            let (port, table) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let port_number = port.parse().ok();
            if !port.is_empty() && !port.eq_ignore_ascii_case("in_port") && port_number.is_none() {
                return Step::Unknown;
            }
            Step::Resubmit { port: port_number, table: table.parse().ok() }
        }
        "ct" => {
            let table = value_of(inside, "table").and_then(|table| table.parse().ok());
            Step::Ct { table, nat: split_top(inside, ',').iter().any(|part| part.starts_with("nat")) }
        }
        "output" => Step::Send,
        "learn" | "note" | "sample" | "fin_timeout" | "dec_ttl" | "set_queue" => Step::Nothing,
        "write_actions" if split_top(inside, ',').iter().all(|action| *action == "drop") => Step::Nothing,
        _ => Step::Unknown,
    }
}

fn with_colon(name: &str, value: &str) -> Step {
    match name {
        "output" => output(value),
        "resubmit" => {
            value.parse().map_or(Step::Unknown, |port| Step::Resubmit { port: Some(port), table: None })
        }
        "goto_table" => value.parse().map_or(Step::Unknown, Step::Goto),
        "enqueue" => Step::Send,
        "push_vlan" | "mod_vlan_vid" | "mod_vlan_pcp" | "set_vlan_vid" | "set_vlan_pcp" => {
            Step::Change(Change::Vlan)
        }
        "mod_dl_src" => Step::Change(Change::EthSrc),
        "mod_dl_dst" => Step::Change(Change::EthDst),
        "mod_nw_src" | "mod_nw_dst" | "mod_tp_src" | "mod_tp_dst" => Step::Change(Change::Upper),
        "mod_nw_tos" | "mod_nw_ecn" | "mod_nw_ttl" | "set_queue" | "set_tunnel" | "set_tunnel64" | "note"
        | "meter" => Step::Nothing,
        "write_metadata" => {
            let (value, mask) = value.split_once('/').unwrap_or((value, "0xffffffffffffffff"));
            Step::Change(Change::Register("metadata".to_owned(), number(value), number(mask)))
        }
        "load" | "set_field" | "move" => assignment(name, value),
        _ => Step::Unknown,
    }
}

/// `3`, `LOCAL`, `"vnet0"`; a register as destination is not known.
fn output(value: &str) -> Step {
    if let Ok(port) = value.parse() {
        return Step::SendTo(port);
    }
    let upper = value.to_ascii_uppercase();
    let is_field = value.contains('[') || upper.starts_with("REG") || upper.starts_with("NXM_");
    if is_field || upper.starts_with("CONTROLLER") { Step::Unknown } else { Step::Send }
}

/// `load:0x3->NXM_NX_REG1[]`, `set_field:0x3/0xff->reg1`, `move:A->B`.
fn assignment(name: &str, text: &str) -> Step {
    let Some((value, destination)) = text.rsplit_once("->") else { return Step::Change(Change::Anything) };
    let lower = destination.to_ascii_lowercase();
    if lower.contains("reg") || lower.contains("metadata") {
        let (value, mask) =
            value.split_once('/').map_or((value, None), |(value, mask)| (value, number(mask)));
        let value = if name == "move" { None } else { number(value) };
        return Step::Change(Change::Register(destination.to_owned(), value, mask));
    }
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["vlan"]) {
        Step::Change(Change::Vlan)
    } else if has(&["eth_src", "dl_src"]) {
        Step::Change(Change::EthSrc)
    } else if has(&["eth_dst", "dl_dst"]) {
        Step::Change(Change::EthDst)
    } else if has(&["ip_", "nw_", "tcp_", "udp_", "sctp_", "icmp", "ipv6", "nd_"]) {
        Step::Change(Change::Upper)
    } else if has(&["tun", "pkt_mark", "ct_mark", "ct_label", "queue"]) {
        Step::Nothing
    } else {
        Step::Change(Change::Anything)
    }
}

/// Forgets what the change makes unknown.
pub(super) fn apply(change: &Change, packet: &mut PacketFields, registers: &mut Registers) {
    match change {
        Change::Vlan => packet.vlan = VlanTag::Unknown,
        Change::EthSrc => packet.eth_src = None,
        Change::EthDst => packet.eth_dst = None,
        Change::Upper => {
            (packet.ip_src, packet.ip_dst, packet.l4_src, packet.l4_dst) = (None, None, None, None);
            (packet.icmp_type, packet.icmp_code) = (None, None);
        }
        Change::Register(destination, value, None) => {
            if !registers.write(destination, *value) {
                forget(packet);
            }
        }
        Change::Register(destination, value, Some(mask)) => {
            let done = match value {
                Some(value) => registers.write_masked(destination, *value, *mask),
                None => registers.write(destination, None),
            };
            if !done {
                forget(packet);
            }
        }
        Change::Anything => forget(packet),
    }
}

fn forget(packet: &mut PacketFields) {
    *packet = PacketFields::default();
}
