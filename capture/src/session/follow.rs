//! Which interfaces belong to the run, asked again whenever those of the host have changed.
//!
//! A machine that is started, a NIC that joins a bond or a port that is added to a recorded switch is found like
//! everything at the start: by the inventory. It forks commands, so it is taken only after the kernel reported a change
//! ([`crate::host::linkwatch`]), once things have settled, and in the long run for a twentieth of the time at most, niced.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use netcap_bundle::Point;
use netcap_bundle::state::Taken;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::host::inventory::Inventory;
use crate::host::sample::{ElementNames, Sampler};
use crate::plan::{self, Selection};

/// Time between a change and the look: a port is added to its switch a moment after its interface was made.
const SETTLE: Duration = Duration::from_millis(700);
/// Times between a look and the next ones after a change: libvirt lists a machine when it has started.
const AGAIN: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(10)];
/// Looks may take one part in so many of the time, ...
const SHARE: u32 = 20;
/// ... after a burst of that much: who starts ten machines at once wants to see them at once.
const BURST: Duration = Duration::from_mins(5);
/// Looks that wait for whoever writes them.
const WAITING_MAX: usize = 4;

/// What one look found.
pub(super) struct Candidates {
    /// Interfaces that belong to the run, those that are recorded already among them.
    pub points: Vec<Point>,
}

/// Samples of a look, for the bundle: the topology at that time.
pub(super) struct LookSamples {
    /// As they came.
    pub taken: Vec<Taken>,
    /// Names that recipes are repeated over.
    pub elements: ElementNames,
}

/// Asks who belongs to the run.
pub(super) struct Follower {
    /// Who looks at the host.
    pub sampler: Arc<dyn Sampler>,
    /// What the user named.
    pub wanted: Selection,
    /// Indexes of the interfaces of the start: what was not chosen then is not news.
    pub old: BTreeSet<u32>,
}

/// The two ends that looks come out of, and the one that asks for them.
pub(super) struct FollowerHandle {
    /// Say that something has changed.
    pub request: Sender<()>,
    pub found: Receiver<Candidates>,
    /// What the bundle keeps of it.
    pub look_samples: Receiver<LookSamples>,
    /// FollowerHandle the looking.
    pub task: tokio::task::JoinHandle<()>,
}

impl Follower {
    /// Starts to follow.
    pub(super) fn start(self) -> FollowerHandle {
        let (request, requested) = channel(1);
        let (found_sender, found) = channel(WAITING_MAX);
        let (sample_sender, look_samples) = channel(WAITING_MAX);
        let task = tokio::spawn(self.run(requested, found_sender, sample_sender));
        FollowerHandle { request, found, look_samples, task }
    }

    async fn run(
        self,
        mut requested: Receiver<()>,
        found_sender: Sender<Candidates>,
        sample_sender: Sender<LookSamples>,
    ) {
        // What the looks so far have earned (generic cell rate algorithm).
        let mut earned = Instant::now();
        let mut again = [].iter();
        while let Some(changed) = wait(&mut requested, again.next()).await {
            if changed {
                again = AGAIN.iter();
                sleep(SETTLE).await;
            }
            sleep_until(earned.checked_sub(BURST).unwrap_or(earned)).await;
            // Changes until now are answered by this look.
            let _ = requested.try_recv();
            let began = Instant::now();
            let Inventory { taken, elements, available, indexes, .. } = Inventory::take(&*self.sampler).await;
            let is_new = |iface: &str| indexes.get(iface).is_some_and(|index| !self.old.contains(index));
            let points = plan::follow(&available, &self.wanted, is_new);
            if found_sender.send(Candidates { points }).await.is_err() {
                return;
            }
            // A bundle without this look still has those of the state's own rounds.
            let _ = sample_sender.try_send(LookSamples { taken, elements });
            earned = earned.max(began) + began.elapsed() * SHARE;
        }
    }
}

/// Waits for a change, or for this long; gives which it was, `None` when there will be no change any more.
async fn wait(requested: &mut Receiver<()>, pause: Option<&Duration>) -> Option<bool> {
    let Some(pause) = pause else { return requested.recv().await.map(|()| true) };
    match timeout(*pause, requested.recv()).await {
        Ok(request) => request.map(|()| true),
        Err(_) => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_not_slept_through() {
        let (request, mut requested) = channel(1);
        assert_eq!(
            wait(&mut requested, Some(&Duration::from_millis(20))).await,
            Some(false),
            "nothing changed"
        );
        let later = tokio::spawn(async move {
            sleep(Duration::from_millis(50)).await;
            let _ = request.send(()).await;
        });
        let began = Instant::now();
        assert_eq!(wait(&mut requested, AGAIN.last()).await, Some(true));
        assert!(began.elapsed() < Duration::from_secs(5));
        later.await.unwrap();
        assert_eq!(wait(&mut requested, None).await, None, "nothing is reported any more");
    }
}
