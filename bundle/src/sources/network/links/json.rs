//! `ip -j link`, `ip -j addr`, `ip -j route`.

use serde_json::Value;

use super::model::{Address, BondMember, KernelBond, Link, LinkStats, Links, Route, Side};
use crate::source::{Parsed, RawItem};
use crate::sources::shared::json::{array, number, start_of, string};
use crate::sources::shared::text::push_capped;

pub(super) fn links(item: &RawItem<'_>, parsed: &mut Parsed<Links>) {
    for value in array(item, parsed) {
        // `ip -j addr show dev X` leaves `{}` behind for the interfaces it did not show.
        if value.as_object().is_some_and(serde_json::Map::is_empty) {
            continue;
        }
        let (Some(ifindex), Some(name)) = (number(&value, "ifindex"), string(&value, "ifname")) else {
            parsed.defect(item, 0, format!("not an interface: {}", start_of(&value.to_string())));
            continue;
        };
        let Some(link) = parsed.value.entry(ifindex, &name) else {
            parsed.give_up(item, "too many interfaces; the rest is ignored");
            return;
        };
        fill(link, &value);
    }
}

fn fill(link: &mut Link, value: &Value) {
    link.mac = string(value, "address").and_then(|text| text.parse().ok()).or(link.mac);
    link.permanent_mac = string(value, "permaddr").and_then(|text| text.parse().ok()).or(link.permanent_mac);
    link.mtu = number(value, "mtu").or(link.mtu);
    link.queue = string(value, "qdisc").or(link.queue.take());
    link.master = string(value, "master").or(link.master.take());
    link.lower = string(value, "link").or(link.lower.take());
    if let Some(state) = string(value, "operstate") {
        link.operstate = state;
    }
    if let Some(flags) = value.get("flags").and_then(Value::as_array) {
        link.flags = flags.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect();
    }
    if let Some(info) = value.get("linkinfo") {
        linkinfo(link, info);
    }
    if let Some(list) = value.get("addr_info").and_then(Value::as_array) {
        link.addresses = list.iter().filter_map(address).collect();
    }
    if let Some(stats) = value.get("stats64").or_else(|| value.get("stats")) {
        link.stats = Some(LinkStats { rx: side(stats.get("rx")), tx: side(stats.get("tx")) });
    }
}

fn linkinfo(link: &mut Link, info: &Value) {
    link.kind = string(info, "info_kind");
    link.master_kind = string(info, "info_slave_kind");
    let data = info.get("info_data").unwrap_or(&Value::Null);
    match link.kind.as_deref() {
        Some("vlan") => link.vlan_id = number(data, "id"),
        Some("bridge") => {
            let is_on = |key: &str| number::<u64>(data, key).map(|state| state != 0);
            (link.stp, link.filters_vlans) = (is_on("stp_state"), is_on("vlan_filtering"));
        }
        Some("bond") => {
            let mode = string(data, "mode").unwrap_or_default();
            link.bond = Some(KernelBond { mode, active: string(data, "active_slave") });
        }
        _ => {}
    }
    if link.master_kind.as_deref() == Some("bond") {
        let member = info.get("info_slave_data").unwrap_or(&Value::Null);
        let is = |key: &str, word: &str| member.get(key).and_then(Value::as_str) == Some(word);
        link.bond_member = Some(BondMember { active: is("state", "ACTIVE"), mii_up: is("mii_status", "UP") });
        link.permanent_mac =
            string(member, "perm_hwaddr").and_then(|text| text.parse().ok()).or(link.permanent_mac);
    }
}

fn address(value: &Value) -> Option<Address> {
    Some(Address {
        ip: string(value, "local")?.parse().ok()?,
        prefix: number(value, "prefixlen")?,
        scope: string(value, "scope").unwrap_or_default(),
    })
}

fn side(value: Option<&Value>) -> Side {
    let count = |key: &str| value.and_then(|value| number(value, key)).unwrap_or(0);
    Side {
        bytes: count("bytes"),
        packets: count("packets"),
        errors: count("errors"),
        dropped: count("dropped"),
        over: count("over_errors"),
        missed: count("missed_errors"),
        frame: count("frame_errors"),
        crc: count("crc_errors"),
        fifo: count("fifo_errors"),
        multicast: count("multicast"),
        carrier: count("carrier_errors"),
        collisions: count("collisions"),
    }
}

pub(super) fn routes(item: &RawItem<'_>, parsed: &mut Parsed<Links>) {
    let mut routes = std::mem::take(&mut parsed.value.routes);
    for value in array(item, parsed) {
        let Some(dst) = string(&value, "dst") else {
            parsed.defect(item, 0, format!("not a route: {}", start_of(&value.to_string())));
            continue;
        };
        let address = |key: &str| string(&value, key).and_then(|text| text.parse().ok());
        let route = Route {
            kind: string(&value, "type").unwrap_or_else(|| "unicast".to_owned()),
            dst,
            gateway: address("gateway"),
            dev: string(&value, "dev"),
            src: address("prefsrc"),
            table: string(&value, "table").unwrap_or_else(|| "main".to_owned()),
            metric: number(&value, "metric").unwrap_or(0),
        };
        if !push_capped(&mut routes, route, item, parsed) {
            break;
        }
    }
    parsed.value.routes = routes;
}
