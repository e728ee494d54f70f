//! What the actions of a rule do to a packet. ovs-actions(7) is the reference.

use super::bits::ones;
use super::field::{self, Field, Kind, Need, Slot};
use crate::sources::shared::OfPort;
use crate::sources::shared::text::{call, number, split_top, value_of};

/// Action lists inside one another that are read: `clone(clone(…))` of a hostile dump ends here.
const NESTING_MAX: usize = 8;

/// Where a packet is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Port(OfPort),
    Named(String),
    /// The bridge's own switching.
    Normal,
    Flood,
    All,
    InPort,
    Controller,
    /// The port whose number is in a field.
    Field(Field),
}

/// A zone as a number, or taken from a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Zone {
    Number(u16),
    Field(Field),
}

/// Sends a packet through conntrack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ct {
    pub(super) commit: bool,
    pub(super) zone: Zone,
    pub(super) table: Option<u8>,
    /// `nat` with what is in its parentheses.
    pub(super) nat: Option<String>,
    pub(super) exec: Vec<Action>,
}

/// What a rule does with a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Output(Target),
    Resubmit {
        port: Option<Target>,
        table: Option<u8>,
    },
    Goto(u8),
    Ct(Ct),
    CtClear,
    Drop,
    Exit,
    /// Value and mask, both as bits of the field; `need` may ask for more than the field itself does.
    Set {
        field: Field,
        value: u128,
        mask: u128,
    },
    Move {
        from: Field,
        to: Field,
    },
    PushVlan,
    /// Pushes a tag where there is none; where there is one, nothing says whether it is kept.
    PushOrKeep,
    PopVlan,
    /// Sets bits of the tag, and makes one where there is none.
    Tag {
        first: u32,
        width: u32,
        value: u16,
    },
    DecTtl,
    Push(Field),
    Pop(Field),
    Group(u32),
    Conjunction {
        id: u32,
        part: u32,
        all: u32,
    },
    Write(Vec<Action>),
    ClearActions,
    Clone(Vec<Action>),
    /// Something this reader does not compute is written there.
    Forget(Field),
    /// No effect on the way.
    Nothing,
    /// What it does to the way is not known.
    Unknown(String),
}

/// Reads an action list.
pub(super) fn actions(text: &str) -> Vec<Action> {
    list(text, 0)
}

fn list(text: &str, depth: usize) -> Vec<Action> {
    if depth > NESTING_MAX {
        return vec![Action::Unknown(short(text))];
    }
    pieces(text)
        .into_iter()
        .map(|action| one(action, depth).unwrap_or_else(|| Action::Unknown(short(action))))
        .collect()
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

/// `None` when it is not known.
fn one(text: &str, depth: usize) -> Option<Action> {
    let head = text.find(['(', ':']).map_or("", |at| text.get(..=at).unwrap_or_default());
    if let Some(name) = head.strip_suffix('(') {
        let (_, inside) = call(text)?;
        return with_parentheses(&name.trim().to_ascii_lowercase(), inside, depth);
    }
    if let Some(name) = head.strip_suffix(':') {
        let value = text.get(head.len()..)?;
        return with_colon(&name.to_ascii_lowercase(), value);
    }
    Some(match text.to_ascii_lowercase().as_str() {
        "drop" => Action::Drop,
        "strip_vlan" | "pop_vlan" => Action::PopVlan,
        "ct_clear" => Action::CtClear,
        "exit" => Action::Exit,
        "ct" => Action::Ct(ct("", depth)?),
        "dec_ttl" => Action::DecTtl,
        "pop_queue" => Action::Nothing,
        "clear_actions" => Action::ClearActions,
        _ => Action::Output(target(text)?),
    })
}

fn with_parentheses(name: &str, inside: &str, depth: usize) -> Option<Action> {
    Some(match name {
        "resubmit" => {
            let parts: Vec<&str> = inside.split(',').map(str::trim).collect();
            // `resubmit(port,table,ct)` looks the original tuple up, which is not followed.
            let (port, table) = match parts.as_slice() {
                [port] => (*port, ""),
                [port, table] => (*port, *table),
                _ => return None,
            };
            let table = if table.is_empty() { None } else { Some(table.parse().ok()?) };
            Action::Resubmit { port: if port.is_empty() { None } else { Some(target(port)?) }, table }
        }
        "ct" => Action::Ct(ct(inside, depth)?),
        // `output(port=1,max_len=100)` cuts the packet and sends it.
        "output" => Action::Output(target(value_of(inside, "port")?)?),
        "enqueue" => Action::Output(target(inside.split(',').next()?)?),
        "clone" => Action::Clone(list(inside, depth + 1)),
        "write_actions" => Action::Write(list(inside, depth + 1)),
        "conjunction" => {
            let (id, place) = inside.split_once(',')?;
            let (part, all) = place.split_once('/')?;
            let small = |text: &str| number(text).and_then(|n| u32::try_from(n).ok());
            Action::Conjunction { id: small(id)?, part: small(part)?, all: small(all)? }
        }
        "controller" => Action::Output(Target::Controller),
        "dec_ttl" => Action::DecTtl,
        "multipath" | "bundle_load" => Action::Forget(part_of(inside.rsplit(',').next()?)?),
        "learn" | "note" | "sample" | "fin_timeout" | "set_queue" | "delete_field" => Action::Nothing,
        "load" | "set_field" => return with_colon(name, inside),
        _ => return None,
    })
}

fn with_colon(name: &str, value: &str) -> Option<Action> {
    let set = |name: &str, text: &str| {
        let field = field::field(name)?;
        let (value, mask) = field.parse(text)?;
        Some(Action::Set { field, value, mask })
    };
    let ip_version = |text: &str| if text.contains(':') { "ipv6" } else { "ip" };
    match name {
        "output" => Some(Action::Output(target(value)?)),
        "resubmit" => Some(Action::Resubmit { port: Some(target(value)?), table: None }),
        "goto_table" => Some(Action::Goto(value.parse().ok()?)),
        "enqueue" => Some(Action::Output(target(value.split(':').next()?)?)),
        "group" => Some(Action::Group(value.parse().ok()?)),
        "push_vlan" => Some(Action::PushVlan),
        "mod_vlan_vid" | "set_vlan_vid" => {
            Some(Action::Tag { first: 0, width: 12, value: u16::try_from(number(value)?).ok()? & 0xfff })
        }
        "mod_vlan_pcp" | "set_vlan_pcp" => {
            Some(Action::Tag { first: 13, width: 3, value: u16::try_from(number(value)?).ok()? & 7 })
        }
        "mod_dl_src" => set("eth_src", value),
        "mod_dl_dst" => set("eth_dst", value),
        "mod_nw_src" => set(&format!("{}_src", ip_version(value)), value),
        "mod_nw_dst" => set(&format!("{}_dst", ip_version(value)), value),
        "mod_nw_ttl" => set("nw_ttl", value),
        "mod_nw_ecn" => set("nw_ecn", value),
        "mod_nw_tos" => {
            let field = field::field("nw_tos")?;
            Some(Action::Set { field, value: u128::from(number(value)?) & 0xfc, mask: 0xfc })
        }
        "mod_tp_src" => set("tp_src", value),
        "mod_tp_dst" => set("tp_dst", value),
        "set_tunnel" | "set_tunnel64" => set("tun_id", value),
        "write_metadata" => set("metadata", value),
        "set_queue" | "note" | "meter" => Some(Action::Nothing),
        "controller" => Some(Action::Output(Target::Controller)),
        "push" => Some(Action::Push(part_of(value)?)),
        "pop" => Some(Action::Pop(part_of(value)?)),
        "load" => load(value),
        "set_field" => {
            let (value, name) = value.rsplit_once("->")?;
            set(name, value)
        }
        "move" => {
            let (from, to) = value.rsplit_once("->")?;
            Some(Action::Move { from: part_of(from)?, to: part_of(to)? })
        }
        _ => None,
    }
}

/// `load:0x3->NXM_NX_REG1[4..7]`.
fn load(text: &str) -> Option<Action> {
    let (value, destination) = text.rsplit_once("->")?;
    let field = part_of(destination)?;
    let value = field::wide_number(value)?;
    Some(Action::Set { field, value: value & ones(field.width), mask: ones(field.width) })
}

/// `NXM_NX_REG1[]`, `reg1[5]`, `reg1[0..15]`, `reg1`.
fn part_of(text: &str) -> Option<Field> {
    let (name, bits) = text.trim().split_once('[').unwrap_or((text.trim(), "]"));
    let whole = field::field(name)?;
    let inside = bits.strip_suffix(']')?;
    if inside.is_empty() {
        return Some(whole);
    }
    let (first, last) = inside.split_once("..").unwrap_or((inside, inside));
    let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
    let width = last.checked_sub(first)?.checked_add(1)?;
    (last < whole.width).then_some(Field { first: whole.first + first, width, ..whole })
}

/// `3`, `LOCAL`, `"vnet0"`, `NXM_NX_REG15[0..15]`.
fn target(text: &str) -> Option<Target> {
    let text = text.trim();
    if let Ok(port) = text.parse() {
        return Some(Target::Port(port));
    }
    Some(match text.to_ascii_lowercase().as_str() {
        "normal" => Target::Normal,
        "flood" => Target::Flood,
        "all" => Target::All,
        "in_port" => Target::InPort,
        "controller" => Target::Controller,
        "none" => Target::Port(OfPort::NONE),
        "table" => return None,
        _ if text.contains('[') || field::field(text).is_some() => Target::Field(part_of(text)?),
        _ if text.starts_with('"') => Target::Named(text.trim_matches('"').to_owned()),
        lower if lower.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) => {
            Target::Named(text.to_owned())
        }
        _ => return None,
    })
}

fn ct(inside: &str, depth: usize) -> Option<Ct> {
    let mut ct = Ct { commit: false, zone: Zone::Number(0), table: None, nat: None, exec: Vec::new() };
    for piece in pieces(inside) {
        if let Some((name, inside)) = call(piece).filter(|(name, _)| !name.contains('=')) {
            match name {
                "nat" => ct.nat = Some(inside.to_owned()),
                "exec" => ct.exec = list(inside, depth + 1),
                _ => return None,
            }
            continue;
        }
        match piece.split_once('=') {
            None if piece == "commit" => ct.commit = true,
            None if piece == "force" => {}
            None if piece == "nat" => ct.nat = Some(String::new()),
            Some(("table", table)) => ct.table = Some(table.parse().ok()?),
            Some(("zone", zone)) => ct.zone = self::zone(zone)?,
            Some(("alg" | "timeout", _)) => {}
            _ => return None,
        }
    }
    Some(ct)
}

fn zone(text: &str) -> Option<Zone> {
    match number(text) {
        Some(number) => Some(Zone::Number(u16::try_from(number).ok()?)),
        None => Some(Zone::Field(part_of(text)?)),
    }
}

impl Action {
    /// The need of a field is the packet's; the tag's place has one of its own when set through `vlan_tci`.
    pub(super) fn need(field: &Field) -> Need {
        if field.slot == Slot::Tci && field.kind == Kind::Number && field.width == 16 {
            Need::Nothing
        } else {
            field.need
        }
    }
}

/// Actions of a text that holds several, for the places that hold lists in parentheses.
pub(super) fn pieces(text: &str) -> Vec<&str> {
    split_top(text, ',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_action_is_read() {
        let text = "set_field:0x5->reg1,load:0x3->NXM_NX_REG2[0..3],move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],\
            resubmit(,10),resubmit(3,),ct(commit,table=5,zone=NXM_NX_REG1[0..15],nat(src=1.1.1.1),exec(set_field:1->ct_mark)),\
            mod_vlan_vid:5,strip_vlan,output:3,output:NXM_NX_REG15[],LOCAL,NORMAL,CONTROLLER:65535,group:4,\
            conjunction(7,1/2),write_actions(output:2),clone(drop),\"vnet0\",learn(table=1,priority=5),goto_table:7";
        let read = actions(text);
        assert!(!read.iter().any(|action| matches!(action, Action::Unknown(_))), "{read:#?}");
        assert_eq!(read.len(), 20);
        let Action::Ct(ct) = &read[5] else { panic!("{:?}", read[5]) };
        assert!(
            ct.commit
                && ct.exec.len() == 1
                && ct.table == Some(5)
                && ct.nat.as_deref() == Some("src=1.1.1.1")
        );
        assert_eq!(read[14], Action::Conjunction { id: 7, part: 1, all: 2 });
    }

    #[test]
    fn what_is_not_followed_is_unknown() {
        for text in [
            "encap(nsh)",
            "push_mpls:0x8847",
            "bundle(eth_src,0,hrw,ofport,members:1,2)",
            "resubmit(,5,ct)",
            "table",
            "check_pkt_larger(1500)->reg0[0]",
        ] {
            assert!(
                matches!(actions(text).as_slice(), [.., Action::Unknown(_)]),
                "{text}: {:?}",
                actions(text)
            );
        }
        let deep = "clone(".repeat(100) + &")".repeat(100);
        assert_eq!(actions(&deep).len(), 1);
    }
}
