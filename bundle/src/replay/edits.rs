//! What actions do to the packet itself, and to its action set.

use super::action::Action;
use super::bits::Bits;
use super::field::{Need, Slot, TAGGED};
use super::packet::Packet;
use crate::sources::ovs::openflow::Flow;
use crate::sources::shared::Ternary;

/// From here on, actions of a set are ways out.
pub(super) const OUT: u8 = 8;

/// The order in which a set is done (`ofpacts_execute_action_set`, lib/ofp-actions.c).
pub(super) fn rank(action: &Action) -> u8 {
    match action {
        Action::PopVlan => 0,
        Action::PushVlan => 1,
        Action::DecTtl => 2,
        Action::Group(_) => OUT,
        Action::Output(_) => OUT + 1,
        Action::Resubmit { .. } => OUT + 2,
        Action::Ct(_) => OUT + 3,
        _ => 3,
    }
}

/// OpenFlow 1.0's `mod_vlan_vid` keeps a tag that is there, and a dump in a later version prints it as a push and a set
/// (lib/ofp-actions.c, `encode_SET_VLAN_VID`): the same text as a real push, unless the rule matches on the tag.
pub(super) fn doubt_tags(list: &mut [Action], rule: &Flow) {
    let is_tag = |name: &str| name.starts_with("dl_vlan") || name.starts_with("vlan_");
    if rule.matches.fields.iter().any(|(name, _)| is_tag(name)) {
        return;
    }
    for at in 1..list.len() {
        let sets = matches!(list.get(at), Some(Action::Set { field, .. }) if field.slot == Slot::Tci);
        if let Some(push) = list.get_mut(at - 1).filter(|before| sets && **before == Action::PushVlan) {
            *push = Action::PushOrKeep;
        }
    }
}

/// Adds to the action set: of each kind, the last one counts; changes of fields follow one another.
pub(super) fn write_set(set: &mut Vec<Action>, actions: &[Action]) {
    for action in actions {
        match action {
            Action::Drop | Action::Nothing => {}
            Action::Set { .. } | Action::Move { .. } | Action::Tag { .. } => set.push(action.clone()),
            other => {
                let kind = std::mem::discriminant(other);
                set.retain(|had| std::mem::discriminant(had) != kind);
                set.push(other.clone());
            }
        }
    }
}

/// Changes fields.
pub(super) fn edit(packet: &mut Packet, change: &Action) {
    match change {
        Action::Set { field, value, mask } => match packet.has(Action::need(field)) {
            Ternary::Yes => {
                let mut bits = packet.read(field);
                bits.put_masked(*value, *mask);
                packet.write(field, bits);
            }
            Ternary::Unknown => packet.put(field.slot, Bits::UNKNOWN),
            Ternary::No => {}
        },
        Action::Move { from, to } => match packet.has(Action::need(from)).and(packet.has(Action::need(to))) {
            Ternary::Yes => {
                let bits = packet.read(from);
                packet.write(to, bits);
            }
            Ternary::Unknown => packet.put(to.slot, Bits::UNKNOWN),
            Ternary::No => {}
        },
        Action::PushVlan => {
            packet.put(Slot::TciInner, packet.get(Slot::Tci));
            packet.set(Slot::Tci, TAGGED);
        }
        // A tag that is there stays, or a second one hides it.
        Action::PushOrKeep if packet.has(Need::Vlan) == Ternary::No => {
            edit(packet, &Action::PushVlan);
        }
        Action::PushOrKeep => {
            packet.put(Slot::TciInner, Bits::UNKNOWN);
            packet.put(Slot::Tci, Bits::partly(TAGGED, !0xefff));
        }
        Action::PopVlan => {
            packet.put(Slot::Tci, packet.get(Slot::TciInner));
            packet.set(Slot::TciInner, 0);
        }
        Action::Tag { first, width, value } => {
            let mut tci = packet.get(Slot::Tci);
            tci.put(*first, *width, Bits::known(u128::from(*value)));
            tci.put_masked(TAGGED, TAGGED);
            packet.put(Slot::Tci, tci);
        }
        Action::Forget(field) => packet.write(field, Bits::UNKNOWN),
        _ => {}
    }
}
