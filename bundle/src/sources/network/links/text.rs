//! `ip -d addr show` and `ip -s -s -d link show` as text, for hosts whose iproute2 has no JSON.

use super::model::{Address, Link, LinkStats, Links, Side};
use crate::source::{Parsed, RawItem};
use crate::sources::shared::text::{lines, usable};

/// Kinds of interfaces that open their own line below `link/ether` with `-d`.
const KINDS: [&str; 14] = [
    "bridge",
    "bond",
    "veth",
    "tun",
    "vlan",
    "vxlan",
    "openvswitch",
    "dummy",
    "macvtap",
    "macvlan",
    "ipvlan",
    "gre",
    "geneve",
    "team",
];

pub(super) fn links(item: &RawItem<'_>, parsed: &mut Parsed<Links>) {
    let text = usable(item, parsed);
    let mut current: Option<(u32, String)> = None;
    let mut heading: Vec<String> = Vec::new();
    for (number, line) in lines(&text) {
        if !line.starts_with([' ', '\t']) {
            if parsed.value.links.len() >= super::model::LINKS_MAX {
                parsed.give_up(item, "too many interfaces; the rest is ignored");
                return;
            }
            current = headline(line, &mut parsed.value);
            if current.is_none() {
                parsed.defect(item, number, format!("not an interface: {line}"));
            }
            continue;
        }
        let Some(link) = current.as_ref().and_then(|(index, name)| parsed.value.entry(*index, name)) else {
            continue;
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        if let Some(first) = words.first().filter(|word| is_counter_heading(word)) {
            heading = words.iter().skip(1).map(|word| word.to_ascii_lowercase()).collect();
            heading.insert(0, (*first).to_owned());
        } else if !heading.is_empty() && words.iter().all(|word| word.bytes().all(|b| b.is_ascii_digit())) {
            counters(link, &heading, &words);
            heading.clear();
        } else {
            detail(link, &words);
        }
    }
}

/// `11: vnet0@pvnet0: <BROADCAST,UP> mtu 1500 qdisc noqueue master br0 state UP …`
fn headline(line: &str, links: &mut Links) -> Option<(u32, String)> {
    let mut words = line.split_whitespace();
    let ifindex: u32 = words.next()?.strip_suffix(':')?.parse().ok()?;
    let full = words.next()?.trim_end_matches(':');
    let (name, lower) = full.split_once('@').map_or((full, None), |(name, lower)| (name, Some(lower)));
    let flags = words.next()?.strip_prefix('<')?.strip_suffix('>')?;
    let link = links.entry(ifindex, name)?;
    link.flags = flags.split(',').filter(|flag| !flag.is_empty()).map(ToOwned::to_owned).collect();
    link.lower = lower.filter(|lower| *lower != "NONE").map(ToOwned::to_owned);
    let rest: Vec<&str> = words.collect();
    link.mtu = after(&rest, "mtu").and_then(|text| text.parse().ok());
    link.queue = after(&rest, "qdisc").map(ToOwned::to_owned);
    link.master = after(&rest, "master").map(ToOwned::to_owned);
    after(&rest, "state").unwrap_or_default().clone_into(&mut link.operstate);
    Some((ifindex, name.to_owned()))
}

fn detail(link: &mut Link, words: &[&str]) {
    match *words {
        [kind, address, ..] if kind.starts_with("link/") => {
            link.mac = address.parse().ok();
            link.permanent_mac = after(words, "permaddr").and_then(|text| text.parse().ok());
        }
        ["inet" | "inet6", address, ..] => {
            let (ip, prefix) = address.split_once('/').unwrap_or((address, ""));
            if let Ok(ip) = ip.parse::<std::net::IpAddr>() {
                let all = if ip.is_ipv4() { 32 } else { 128 };
                let scope = after(words, "scope").unwrap_or_default().to_owned();
                link.addresses.push(Address { ip, prefix: prefix.parse().unwrap_or(all), scope });
            }
        }
        [kind, ..] if kind.ends_with("_slave") => {
            link.master_kind = kind.strip_suffix("_slave").map(ToOwned::to_owned);
        }
        [kind, ..] if KINDS.contains(&kind) => {
            link.kind = Some(kind.to_owned());
            if kind == "vlan" {
                link.vlan_id = after(words, "id").and_then(|text| text.parse().ok());
            }
            if kind == "bridge" {
                let is_on = |key: &str| after(words, key).map(|state| state != "0");
                (link.stp, link.filters_vlans) = (is_on("stp_state"), is_on("vlan_filtering"));
            }
        }
        // `valid_lft …` and further details of the kind.
        _ => {}
    }
}

/// The word after `key`.
fn after<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| *word == key)?;
    words.get(at + 1).copied()
}

fn is_counter_heading(word: &str) -> bool {
    word.starts_with("RX") || word.starts_with("TX")
}

/// The line of numbers below `RX: bytes packets …` or `RX errors: length crc …`.
fn counters(link: &mut Link, heading: &[String], words: &[&str]) {
    let stats = link.stats.get_or_insert_with(LinkStats::default);
    let receiving = heading.first().is_some_and(|word| word.starts_with("RX"));
    let side = if receiving { &mut stats.rx } else { &mut stats.tx };
    let columns = heading.iter().skip(1).filter(|column| column.as_str() != "errors:");
    for (column, word) in columns.zip(words) {
        if let (Some(place), Ok(value)) = (place(side, column), word.parse()) {
            *place = value;
        }
    }
}

fn place<'a>(side: &'a mut Side, column: &str) -> Option<&'a mut u64> {
    Some(match column {
        "bytes" => &mut side.bytes,
        "packets" => &mut side.packets,
        "errors" => &mut side.errors,
        "dropped" => &mut side.dropped,
        "overrun" => &mut side.over,
        "missed" => &mut side.missed,
        "frame" => &mut side.frame,
        "crc" => &mut side.crc,
        "fifo" => &mut side.fifo,
        "mcast" => &mut side.multicast,
        "carrier" => &mut side.carrier,
        "collsns" => &mut side.collisions,
        _ => return None,
    })
}
