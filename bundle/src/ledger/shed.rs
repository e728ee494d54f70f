//! Load shedding as a ledger tells it: lines of their own kind among the spans of a point.
//!
//! A recorder that may not use more of the host (processor, memory), or whose ring runs over, gives up in a stated order
//! what costs least to miss. Each [`ShedLevel`] includes those before it.

use super::PointLedger;
use crate::Nanos;
use crate::run::{Shed, ShedLevel};

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
        let cut = self.steps.iter().zip(until).filter(|(line, _)| line.step >= ShedLevel::Cut256);
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
    use crate::run::ShedLine;
    use crate::run::ShedReason;
    use crate::run::{PointSpan, json_line};

    #[test]
    fn steps_are_lines_among_spans_and_are_summed() {
        let at = |s: i64| Nanos(s * 1_000_000_000);
        let step = |s, step, was, why| json_line(&ShedLine { at: at(s), step, was, why }).unwrap();
        let span = |s, shed| {
            json_line(&PointSpan { at: at(s), ms: 1000, received: shed, shed, ..PointSpan::default() })
        };
        let lines = [
            step(1, ShedLevel::Fast, ShedLevel::Whole, ShedReason::Ring),
            span(2, 0).unwrap(),
            step(3, ShedLevel::Cut128, ShedLevel::Fast, ShedReason::Cpu),
            step(5, ShedLevel::Off, ShedLevel::Cut128, ShedReason::Cpu),
            span(6, 70).unwrap(),
            step(7, ShedLevel::Fast, ShedLevel::Off, ShedReason::Calm),
            span(9, 0).unwrap(),
            b"{\"at\":1,\"new\":\"kind\"}\n".to_vec(),
        ];
        let text = String::from_utf8(lines.concat()).unwrap();
        let ledger = PointLedger::from_lines("p", &text);
        assert_eq!((ledger.spans.len(), ledger.steps.len()), (3, 4));
        let shed = ledger.shed().unwrap();
        assert_eq!((shed.steps, shed.deepest, shed.cut_ms, shed.packets), (4, ShedLevel::Off, 4000, 70));
        assert_eq!(PointLedger::default().shed(), None);
    }

    #[test]
    fn each_step_gives_up_at_least_what_the_one_before_did() {
        let all = [
            ShedLevel::Whole,
            ShedLevel::Level1,
            ShedLevel::Fast,
            ShedLevel::Fastest,
            ShedLevel::Cut256,
            ShedLevel::Cut128,
            ShedLevel::Off,
        ];
        for level in [-60, 1, 9] {
            assert!(all.is_sorted_by(|a, b| a.level(level) >= b.level(level)));
        }
        assert!(all.is_sorted_by(|a, b| {
            a.snaplen().unwrap_or(u32::MAX) >= b.snaplen().unwrap_or(u32::MAX) && a < b
        }));
    }
}
