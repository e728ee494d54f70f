//! Large pings that were lost beyond what is recorded, while smaller ones were answered: too big for some link there, as
//! likely.

use netcap_words::wire::ip_protocol::TCP;

use super::sizes::HEADER_BYTES;
use crate::causes::{Claim, Ruling};
use crate::deaths::{Case, Death, Group};
use crate::engine::{Failure, PacketKind};
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Severity, Subject};
use crate::tables::journeys::{Event, EventKind, Journey};
use crate::text::Text;

/// Lost and answered pings that make a contrast: three in a row are no accident where others pass.
const PINGS_MIN: usize = 3;
/// Every host takes packets of this size (RFC 791, section 3.1).
const SMALLEST_MTU: u32 = 576;
/// What VXLAN over IPv4 takes (RFC 7348, section 5).
const TUNNEL_BYTES: u32 = 50;
/// Frames shown of each kind.
const FRAMES_MAX: usize = 3;
/// Answered pings this long before the first loss and after the last one count.
const AROUND_NS: i64 = 5_000_000_000;

/// Pings of the same pair, in the time in which some of them were lost.
struct Contrast {
    /// Answered, the largest first.
    answered: Vec<Event>,
    /// Somebody says that one is too big.
    refused: bool,
}

pub(super) fn judge(case: &Case<'_, '_>) -> Ruling {
    if case.group.kind != PacketKind::EchoRequest || case.rest.len() < PINGS_MIN {
        return Ruling::NotConcerned;
    }
    let contrast = Contrast::of(case);
    let largest = contrast.answered.first().map_or(0, |event| event.facts.size);
    let large = |death: &&Death| death.facts.size > largest && packet(death.facts.size) > SMALLEST_MTU;
    let (large, small): (Vec<&Death>, Vec<&Death>) = case.rest.iter().partition(large);
    let cut = large.iter().any(|death| !death.facts.whole);
    // Where small ones are lost too, the size does not decide.
    if large.len() < PINGS_MIN
        || contrast.answered.len() < PINGS_MIN
        || contrast.refused
        || cut
        || !small.is_empty()
    {
        return Ruling::NotConcerned;
    }
    let deaths: Vec<Death> = large.iter().copied().copied().collect();
    let fault = format!("beyond {} {}", case.group.src, case.group.dst);
    Claim::of(fault, &deaths, finding(case, &large, &contrast))
}

impl Contrast {
    fn of(case: &Case<'_, '_>) -> Self {
        let table = &case.view.tables.journeys;
        let (first, last) = case.span();
        let ends = (case.group.src, case.group.dst);
        let of = |journey: &Journey| (journey.key.src, journey.key.dst);
        let begin = table.journeys.partition_point(|journey| of(journey) < ends);
        let pair = table.journeys.iter().skip(begin).take_while(|journey| of(journey) == ends);
        let near = |at| first.plus(-AROUND_NS) <= at && at <= last.plus(AROUND_NS);
        let journeys = pair.filter(|journey| journey.key.protocol != TCP && near(journey.at));
        let mut out = Self { answered: Vec::new(), refused: false };
        for journey in journeys {
            out.refused |= matches!(table.failed(journey), Some((_, Failure::TooBig)));
            let answered = table.replies(journey).iter().any(|reply| reply.kind == EventKind::Reply);
            out.answered.extend(table.requests(journey).first().filter(|_| answered));
        }
        out.answered.sort_by_key(|event| (std::cmp::Reverse(event.facts.size), event.at));
        out
    }
}

/// The IP packet in a frame without tags.
fn packet(frame_bytes: u32) -> u32 {
    frame_bytes.saturating_sub(HEADER_BYTES)
}

fn finding(case: &Case<'_, '_>, large: &[&Death], contrast: &Contrast) -> Finding {
    let (src, dst) = (case.group.src, case.group.dst);
    let smallest = large.iter().map(|death| death.facts.size).min().unwrap_or(0);
    let largest = contrast.answered.first().map_or(0, |event| event.facts.size);
    let (from, to) = case.span();
    // Most often a tunnel takes its headers off; else halfway between what passes and what does not. `ping -s` counts
    // without its own header and that of IP.
    let headers = if src.is_ipv6() { 48 } else { 28 };
    let half = packet(smallest).midpoint(packet(largest));
    let first = half.max(packet(smallest).saturating_sub(TUNNEL_BYTES));
    let place = case.view.points.named(case.group.place.from.point);
    let key = if place.is_some() { "mtu-mismatch.beyond.claim" } else { "mtu-mismatch.beyond.claim-nowhere" };
    Finding {
        from: Some(from),
        to: Some(to),
        claim: Text::new(key)
            .with("src", src)
            .with("dst", dst)
            .with("port", place.unwrap_or_default())
            .with("passes", packet(largest))
            .with("lost", packet(smallest)),
        evidence: evidence(case, large, contrast),
        exonerations: vec![
            Exoneration::RuledOut(Text::new("mtu-mismatch.beyond.not.told")),
            Exoneration::Open(Text::new("mtu-mismatch.beyond.not.where")),
        ],
        remedy: Text::new("mtu-mismatch.beyond.remedy")
            .with("payload", first.saturating_sub(headers))
            .with("src", src)
            .with("dst", dst)
            .with("passes", packet(largest))
            .with("lost", packet(smallest)),
        ..Finding::new(
            super::CAUSE.unit.id,
            Severity::Warning,
            Confidence::Likely,
            Subject::Pair { src: Some(src), dst: dst.to_string() },
        )
    }
}

fn evidence(case: &Case<'_, '_>, large: &[&Death], contrast: &Contrast) -> Vec<Evidence> {
    let view = case.view;
    let mut out = Vec::new();
    let by_size = |size: u32| large.iter().filter(|death| death.facts.size == size).count();
    let mut smallest: Vec<&Death> = large.to_vec();
    smallest.sort_by_key(|death| (death.facts.size, death.at));
    if let Some(death) = smallest.first() {
        let what = Text::new("mtu-mismatch.beyond.evidence.lost")
            .with("count", large.len())
            .with("same", by_size(death.facts.size))
            .with("frame", death.facts.size)
            .with("size", packet(death.facts.size));
        out.push(view.frame(Group::sight(death), case.group.place.from.point, what));
    }
    if let Some(event) = contrast.answered.first() {
        let what = Text::new("mtu-mismatch.beyond.evidence.answered")
            .with("count", contrast.answered.len())
            .with("frame", event.facts.size)
            .with("size", packet(event.facts.size));
        let sight = crate::tables::runs::Sight { at: event.at, frame: event.frame };
        out.push(view.frame(sight, event.point, what));
    }
    for death in smallest.iter().skip(1).take(FRAMES_MAX - 1) {
        let what = Text::new("mtu-mismatch.beyond.evidence.also").with("size", packet(death.facts.size));
        out.push(view.frame(Group::sight(death), case.group.place.from.point, what));
    }
    out
}
