//! Who of several routers says that it is the master: VRRP advertisements, per group. Where two announce one address in
//! turns, they tell a failover from a conflict.

use std::collections::BTreeMap;
use std::sync::Arc;

use netcap_bundle::Mac;

use super::TableFold;
use super::runs::{Runs, Sight};
use crate::engine::points::FoldContext;
use crate::engine::{DomainId, Fold, Ip, L4, Net, PacketView, Tags};
use crate::tables::cap::Cap;

/// Masters kept of all groups: every VRID of hundreds of VLANs, with two routers each.
const MASTERS_MAX: usize = 65_536;
/// Stretches of advertisements kept of all masters.
const RUNS_ALL_MAX: usize = 131_072;

/// Three intervals of 1 s, the default, are what a backup waits for the master (Master_Down_Interval, RFC 9568 section 6.1).
pub(crate) type AdvertRuns = Runs<3_000>;

/// A group of routers in its broadcast domain and VLAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupKey {
    pub domain: DomainId,
    pub vlan: Tags,
    /// Groups of IPv4 and IPv6 with one VRID are two groups.
    pub ipv6: bool,
    /// The VRID.
    pub group: u8,
}

/// The finished table.
#[derive(Debug, Default)]
pub(crate) struct ElectionsTable {
    /// When each MAC said that it is the master.
    pub groups: BTreeMap<GroupKey, BTreeMap<Mac, AdvertRuns>>,
    /// Advertisements not kept.
    pub overflow: u64,
}

#[derive(Debug)]
pub(crate) struct ElectionsFold {
    table: ElectionsTable,
    masters: usize,
    room: usize,
    sharers: usize,
}

impl Fold for ElectionsFold {
    fn start(context: &Arc<FoldContext>) -> Self {
        let sharers = context.sharers();
        Self { table: ElectionsTable::default(), masters: 0, room: RUNS_ALL_MAX / sharers, sharers }
    }

    fn packet(&mut self, packet: &PacketView<'_>) {
        let Net::Ip(Ip { src, l4: L4::Vrrp { group, priority }, .. }) = packet.net else { return };
        // Priority 0: it gives up (RFC 9568 section 5.2.4).
        let Some(eth) = packet.eth.filter(|_| priority > 0) else { return };
        let key = GroupKey { domain: packet.domain, vlan: packet.vlan, ipv6: src.is_ipv6(), group };
        let sight = Sight { at: packet.at, frame: packet.frame };
        let mut room = self.room;
        if let Some(runs) = self.master(key, eth.src, 1) {
            runs.add_within(sight, &mut room);
            self.room = room;
        }
    }

    fn merge(&mut self, later: Self) {
        self.room += RUNS_ALL_MAX - RUNS_ALL_MAX / self.sharers;
        self.sharers = 1;
        self.table.overflow += later.table.overflow;
        for (key, masters) in later.table.groups {
            for (mac, theirs) in masters {
                let mut room = self.room;
                if let Some(runs) = self.master(key, mac, theirs.count()) {
                    runs.merge_within(theirs, &mut room);
                    self.room = room;
                }
            }
        }
    }
}

impl ElectionsFold {
    /// The runs of a master, if there is room for it.
    fn master(&mut self, key: GroupKey, mac: Mac, count: u64) -> Option<&mut AdvertRuns> {
        let known = self.table.groups.get(&key).is_some_and(|masters| masters.contains_key(&mac));
        if !known && self.masters >= MASTERS_MAX / self.sharers {
            self.table.overflow = self.table.overflow.saturating_add(count);
            return None;
        }
        self.masters += usize::from(!known);
        Some(self.table.groups.entry(key).or_default().entry(mac).or_default())
    }
}

impl TableFold for ElectionsFold {
    type Table = ElectionsTable;

    fn finish(mut self) -> ElectionsTable {
        self.table.groups.values_mut().flat_map(BTreeMap::values_mut).for_each(Runs::settle);
        self.table
    }

    fn given_up(table: &ElectionsTable) -> Vec<(Cap, u64)> {
        vec![(Cap::Elections, table.overflow)]
    }
}
