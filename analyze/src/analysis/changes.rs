//! What changed at the host while it was recorded, and what of it no capture can see.

use std::collections::BTreeMap;

use netcap_bundle::input::Kind;
use netcap_bundle::{Nanos, Role};

use crate::host::bonds::{BondState, BondTimeline};
use crate::text::Text;
use crate::view::View;

/// Changes of one bond that are named; the rest is counted.
const CHANGES_MAX: usize = 16;

/// Members of bonds that took over, and ports that are no network devices.
pub(super) fn remarks(view: &View<'_>) -> Vec<Text> {
    let offset = view.input.info.as_ref().map_or(0, |info| info.utc_offset_s);
    let mut out: Vec<Text> = view.bonds.bonds.iter().flat_map(|bond| moves(bond, offset)).collect();
    out.extend(unrecordable(view));
    out
}

/// Every change of the active member, between the two readings that show it.
fn moves(bond: &BondTimeline, offset_s: i32) -> Vec<Text> {
    let pairs = || bond.states.iter().zip(bond.states.iter().skip(1));
    let name = |state: &BondState| match &state.active {
        Some(active) => Text::verbatim(active),
        None => Text::new("remark.bond-none"),
    };
    let mut out: Vec<Text> = pairs()
        .take(CHANGES_MAX)
        .map(|(before, after)| {
            let from: Nanos = after.unsure_from;
            Text::new("remark.bond-moved")
                .with("bond", &bond.name)
                .with_text("from", name(before))
                .with_text("to", name(after))
                .with("after", from.clock(offset_s))
                .with("by", after.at.clock(offset_s))
        })
        .collect();
    if let Some(more) = pairs().count().checked_sub(CHANGES_MAX).filter(|more| *more > 0) {
        out.push(Text::new("remark.bond-moved-more").with("bond", &bond.name).with("count", more));
    }
    out
}

/// Ports of recorded switches that the kernel does not have as network devices: DPDK's and vhost-user's.
fn unrecordable(view: &View<'_>) -> Vec<Text> {
    if view.input.kind != Kind::Bundle || !view.host.knows_ifaces() {
        return Vec::new();
    }
    let mut ports: BTreeMap<&str, Vec<Text>> = BTreeMap::new();
    for switch in &view.host.topology().switches {
        let recorded = view.points.iter().any(|(_, info)| info.vswitch.as_deref() == Some(&switch.name));
        for port in switch.ports.iter().filter(|_| recorded) {
            let carries = matches!(port.role, Role::Uplink { .. } | Role::Vnet { .. });
            let hidden = view.points.by_name(&port.iface).is_none();
            if carries && hidden && !view.host.has_iface(&port.iface) {
                ports.entry(&switch.name).or_default().push(Text::verbatim(&port.iface));
            }
        }
    }
    let said = ports.into_iter().map(|(switch, ports)| {
        Text::new("remark.unrecordable").with("switch", switch).with_list("ports", ports)
    });
    said.collect()
}
