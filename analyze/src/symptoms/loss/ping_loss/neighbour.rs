//! Nobody answers ARP (or neighbour discovery) for the target: then the pings never reached a wire.

use std::net::IpAddr;

use crate::finding::Evidence;
use crate::tables::claims::ClaimKind;
use crate::text::Text;
use crate::view::View;

/// Unanswered questions that make a case; a single one may be answered by a repetition that is not there.
const QUESTIONS_MIN: u64 = 2;

/// The evidence that nobody has the address, when it was asked for at a recorded port and never answered.
pub(super) fn silent(view: &View<'_>, ip: IpAddr) -> Option<Evidence> {
    let asked = view.tables.asked.addresses.get(&ip).filter(|asked| asked.count >= QUESTIONS_MIN)?;
    let mut known = view.tables.claims.addresses.iter().filter(|(key, _)| key.ip == ip);
    // A probe asks for the address, everything else uses it.
    if known.any(|(_, address)| address.claims.iter().any(|claim| claim.kind != ClaimKind::Probe)) {
        return None;
    }
    let key = if ip.is_ipv4() { "ping-loss.evidence.arp" } else { "ping-loss.evidence.nd" };
    let what = Text::new(key).with("ip", ip).with("count", asked.count);
    Some(view.frame(asked.first, asked.point, what))
}

/// What to do then.
pub(super) fn remedy(ip: impl std::fmt::Display) -> Text {
    Text::new("ping-loss.remedy.neighbour").with("dst", ip)
}
