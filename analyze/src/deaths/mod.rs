//! Deaths: packets that were seen at a stop and had to appear elsewhere, and did not.
//!
//! Those that died at the same place in the same way are a group. Symptoms say who suffers from them, causes are asked for
//! each group what killed it. A death is known by the frame in which it was last seen on its own way.

mod asked;
mod beside;
mod bridged;
mod drops;
mod ends;
mod entered;
pub(crate) mod filtered;
pub(crate) mod flows;
mod followed;
mod misdirected;
mod missing;
mod place;
pub(crate) mod shown;
mod sights;
mod through;
mod unanswered;
pub(crate) mod upcalls;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::OnceLock;

use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::network::bridge_filter::BridgeFilter;
use netcap_bundle::state::Round;
use netcap_bundle::{Mac, Nanos};
use netcap_words::wire::ip_protocol::{ICMP, ICMPV6};

use crate::engine::flow::PROTOCOL_ARP;
use crate::engine::{Eth, Facts, FrameRef, PacketKind, PointId, PointInfo};
use crate::fidelity::Trust;
use crate::host::growth::Growths;
use crate::host::outages::Outages;
use crate::host::silence::{self, SilentDaemon};
use crate::tables::runs::Sight;
use crate::view::View;

pub(crate) use asked::{Fate, WAIT_NS, fate};
pub(crate) use beside::{Beside, Passers};
pub(crate) use bridged::{BridgeVlans, VlanEnd};
pub(crate) use drops::{all_counted, counted, drop_evidence};
pub(crate) use ends::{EnteredAs, Got, entered_as, got, is_for_port, is_fragment, misaddressed};
use flows::Flows;
pub(crate) use misdirected::Misdirected;
pub(crate) use missing::{End, Missing};
pub(crate) use place::{Place, Way};
pub(crate) use sights::{home, is_group, unrecorded_home};
pub(crate) use through::WithoutMember;
use upcalls::Upcalls;

/// A packet crosses one switch within this; around it the capture must be sound.
pub(crate) const CROSSING_NS: i64 = 2_000_000_000;
/// Deaths that make a case; one may be a race with a change, or with the end of a segment.
pub(crate) const LOST_MIN: usize = 2;
/// Groups for which causes are asked, the largest first; the others stay unexplained.
const JUDGED_MAX: usize = 8_192;

/// Readings of a bridge's filter rules that are kept.
const FILTERS_MAX: usize = 16;

/// How far a death can be trusted to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Nothing can be said: nobody captured where it had to appear, then or at all, or a filter hides it there.
    Unjudged,
    /// The capture lost packets there.
    Lossy,
    /// It was looked for where it had to appear. The trust is [`Trust::Unknown`] or [`Trust::Sound`].
    Sure(Trust),
}

/// One packet that died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Death {
    /// When it was last seen on its way.
    pub at: Nanos,
    /// In which frame: this is what a death is known by.
    pub frame: FrameRef,
    /// How many packets: more than one of a super-segment.
    pub packets: u64,
    /// Size, VLAN, kind.
    pub facts: Facts,
    /// Ports, or the identifier of an echo; zero when no example of its flow is kept.
    pub ports: (u16, u16),
    /// It was followed from point to point; others were only asked for, and not answered.
    pub followed: bool,
    /// How sure it is.
    pub standing: Standing,
}

impl Death {
    /// It was looked for where it had to appear.
    pub(crate) fn is_sure(&self) -> bool {
        matches!(self.standing, Standing::Sure(_))
    }
}

/// The first octets of a frame of a group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Example<'a> {
    /// The frame as it was seen at the group's stop.
    pub bytes: &'a [u8],
    /// Octets on the wire.
    pub wire_len: u32,
}

/// Deaths at the same place, of the same kind, between the same two addresses.
#[derive(Debug, Clone)]
pub(crate) struct Group<'a> {
    /// Where they died.
    pub place: Place,
    pub kind: PacketKind,
    /// Source.
    pub src: IpAddr,
    /// Destination.
    pub dst: IpAddr,
    /// IP protocol, or [`PROTOCOL_ARP`].
    pub protocol: u8,
    /// Ethernet addresses at the stop, when an example of the flow is kept.
    pub eth: Option<Eth>,
    /// Their VLAN at the stop.
    pub vlan: u16,
    /// In order of time.
    pub deaths: Vec<Death>,
    /// What passed the same stop in the same time.
    pub beside: Beside,
    /// The first octets of one of them; none when too many flows were followed.
    pub example: Option<Example<'a>>,
}

impl Group<'_> {
    /// They are pings or answers to pings.
    pub(crate) fn is_ping(&self) -> bool {
        matches!(self.protocol, ICMP | ICMPV6) && (self.kind.is_question() || self.kind.is_answer())
    }

    pub(crate) fn is_arp(&self) -> bool {
        self.protocol == PROTOCOL_ARP
    }

    /// Where they had to appear and are recorded.
    pub(crate) fn exits(&self) -> &[PointId] {
        &self.place.exits.points
    }

    /// A death as a sighting.
    pub(crate) fn sight(death: &Death) -> Sight {
        Sight { at: death.at, frame: death.frame }
    }
}

/// All deaths of an input.
#[derive(Debug, Default)]
pub(crate) struct Deaths<'a> {
    /// The most deaths first, then in order of place.
    pub groups: Vec<Group<'a>>,
    flows: OnceLock<Vec<Flows>>,
    outages: OnceLock<Outages>,
    growths: OnceLock<Growths>,
    filters: OnceLock<Vec<Round<BridgeFilter>>>,
    bridge_vlans: OnceLock<BridgeVlans>,
    silences: OnceLock<Vec<SilentDaemon>>,
    answering: OnceLock<BTreeSet<Mac>>,
    upcalls: OnceLock<Upcalls>,
}

/// A group that is to be judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case<'c, 'a> {
    /// The input.
    pub view: &'c View<'c>,
    /// The groups besides this one, and what is read once for all of them.
    pub deaths: &'c Deaths<'a>,
    /// Its place among the groups.
    pub number: usize,
    pub group: &'c Group<'a>,
    /// Those of its deaths that are not explained yet; never none.
    pub rest: &'c [Death],
}

impl<'c> Case<'c, '_> {
    /// Those of the rest that certainly died.
    pub(crate) fn sure(&self) -> impl DoubleEndedIterator<Item = &'c Death> + use<'c> {
        self.rest.iter().filter(|death| death.is_sure())
    }

    /// The point where they were last seen.
    pub(crate) fn info(&self) -> Option<&'c PointInfo> {
        self.view.points.get(self.group.place.from.point)
    }

    /// When the first and the last of the rest died.
    pub(crate) fn span(&self) -> (Nanos, Nanos) {
        let first = self.rest.first().map(|death| death.at).unwrap_or_default();
        (first, self.rest.last().map_or(first, |death| death.at))
    }

    /// What the switch's dumped tables do with such packets.
    pub(crate) fn flows(&self) -> &'c Flows {
        static NOTHING: Flows = Flows::NOTHING;
        let all = self.deaths.flows.get_or_init(|| flows::read(self.view, self.deaths.judged()));
        all.get(self.number).unwrap_or(&NOTHING)
    }
}

impl Deaths<'_> {
    /// Counters of the host that grew, read once.
    pub(crate) fn growths(&self, view: &View<'_>) -> &Growths {
        self.growths.get_or_init(|| Growths::read(view.input))
    }

    /// When daemons of the host were silent, read once.
    pub(crate) fn silences(&self, view: &View<'_>) -> &[SilentDaemon] {
        self.silences.get_or_init(|| silence::daemons(view.input))
    }

    /// When upcalls were lost, read once.
    pub(crate) fn upcalls(&self, view: &View<'_>) -> &Upcalls {
        self.upcalls.get_or_init(|| Upcalls::read(view, &self.groups))
    }

    /// The MACs to which something was sent that was answered, read once.
    pub(crate) fn answering(&self, view: &View<'_>) -> &BTreeSet<Mac> {
        self.answering.get_or_init(|| asked::answering(view))
    }

    /// The filter rules of the kernel's bridges, in order of time: the first, the last, and some between; read once.
    pub(crate) fn bridge_filters(&self, view: &View<'_>) -> &[Round<BridgeFilter>] {
        self.filters.get_or_init(|| some_rounds(view))
    }

    /// The VLANs of the ports of the kernel's bridges, read once.
    pub(crate) fn bridge_vlans(&self, view: &View<'_>) -> &BridgeVlans {
        self.bridge_vlans.get_or_init(|| BridgeVlans::read(some_rounds(view), &some_rounds(view)))
    }
}

/// Readings of a source in order of time: the first, the last, and some between.
fn some_rounds<T: Snapshot>(view: &View<'_>) -> Vec<Round<T>> {
    let (state, files) = (&view.input.state, &view.input.files);
    let rounds = state.obtained(T::DEF.id);
    let (step, last) = (rounds.len().div_ceil(FILTERS_MAX).max(1), rounds.len().saturating_sub(1));
    let kept = rounds.iter().enumerate().filter(|(place, _)| place % step == 0 || *place == last);
    kept.filter_map(|(_, (number, _))| state.read(files, *number)).collect()
}

/// What makes a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    place: Place,
    kind: PacketKind,
    src: IpAddr,
    dst: IpAddr,
    protocol: u8,
    eth: Option<(Mac, Mac)>,
    vlan: u16,
}

/// A death on its way into its group.
struct Found<'a> {
    key: Key,
    death: Death,
    example: Option<Example<'a>>,
}

impl<'a> Deaths<'a> {
    /// Packets that were followed and not seen further on, then requests that nobody answered.
    pub(crate) fn read(view: &'a View<'a>) -> Self {
        let mut groups: BTreeMap<Key, (Vec<Death>, Option<Example<'a>>)> = BTreeMap::new();
        let followed = followed::all(view);
        let known = followed.iter().map(|found| found.death.frame).collect();
        let (asked, unanswered) = (asked::all(view, &known), unanswered::all(view, &known));
        for Found { key, death, example } in followed.into_iter().chain(asked).chain(unanswered) {
            let (deaths, first) = groups.entry(key).or_default();
            deaths.push(death);
            *first = first.or(example);
        }
        let mut groups: Vec<Group<'a>> = groups.into_iter().map(group).collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.deaths.len()));
        beside::fill(view, groups.iter_mut().take(JUDGED_MAX));
        Self { groups, ..Self::default() }
    }

    /// The groups for which causes are asked.
    pub(crate) fn judged(&self) -> &[Group<'a>] {
        self.groups.get(..JUDGED_MAX.min(self.groups.len())).unwrap_or_default()
    }

    /// Deaths for which no cause was asked.
    pub(crate) fn unasked(&self) -> u64 {
        let rest = self.groups.get(JUDGED_MAX..).unwrap_or_default();
        rest.iter().map(|group| group.deaths.len() as u64).sum()
    }
}

fn group((key, (mut deaths, example)): (Key, (Vec<Death>, Option<Example<'_>>))) -> Group<'_> {
    deaths.sort_unstable();
    let Key { place, kind, src, dst, protocol, eth, vlan } = key;
    let eth = eth.map(|(dst, src)| Eth { dst, src });
    Group { place, kind, src, dst, protocol, eth, vlan, deaths, beside: Beside::default(), example }
}
