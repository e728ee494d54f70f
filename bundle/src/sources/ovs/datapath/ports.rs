//! `dpctl/show` (lib/dpctl.c, `show_dpif`) and `dpif/show` (ofproto/ofproto-dpif.c, `dpif_show_backer`).

use super::model::{Datapath, DpPort, OvsDatapath, PortNumbers};
use crate::source::{Parsed, RawItem};
use crate::sources::shared::text::{lines, push_capped};

/// Datapaths of one dump; a host has one of each type.
const DATAPATHS_MAX: usize = 256;

pub(super) fn dpctl_show(text: &str, item: &RawItem<'_>, parsed: &mut Parsed<OvsDatapath>) {
    let mut all: Vec<Datapath> = Vec::new();
    // Caps the ports over all datapaths.
    let mut ports = Vec::new();
    for (number, line) in lines(text) {
        if !line.starts_with([' ', '\t']) {
            match line.strip_suffix(':') {
                Some(name) if all.len() < DATAPATHS_MAX => {
                    all.push(Datapath { name: name.to_owned(), ..Datapath::default() });
                }
                Some(_) => {
                    parsed.give_up(item, "too many datapaths; the rest is ignored");
                    break;
                }
                None => parsed.defect(item, number, format!("not a datapath: {line}")),
            }
            continue;
        }
        let Some(datapath) = all.last_mut() else {
            parsed.defect(item, number, format!("before the first datapath: {line}"));
            continue;
        };
        if let Some(port) = dp_port(line) {
            if !push_capped(&mut ports, (), item, parsed) {
                break;
            }
            datapath.ports.push(port);
        } else if !statistic(datapath, line) {
            parsed.defect(item, number, format!("not a line of dpctl/show: {line}"));
        }
    }
    parsed.value.datapaths.append(&mut all);
}

/// `  port 10: vxlan_sys_4789 (vxlan: packet_type=ptap)`
fn dp_port(line: &str) -> Option<DpPort> {
    let (number, rest) = line.trim().strip_prefix("port ")?.split_once(':')?;
    let (name, kind) = name_and_kind(rest);
    let kind = kind.map(|kind| kind.split(':').next().unwrap_or(kind).trim().to_owned());
    Some(DpPort { number: number.trim().parse().ok()?, name: name.to_owned(), kind })
}

/// `eth2`, `vswitch0 (tap)`.
fn name_and_kind(text: &str) -> (&str, Option<&str>) {
    match text.trim().split_once(" (") {
        Some((name, rest)) => (name.trim(), Some(rest.trim_end().trim_end_matches(')'))),
        None => (text.trim(), None),
    }
}

/// The datapath's own numbers; the ones netcap does not use, and the port statistics of `-s`, are accepted.
fn statistic(datapath: &mut Datapath, line: &str) -> bool {
    let line = line.trim();
    let Some((key, rest)) = line.split_once(':') else { return false };
    let count = |name: &str| {
        rest.split_whitespace()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix(':')?.parse::<u64>().ok())
    };
    match key {
        "lookups" => {
            datapath.hit = count("hit");
            datapath.missed = count("missed");
            datapath.lost = count("lost");
        }
        "flows" => datapath.flows = rest.trim().parse().ok(),
        "masks" | "cache" | "caches" | "cache-hit" | "miss" | "RX packets" | "TX packets" | "collisions"
        | "RX bytes" | "masks-cache" => {}
        _ => return false,
    }
    true
}

pub(super) fn dpif_show(text: &str, item: &RawItem<'_>, parsed: &mut Parsed<OvsDatapath>) {
    let mut ports = std::mem::take(&mut parsed.value.ports);
    let mut bridge: Option<String> = None;
    for (number, line) in lines(text) {
        let heading = line.trim().strip_suffix(':').filter(|name| !name.contains(' '));
        if !line.starts_with([' ', '\t']) {
            // `netdev@ovs-netdev: hit:40 missed:19`
            bridge = None;
            if !line.contains('@') {
                parsed.defect(item, number, format!("not a datapath: {line}"));
            }
        } else if let Some(name) = heading {
            bridge = Some(name.to_owned());
        } else if let Some(port) = bridge.as_deref().and_then(|bridge| port_numbers(bridge, line)) {
            if !push_capped(&mut ports, port, item, parsed) {
                break;
            }
        } else {
            parsed.defect(item, number, format!("not a port of dpif/show: {line}"));
        }
    }
    parsed.value.ports = ports;
}

/// `    vnet0 3/4: (system)`, `    patch0 3/none: (patch: peer=patch1)`.
fn port_numbers(bridge: &str, line: &str) -> Option<PortNumbers> {
    let (left, kind) = line.trim().split_once(": (").or_else(|| line.trim().split_once(":("))?;
    let (iface, numbers) = left.rsplit_once(' ')?;
    let (ofport, dp_port) = numbers.split_once('/')?;
    let dp_port = match dp_port.trim_end_matches(':') {
        "none" => None,
        number => Some(number.parse().ok()?),
    };
    let kind = kind.strip_suffix(')')?;
    let (kind, options) = kind.split_once(':').unwrap_or((kind, ""));
    Some(PortNumbers {
        bridge: bridge.to_owned(),
        iface: iface.trim().to_owned(),
        ofport: ofport.parse().ok()?,
        dp_port,
        kind: kind.trim().to_owned(),
        options: options.trim().to_owned(),
    })
}
