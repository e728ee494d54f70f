//! Following the host's interfaces from within a run: listening for changes, asking who belongs to the run.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::mpsc::{Receiver, Sender};
use tokio::task::JoinHandle;

use super::follow::{Candidates, Follower, LookSamples};
use crate::host::linkwatch::LinkWatch;
use crate::host::sample::Sampler;
use crate::plan::Selection;

/// The session's end of it; without anything to follow it never says a word.
pub(super) struct Following {
    watch: Option<(LinkWatch, Sender<()>, JoinHandle<()>)>,
    found: Option<Receiver<Candidates>>,
}

impl Following {
    /// Starts, if anything can join. The rings are open already, so their own traces are not taken for changes.
    pub(super) fn start(
        wanted: Option<Selection>,
        sampler: Arc<dyn Sampler>,
        old: BTreeSet<u32>,
    ) -> (Self, Option<Receiver<LookSamples>>) {
        let Some(wanted) = wanted else { return (Self { watch: None, found: None }, None) };
        let watch = LinkWatch::open();
        let ends = Follower { sampler, wanted, old }.start();
        // Between the inventory and this moment something may have come: look once in any case.
        let _ = ends.request.try_send(());
        (
            Self { watch: Some((watch, ends.request, ends.task)), found: Some(ends.found) },
            Some(ends.look_samples),
        )
    }

    /// Called each second: asks for a look when an interface has changed. One that waits is enough.
    pub(super) fn tick(&mut self) {
        if let Some((watch, request, _)) = &mut self.watch
            && watch.changed()
        {
            let _ = request.try_send(());
        }
    }

    /// The next thing that was found.
    pub(super) async fn next(&mut self) -> Candidates {
        if let Some(found) = &mut self.found
            && let Some(found) = found.recv().await
        {
            return found;
        }
        std::future::pending().await
    }

    /// Nobody joins any more.
    pub(super) fn stop(self) {
        if let Some((.., task)) = self.watch {
            task.abort();
        }
    }
}
