//! In which order reflections, deliveries and deaths came.

use netcap_bundle::{Mac, Nanos};

use crate::deaths::Case;
use crate::tables::hops::{PairKey, Returned};

/// Deaths that tell an order from chance.
const DEATHS_MIN: usize = 5;
/// Deaths with a reflection behind the last delivery, in percent, and by how much that is more than among deliveries.
const BEHIND_PERCENT_MIN: usize = 90;
const ABOVE_PERCENT_MIN: usize = 25;
/// A switch forgets where a machine is after this long (IEEE 802.1Q table 8-6).
const AGEING_NS: i64 = 300_000_000_000;

/// What came for a machine at a stop, and which frames of it came back before.
#[derive(Debug)]
pub(super) struct Bursts<'v> {
    /// The machine.
    pub mac: Mac,
    /// Its frames that came back at uplinks of the same switch, in order of time.
    pub returned: Vec<&'v Returned>,
    /// When packets for it were delivered, in order.
    delivered: Vec<Nanos>,
    /// When packets for it died, in order.
    pub died: Vec<Nanos>,
}

impl<'v> Bursts<'v> {
    /// `None` when none of its frames came back.
    pub(super) fn of(case: &Case<'v, '_>, mac: Mac) -> Option<Self> {
        let view = case.view;
        let stop = case.group.place.from;
        let domain = view.points.domain(stop.point);
        let hops = &view.tables.hops;
        // The backup of a bond hears what the active member sends to all.
        let idle = |r: &Returned| {
            let port = view.host.topology_at(r.at).by_iface(view.points.name(r.stop.point));
            port.is_some_and(|(_, port)| port.active == Some(false))
        };
        let mine =
            |r: &&Returned| r.mac == Some(mac) && view.points.domain(r.stop.point) == domain && !idle(r);
        let returned: Vec<&Returned> = hops.returned.iter().filter(mine).collect();
        if returned.is_empty() {
            return None;
        }
        let (mut delivered, mut died) = (Vec::new(), Vec::new());
        let mine = |group: &&crate::deaths::Group<'_>| {
            group.place.from == stop && group.eth.is_some_and(|eth| eth.dst == mac)
        };
        let groups = case.deaths.judged().iter().filter(mine);
        let mut pairs: Vec<PairKey> = Vec::new();
        for group in groups {
            died.extend(group.deaths.iter().map(|death| death.at));
            pairs.push(PairKey { from: stop, src: group.src, dst: group.dst, protocol: group.protocol });
        }
        pairs.sort_unstable();
        pairs.dedup();
        for pair in pairs.iter().filter_map(|key| hops.pairs.get(key)) {
            delivered.extend(pair.through.iter().map(|passed| passed.at));
        }
        delivered.sort_unstable();
        died.sort_unstable();
        Some(Self { mac, returned, delivered, died })
    }

    /// A frame came back behind the last delivery before that time.
    pub(super) fn covers(&self, at: Nanos) -> bool {
        let delivered = self.delivered.partition_point(|time| *time < at);
        let after = delivered.checked_sub(1).and_then(|index| self.delivered.get(index));
        let next = self.returned.partition_point(|returned| returned.at < at);
        let Some(back) = next.checked_sub(1).and_then(|index| self.returned.get(index)) else { return false };
        after.is_none_or(|after| back.at > *after) && at.since(back.at) <= AGEING_NS
    }

    /// Deaths have a reflection behind the last delivery, and deliveries much less often.
    pub(super) fn explain(&self) -> bool {
        let share = |times: &[Nanos]| {
            let behind = times.iter().filter(|at| self.covers(**at)).count();
            (behind * 100).checked_div(times.len()).unwrap_or(0)
        };
        let (died, delivered) = (share(&self.died), share(&self.delivered));
        // Where nothing was delivered there is no order to see.
        self.died.len() >= DEATHS_MIN
            && !self.delivered.is_empty()
            && died >= BEHIND_PERCENT_MIN
            && died >= delivered + ABOVE_PERCENT_MIN
    }

    /// Stretches of deaths without a delivery between them, each with the frame that came back before it.
    pub(super) fn bursts(&self) -> Vec<(&'v Returned, Nanos, usize)> {
        let mut out: Vec<(&'v Returned, Nanos, usize)> = Vec::new();
        let mut before = usize::MAX;
        for at in self.died.iter().filter(|at| self.covers(**at)) {
            let delivered = self.delivered.partition_point(|time| time < at);
            if delivered == before {
                if let Some(burst) = out.last_mut() {
                    burst.2 += 1;
                }
                continue;
            }
            before = delivered;
            let next = self.returned.partition_point(|returned| returned.at < *at);
            if let Some(back) = next.checked_sub(1).and_then(|index| self.returned.get(index)) {
                out.push((back, *at, 1));
            }
        }
        out
    }
}
