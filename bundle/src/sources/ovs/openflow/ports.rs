//! Ports of `ovs-ofctl show` (lib/ofp-port.c, `ofputil_phy_port_format`).

use super::model::{OfPortDesc, OvsOpenflow};
use crate::source::{Parsed, RawItem};
use crate::sources::shared::text::{lines, push_capped};

pub(super) fn show(text: &str, item: &RawItem<'_>, parsed: &mut Parsed<OvsOpenflow>) {
    let mut ports: Vec<OfPortDesc> = Vec::new();
    for (_, line) in lines(text) {
        if let Some(port) = port(line) {
            if !push_capped(&mut ports, port, item, parsed) {
                break;
            }
        } else if let Some((key, value)) = line.trim().split_once(':').filter(|_| line.starts_with("     ")) {
            // `0` stands for no flag at all.
            let flags = value.split_whitespace().filter(|flag| *flag != "0").map(ToOwned::to_owned).collect();
            match (ports.last_mut(), key) {
                (Some(port), "config") => port.config = flags,
                (Some(port), "state") => port.state = flags,
                _ => {}
            }
        }
    }
    if ports.is_empty() && !text.trim().is_empty() {
        parsed.defect(item, 0, "no port in it");
    }
    parsed.value.bridges.entry(item.arg.to_owned()).or_default().ports.append(&mut ports);
}

/// ` 3(vnet0): addr:76:1e:78:8a:d6:92`, ` LOCAL(br0): addr:…`.
fn port(line: &str) -> Option<OfPortDesc> {
    let (left, mac) = line.trim().split_once(": addr:")?;
    let (number, name) = left.strip_suffix(')')?.split_once('(')?;
    Some(OfPortDesc {
        number: number.parse().ok()?,
        name: name.trim_matches('"').to_owned(),
        mac: mac.trim().parse().ok(),
        config: Vec::new(),
        state: Vec::new(),
    })
}
