//! `ovs-appctl lacp/show` (lib/lacp.c, `lacp_print_details`).

use super::model::{Lacp, LacpInfo, LacpMember, LacpParty, OvsBond};
use super::words::{heading, member_line, truth};
use crate::source::{Parsed, RawItem};
use crate::sources::shared::text::{lines, push_capped};

pub(super) fn read(text: &str, item: &RawItem<'_>, parsed: &mut Parsed<OvsBond>) {
    let mut all: Vec<Lacp> = Vec::new();
    for (number, line) in lines(text) {
        if let Some(name) = heading(line) {
            let lacp = Lacp { bond: name.to_owned(), ..Lacp::default() };
            if !push_capped(&mut all, lacp, item, parsed) {
                break;
            }
        } else if let Some(lacp) = all.last_mut() {
            if !fact(lacp, line) {
                parsed.defect(item, number, format!("not a line of lacp/show: {line}"));
            }
        } else {
            parsed.defect(item, number, format!("before the first bond: {line}"));
        }
    }
    parsed.value.lacp.append(&mut all);
}

fn fact(lacp: &mut Lacp, line: &str) -> bool {
    if let Some((name, state)) = member_line(line) {
        lacp.members.push(new_member(name, &state.to_ascii_lowercase()));
        return true;
    }
    let lower = line.trim().to_ascii_lowercase();
    let Some((key, value)) = lower.split_once(':') else { return false };
    let (key, value) = (key.trim(), value.trim());
    match lacp.members.last_mut() {
        None => bond_fact(lacp, key, value),
        Some(member) => member_fact(member, key, value),
    }
}

fn new_member(name: &str, state: &str) -> LacpMember {
    let words: Vec<&str> = state.split_whitespace().collect();
    let status = match words.first() {
        Some(&"current") => LacpInfo::Current,
        Some(&"expired") => LacpInfo::Expired,
        Some(&"defaulted") => LacpInfo::Defaulted,
        _ => LacpInfo::Unknown,
    };
    LacpMember {
        name: name.to_owned(),
        status,
        attached: words.contains(&"attached"),
        ..LacpMember::default()
    }
}

fn bond_fact(lacp: &mut Lacp, key: &str, value: &str) -> bool {
    match key {
        "status" => {
            lacp.active = value.split_whitespace().any(|word| word == "active");
            lacp.negotiated = value.split_whitespace().any(|word| word == "negotiated");
        }
        "sys_id" => lacp.sys_id = value.parse().ok(),
        "sys_priority" => lacp.sys_priority = value.parse().ok(),
        "aggregation key" => lacp.key = value.parse().ok(),
        "lacp_time" => lacp.time = Some(value.to_owned()),
        _ => return false,
    }
    true
}

fn member_fact(member: &mut LacpMember, key: &str, value: &str) -> bool {
    if let Some(key) = key.strip_prefix("actor ") {
        return party_fact(&mut member.actor, key, value);
    }
    if let Some(key) = key.strip_prefix("partner ") {
        return party_fact(&mut member.partner, key, value);
    }
    match key {
        "may_enable" => member.may_enable = truth(value),
        // The member's own numbers, repeated under "actor".
        "port_id" | "port_priority" => {}
        _ => return false,
    }
    true
}

fn party_fact(party: &mut LacpParty, key: &str, value: &str) -> bool {
    match key {
        "sys_id" => party.sys_id = value.parse().ok(),
        "sys_priority" => party.sys_priority = value.parse().ok(),
        "port_id" => party.port_id = value.parse().ok(),
        "port_priority" => party.port_priority = value.parse().ok(),
        "key" => party.key = value.parse().ok(),
        "state" => party.state = value.split_whitespace().map(ToOwned::to_owned).collect(),
        _ => return false,
    }
    true
}
