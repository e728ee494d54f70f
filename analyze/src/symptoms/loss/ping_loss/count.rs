//! Counting: which requests were lost, and which only seem so.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netcap_bundle::packets::Direction;
use netcap_bundle::{Mac, Nanos};
use netcap_words::wire::ip_protocol::TCP;

use super::strangers::{Elsewhere, Strangers};
use crate::deaths::{self, Fate, Got};
use crate::engine::{Failure, PointId};
use crate::fidelity::Trust;
use crate::tables::journeys::{Event, EventKind, Journey};
use crate::view::View;

/// Lost requests this close belong to one burst.
const BURST_NS_MAX: i64 = 5_000_000_000;

/// One pair with losses.
#[derive(Debug)]
pub(super) struct PingPair {
    pub src: IpAddr,
    pub dst: IpAddr,
    /// Requests that count: answered, or lost where the capture can be trusted.
    pub sent: usize,
    /// Lost requests, each where it or its answer was last seen, in order of time.
    pub lost: Vec<Event>,
    /// Of these, those whose answer went to another port than the one of who asked.
    pub astray: usize,
    /// Requests without an answer that prove nothing: the end of the capture, or losses of the capture.
    pub uncertain: usize,
    pub answered: usize,
    /// Of the lost requests those of which somebody on the way said that they did not arrive: where he was heard.
    pub refused: Vec<(Event, Failure)>,
    /// The least trust of all places where an answer was missed.
    pub trust: Trust,
    /// One end of the pair is at a recorded port of this host, where every answer has to pass.
    pub endpoint: bool,
    /// Who had got the lost requests, if it is the same of all.
    pub got: Option<Got>,
    /// With which MAC the one asks whose answers are sent to another MAC, and to which.
    pub misaddressed: Option<(Mac, Mac)>,
    /// The lost requests are first fragments: the others are not followed, and may have died before.
    pub fragments: bool,
    /// Of the lost requests those that came back, or were answered from elsewhere.
    pub elsewhere: Vec<Elsewhere>,
}

/// A burst of losses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Burst {
    pub from: Nanos,
    pub to: Nanos,
    pub count: usize,
}

/// Pairs that lost something, in order of address.
pub(super) fn pairs(view: &View<'_>) -> Vec<PingPair> {
    let mut out = Vec::new();
    let strangers = Strangers::read(view);
    for (flow, journeys) in view.tables.journeys.by_flow() {
        if flow.protocol == TCP || deaths::is_group(view, flow.dst) {
            continue;
        }
        let mut pair = count(view, flow.src, flow.dst, &journeys);
        pair.elsewhere = pair.lost.iter().filter_map(|event| strangers.of(event)).collect();
        if !pair.lost.is_empty() {
            out.push(pair);
        }
    }
    out
}

fn count(view: &View<'_>, src: IpAddr, dst: IpAddr, journeys: &[&Journey]) -> PingPair {
    // Every answer of the host's own address leaves by the port that has it: recorded, its silence tells.
    let home = deaths::home(view, dst);
    let mut pair = PingPair {
        src,
        dst,
        sent: 0,
        lost: Vec::new(),
        astray: 0,
        uncertain: 0,
        answered: 0,
        refused: Vec::new(),
        trust: Trust::Sound,
        endpoint: home.is_some(),
        got: None,
        misaddressed: None,
        fragments: false,
        elsewhere: Vec::new(),
    };
    for journey in journeys {
        let requests = view.tables.journeys.requests(journey);
        let replies = view.tables.journeys.replies(journey);
        pair.endpoint |= requests.iter().any(|e| is_endpoint(view, e));
        match deaths::fate(view, journey, home) {
            Fate::Answered => pair.answered += 1,
            Fate::Expired => {}
            Fate::Refused(event, why, last) => {
                pair.refused.push((event, why));
                pair.lost.push(last);
            }
            Fate::Lost(last) => {
                pair.trust = pair.trust.min(last.trust);
                pair.astray += usize::from(last.astray);
                if last.astray && pair.misaddressed.is_none() {
                    pair.misaddressed = deaths::misaddressed(view, requests, replies);
                }
                pair.lost.push(last.event);
            }
            Fate::Uncertain => pair.uncertain += 1,
        }
    }
    pair.sent = pair.answered + pair.lost.len();
    pair.lost.sort_by_key(|e| e.at);
    let got = |event: &Event| deaths::got(view, event).filter(|_| event.kind == EventKind::Request);
    pair.fragments = !pair.lost.is_empty() && pair.lost.iter().all(|e| deaths::is_fragment(view, e));
    pair.got =
        pair.lost.first().and_then(got).filter(|first| pair.lost.iter().all(|e| got(e) == Some(*first)));
    pair
}

/// The request left the host's own port, came in from a VM, or was on its way to a port of this host, or handed to
/// whoever it is for: the capture sits at one of the two ends.
fn is_endpoint(view: &View<'_>, event: &Event) -> bool {
    use netcap_bundle::Role;
    let sender = match view.points.get(event.point).map(|info| &info.role) {
        Some(Role::Internal) => event.direction == Direction::Out,
        Some(Role::Vnet { .. }) => event.direction == Direction::In,
        _ => false,
    };
    sender || deaths::got(view, event).is_some() || deaths::is_for_port(view, event)
}

/// The place where most lost requests, or their answers, were last seen, which of the two, and how many.
pub(super) fn last_seen(pair: &PingPair) -> Option<(PointId, EventKind, usize)> {
    let mut counts: BTreeMap<(PointId, EventKind), usize> = BTreeMap::new();
    for event in &pair.lost {
        *counts.entry((event.point, event.kind)).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(place, count)| (*count, std::cmp::Reverse(*place)));
    most.map(|((point, kind), count)| (point, kind, count))
}

/// Losses close to each other, as bursts.
pub(super) fn bursts(times: impl Iterator<Item = Nanos>) -> Vec<Burst> {
    let mut out: Vec<Burst> = Vec::new();
    for at in times {
        match out.last_mut() {
            Some(burst) if at.since(burst.to) <= BURST_NS_MAX => {
                burst.to = at;
                burst.count += 1;
            }
            _ => out.push(Burst { from: at, to: at, count: 1 }),
        }
    }
    out
}
