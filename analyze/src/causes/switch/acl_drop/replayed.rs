//! The OpenFlow rule that ends such packets: one of them is replayed through every dump of the tables.

use netcap_bundle::Nanos;
use netcap_bundle::replay::{CtLookup, Dumps, ForwardingDecision, Packet, replay};
use netcap_bundle::sources::ovs::conntrack::OvsConntrack;
use netcap_bundle::sources::ovs::datapath::OvsDatapath;
use netcap_bundle::sources::ovs::fdb::OvsFdb;
use netcap_bundle::sources::ovs::openflow::{Flow, OvsOpenflow};
use netcap_bundle::sources::ovs::ovsdb::Ovsdb;
use netcap_bundle::state::Round;

use super::absence::DroppedFlow;
use crate::host::{file_of, file_of_arg};
use crate::view::View;

/// Rules of the way that are shown.
const CHAIN_MAX: usize = 12;

/// The OpenFlow rule a packet of this kind ends at.
#[derive(Debug, Clone)]
pub(super) struct RuleDrop {
    /// Bridge of the rule: another than the port's behind a patch port.
    pub bridge: String,
    pub rule: String,
    pub cookie: u64,
    pub line: String,
    pub file: String,
    pub at: Nanos,
    pub packets: (u64, u64),
    pub times: (Nanos, Nanos),
    /// No other rule may decide instead.
    pub certain: bool,
    /// The rules met before it, in short, and the file each is in: bridges have one each.
    pub chain: Vec<(String, String)>,
    /// What conntrack was asked on the way.
    pub tracked: Vec<TrackedAs>,
}

/// One lookup in conntrack.
#[derive(Debug, Clone)]
pub(super) struct TrackedAs {
    pub zone: Option<u16>,
    pub state: String,
    /// The connection's own line, if there is one.
    pub line: Option<String>,
    pub file: String,
    pub at: Nanos,
}

/// What is the same for every dump of the rules.
struct OtherDumps {
    ovsdb: Option<Ovsdb>,
    datapath: Option<OvsDatapath>,
    fdb: Option<OvsFdb>,
    conntrack: Option<Round<OvsConntrack>>,
}

impl OtherDumps {
    fn of(view: &View<'_>, lost: &DroppedFlow<'_>) -> Self {
        let (state, files) = (&view.input.state, &view.input.files);
        let middle = lost.absent.first().or(lost.doubtful.first()).map_or(Nanos(0), |event| event.at);
        let mut conntrack: Option<Round<OvsConntrack>> = None;
        // The dump nearest to the packet, because connections come and go.
        state.visit::<OvsConntrack>(files, |round| {
            let far = |at: Nanos| at.since(middle).unsigned_abs();
            if round.ok && conntrack.as_ref().is_none_or(|had| far(round.at) < far(had.at)) {
                conntrack = Some(round);
            }
            true
        });
        Self {
            ovsdb: state.last(files).map(|round| round.parsed.value),
            datapath: state.last(files).map(|round| round.parsed.value),
            fdb: state.last(files).map(|round| round.parsed.value),
            conntrack,
        }
    }
}

/// The rule that ends the packet at the last sample in which one does, and how its counter grew since the first.
pub(super) fn openflow(view: &View<'_>, lost: &DroppedFlow<'_>) -> Option<RuleDrop> {
    let bridge = lost.info.vswitch.as_deref()?;
    let around = OtherDumps::of(view, lost);
    let port = view.host.topology().by_iface(&lost.info.name).and_then(|(_, port)| port.ofport);
    let mut found: Option<(RuleDrop, Flow)> = None;
    view.input.state.visit::<OvsOpenflow>(&view.input.files, |round| {
        let port = port.or_else(|| round.parsed.value.port(bridge, &lost.info.name));
        let packet = Packet::of_frame(port, &lost.sample.bytes);
        if let Some((mut drop, flow)) = ending(&round, &around, bridge, packet) {
            if let Some((before, same)) = found.as_ref().filter(|(_, same)| same.same_rule(&flow)) {
                let reset = same.n_packets > flow.n_packets;
                (drop.packets.0, drop.times.0) =
                    if reset { (flow.n_packets, round.at) } else { (before.packets.0, before.times.0) };
            }
            found = Some((drop, flow));
        }
        true
    });
    found.map(|(drop, _)| drop)
}

fn ending(
    round: &Round<OvsOpenflow>,
    around: &OtherDumps,
    bridge: &str,
    packet: Packet,
) -> Option<(RuleDrop, Flow)> {
    let dumps = Dumps {
        openflow: &round.parsed.value,
        ovsdb: around.ovsdb.as_ref(),
        datapath: around.datapath.as_ref(),
        fdb: around.fdb.as_ref(),
        conntrack: around.conntrack.as_ref().map(|round| &round.parsed.value),
    };
    let replay = replay(&dumps, bridge, packet);
    let (flow, certain) = match replay.decision {
        ForwardingDecision::Dropped(end) => (end.rule?, true),
        ForwardingDecision::CannotTell { candidates, .. } => {
            let drops = candidates.into_iter().filter(|flow| flow.is_drop());
            (drops.max_by_key(|flow| (flow.priority, flow.n_packets))?, false)
        }
        ForwardingDecision::Forwarded(_) => return None,
    };
    let file = |bridge: &str| {
        file_of_arg(round, "dump-flows", bridge).or_else(|| file_of(round, "dump-flows")).unwrap_or_default()
    };
    let chain = replay.chain.iter().filter(|step| **step != flow).take(CHAIN_MAX);
    let drop = RuleDrop {
        bridge: flow.bridge.clone(),
        rule: flow.describe(),
        cookie: flow.cookie,
        line: flow.raw.clone(),
        file: file(&flow.bridge),
        at: round.at,
        packets: (flow.n_packets, flow.n_packets),
        times: (round.at, round.at),
        certain,
        chain: chain.map(|step| (step.describe(), file(&step.bridge))).collect(),
        tracked: replay.tracked.iter().map(|lookup| tracked(lookup, around)).collect(),
    };
    Some((drop, flow.clone()))
}

fn tracked(lookup: &CtLookup<'_>, around: &OtherDumps) -> TrackedAs {
    let round = around.conntrack.as_ref();
    TrackedAs {
        zone: lookup.zone,
        state: lookup.state.clone(),
        line: lookup.entry.map(|entry| entry.raw.clone()),
        file: round.and_then(|round| file_of(round, "dump")).unwrap_or_default(),
        at: round.map_or(Nanos(0), |round| round.at),
    }
}
