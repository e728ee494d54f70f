//! `ovs-appctl bond/show` (ofproto/bond.c, `bond_print_details`).

use super::model::{Bond, BondMode, LacpStatus, Member, OvsBond};
use super::words::{heading, member_line, truth};
use crate::source::{Parsed, RawItem};
use crate::sources::shared::text::{lines, push_capped};

pub(super) fn read(text: &str, item: &RawItem<'_>, parsed: &mut Parsed<OvsBond>) {
    let mut bonds: Vec<Bond> = Vec::new();
    for (number, line) in lines(text) {
        if let Some(name) = heading(line) {
            let bond = Bond { name: name.to_owned(), ..Bond::default() };
            if !push_capped(&mut bonds, bond, item, parsed) {
                break;
            }
        } else if let Some(bond) = bonds.last_mut() {
            if !fact(bond, line) {
                parsed.defect(item, number, format!("not a line of bond/show: {line}"));
            }
        } else {
            parsed.defect(item, number, format!("before the first bond: {line}"));
        }
    }
    for bond in &mut bonds {
        settle(bond);
    }
    parsed.value.bonds.append(&mut bonds);
}

/// Takes one line into the bond; false when it is not understood.
fn fact(bond: &mut Bond, line: &str) -> bool {
    if let Some((name, state)) = member_line(line).filter(|(_, state)| !state.is_empty()) {
        if !state.eq_ignore_ascii_case("enabled") && !state.eq_ignore_ascii_case("disabled") {
            return active_mac(bond, line);
        }
        let enabled = state.eq_ignore_ascii_case("enabled");
        bond.members.push(Member { name: name.to_owned(), enabled, ..Member::default() });
        return true;
    }
    let trimmed = line.trim();
    let lower = trimmed.to_ascii_lowercase();
    if lower == "active member" || lower == "active slave" {
        return bond.members.last_mut().map(|member| member.active = true).is_some();
    }
    // `hash 59: 12 kB load`: how balance modes are spread.
    if lower.starts_with("hash ") && lower.ends_with(" load") {
        return true;
    }
    let Some((key, value)) = lower.split_once(':') else { return false };
    setting(bond, key.trim(), value.trim(), trimmed)
}

fn setting(bond: &mut Bond, key: &str, value: &str, line: &str) -> bool {
    match key.replace([' ', '-'], "_").as_str() {
        "bond_mode" => bond.mode = mode(value),
        "lacp_status" => bond.lacp_status = lacp_status(value),
        "lacp_fallback_ab" => bond.lacp_fallback_ab = truth(value),
        "updelay" => bond.updelay_ms = milliseconds(value),
        "downdelay" => bond.downdelay_ms = milliseconds(value),
        "active_backup_primary" => bond.primary = name_before_note(line),
        "active_member_mac" | "active_slave_mac" => return active_mac(bond, line),
        "may_enable" => {
            return bond.members.last_mut().map(|member| member.may_enable = truth(value)).is_some();
        }
        "bond_may_use_recirculation"
        | "bond_hash_basis"
        | "lb_output_action"
        | "next_rebalance"
        | "all_members_active"
        | "all_slaves_active" => {}
        _ => return false,
    }
    true
}

/// `active member mac: 40:a8:f0:28:14:d8(eth0)`; `00:00:00:00:00:00(none)` means that there is none.
fn active_mac(bond: &mut Bond, line: &str) -> bool {
    let Some((_, value)) = line.split_once(':') else { return false };
    let (mac, name) = match value.trim().split_once('(') {
        Some((mac, name)) => (mac, name.trim_end_matches(')').trim()),
        None => (value.trim(), ""),
    };
    let Ok(mac) = mac.trim().parse::<crate::Mac>() else { return false };
    bond.active_mac = Some(mac).filter(|mac| !mac.is_zero());
    bond.active = Some(name).filter(|name| !name.is_empty() && *name != "none").map(ToOwned::to_owned);
    true
}

/// The name in `active-backup primary: eth0 (no such member)`, none for `<none>`.
fn name_before_note(line: &str) -> Option<String> {
    let value = line.split_once(':')?.1.trim();
    let name = value.split_whitespace().next()?;
    (name != "<none>").then(|| name.to_owned())
}

fn mode(word: &str) -> BondMode {
    match word {
        "active-backup" => BondMode::ActiveBackup,
        "balance-slb" => BondMode::BalanceSlb,
        "balance-tcp" => BondMode::BalanceTcp,
        other => BondMode::Other(other.to_owned()),
    }
}

fn lacp_status(word: &str) -> LacpStatus {
    match word {
        "off" => LacpStatus::Off,
        "configured" => LacpStatus::Configured,
        "negotiated" => LacpStatus::Negotiated,
        _ => LacpStatus::Unknown,
    }
}

fn milliseconds(value: &str) -> Option<u64> {
    value.strip_suffix("ms")?.trim().parse().ok()
}

/// The active member is said twice, at the bond and at the member; either one is enough.
fn settle(bond: &mut Bond) {
    match bond.active.clone() {
        Some(name) => {
            for member in &mut bond.members {
                member.active |= member.name == name;
            }
        }
        None => bond.active = bond.members.iter().find(|m| m.active).map(|m| m.name.clone()),
    }
}
