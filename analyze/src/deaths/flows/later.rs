//! Later fragments of packets whose first ones got further: they carry no ports, so rules may treat them otherwise. They are not
//! followed from point to point; what the dumped rules do with them is.

use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::ovs::openflow::OvsOpenflow;
use netcap_words::wire::{TAG_BYTES, ether_type, is_tag};

use super::replayed::{Around, Ending, ending};
use super::{Flows, GROUPS_MAX, RuleDrop, Target, dumps};
use crate::deaths::{Group, Way, entered, sights};
use crate::engine::{PointId, identity};
use crate::tables::hops::{Side, Stop};
use crate::view::View;

/// Behind three tags; more of them occur in attacks only.
const TAGS_END: usize = 12 + 3 * TAG_BYTES;
/// Offset of a second fragment of a packet that was cut at 1500 octets, in units of eight octets (RFC 791).
const OFFSET: u16 = 185;

/// The rule that drops later fragments of a group.
#[derive(Debug, Clone)]
pub(crate) struct LaterDrop {
    pub rule: RuleDrop,
    /// Where they enter the switch.
    pub port: PointId,
}

pub(super) fn look(view: &View<'_>, groups: &[Group<'_>], all: &mut [Flows]) {
    let cut = groups.iter().enumerate().filter(|(_, group)| is_cut(group)).take(GROUPS_MAX);
    let entering = cut.filter_map(|(index, group)| {
        let first = group.deaths.first()?;
        let event = entered::first_in(view, group, first)?;
        let stop = Stop { point: event.point, direction: event.direction };
        let info =
            view.points.get(event.point).filter(|_| matches!(stop.side(&view.context), Side::Enter(_)))?;
        let frame = later(sights::kept(view, event)?.example.bytes)?;
        let (bridge, last) = (info.vswitch.as_deref()?, group.deaths.last()?.at);
        Some((Target { index, group, info, bridge, first: first.at, last }, (event.point, frame)))
    });
    let (targets, frames): (Vec<Target<'_, '_>>, Vec<(PointId, Vec<u8>)>) = entering.unzip();
    if targets.is_empty() {
        return;
    }
    let mut around = Around::default();
    for (round, numbers) in dumps(view, OvsOpenflow::DEF.id, &targets) {
        let Some(round) = view.input.state.read::<OvsOpenflow>(&view.input.files, round) else { continue };
        around.move_to(view, round.at);
        for number in numbers {
            let (Some(target), Some((port, frame))) = (targets.get(number), frames.get(number)) else {
                continue;
            };
            let Some(flows) = all.get_mut(target.index) else { continue };
            around.connections(view, target.first);
            let of_port = round.parsed.value.port(target.bridge, &target.info.name);
            let Some(Ending::Rule(mut rule)) = ending(&round, &around, target.bridge, of_port, frame) else {
                continue;
            };
            if rule.certain && !rule.nowhere {
                rule.counts_since(flows.later.as_ref().map(|before| &before.rule));
                flows.later = Some(LaterDrop { rule: *rule, port: *port });
            }
        }
    }
}

/// They left the switch and were not answered, and are the first fragments of what was sent.
fn is_cut(group: &Group<'_>) -> bool {
    let whole = usize::MAX;
    let fragment = || {
        let example = group.example?;
        identity::of_frame(example.bytes, example.wire_len, whole, |_| true).map(|identity| identity.fragment)
    };
    group.is_ping() && group.place.way == Way::Beyond && fragment() == Some(true)
}

/// The same frame as a last fragment of IPv4.
fn later(frame: &[u8]) -> Option<Vec<u8>> {
    let mut at = 12;
    loop {
        match frame.get(at..)?.first_chunk::<2>().map(|bytes| u16::from_be_bytes(*bytes))? {
            tag if is_tag(tag) && at < TAGS_END => at += TAG_BYTES,
            ether_type::IPV4 => break,
            _ => return None,
        }
    }
    let mut later = frame.to_vec();
    later.get_mut(at + 8..at + 10)?.copy_from_slice(&OFFSET.to_be_bytes());
    Some(later)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_fragment_has_an_offset_and_no_more_behind_it() {
        let mut frame = vec![0; 60];
        frame[12..18].copy_from_slice(&[0x81, 0x00, 0, 7, 0x08, 0x00]);
        frame[18] = 0x45;
        frame[24..26].copy_from_slice(&[0x20, 0]);
        let later = later(&frame).unwrap();
        assert_eq!((later[24], later[25]), (0, 185));
        assert_eq!((&later[..24], &later[26..]), (&frame[..24], &frame[26..]));
        frame[16..18].copy_from_slice(&[0x86, 0xdd]);
        assert_eq!(super::later(&frame), None);
    }
}
