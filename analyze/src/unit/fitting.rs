//! What is missing in this recording: advice that was followed already is not given again.

use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::ovs::bond::OvsBond;
use netcap_words::wire::ether_type;

use crate::host::silence;
use crate::view::View;

/// An ARP request's frame, as a filter sees it: broadcast, padded.
const ARP_WIRE: u32 = 60;

/// The phrase for a need, as it fits what was recorded.
pub(super) fn key(view: &View<'_>, key: &'static str) -> &'static str {
    match key {
        "need.bond-state" if silence::is_silent(view.input, OvsBond::DEF.id) => "need.bond-state.silent",
        "need.bond-state" if view.input.state.has(OvsBond::DEF.id) => "need.bond-state.none",
        "need.address-claims" if shows_arp(view) => "need.address-claims.none",
        _ => key,
    }
}

/// Some recorded point would have shown ARP; of a bare file nobody knows its filter.
fn shows_arp(view: &View<'_>) -> bool {
    let mut frame = [0_u8; 42];
    frame[..6].fill(0xff);
    frame[12..14].copy_from_slice(&ether_type::ARP.to_be_bytes());
    frame[14..20].copy_from_slice(&[0, 1, 8, 0, 6, 4]);
    frame[21] = 1;
    let mut points = view.points.iter().filter(|(_, info)| info.described);
    points.any(|(id, _)| view.fidelity.shows(id, &frame, ARP_WIRE))
}
