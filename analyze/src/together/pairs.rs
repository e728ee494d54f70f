//! Each pair of hosts: their clocks, and the slowest packet each way as far as it can be measured.

use netcap_bundle::Nanos;
use serde_json::{Value, json};

use super::RecordedHost;
use crate::clocks::floods;
use crate::clocks::{ClockRelation, Crossing, Stretch, Way, compare};
use crate::finding::utc_text;
use crate::text::Text;

/// What a packet between two hosts takes at least, where it is guessed.
const DELAY_NS: i64 = 100_000;

/// Two hosts.
#[derive(Debug)]
pub(crate) struct HostPair {
    /// Which hosts, counted from 0 in the order of the inputs.
    pub numbers: (usize, usize),
    /// Name of the first of them.
    pub a: String,
    pub b: String,
    /// A's zone.
    pub utc_offset_s: i32,
    /// What can be said of their clocks.
    pub clocks: ClockRelation,
    /// By what.
    pub basis: Basis,
    /// How far B's clock may be ahead where they cannot be compared, to look for the same packets; nothing when they
    /// were not recorded at one time, or do not keep a rate.
    pub guess: Option<ClockGuess>,
    /// When one was over before the other began, by their own clocks: the end and the beginning.
    pub gap: Option<(Nanos, Nanos)>,
    /// The slowest packet from A to B and from B to A, where a delay can be measured.
    pub slowest: Vec<Slowest>,
}

/// What is taken for the difference of two clocks that cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockGuess {
    /// Nanoseconds that B's is ahead.
    pub ahead_ns: i64,
    /// Something was seen at both, so the two recorded at one time.
    pub overlap: bool,
}

/// What two clocks are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    /// Packets from the one to the other.
    Packets,
    /// Frames to all that both heard, this many, for hardly anything else got from the one to the other.
    Floods(usize),
}

/// The slowest packet of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slowest {
    /// Which way it went.
    pub way: Way,
    /// When, by A's clock.
    pub at: Nanos,
    /// Least and most it took, in nanoseconds.
    pub delay_ns: (i64, i64),
}

/// Every pair, in the order of the inputs.
pub(crate) fn pairs(hosts: &[RecordedHost]) -> Vec<HostPair> {
    let mut out = Vec::new();
    for (number, a) in hosts.iter().enumerate() {
        for (more, b) in hosts.iter().skip(number + 1).enumerate() {
            out.push(pair((number, a), (number + 1 + more, b)));
        }
    }
    out
}

fn pair((a_number, a): (usize, &RecordedHost), (b_number, b): (usize, &RecordedHost)) -> HostPair {
    let crossings: Vec<Crossing> = a
        .marks
        .iter()
        .filter_map(|(key, here)| {
            let there = b.marks.get(key)?;
            // Where one capture does not say which way, the other one does: what left the one came to the other.
            match (here.left, there.came.or(there.seen), there.left, here.came.or(here.seen)) {
                (Some(left), Some(came), ..) => Some(Crossing { a: left, b: came, way: Way::AtoB }),
                (.., Some(left), Some(came)) => Some(Crossing { a: came, b: left, way: Way::BtoA }),
                _ => match (here.came, there.seen, there.came, here.seen) {
                    (Some(came), Some(left), ..) => Some(Crossing { a: came, b: left, way: Way::BtoA }),
                    (.., Some(came), Some(left)) => Some(Crossing { a: left, b: came, way: Way::AtoB }),
                    _ => None,
                },
            }
        })
        .collect();
    let (clocks, basis) = compared(&crossings, a, b);
    let slowest = match &clocks {
        ClockRelation::Known(stretches) => {
            [Way::AtoB, Way::BtoA].iter().filter_map(|way| slowest(stretches, &crossings, *way)).collect()
        }
        _ => Vec::new(),
    };
    HostPair {
        gap: gap(a, b),
        numbers: (a_number, b_number),
        a: a.name.clone(),
        b: b.name.clone(),
        utc_offset_s: a.utc_offset_s,
        guess: guess(&clocks, &crossings, a, b),
        clocks,
        basis,
        slowest,
    }
}

/// Between what the few packets that got through allow; without any, both clocks are taken to be right.
fn guess(
    clocks: &ClockRelation,
    crossings: &[Crossing],
    a: &RecordedHost,
    b: &RecordedHost,
) -> Option<ClockGuess> {
    if gap(a, b).is_some() || !matches!(clocks, ClockRelation::TooFew | ClockRelation::OneSided { .. }) {
        return None;
    }
    let of = |way: Way| crossings.iter().filter(move |c| c.way == way).map(|c| c.b.since(c.a));
    let ahead_ns = match (of(Way::BtoA).max(), of(Way::AtoB).min()) {
        (Some(low), Some(high)) => low.saturating_add(high.saturating_sub(low) / 2),
        (Some(low), None) => low.saturating_add(DELAY_NS),
        (None, Some(high)) => high.saturating_sub(DELAY_NS),
        (None, None) => 0,
    };
    Some(ClockGuess { ahead_ns, overlap: !crossings.is_empty() || floods::have_common(&a.floods, &b.floods) })
}

/// By packets between the two; where too few got through, by what both heard as well, unless the two contradict.
fn compared(crossings: &[Crossing], a: &RecordedHost, b: &RecordedHost) -> (ClockRelation, Basis) {
    let clocks = compare(crossings);
    if matches!(clocks, ClockRelation::Known(_) | ClockRelation::Unsteady) {
        return (clocks, Basis::Packets);
    }
    let heard = floods::crossings(&a.floods, &b.floods);
    // Each frame bounds both ways.
    let count = heard.len() / 2;
    match compare(&[crossings, &heard].concat()) {
        ClockRelation::Known(stretches) if count > 0 && stretches.len() == 1 => {
            (ClockRelation::Known(stretches), Basis::Floods(count))
        }
        _ => (clocks, Basis::Packets),
    }
}

/// The end of the one and the beginning of the other, when nothing of both was recorded at one time.
fn gap(a: &RecordedHost, b: &RecordedHost) -> Option<(Nanos, Nanos)> {
    let span = |host: &RecordedHost| Some((host.fidelity.start()?, host.fidelity.end()?));
    let (a, b) = (span(a)?, span(b)?);
    let between =
        |first: (Nanos, Nanos), second: (Nanos, Nanos)| (first.1 < second.0).then_some((first.1, second.0));
    between(a, b).or_else(|| between(b, a))
}

/// The slowest packet, unless what it took is no longer than how far its delay is uncertain.
fn slowest(stretches: &[Stretch], crossings: &[Crossing], way: Way) -> Option<Slowest> {
    let measured = crossings.iter().filter(|c| c.way == way).filter_map(|crossing| {
        let stretch = stretches.iter().find(|p| p.from <= crossing.a && crossing.a <= p.to)?;
        Some(Slowest { way, at: crossing.a, delay_ns: stretch.delay_ns(crossing) })
    });
    let worst = measured.max_by_key(|slowest| (slowest.delay_ns.0, std::cmp::Reverse(slowest.at)))?;
    let (least, most) = worst.delay_ns;
    (least > most.saturating_sub(least)).then_some(worst)
}

impl HostPair {
    /// What is said of it, one sentence a line.
    pub(crate) fn lines(&self) -> Vec<Text> {
        let named = |text: Text| text.with("a", &self.a).with("b", &self.b);
        let mut out = match &self.clocks {
            ClockRelation::Known(stretches) => self.known(stretches),
            ClockRelation::OneSided { way, ahead_ns, packets } => {
                let key = match way {
                    Way::AtoB => "clocks.at-most",
                    Way::BtoA => "clocks.at-least",
                };
                vec![named(Text::new(key)).with("ahead", signed(*ahead_ns)).with("count", packets)]
            }
            ClockRelation::TooFew => vec![match self.gap {
                Some((ended, began)) => named(Text::new("clocks.no-common-time"))
                    .with("ended", ended.display(self.utc_offset_s))
                    .with("began", began.display(self.utc_offset_s)),
                None => named(Text::new("clocks.too-few")),
            }],
            ClockRelation::Unsteady => vec![named(Text::new("clocks.unsteady"))],
        };
        for slow in &self.slowest {
            let (least, most) = slow.delay_ns;
            let (from, to) = match slow.way {
                Way::AtoB => (&self.a, &self.b),
                Way::BtoA => (&self.b, &self.a),
            };
            let middle = least + (most - least) / 2;
            out.push(
                Text::new("clocks.slowest")
                    .with("from", from)
                    .with("to", to)
                    .with("delay", millis(middle))
                    .with("bound", bound_text((most - least + 1) / 2))
                    .with("at", slow.at.clock(self.utc_offset_s)),
            );
        }
        out
    }

    fn known(&self, stretches: &[Stretch]) -> Vec<Text> {
        let mut out = Vec::new();
        for stretch in stretches {
            let (offset, bound) = stretch.offset_ns();
            let (low, high) = stretch.drift_ppm();
            let (key, heard) = match self.basis {
                Basis::Floods(count) => ("clocks.ahead-heard", count),
                Basis::Packets if stretches.len() == 1 => ("clocks.ahead", 0),
                Basis::Packets => ("clocks.ahead-from", 0),
            };
            out.push(
                Text::new(key)
                    .with("heard", heard)
                    .with("spread", floods::SPREAD_NS / 1_000_000)
                    .with("a", &self.a)
                    .with("b", &self.b)
                    .with("offset", signed(offset))
                    .with("bound", bound_text(bound))
                    .with("drift", format!("{:+.1}", f64::midpoint(low, high)))
                    .with("drift-bound", format!("{:.1}", ((high - low) * 5.0).ceil() / 10.0 + 0.1))
                    .with("there", stretch.packets.0)
                    .with("back", stretch.packets.1)
                    .with("from", stretch.from.clock(self.utc_offset_s))
                    .with("to", stretch.to.clock(self.utc_offset_s)),
            );
        }
        if stretches.len() > 1 {
            out.push(Text::new("clocks.stepped").with("a", &self.a).with("b", &self.b));
        }
        out
    }

    pub(crate) fn json(&self) -> Value {
        let way = |way: Way| match way {
            Way::AtoB => "a-to-b",
            Way::BtoA => "b-to-a",
        };
        let clocks = match &self.clocks {
            ClockRelation::Known(stretches) => {
                json!({ "known": stretches.iter().map(stretch_json).collect::<Vec<_>>() })
            }
            ClockRelation::OneSided { way: Way::AtoB, ahead_ns, packets } => {
                json!({ "ahead_at_most_ns": ahead_ns, "packets": packets })
            }
            ClockRelation::OneSided { way: Way::BtoA, ahead_ns, packets } => {
                json!({ "ahead_at_least_ns": ahead_ns, "packets": packets })
            }
            ClockRelation::TooFew if self.gap.is_some() => json!({ "cannot_tell": "no time in common" }),
            ClockRelation::TooFew => json!({ "cannot_tell": "too few packets were seen at both" }),
            ClockRelation::Unsteady => json!({ "cannot_tell": "the clocks do not keep a rate" }),
        };
        let slowest = self.slowest.iter().map(|slow| {
            json!({
                "way": way(slow.way),
                "at": utc_text(slow.at),
                "least_ns": slow.delay_ns.0,
                "most_ns": slow.delay_ns.1,
            })
        });
        let basis = match self.basis {
            Basis::Packets => "packets",
            Basis::Floods(_) => "frames that both heard",
        };
        json!({ "a": self.a, "b": self.b, "by": basis, "clocks": clocks, "slowest": slowest.collect::<Vec<_>>() })
    }
}

fn stretch_json(stretch: &Stretch) -> Value {
    let (offset, bound) = stretch.offset_ns();
    let (low, high) = stretch.drift_ppm();
    json!({
        "from": utc_text(stretch.from),
        "to": utc_text(stretch.to),
        "at": utc_text(stretch.middle()),
        "b_ahead_ns": offset,
        "bound_ns": bound,
        "drift_ppm_least": low,
        "drift_ppm_most": high,
        "packets_a_to_b": stretch.packets.0,
        "packets_b_to_a": stretch.packets.1,
    })
}

/// `+12.345 ms`.
fn signed(ns: i64) -> String {
    format!("{:+.3} ms", ns as f64 / 1e6)
}

/// Rounded up, and wide enough for the rounding of what it belongs to.
fn bound_text(ns: i64) -> String {
    millis((ns.saturating_add(500)).saturating_add(999) / 1_000 * 1_000)
}

fn millis(ns: i64) -> String {
    format!("{:.3} ms", ns as f64 / 1e6)
}
