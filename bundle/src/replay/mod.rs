//! The way of one packet through the dumped tables of a host's bridges, as `ovs-appctl ofproto/trace` would tell it on
//! the host itself (ofproto/ofproto-dpif-xlate.c).
//!
//! Match with masks, priorities, conjunctions, resubmit and goto, registers, the action set, VLAN tags, `ct()` with the
//! state from the conntrack dump and its NAT, groups, patch ports into other bridges, and the bridge's own switching
//! from the FDB dump. Every bit of every field is known or not: a rule that may match where it is not known, an action
//! that is not followed, a dump that is not whole end in [`ForwardingDecision::CannotTell`], never in a guess.
//!
//! A rule limits nothing here: meters pass everything, and a table is what it was when it was dumped.

use crate::sources::ovs::openflow::FlowMatch;
use crate::sources::shared::Ternary;

mod action;
mod bits;
mod edits;
mod field;
mod frame;
mod leaving;
mod machine;
mod model;
mod packet;
mod ports;
mod rules;
mod switching;
mod tracking;

#[cfg(test)]
mod tests;

pub use model::{Cause, CtLookup, Dumps, End, Exit, ForwardingDecision, Replay};
pub use packet::Packet;

/// Follows a packet that comes in at a port of a bridge.
pub fn replay<'a>(dumps: &Dumps<'a>, bridge: &str, packet: Packet) -> Replay<'a> {
    machine::Machine::new(*dumps).run(bridge, packet)
}

impl FlowMatch {
    /// Whether a packet matches. A field that is not known here, and one that the packet's bytes do not hold, make the
    /// answer unknown.
    pub fn matches(&self, packet: &Packet) -> Ternary {
        rules::matches(self, packet)
    }
}
