//! Whether the disk of a run answers. On NFS and FUSE a server may be gone, and whoever wants something of such a disk waits
//! in the kernel, for hours if need be. So it is asked for its free space each second by a thread that does nothing else:
//! while that waits, everybody does.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use super::free::disk_left;

/// Time between two questions.
const EVERY: Duration = Duration::from_secs(1);
/// A disk that takes longer than this for an answer does not answer: busy ones take a second or two.
const SILENT_AFTER: Duration = Duration::from_secs(10);

/// What is known of a disk's answers.
#[derive(Debug)]
pub(crate) struct Probe {
    began: Instant,
    /// Milliseconds from the beginning to the question that is not answered yet, and one more; 0 when there is none.
    asked: AtomicU64,
}

impl Probe {
    /// Asks the disk of this directory as long as anybody wants to know.
    pub(crate) fn start(dir: PathBuf) -> io::Result<Arc<Self>> {
        Self::asking(move || {
            let _ = disk_left(&dir);
        })
    }

    fn asking(mut ask: impl FnMut() + Send + 'static) -> io::Result<Arc<Self>> {
        let probe = Arc::new(Self { began: Instant::now(), asked: AtomicU64::new(0) });
        let asking = Arc::downgrade(&probe);
        thread::Builder::new().name("probe".into()).spawn(move || {
            while let Some(probe) = asking.upgrade() {
                probe.asked.store(probe.now().saturating_add(1), Relaxed);
                ask();
                probe.asked.store(0, Relaxed);
                drop(probe);
                thread::sleep(EVERY);
            }
        })?;
        Ok(probe)
    }

    /// How long the disk has not answered, once that is longer than any that does.
    pub(crate) fn silent(&self) -> Option<Duration> {
        let asked = self.asked.load(Relaxed).checked_sub(1)?;
        let waited = Duration::from_millis(self.now().saturating_sub(asked));
        (waited >= SILENT_AFTER).then_some(waited)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_disk_that_does_not_answer_is_silent_after_a_while_and_until_it_does() {
        let (answer, waits) = mpsc::channel::<()>();
        let probe = Probe::asking(move || {
            let _ = waits.recv();
        })
        .unwrap();
        assert_eq!(probe.silent(), None);
        thread::sleep(SILENT_AFTER + EVERY);
        assert!(probe.silent().is_some_and(|silent| silent >= SILENT_AFTER));
        answer.send(()).unwrap();
        thread::sleep(EVERY / 2);
        assert_eq!(probe.silent(), None);
    }
}
