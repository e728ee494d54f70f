//! What became of packets between hosts: how long they took, and which left one and never reached the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use hdrhistogram::Histogram;
use netcap_bundle::{Mac, Nanos, Role};

use super::owners::owners;
use super::pairs::ClockGuess;
use super::{Joined, RecordedHost};
use crate::engine::flow::protocol_name;
use crate::engine::{HostId, PointId};
use crate::fidelity::Trust;
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Flow, Severity, Subject};
use crate::tables::hops::{ExampleFrame, HopStats, LostPacket, PairHop, PairKey};
use crate::text::Text;

/// A packet that is not seen within this is lost; around it both captures must be sound.
const CROSSING_NS: i64 = 2_000_000_000;
/// Findings made of one comparison.
pub(super) const FINDINGS_MAX: usize = 50;
/// Lost packets shown of one pair.
const FRAMES_MAX: usize = 3;
/// Lost packets that make an alarm.
const LOST_MIN: u64 = 2;

/// A point of a host, by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostPoint {
    pub host: String,
    pub point: String,
}

impl fmt::Display for HostPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.host, self.point)
    }
}

/// From a point of one host to a point of another.
#[derive(Debug, Clone)]
pub(crate) struct HostHop {
    /// The last point of the one.
    pub from: HostPoint,
    /// The first point of the other.
    pub to: HostPoint,
    /// Nanoseconds, each as uncertain as `bound_ns`.
    pub histogram: Histogram<u64>,
    /// How far the two clocks' difference may be off, at most, in nanoseconds.
    pub bound_ns: i64,
    /// Packets seen there after one that followed them (RFC 4737, 3.3).
    pub reordered: u64,
}

/// Every hop from one host to another.
pub(super) fn hops(joined: &Joined<'_>) -> Vec<HostHop> {
    let named = |point: PointId| {
        let host = joined.host_of(point)?;
        let point = host.points.name(joined.own(point)).to_owned();
        Some(HostPoint { host: host.name.clone(), point })
    };
    let apart = |a: PointId, b: PointId| joined.context.host(a) != joined.context.host(b);
    let timed = |point: PointId| !joined.guessed.contains_key(&joined.context.host(point));
    let all = joined.table.hops.iter().filter(|hop| apart(hop.from.point, hop.to.point));
    let all = all.filter(|hop| timed(hop.from.point) && timed(hop.to.point));
    all.filter_map(|hop| {
        let (from, to) = (hop.from.point, hop.to.point);
        Some(HostHop {
            from: named(from)?,
            to: named(to)?,
            histogram: hop.histogram.clone(),
            bound_ns: bound(joined, hop),
            reordered: hop.reordered,
        })
    })
    .collect()
}

/// The bound is widest for the first or the last packet: it comes from straight lines.
fn bound(joined: &Joined<'_>, hop: &HopStats) -> i64 {
    let (a, b) = (joined.context.host(hop.from.point), joined.context.host(hop.to.point));
    let at = |at: Nanos| joined.clocks.bound_ns(a, b, at);
    at(hop.span.0).max(at(hop.span.1))
}

/// Packets of a pair of addresses that left one host for another and were not seen there.
struct LossBetween<'a> {
    key: PairKey,
    pair: &'a PairHop,
    exits: Vec<PointId>,
    /// How it is known where they were to arrive.
    way: Way,
    /// Ways into that host that nobody recorded.
    unrecorded: Vec<String>,
    sure: Vec<LostPacket>,
    doubtful: Vec<LostPacket>,
    lossy: BTreeSet<PointId>,
    unjudged: u64,
    /// The clocks of the two hosts are not compared.
    untimed: Option<ClockGuess>,
}

/// How it is known where packets were to arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    /// Others arrived.
    Learned,
    /// The MAC that they are for is behind that port of the host, as its state says.
    Home { mac: Mac, port: String, host: String },
    /// Their destination was seen to send from there.
    Sends,
}

/// What was lost between hosts, the most first.
pub(super) fn findings(joined: &Joined<'_>) -> Vec<Finding> {
    let owners = owners(joined);
    let leaves =
        |(key, pair): &(&PairKey, &PairHop)| !pair.lost.is_empty() && key.from.leaves_host(joined.context);
    let mut cases: Vec<LossBetween<'_>> = joined
        .table
        .pairs
        .iter()
        .filter(leaves)
        .filter_map(|(key, pair)| case(joined, &owners, *key, pair))
        .collect();
    cases.sort_by_key(|case| (std::cmp::Reverse((packets(&case.sure), packets(&case.doubtful))), case.key));
    cases.iter().filter_map(|case| finding(joined, case)).take(FINDINGS_MAX).collect()
}

fn case<'a>(
    joined: &Joined<'a>,
    owners: &BTreeMap<IpAddr, HostId>,
    key: PairKey,
    pair: &'a PairHop,
) -> Option<LossBetween<'a>> {
    let context = joined.context;
    let here = context.host(key.from.point);
    let mut exits: Vec<PointId> =
        pair.to.iter().map(|stop| stop.point).filter(|point| context.host(*point) != here).collect();
    exits.dedup();
    let samples = &joined.table.samples;
    let flow = |flow: u64| samples.get(&(flow, key.from));
    let sample = flow(pair.flow).or_else(|| flow(pair.lost.first()?.flow))?;
    let mut way = Way::Learned;
    if exits.is_empty() {
        // Packets that went on at this host did not leave it here.
        let mac = sample.eth.dst;
        let home = home(joined, here, mac).filter(|_| pair.to.is_empty());
        let owner = if let Some((owner, host, port)) = home {
            way = Way::Home { mac, port, host: host.name.clone() };
            owner
        } else {
            way = Way::Sends;
            *owners.get(&key.dst).filter(|owner| **owner != here && pair.to.is_empty())?
        };
        exits = entrances(joined, owner);
    }
    let there = joined.host_of(*exits.first()?)?;
    let port = if let Way::Home { port, .. } = &way { Some(port.as_str()) } else { None };
    let unrecorded = there.residents.unrecorded(&there.points, port);
    let mut case = LossBetween {
        key,
        pair,
        unrecorded: unrecorded.iter().map(|port| format!("{} {port}", there.name)).collect(),
        way,
        sure: Vec::new(),
        doubtful: Vec::new(),
        lossy: BTreeSet::new(),
        untimed: untimed(joined, key.from.point, &exits),
        unjudged: 0,
        exits,
    };
    case.judge(joined, sample);
    (!case.sure.is_empty() || !case.doubtful.is_empty()).then_some(case)
}

/// The one other host that has a machine or an interface with that MAC, and the port behind which it is.
fn home<'a>(joined: &Joined<'a>, here: HostId, mac: Mac) -> Option<(HostId, &'a RecordedHost, String)> {
    let hosts = (0u32..).map(HostId).zip(joined.hosts);
    let mut homes = hosts.filter_map(|(id, host)| Some((id, host, host.residents.port(&host.points, mac)?)));
    let home = homes.next().filter(|(id, ..)| *id != here)?;
    homes.next().is_none().then_some(home)
}

/// Of the hosts at both ends, one whose clock is only guessed; the one of which least is known.
fn untimed(joined: &Joined<'_>, from: PointId, exits: &[PointId]) -> Option<ClockGuess> {
    let hosts = exits.iter().chain([&from]).map(|point| joined.context.host(*point));
    let guesses = hosts.filter_map(|host| joined.guessed.get(&host)).copied();
    guesses.min_by_key(|guess| guess.overlap)
}

/// Where packets from outside come to a host.
fn entrances(joined: &Joined<'_>, host: HostId) -> Vec<PointId> {
    let Some(of) = joined.host(host) else { return Vec::new() };
    let outside =
        of.points.iter().filter(|(_, info)| !matches!(info.role, Role::Vnet { .. } | Role::Internal));
    outside.map(|(id, _)| PointId(id.0.saturating_add(of.first.point))).collect()
}

impl LossBetween<'_> {
    fn judge(&mut self, joined: &Joined<'_>, sample: &ExampleFrame) {
        let shows = |point: &PointId| {
            let host: Option<&RecordedHost> = joined.host_of(*point);
            host.is_some_and(|h| h.fidelity.shows(joined.own(*point), &sample.bytes, sample.wire_len))
        };
        let nat = &joined.context.follow.nat;
        let shown = self.exits.iter().all(shows) && !nat.touches(self.key.src, self.key.dst);
        for lost in &self.pair.lost {
            let trust = |point: PointId| match self.untimed {
                Some(_) => trust_throughout(joined, point, lost.at),
                None => trust(joined, point, lost.at),
            };
            let lossy = |point: &PointId| trust(*point) == Trust::Lossy;
            let mut least = self.exits.iter().map(|point| trust(*point)).min().unwrap_or(Trust::Blind);
            if lossy(&self.key.from.point) {
                least = least.min(Trust::Lossy);
            }
            match least {
                Trust::Sound | Trust::Unknown if shown => self.sure.push(*lost),
                Trust::Lossy if shown => {
                    let both = self.exits.iter().chain([&self.key.from.point]).copied();
                    self.lossy.extend(both.filter(lossy));
                    self.doubtful.push(*lost);
                }
                _ => self.unjudged = self.unjudged.saturating_add(lost.packets),
            }
        }
    }
}

/// What an absence is worth at a point of any host from that time of the first host's clock on.
fn trust(joined: &Joined<'_>, point: PointId, at: Nanos) -> Trust {
    let id = joined.context.host(point);
    let Some(host) = joined.host(id) else { return Trust::Blind };
    let (own, bound) = joined.clocks.own(id, at);
    let (from, to) = (own.plus(bound.saturating_neg()), own.plus(CROSSING_NS.saturating_add(bound)));
    host.fidelity.trust(joined.own(point), from, to)
}

/// What an absence is worth at a point of a host whose clock is only guessed: all that was recorded there has to be sound, and
/// the packet within it by the clocks as they are.
fn trust_throughout(joined: &Joined<'_>, point: PointId, at: Nanos) -> Trust {
    let id = joined.context.host(point);
    let Some(host) = joined.host(id) else { return Trust::Blind };
    // Points of one host do not begin at one instant.
    let covered = host.fidelity.point(joined.own(point)).map(|point| point.covered.as_slice());
    let Some([(start, end)]) = covered else { return Trust::Blind };
    let own = joined.clocks.own(id, at).0;
    if own < *start || own.plus(CROSSING_NS) > *end {
        return Trust::Blind;
    }
    host.fidelity.trust(joined.own(point), *start, *end)
}

fn packets(lost: &[LostPacket]) -> u64 {
    lost.iter().map(|l| l.packets).fold(0, u64::saturating_add)
}

fn finding(joined: &Joined<'_>, case: &LossBetween<'_>) -> Option<Finding> {
    let sure = !case.sure.is_empty();
    // Nothing that was seen at both says that the two recorded at one time.
    let apart = case.untimed.is_some_and(|guess| !guess.overlap);
    let timed = case.untimed.is_none();
    // Another way into that host was not looked at.
    let hidden = sure && !case.unrecorded.is_empty();
    let telling = sure && !apart && !hidden;
    let lost = if sure { &case.sure } else { &case.doubtful };
    let count = packets(lost);
    if !sure && count < LOST_MIN {
        return None;
    }
    let key = case.key;
    let from = joined.name(key.from.point);
    let to: Vec<Text> = case.exits.iter().map(|point| Text::verbatim(joined.name(*point))).collect();
    let flow =
        Flow { src: key.src, dst: key.dst, protocol: protocol_name(key.protocol), number: key.protocol };
    let claim = if telling { "packet-loss.claim" } else { "packet-loss.claim.doubtful" };
    Some(Finding {
        from: lost.iter().map(|l| l.at).min().filter(|_| timed),
        to: lost.iter().map(|l| l.at).max().filter(|_| timed),
        claim: Text::new(claim)
            .with("lost", count)
            .with("all", count + case.pair.passed)
            .with("protocol", protocol_name(key.protocol))
            .with("src", key.src)
            .with("dst", key.dst)
            .with("from", &from)
            .with_list("to", to.clone()),
        evidence: evidence(joined, case, lost, sure),
        exonerations: exonerations(joined, case, sure),
        remedy: match (sure, hidden) {
            (_, true) => {
                let ports = case.unrecorded.iter().map(Text::verbatim).collect();
                Text::new("packet-loss.remedy.hosts-record").with_list("at", ports)
            }
            (true, false) => Text::new("packet-loss.remedy.hosts").with("from", &from).with_list("to", to),
            (false, false) => Text::new("packet-loss.remedy.again").with_list("at", lossy(joined, case)),
        },
        ..Finding::new(
            crate::symptoms::loss::packet_loss::SYMPTOM.unit.id,
            if telling && count >= LOST_MIN { Severity::Warning } else { Severity::Info },
            // What lies between two hosts was not recorded, nor was every way into the other one.
            if telling { Confidence::Likely } else { Confidence::CannotTell },
            Subject::Hop {
                from: from.clone(),
                to: case.exits.iter().map(|point| joined.name(*point)).collect(),
                flow: Some(flow),
            },
        )
    })
}

fn lossy(joined: &Joined<'_>, case: &LossBetween<'_>) -> Vec<Text> {
    case.lossy.iter().map(|point| Text::verbatim(joined.name(*point))).collect()
}

fn evidence(joined: &Joined<'_>, case: &LossBetween<'_>, lost: &[LostPacket], sure: bool) -> Vec<Evidence> {
    let point = joined.name(case.key.from.point);
    let key = if sure { "packet-loss.evidence.frame" } else { "packet-loss.evidence.frame-doubtful" };
    let timed = case.untimed.is_none();
    let frames = lost.iter().take(FRAMES_MAX).map(|lost| {
        let (file, number) = (joined.file(lost.frame), lost.frame.number);
        let what = Text::new(key).with("point", &point);
        if timed {
            Evidence::Frame { file, number, at: lost.at, point: point.clone(), what }
        } else {
            Evidence::Snapshot { file, at: None, line: format!("frame {number}"), what }
        }
    });
    let mut out: Vec<Evidence> = frames.collect();
    if !timed {
        return out;
    }
    if let (true, Some(first), Some(last)) = (sure, lost.first(), lost.last()) {
        out.extend(case.exits.iter().map(|exit| {
            let name = joined.name(*exit);
            let what =
                Text::new("packet-loss.evidence.absence").with("count", packets(lost)).with("point", &name);
            Evidence::Absence { point: name, from: first.at, to: last.at, what }
        }));
    }
    out
}

fn exonerations(joined: &Joined<'_>, case: &LossBetween<'_>, sure: bool) -> Vec<Exoneration> {
    let capture = if sure {
        Exoneration::RuledOut(Text::new("packet-loss.not.capture"))
    } else {
        Exoneration::Open(Text::new("packet-loss.not.capture-lossy").with_list("at", lossy(joined, case)))
    };
    let mut out = vec![capture];
    out.push(Exoneration::RuledOut(Text::new("packet-loss.not.filter")));
    out.push(Exoneration::RuledOut(Text::new("packet-loss.not.again")));
    if let Some(guess) = case.untimed {
        let key = if guess.overlap { "packet-loss.not.clocks" } else { "packet-loss.not.overlap" };
        out.push(Exoneration::Open(Text::new(key)));
    }
    match &case.way {
        Way::Learned => {}
        Way::Home { mac, port, host } => out.push(Exoneration::RuledOut(
            Text::new("packet-loss.not.home").with("mac", mac).with("port", port).with("host", host),
        )),
        Way::Sends => {
            out.push(Exoneration::Open(Text::new("packet-loss.not.elsewhere").with("dst", case.key.dst)));
        }
    }
    if !case.unrecorded.is_empty() {
        let ports = case.unrecorded.iter().map(Text::verbatim).collect();
        out.push(Exoneration::Open(Text::new("packet-loss.not.hosts-unrecorded").with_list("at", ports)));
    }
    out.push(Exoneration::Open(Text::new("packet-loss.not.other-way")));
    let more = case.unjudged + if sure { packets(&case.doubtful) } else { 0 };
    if more > 0 {
        out.push(Exoneration::Counted(Text::new("packet-loss.not.doubtful").with("count", more)));
    }
    if joined.table.one_in > 1 {
        out.push(Exoneration::Counted(
            Text::new("packet-loss.not.thinned").with("count", joined.table.one_in),
        ));
    }
    out
}
