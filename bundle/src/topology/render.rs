//! The topology as a person reads it in a terminal: one block a switch, one line a port.

use std::net::IpAddr;

use netcap_words::foreign::clean_short;
use unicode_width::UnicodeWidthStr;

use super::model::{Port, Switch, SwitchKind, Topology};
use crate::{Mac, Role};

/// A column: its heading and what stands in it.
type Column = (&'static str, fn(&Port) -> String);

/// The columns of `ovs_dbg_listports`, and a state that is empty while all is well.
const COLUMNS: [Column; 12] = [
    ("Type", kind),
    ("Name", |port| port.iface.clone()),
    ("MAC", |port| port.mac.map(Mac::compact).unwrap_or_default()),
    ("GuestMAC", |port| port.guest_mac.map(Mac::compact).unwrap_or_default()),
    ("IP", addresses),
    ("OF/DP", numbers),
    ("VLAN", vlan),
    ("MTU", |port| port.mtu.map(|mtu| mtu.to_string()).unwrap_or_default()),
    ("Bond/VM", behind),
    ("VNC", |port| port.vnc_port.map(|port| port.to_string()).unwrap_or_default()),
    ("Filter", |port| port.filter.clone().unwrap_or_default()),
    ("State", state),
];

/// Blanks before a line and, while a table is narrow enough for it, between two columns.
const GAP: &str = "  ";

/// A table wider than this many cells gets one blank between its columns instead of two.
const WIDTH_MAX: usize = 100;

/// `topology.txt`: the switches with their ports, then the interfaces of no switch. Columns in which nothing stands are
/// left out, block by block, so that a line stays within a terminal. `*` marks a bond's active member.
pub fn render_listports(topology: &Topology) -> String {
    let mut out = String::new();
    for switch in &topology.switches {
        heading(&mut out, switch);
        table(&mut out, &switch.ports);
        out.push('\n');
    }
    if !topology.others.is_empty() {
        out.push_str("interfaces of no switch\n");
        table(&mut out, &topology.others);
    }
    if out.is_empty() {
        out.push_str("no virtual switch and no interface is known\n");
    }
    out
}

/// `vswitch0 (ovs netdev, secure)` and one line a bond.
fn heading(out: &mut String, switch: &Switch) {
    let kind = match switch.kind {
        SwitchKind::Ovs => "ovs",
        SwitchKind::LinuxBridge => "linux bridge",
    };
    let datapath = switch.datapath.as_deref().map(|word| format!(" {word}")).unwrap_or_default();
    let secure = if switch.fail_mode.as_deref() == Some("secure") { ", secure" } else { "" };
    out.push_str(&clean(&format!("{} ({kind}{datapath}{secure})", switch.name)));
    out.push('\n');
    for bond in &switch.bonds {
        let mut words =
            vec![if bond.mode.is_empty() { "mode unknown".to_owned() } else { bond.mode.clone() }];
        if !bond.lacp.is_empty() {
            words.push(format!("lacp {}", bond.lacp));
        }
        words.push(format!("active {}", bond.active.as_deref().unwrap_or("none")));
        out.push_str(&clean(&format!("{GAP}{}: {}", bond.name, words.join(", "))));
        out.push('\n');
    }
}

fn table(out: &mut String, ports: &[Port]) {
    let rows: Vec<Vec<String>> =
        ports.iter().map(|port| COLUMNS.iter().map(|(_, cell)| clean(&cell(port))).collect()).collect();
    let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
    let used: Vec<(usize, usize)> = COLUMNS
        .iter()
        .enumerate()
        .filter_map(|(column, (title, _))| {
            let widest = rows.iter().map(|row| cell(row, column).width()).max().unwrap_or(0);
            (widest > 0).then(|| (column, widest.max(title.width())))
        })
        .collect();
    let width: usize = used.iter().map(|(_, width)| width + GAP.len()).sum();
    let gap = if width > WIDTH_MAX { " " } else { GAP };
    let titles: Vec<String> = COLUMNS.iter().map(|(title, _)| (*title).to_owned()).collect();
    for row in std::iter::once(&titles).chain(&rows) {
        let mut line = String::from(GAP);
        for (column, width) in &used {
            let text = cell(row, *column);
            line.push_str(&text);
            line.push_str(&" ".repeat(width.saturating_sub(text.width())));
            line.push_str(gap);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// Characters of a name or a line that are shown: names come from hosts and files.
const CHARS_MAX: usize = 200;

fn clean(text: &str) -> String {
    clean_short(text, CHARS_MAX)
}

fn kind(port: &Port) -> String {
    match &port.role {
        Role::Tunnel { proto, .. } => proto.clone(),
        role => role.word().to_owned(),
    }
}

/// The host's addresses, or the guest's; link-local ones are everywhere and say nothing.
fn addresses(port: &Port) -> String {
    let worth = |ip: &&IpAddr| match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) => !v6.is_unicast_link_local(),
    };
    let own: Vec<&IpAddr> = port.ips.iter().filter(worth).collect();
    let list = if own.is_empty() { port.guest_ips.iter().filter(worth).collect() } else { own };
    match list.as_slice() {
        [] => String::new(),
        [one] => one.to_string(),
        [first, rest @ ..] => format!("{first}+{}", rest.len()),
    }
}

/// `65534/2`: OpenFlow number and datapath number.
fn numbers(port: &Port) -> String {
    match (port.ofport, port.dp_port) {
        (None, None) => String::new(),
        (ofport, dp_port) => {
            let dash = || "-".to_owned();
            format!(
                "{}/{}",
                ofport.map_or_else(dash, |n| n.0.to_string()),
                dp_port.map_or_else(dash, |n| n.to_string())
            )
        }
    }
}

/// The access VLAN, or a trunk's list in short: `t5,10-12`.
fn vlan(port: &Port) -> String {
    let mut vlans = port.trunks.clone();
    vlans.sort_unstable();
    vlans.dedup();
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for vlan in vlans {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(vlan) => *last = vlan,
            _ => ranges.push((vlan, vlan)),
        }
    }
    let list: Vec<String> = ranges
        .iter()
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
        .collect();
    let trunk = if list.is_empty() { String::new() } else { format!("t{}", list.join(",")) };
    match port.vlan {
        None => trunk,
        Some(vlan) if trunk.is_empty() => vlan.to_string(),
        Some(vlan) => format!("{vlan} {trunk}"),
    }
}

/// What is behind the port: its bond (the active member marked), the machine, or the other end of the cable.
fn behind(port: &Port) -> String {
    match &port.role {
        Role::Uplink { bond: Some(bond) } if port.active == Some(true) => format!("{bond} *"),
        Role::Uplink { bond: Some(bond) } => bond.clone(),
        Role::Patch { peer: Some(peer) } => format!("to {peer}"),
        Role::Tunnel { remote: Some(remote), .. } => format!("to {remote}"),
        _ => port.vm.clone().unwrap_or_default(),
    }
}

fn state(port: &Port) -> String {
    let mut words: Vec<&str> = Vec::new();
    match (port.admin_up, port.carrier) {
        (Some(false), _) => words.push("down"),
        (_, Some(false)) if port.capturable => words.push("no carrier"),
        _ => {}
    }
    if port.enabled == Some(false) {
        words.push("disabled");
    }
    words.extend(port.stp_state.as_deref());
    words.extend(port.error.as_deref());
    words.join(", ")
}
