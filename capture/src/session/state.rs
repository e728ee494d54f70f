//! Host state while the run lasts: a round at the start, smaller ones in between, a full one at the end.
//!
//! The commands run one after the other and niced; the recording does not wait for them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use netcap_bundle::held::Dir;
use netcap_bundle::source::{Cadence, Outcome, Reason, SourceDef};
use netcap_bundle::sources;
use netcap_bundle::state::{StateWriter, Taken};
use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;

use super::follow::LookSamples;
use crate::disk::budget::Budget;
use crate::host::sample::{self, ElementNames, Sampler};

/// Bytes of host state in one run; what does not fit is recorded as left out.
const BUDGET: u64 = 256 << 20;
/// Bytes a sample costs at most besides its own: index line, manifest entry, tar header and padding.
const LINE_MAX: u64 = 4 * 1024;
/// Bytes a file costs besides its own and its index line.
const FILE_PRICE: u64 = 2 * 1024;
/// Bytes held in memory before they are written.
const HELD_MAX: usize = 32 << 20;

/// Takes and writes rounds of host state.
pub(super) struct State {
    sampler: Arc<dyn Sampler>,
    elements: ElementNames,
    writer: StateWriter,
    budget: Arc<Budget>,
    refused: u64,
    /// Taken and not written yet.
    held: Vec<Taken>,
}

/// How far the end of a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    /// It records.
    NotYet,
    /// One more look at everything.
    LastLook,
    /// No look any more; what was taken is written.
    Now,
}

impl State {
    /// Starts in a run's directory with the names that the inventory found.
    pub(super) fn create(
        dir: &Dir,
        sampler: Arc<dyn Sampler>,
        elements: ElementNames,
        budget: Arc<Budget>,
    ) -> netcap_bundle::Result<Self> {
        // Host state explains the packets; it must not push them out.
        let writer = StateWriter::create(dir, BUDGET.min(budget.bounds().max / 4))?;
        Ok(Self { sampler, elements, writer, budget, refused: 0, held: Vec::new() })
    }

    /// The first round: what the inventory took already, and everything else.
    pub(super) async fn first(&mut self, inventory: Vec<Taken>) -> netcap_bundle::Result<()> {
        let have: BTreeSet<&str> = inventory.iter().map(|taken| taken.source).collect();
        let rest: Vec<_> = sources::in_order().into_iter().filter(|def| !have.contains(def.id)).collect();
        self.held.extend(inventory);
        self.round(&rest).await
    }

    /// What changes by itself.
    pub(super) async fn periodic(&mut self) -> netcap_bundle::Result<()> {
        let mut some = sources::in_order();
        some.retain(|def| def.cadence == Cadence::Periodic);
        self.round(&some).await
    }

    /// What was taken because interfaces had changed.
    fn look_samples(&mut self, look_samples: LookSamples) -> netcap_bundle::Result<()> {
        self.elements = look_samples.elements;
        self.write(look_samples.taken)
    }

    /// Everything, once more.
    pub(super) async fn last(&mut self) -> netcap_bundle::Result<()> {
        self.round(&sources::in_order()).await
    }

    /// May be dropped half-way: what it took is held then.
    async fn round(&mut self, defs: &[&'static SourceDef]) -> netcap_bundle::Result<()> {
        for def in defs {
            self.held.extend(sample::source(&*self.sampler, def, &mut self.elements).await);
            let bytes: usize = self.held.iter().map(|taken| taken.bytes.len()).sum();
            if bytes > HELD_MAX {
                self.write_held()?;
            }
        }
        self.write_held()
    }

    fn write_held(&mut self) -> netcap_bundle::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.write(held)
    }

    /// Asks the disk budget for the most that these samples may cost, and gives back what they did not.
    fn write(&mut self, mut held: Vec<Taken>) -> netcap_bundle::Result<()> {
        let lines = LINE_MAX.saturating_mul(held.len() as u64);
        let bytes = held.iter().map(|taken| taken.bytes.len() as u64).sum::<u64>().saturating_add(lines);
        let promised = if self.budget.take(bytes).is_ok() {
            bytes
        } else if self.budget.take(lines).is_ok() {
            // No room for the samples, but for the note that they are missing.
            for taken in held.iter_mut().filter(|taken| !taken.bytes.is_empty()) {
                taken.bytes.clear();
                taken.outcome =
                    Outcome::Failed { reason: Reason::Budget, why: "the disk budget is spent".into() };
                self.refused += 1;
            }
            lines
        } else {
            self.refused += held.len() as u64;
            return Ok(());
        };
        if self.budget.syncer().failure().is_some() {
            // WriterThread would make a directory anew that somebody has taken away.
            return Ok(());
        }
        let before = self.writer.written();
        let done = self.writer.round(held);
        self.writer.take_fresh().into_iter().for_each(|path| self.budget.syncer().path(path));
        let after = self.writer.written();
        let (bytes, files) = (after.bytes - before.bytes, after.files - before.files);
        let cost = bytes.saturating_add(files.saturating_mul(FILE_PRICE));
        self.budget.wrote(bytes);
        self.budget.give_back(promised.saturating_sub(cost));
        done
    }

    /// Samples left out because the budget was spent.
    pub(super) fn refused(&self) -> u64 {
        self.writer.refused().saturating_add(self.refused)
    }
}

/// The next look of somebody else, if there will be any.
async fn next(look_samples: &mut Option<Receiver<LookSamples>>) -> Option<LookSamples> {
    match look_samples {
        Some(look_samples) => look_samples.recv().await,
        None => None,
    }
}

/// Runs rounds until the run ends, then the last one, unless that is cut short too. Gives how many samples were left out.
pub(super) async fn keep(
    mut state: State,
    inventory: Vec<Taken>,
    interval: Duration,
    mut look_samples: Option<Receiver<LookSamples>>,
    mut ending: watch::Receiver<Ending>,
) -> netcap_bundle::Result<u64> {
    let mut cut = ending.clone();
    tokio::select! {
        done = rounds(&mut state, inventory, interval, &mut look_samples, &mut ending) => done?,
        () = reached(&mut cut, Ending::Now) => state.write_held()?,
    }
    Ok(state.refused())
}

/// Waits until the end is that far. A sender that is gone means the same.
async fn reached(ending: &mut watch::Receiver<Ending>, far: Ending) {
    let _ = ending.wait_for(|ending| *ending >= far).await;
}

async fn rounds(
    state: &mut State,
    inventory: Vec<Taken>,
    interval: Duration,
    look_samples: &mut Option<Receiver<LookSamples>>,
    ending: &mut watch::Receiver<Ending>,
) -> netcap_bundle::Result<()> {
    state.first(inventory).await?;
    let mut timer = tokio::time::interval(interval);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    timer.tick().await;
    loop {
        tokio::select! {
            () = reached(ending, Ending::LastLook) => break,
            _ = timer.tick() => state.periodic().await?,
            Some(look_samples) = next(look_samples) => state.look_samples(look_samples)?,
        }
    }
    state.last().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::budget::Bounds;
    use crate::host::services::Host;
    use netcap_bundle::layout;

    #[tokio::test]
    async fn a_last_look_that_is_cut_short_keeps_what_it_has() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host { root: dir.path().to_owned(), ovs_rundir: dir.path().to_owned() };
        let held = Dir::open(dir.path()).unwrap();
        let budget = Budget::new(&held, Bounds { max: 64 << 20, floor: 0, segment: 1 << 20 }, 0);
        let mut state = State::create(&held, Arc::new(host), ElementNames::default(), budget).unwrap();
        let (at, why) = (netcap_bundle::Nanos(1), "nobody was there");
        let def = sources::ALL[0].def;
        state.held = vec![crate::host::exec::not_taken(def.id, &def.recipes[0], at, Reason::Other, why)];
        let (sender, ending) = watch::channel(Ending::Now);
        // The inventory is what the first round would begin with.
        keep(state, Vec::new(), Duration::from_secs(1), None, ending).await.unwrap();
        let index = std::fs::read_to_string(dir.path().join(layout::STATE_INDEX)).unwrap();
        assert!(index.contains(why), "{index}");
        drop(sender);
    }
}
