//! Following the host's interfaces from within a run: listening for changes, asking who belongs to the run.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::mpsc::{Receiver, Sender};
use tokio::task::JoinHandle;

use super::follow::{Candidates, Follower, FollowerHandle, LookSamples};
use crate::host::linkwatch::LinkWatch;
use crate::host::sample::Sampler;
use crate::plan::Selection;

/// The session's end of it; without anything to follow it never says a word.
pub(super) struct Following(Option<Active>);

struct Active {
    links: LinkWatch,
    /// Asks for a look.
    request: Sender<()>,
    found: Receiver<Candidates>,
    task: JoinHandle<()>,
}

impl Following {
    /// Starts, if anything can join. The rings are open already, so their own traces are not taken for changes.
    pub(super) fn start(
        wanted: Option<Selection>,
        sampler: Arc<dyn Sampler>,
        old: BTreeSet<u32>,
    ) -> (Self, Option<Receiver<LookSamples>>) {
        let Some(wanted) = wanted else { return (Self(None), None) };
        let links = LinkWatch::open();
        let follower = Follower { sampler, wanted, old }.start();
        // Between the inventory and this moment something may have come: look once in any case.
        let _ = follower.request.try_send(());
        let FollowerHandle { request, found, look_samples, task } = follower;
        (Self(Some(Active { links, request, found, task })), Some(look_samples))
    }

    /// Called each second: asks for a look when an interface has changed. One that waits is enough.
    pub(super) fn tick(&mut self) {
        if let Some(Active { links, request, .. }) = &mut self.0
            && links.changed()
        {
            let _ = request.try_send(());
        }
    }

    /// The next thing that was found.
    pub(super) async fn next(&mut self) -> Candidates {
        if let Some(Active { found, .. }) = &mut self.0
            && let Some(found) = found.recv().await
        {
            return found;
        }
        std::future::pending().await
    }

    /// Nobody joins any more.
    pub(super) fn stop(self) {
        if let Some(Active { task, .. }) = self.0 {
            task.abort();
        }
    }
}
