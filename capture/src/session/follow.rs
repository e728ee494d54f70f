//! Which interfaces belong to the run, asked again whenever those of the host have changed.
//!
//! A machine that is started, a NIC that joins a bond or a port that is added to a recorded switch is found like
//! everything at the start: by the inventory. It forks commands, so it is taken only after the kernel told of a change
//! ([`crate::host::linkwatch`]), once things have settled, and in the long run for a twentieth of the time at most, niced.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use netcap_bundle::Point;
use netcap_bundle::state::Taken;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::host::inventory::Inventory;
use crate::host::sample::{Elements, Sampler};
use crate::plan::{self, Wanted};

/// Time between a change and the look: a port is added to its switch a moment after its interface was made.
const SETTLE: Duration = Duration::from_millis(700);
/// Times between a look and the next ones after a change: libvirt tells of a machine when it has started.
const AGAIN: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(10)];
/// Looks may take one part in so many of the time, ...
const SHARE: u32 = 20;
/// ... after a burst of that much: who starts ten machines at once wants to see them at once.
const BURST: Duration = Duration::from_mins(5);
/// Looks that wait for whoever writes them.
const WAITING_MAX: usize = 4;

/// What one look found.
pub(super) struct Found {
    /// Interfaces that belong to the run, those that are recorded already among them.
    pub points: Vec<Point>,
}

/// Samples of a look, for the bundle: the topology at that time.
pub(super) struct Looked {
    /// As they came.
    pub taken: Vec<Taken>,
    /// Names that recipes are repeated over.
    pub elements: Elements,
}

/// Asks who belongs to the run.
pub(super) struct Follow {
    /// Who looks at the host.
    pub sampler: Arc<dyn Sampler>,
    /// What the user named.
    pub wanted: Wanted,
    /// Indexes of the interfaces of the start: what was not chosen then is not news.
    pub old: BTreeSet<u32>,
}

/// The two ends that looks come out of, and the one that asks for them.
pub(super) struct Ends {
    /// Say that something has changed.
    pub kick: Sender<()>,
    /// What was found.
    pub found: Receiver<Found>,
    /// What the bundle keeps of it.
    pub looked: Receiver<Looked>,
    /// Ends the looking.
    pub task: tokio::task::JoinHandle<()>,
}

impl Follow {
    /// Starts to follow.
    pub(super) fn start(self) -> Ends {
        let (kick, kicked) = channel(1);
        let (tell, found) = channel(WAITING_MAX);
        let (keep, looked) = channel(WAITING_MAX);
        let task = tokio::spawn(self.run(kicked, tell, keep));
        Ends { kick, found, looked, task }
    }

    async fn run(self, mut kicked: Receiver<()>, tell: Sender<Found>, keep: Sender<Looked>) {
        // What the looks so far have earned (generic cell rate algorithm).
        let mut earned = Instant::now();
        let mut again = [].iter();
        while let Some(changed) = wait(&mut kicked, again.next()).await {
            if changed {
                again = AGAIN.iter();
                sleep(SETTLE).await;
            }
            sleep_until(earned.checked_sub(BURST).unwrap_or(earned)).await;
            // What was told until now is answered by this look.
            let _ = kicked.try_recv();
            let began = Instant::now();
            let Inventory { taken, elements, here, indexes, .. } = Inventory::take(&*self.sampler).await;
            let is_new = |iface: &str| indexes.get(iface).is_some_and(|index| !self.old.contains(index));
            let points = plan::follow(&here, &self.wanted, is_new);
            if tell.send(Found { points }).await.is_err() {
                return;
            }
            // A bundle without this look still has those of the state's own rounds.
            let _ = keep.try_send(Looked { taken, elements });
            earned = earned.max(began) + began.elapsed() * SHARE;
        }
    }
}

/// Waits for a change, or for this long; tells which, `None` when there will be no change any more.
async fn wait(kicked: &mut Receiver<()>, pause: Option<&Duration>) -> Option<bool> {
    let Some(pause) = pause else { return kicked.recv().await.map(|()| true) };
    match timeout(*pause, kicked.recv()).await {
        Ok(kick) => kick.map(|()| true),
        Err(_) => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_not_slept_through() {
        let (kick, mut kicked) = channel(1);
        assert_eq!(wait(&mut kicked, Some(&Duration::from_millis(20))).await, Some(false), "nothing changed");
        let later = tokio::spawn(async move {
            sleep(Duration::from_millis(50)).await;
            let _ = kick.send(()).await;
        });
        let began = Instant::now();
        assert_eq!(wait(&mut kicked, AGAIN.last()).await, Some(true));
        assert!(began.elapsed() < Duration::from_secs(5));
        later.await.unwrap();
        assert_eq!(wait(&mut kicked, None).await, None, "nobody tells any more");
    }
}
