//! The rings of a run: one for each point.

use std::sync::Arc;

use netcap_bundle::Point;
use netcap_bundle::run::IfaceCounts;

use crate::error::{Error, Result};
use crate::host::netdev;
use crate::plan::Plan;
use crate::privileged::Privileged;
use crate::ring::listener::{Listener, OpenRing};
use crate::ring::memory::{ring_size, starters_memory};
use crate::sys::RingSize;

/// An open ring, and what it takes to open it again.
pub(super) struct Listening {
    pub(super) listener: Listener,
    pub(super) open: OpenRing,
    /// What its interface had counted when the ring began to hear: what crosses from then on is set against the ring.
    pub(super) crossed: Option<IfaceCounts>,
}

impl Listening {
    pub(super) fn open(listener: Listener) -> Result<Self> {
        let open = listener.open();
        let fail = |source| Error::Listen { iface: listener.iface.clone(), source };
        let open = open.map_err(fail)?;
        let crossed = netdev::interfaces().get(&listener.iface).copied();
        Ok(Self { listener, open, crossed })
    }
}

/// What it takes to hear a point.
pub(super) fn listener(
    plan: &Plan,
    point: &Point,
    size: RingSize,
    privileged: &Arc<dyn Privileged>,
) -> Listener {
    let filter = plan.own.get(&point.iface).unwrap_or(&plan.filter);
    let program = filter.instructions_with_snaplen(plan.snaplen);
    // Who joins again after it left gets a new point.
    let waits = plan.follow.as_ref().is_none_or(|wanted| wanted.waits_for(point));
    Listener { iface: point.iface.clone(), program, size, waits, privileged: privileged.clone() }
}

/// Opens all rings; nothing is written yet, but packets are already kept.
pub(super) fn open_rings(plan: &Plan, privileged: &Arc<dyn Privileged>) -> Result<Vec<Listening>> {
    let size = ring_size(starters_memory(plan.buffer, plan.follow.is_some()), plan.points.len());
    plan.points.iter().map(|point| Listening::open(listener(plan, point, size, privileged))).collect()
}
