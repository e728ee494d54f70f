//! Where the clock of a file was set: its stamps run back, or jump ahead between a ping and its reply.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use netcap_bundle::Nanos;

use super::TableFold;
use crate::engine::points::FoldContext;
use crate::engine::{EchoKind, Fold, FrameRef, L4, Net, PacketView};
use crate::tables::cap::Cap;

/// Stamps that run back by less are of frames that came by several queues or processors.
const BACK_NS_MIN: i64 = 1_000_000_000;
/// No reply takes so long.
const AHEAD_NS_MIN: i64 = 60_000_000_000;
/// A ping that is answered is answered within this.
const ANSWER_NS_MAX: i64 = 5_000_000_000;
/// Pings that are remembered until their reply comes.
const ASKED_MAX: usize = 16;
/// Steps kept of one file.
const STEPS_MAX: usize = 8;

/// One moment at which the clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// The first frame behind it.
    pub frame: FrameRef,
    /// The stamp before it.
    pub from: Nanos,
    /// The stamp of that frame.
    pub to: Nanos,
}

impl Step {
    /// The clock was set ahead by so much, or back.
    pub(crate) fn ns(&self) -> i64 {
        self.to.since(self.from)
    }
}

/// What is odd about the stamps of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stamps {
    /// In order of the file.
    pub steps: Vec<Step>,
    /// Stamps that are a little before the one before them, by how much at most.
    pub back: u64,
    pub back_ns: i64,
    /// Steps that are not kept.
    more: u64,
}

/// The finished table.
#[derive(Debug, Default)]
pub(crate) struct StepsTable {
    /// By number of the file.
    pub files: BTreeMap<u32, Stamps>,
}

impl StepsTable {
    /// A clock was set between two stamps of a file.
    pub(crate) fn is_between(&self, file: u32, from: Nanos, to: Nanos) -> bool {
        let steps = self.files.get(&file).map(|stamps| stamps.steps.as_slice()).unwrap_or_default();
        steps.iter().any(|step| step.ns() > 0 && from <= step.from && step.to <= to)
    }
}

/// A ping that waits for its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    src: IpAddr,
    dst: IpAddr,
    numbers: (u16, u16),
    at: Nanos,
}

#[derive(Debug, Default)]
pub(crate) struct StepsFold {
    files: BTreeMap<u32, Stamps>,
    last: Option<(u32, Nanos)>,
    /// The latest pings.
    asked: [Option<Asked>; ASKED_MAX],
    next: usize,
    /// The latest long pause, with the first frame behind it: a step if a reply spans it.
    pause: Option<Step>,
}

impl Fold for StepsFold {
    fn start(_: &Arc<FoldContext>) -> Self {
        Self::default()
    }

    fn packet(&mut self, packet: &PacketView<'_>) {
        let (file, at) = (packet.frame.file, packet.at);
        if let Some((_, before)) = self.last.replace((file, at)).filter(|(last, _)| *last == file) {
            let step = Step { frame: packet.frame, from: before, to: at };
            if step.ns() <= -BACK_NS_MIN {
                self.take(step);
            } else if step.ns() < 0 {
                let stamps = self.files.entry(file).or_default();
                stamps.back += 1;
                stamps.back_ns = stamps.back_ns.max(-step.ns());
            } else if step.ns() >= AHEAD_NS_MIN {
                self.pause = Some(step);
            }
        }
        let Net::Ip(ip) = packet.net else { return };
        let L4::Echo(echo) = ip.l4 else { return };
        let numbers = (echo.id, echo.seq);
        if echo.kind == EchoKind::Request {
            if let Some(place) = self.asked.get_mut(self.next) {
                *place = Some(Asked { src: ip.src, dst: ip.dst, numbers, at });
            }
            self.next = (self.next + 1) % ASKED_MAX;
            return;
        }
        let Some(pause) = self.pause.filter(|pause| at.since(pause.to) <= ANSWER_NS_MAX) else { return };
        let spans = |asked: &Asked| {
            (asked.src, asked.dst, asked.numbers) == (ip.dst, ip.src, numbers)
                && asked.at <= pause.from
                && pause.from.since(asked.at) <= ANSWER_NS_MAX
        };
        if self.asked.iter().flatten().any(spans) {
            self.pause = None;
            self.take(pause);
        }
    }

    fn merge(&mut self, later: Self) {
        self.files.extend(later.files);
    }
}

impl StepsFold {
    fn take(&mut self, step: Step) {
        let stamps = self.files.entry(step.frame.file).or_default();
        if stamps.steps.len() < STEPS_MAX {
            stamps.steps.push(step);
        } else {
            stamps.more += 1;
        }
    }
}

impl TableFold for StepsFold {
    type Table = StepsTable;

    fn finish(self) -> StepsTable {
        StepsTable { files: self.files }
    }

    fn given_up(table: &StepsTable) -> Vec<(Cap, u64)> {
        vec![(Cap::Steps, table.files.values().map(|stamps| stamps.more).sum())]
    }
}
