//! Stops: a point and a direction, and which stop can follow which.

use netcap_bundle::Role;
use netcap_bundle::packets::Direction;

use crate::engine::points::FoldContext;
use crate::engine::{DomainId, PointId};

/// A place on a packet's way: a point, crossed in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Stop {
    pub point: PointId,
    /// Which way.
    pub direction: Direction,
}

/// What a stop is to the switch that the point belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The packet enters the switch here.
    Enter(DomainId),
    /// It leaves the switch here.
    Leave(DomainId),
    /// No switch is known.
    Through,
}

impl Stop {
    /// What it is to its switch. The switch's own port is seen from the host: what the host sends enters the switch.
    pub(crate) fn side(self, context: &FoldContext) -> Side {
        if !context.has_switch(self.point) {
            return Side::Through;
        }
        let domain = context.domain(self.point);
        let own = matches!(context.role(self.point), Some(Role::Internal));
        if (self.direction == Direction::In) == own { Side::Leave(domain) } else { Side::Enter(domain) }
    }

    /// A packet seen here can be seen next at `next`: what left a switch at one port did not come to another port of it
    /// from there (a flood leaves at many), nor did it enter it twice.
    pub(super) fn leads_to(self, next: Self, context: &FoldContext) -> bool {
        if context.host(self.point) != context.host(next.point) {
            // What two hosts hear of a flood did not go from one to the other.
            return self.is_outward(context) == Some(true) && next.is_outward(context) == Some(false);
        }
        let same = match (self.side(context), next.side(context)) {
            (Side::Leave(a), Side::Leave(b)) | (Side::Enter(a), Side::Enter(b)) => a == b,
            _ => false,
        };
        self != next && !same && !self.reflects_at(next, context)
    }

    /// It goes out of its host there, or out of a machine of it; nothing when the capture has no direction.
    pub(crate) fn is_outward(self, context: &FoldContext) -> Option<bool> {
        let vm = matches!(context.role(self.point), Some(Role::Vnet { .. }));
        match self.direction {
            Direction::Out => Some(!vm),
            Direction::In => Some(vm),
            Direction::Unknown => None,
        }
    }

    /// It leaves its host for another one there, neither a machine nor the host itself for the host's switch.
    pub(crate) fn leaves_host(self, context: &FoldContext) -> bool {
        let inside = matches!(context.role(self.point), Some(Role::Vnet { .. } | Role::Internal));
        self.direction == Direction::Out && !inside
    }

    /// A packet that left by an uplink and comes back by an uplink of the same switch: the network behind returned it.
    pub(super) fn reflects_at(self, next: Self, context: &FoldContext) -> bool {
        let uplink = |stop: Self| matches!(context.role(stop.point), Some(Role::Uplink { .. }));
        match (self.side(context), next.side(context)) {
            (Side::Leave(a), Side::Enter(b)) => a == b && uplink(self) && uplink(next),
            _ => false,
        }
    }

    /// Of two sightings with one stamp the one that comes later.
    pub(super) fn is_late(self, context: &FoldContext) -> bool {
        match self.side(context) {
            Side::Enter(_) => false,
            Side::Leave(_) => true,
            Side::Through => self.direction == Direction::Out,
        }
    }
}
