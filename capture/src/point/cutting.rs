//! What is recorded of each frame, and who cuts it: the kernel, or whoever writes, while the kernel cannot be asked.

use std::time::{Duration, Instant};

use netcap_bundle::run::ShedLevel;
use netcap_filters::Instruction;

use crate::ring::listener::{Listener, OpenRing};
use crate::shed::Cut;

/// How often the kernel is asked once more.
const AGAIN: Duration = Duration::from_secs(1);

/// What is kept of the frames of a point.
pub(super) struct Cutting {
    cut: Cut,
    /// When the kernel could not be asked last: it keeps what an earlier step left.
    failed: Option<Instant>,
}

impl Cutting {
    /// Of a point with this filter.
    pub(super) fn new(program: &[Instruction]) -> Self {
        Self { cut: Cut::new(program), failed: None }
    }

    /// From now on what this step leaves.
    pub(super) fn ask(&mut self, listener: &Listener, open: &OpenRing, step: ShedLevel) {
        self.failed = listener.cut(open, &self.cut, step).err().map(|_| Instant::now());
    }

    /// The same for the step that it is at already, if the kernel could not be asked.
    pub(super) fn ask_again(&mut self, listener: &Listener, open: &OpenRing, step: ShedLevel) {
        if self.failed.is_some_and(|at| at.elapsed() >= AGAIN) {
            self.ask(listener, open, step);
        }
    }

    /// A ring that was just opened, which keeps whole frames.
    pub(super) fn begin(&mut self, listener: &Listener, open: &OpenRing, step: ShedLevel) {
        self.failed = None;
        if step.snaplen().is_some() {
            self.ask(listener, open, step);
        }
    }

    /// What is recorded of a frame that came; `None` when it is only counted.
    pub(super) fn kept<'f>(&self, frame: &'f [u8], step: ShedLevel) -> Option<&'f [u8]> {
        // Those of the level Off may come some time after it.
        if self.cut.is_shed(frame.len()) {
            return None;
        }
        match step {
            _ if self.failed.is_none() => Some(frame),
            ShedLevel::Off => None,
            step => Some(step.snaplen().and_then(|bytes| frame.get(..bytes as usize)).unwrap_or(frame)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_here_while_the_kernel_does_not() {
        let whole = [Instruction { code: 6, jt: 0, jf: 0, k: 262_144 }];
        let mut cutting = Cutting::new(&whole);
        let (frame, short) = (vec![7; 300], vec![7; 60]);
        let kept = |cutting: &Cutting, frame: &[u8], step| cutting.kept(frame, step).map(<[u8]>::len);
        assert_eq!(kept(&cutting, &frame, ShedLevel::Cut128), Some(300), "it came before the kernel cut");
        assert_eq!(
            kept(&cutting, &frame[..1], ShedLevel::Whole),
            None,
            "it came before the kernel kept more"
        );
        cutting.failed = Some(Instant::now());
        assert_eq!(kept(&cutting, &frame, ShedLevel::Cut128), Some(128));
        assert_eq!(kept(&cutting, &short, ShedLevel::Cut128), Some(60));
        assert_eq!(kept(&cutting, &frame, ShedLevel::Fastest), Some(300));
        assert_eq!(kept(&cutting, &frame, ShedLevel::Off), None);
    }
}
