//! Seconds in which the kernel lost packets on their way to ovs-vswitchd, and how many died inside its switches meanwhile.

use netcap_bundle::Nanos;
use netcap_bundle::run::HostSpan;

use super::{Group, Way};
use crate::tables::hops::Side;
use crate::view::View;

/// A line of the ledger is written in the second in which a loss is read; what it sums up before that was calm, or the
/// daemon was too busy to be asked.
const SECOND_NS: i64 = 2_000_000_000;
/// Between two readings further apart nothing is said.
const UNREAD_NS_MAX: i64 = 60_000_000_000;
/// A packet is counted that much after it was captured where it entered, at most.
const SLACK_NS: i64 = 100_000_000;
/// The count covers deaths when it is at least this part of them, in percent: one packet may be captured twice.
const COVERED_PERCENT_MIN: u64 = 50;
/// With so many of all upcalls lost it is no chance that these were among them, in percent.
const MOST_PERCENT: u64 = 90;
/// Stretches looked at for one death: they follow each other, and few of them are shorter than the slack.
const NEAR_MAX: usize = 64;

/// A stretch in which upcalls were lost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lossy {
    /// When the count was read before.
    pub from: Nanos,
    /// Since then it was certainly counting, unless the daemon was too busy to be asked in the second before.
    pub near: Nanos,
    /// When the count was read that shows them.
    pub to: Nanos,
    pub lost: u64,
    pub asked: u64,
}

impl Lossy {
    pub(crate) fn all(spans: &[HostSpan]) -> Vec<Self> {
        let mut read: Option<Nanos> = None;
        let mut out: Vec<Self> = Vec::new();
        for span in spans.iter().filter(|span| span.upcalls.is_some() || span.upcalls_lost > 0) {
            let length = i64::try_from(span.ms).unwrap_or(i64::MAX).saturating_mul(1_000_000);
            let begin = span.at.plus(-length.min(UNREAD_NS_MAX));
            if span.upcalls_lost > 0 {
                let from = read.map_or(begin, |read| read.max(span.at.plus(-UNREAD_NS_MAX)));
                let near = span.at.plus(-length.min(SECOND_NS)).max(from);
                let asked = span.upcalls.unwrap_or_default().max(span.upcalls_lost);
                out.push(Self { from, near, to: span.at, lost: span.upcalls_lost, asked });
            }
            read = Some(span.at);
        }
        out.sort_by_key(|lossy| lossy.to);
        out
    }

    /// Nearly all were lost, so that it is no chance which.
    pub(crate) fn is_most(&self) -> bool {
        self.lost.saturating_mul(100) >= self.asked.saturating_mul(MOST_PERCENT)
    }

    /// From then on it may have been lost in it: where the count was not read in between, only if nearly all were lost.
    fn begin(&self) -> Nanos {
        if self.is_most() { self.from } else { self.near }.plus(-SLACK_NS)
    }

    pub(crate) fn covers(&self, at: Nanos) -> bool {
        self.begin() < at && at <= self.to
    }

    pub(crate) fn is_near(&self, at: Nanos) -> bool {
        self.near.plus(-SLACK_NS) < at && at <= self.to
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Upcalls {
    /// In order of time.
    pub all: Vec<Lossy>,
    /// When packets certainly died inside switches, and how many did until then.
    died: Vec<(Nanos, u64)>,
}

impl Upcalls {
    pub(super) fn read(view: &View<'_>, groups: &[Group<'_>]) -> Self {
        let inside = groups.iter().filter(|group| group.dies_in_vswitch(view));
        let sure = inside.flat_map(|group| &group.deaths).filter(|death| death.is_sure());
        let mut died: Vec<(Nanos, u64)> = sure.map(|death| (death.at, death.packets)).collect();
        died.sort_unstable();
        let mut sum = 0_u64;
        for (_, count) in &mut died {
            sum = sum.saturating_add(*count);
            *count = sum;
        }
        Self { all: Lossy::all(&view.input.ledger.host), died }
    }

    /// The stretches in which what died at that time may have been lost, by number.
    pub(crate) fn covering(&self, at: Nanos) -> impl Iterator<Item = usize> {
        let first = self.all.partition_point(|lossy| lossy.to < at);
        let near = self.all.iter().enumerate().skip(first).take(NEAR_MAX);
        near.filter(move |(_, lossy)| lossy.covers(at)).map(|(place, _)| place)
    }

    /// What was lost in it is enough for all that died inside switches meanwhile.
    pub(crate) fn is_enough(&self, place: usize) -> bool {
        let Some(lossy) = self.all.get(place) else { return false };
        let until =
            |end: usize| end.checked_sub(1).and_then(|last| self.died.get(last)).map_or(0, |died| died.1);
        let begin = self.died.partition_point(|(at, _)| *at <= lossy.begin());
        let end = self.died.partition_point(|(at, _)| *at <= lossy.to);
        let died = until(end).saturating_sub(until(begin));
        lossy.lost.saturating_mul(100) >= died.saturating_mul(COVERED_PERCENT_MIN)
    }
}

impl Group<'_> {
    /// They entered a switch of Open vSwitch and left it nowhere.
    pub(crate) fn dies_in_vswitch(&self, view: &View<'_>) -> bool {
        let switch = view.points.get(self.place.from.point).and_then(|info| info.vswitch.as_deref());
        matches!(self.place.way, Way::Switch | Way::Learned)
            && matches!(self.place.from.side(&view.context), Side::Enter(_))
            && switch.is_some_and(|switch| !view.is_kernel_bridge(switch))
    }
}
