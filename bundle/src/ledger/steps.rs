//! Load shedding as a ledger tells it: lines of their own kind among the spans of a point.
//!
//! A recorder that may not use more of the host (processor, memory), or whose ring runs over, gives up in a stated order
//! what costs least to miss. Each [`Step`] includes those before it.

use serde::{Deserialize, Serialize};

use super::PointLedger;
use crate::Nanos;

/// What a point gives up; in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Nothing: recorded as asked.
    #[default]
    Whole,
    /// Compressed at level 1, whatever was asked.
    Level1,
    /// Compressed fast: files grow by a fifth.
    Fast,
    /// Hardly compressed.
    Fastest,
    /// Frames are cut to 256 bytes: all headers, the start of the payload.
    Cut256,
    /// Frames are cut to 128 bytes: headers.
    Cut128,
    /// Packets are counted and not recorded.
    Off,
}

/// Why a point took a step, down or up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Its ring was filling.
    Ring,
    /// Rings lost packets.
    Loss,
    /// More processor time than allowed.
    Cpu,
    /// More memory than allowed.
    Memory,
    /// It was calm for a while.
    Calm,
}

/// One step of a point: from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepLine {
    /// When.
    pub at: Nanos,
    /// What it gives up from now on.
    pub step: Step,
    /// What it gave up before.
    pub was: Step,
    /// Why.
    pub why: Why,
}

/// What one point gave up during a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shed {
    /// The point's id.
    pub point: String,
    /// Steps taken, down and up.
    pub steps: u64,
    /// The most that it gave up.
    pub deepest: Step,
    /// Milliseconds in which frames were cut or not recorded.
    pub cut_ms: u64,
    /// Packets that were counted and not recorded.
    pub packets: u64,
}

impl Step {
    /// The zstd level of a point that was asked to use `level`.
    pub fn level(self, level: i32) -> i32 {
        match self {
            Self::Whole => level,
            Self::Level1 => level.min(1),
            Self::Fast => level.min(-10),
            _ => level.min(-50),
        }
    }

    /// Bytes kept of a frame, if not as asked.
    pub fn snaplen(self) -> Option<u32> {
        match self {
            Self::Cut256 => Some(256),
            Self::Cut128 => Some(128),
            Self::Off => Some(1),
            _ => None,
        }
    }
}

impl PointLedger {
    /// What the point gave up, summed; `None` when nothing. The last line's time ends what was never taken back.
    pub fn shed(&self) -> Option<Shed> {
        let packets = self.sums().shed;
        let deepest = self.steps.iter().map(|line| line.step).max().unwrap_or_default();
        if self.steps.is_empty() && packets == 0 {
            return None;
        }
        let end = self.spans.last().map_or(Nanos(0), |span| span.at);
        let until = self.steps.iter().skip(1).map(|line| line.at).chain([end]);
        let cut = self.steps.iter().zip(until).filter(|(line, _)| line.step >= Step::Cut256);
        let ns: u64 = cut.map(|(line, until)| u64::try_from(until.since(line.at)).unwrap_or(0)).sum();
        Some(Shed {
            point: self.point.clone(),
            steps: self.steps.len() as u64,
            deepest,
            cut_ms: ns / 1_000_000,
            packets,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{PointSpan, line};

    #[test]
    fn steps_are_lines_among_spans_and_are_summed() {
        let at = |s: i64| Nanos(s * 1_000_000_000);
        let step = |s, step, was, why| line(&StepLine { at: at(s), step, was, why }).unwrap();
        let span =
            |s, shed| line(&PointSpan { at: at(s), ms: 1000, received: shed, shed, ..PointSpan::default() });
        let lines = [
            step(1, Step::Fast, Step::Whole, Why::Ring),
            span(2, 0).unwrap(),
            step(3, Step::Cut128, Step::Fast, Why::Cpu),
            step(5, Step::Off, Step::Cut128, Why::Cpu),
            span(6, 70).unwrap(),
            step(7, Step::Fast, Step::Off, Why::Calm),
            span(9, 0).unwrap(),
            b"{\"at\":1,\"new\":\"kind\"}\n".to_vec(),
        ];
        let text = String::from_utf8(lines.concat()).unwrap();
        let ledger = PointLedger::from_lines("p", &text);
        assert_eq!((ledger.spans.len(), ledger.steps.len()), (3, 4));
        let shed = ledger.shed().unwrap();
        assert_eq!((shed.steps, shed.deepest, shed.cut_ms, shed.packets), (4, Step::Off, 4000, 70));
        assert_eq!(PointLedger::default().shed(), None);
    }

    #[test]
    fn each_step_gives_up_at_least_what_the_one_before_did() {
        let all =
            [Step::Whole, Step::Level1, Step::Fast, Step::Fastest, Step::Cut256, Step::Cut128, Step::Off];
        for level in [-60, 1, 9] {
            assert!(all.is_sorted_by(|a, b| a.level(level) >= b.level(level)));
        }
        assert!(all.is_sorted_by(|a, b| {
            a.snaplen().unwrap_or(u32::MAX) >= b.snaplen().unwrap_or(u32::MAX) && a < b
        }));
    }
}
