//! What the kernel keeps of a frame, and how a frame that is only counted is distinguished from one that is recorded.
//!
//! A frame that is not recorded must still be received, or the kernel would not count it. So some bytes of it are kept:
//! as many as no recorded frame has. That holds for each frame by itself, however long after a change of the filter it
//! is read.

use netcap_bundle::run::ShedLevel;
use netcap_filters::Instruction;

/// `BPF_RET | BPF_K`: the number is how many bytes of the frame are kept; 0 is none of it.
const RETURN: u16 = 0x06;

/// The filter of a point at each level.
#[derive(Debug, Clone)]
pub(crate) struct Cut {
    program: Vec<Instruction>,
    /// Bytes kept of a frame that is counted and not recorded.
    mark: u32,
}

impl Cut {
    /// Of a point with this filter.
    pub(crate) fn new(program: &[Instruction]) -> Self {
        let kept = program.iter().filter(|i| i.code == RETURN).map(|i| i.k).max();
        // An Ethernet frame is never that short by itself.
        let mark = if kept == Some(1) { 2 } else { 1 };
        Self { program: program.to_vec(), mark }
    }

    /// The same filter, keeping of what it matches what this level leaves.
    pub(crate) fn program(&self, level: ShedLevel) -> Vec<Instruction> {
        let kept = |asked: u32| match level {
            ShedLevel::Off => self.mark,
            level => level.snaplen().map_or(asked, |bytes| asked.min(bytes)),
        };
        let cut = |i: &Instruction| match i.code {
            RETURN if i.k > 0 => Instruction { k: kept(i.k), ..*i },
            _ => *i,
        };
        self.program.iter().map(cut).collect()
    }

    /// Whether a frame of which so many bytes came is only counted.
    pub(crate) fn is_shed(&self, captured: usize) -> bool {
        captured == self.mark as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ret(k: u32) -> Instruction {
        Instruction { code: RETURN, jt: 0, jf: 0, k }
    }

    #[test]
    fn a_cut_filter_keeps_less_and_matches_the_same() {
        let jump = Instruction { code: 0x15, jt: 0, jf: 1, k: 0x0806 };
        let cut = Cut::new(&[jump, ret(262_144), ret(0), ret(40)]);
        assert_eq!(cut.program(ShedLevel::Cut128), [jump, ret(128), ret(0), ret(40)]);
        assert_eq!(cut.program(ShedLevel::Fastest), [jump, ret(262_144), ret(0), ret(40)]);
        assert_eq!(cut.program(ShedLevel::Off), [jump, ret(1), ret(0), ret(1)]);
    }

    #[test]
    fn what_is_shed_is_reported_from_what_is_recorded_whatever_is_asked_for() {
        for snaplen in [1, 2, 3, 40, 128, 262_144] {
            let cut = Cut::new(&[ret(snaplen), ret(0)]);
            let kept = |level| cut.program(level)[0].k.min(60) as usize;
            for level in [ShedLevel::Whole, ShedLevel::Fastest, ShedLevel::Cut256, ShedLevel::Cut128] {
                assert!(!cut.is_shed(kept(level)), "{snaplen} {level:?}");
            }
            assert!(cut.is_shed(kept(ShedLevel::Off)), "{snaplen}");
            assert_eq!(cut.program(ShedLevel::Off)[1].k, 0, "and what does not match does not come");
        }
    }
}
