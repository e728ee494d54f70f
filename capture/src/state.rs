//! Host state while the run lasts: a round at the start, smaller ones in between, a full one at the end.
//!
//! The commands run one after the other and niced; the recording does not wait for them.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use netcap_bundle::source::{Cadence, SourceDef};
use netcap_bundle::sources;
use netcap_bundle::state::{StateWriter, Taken};

use crate::exec::Host;
use crate::sample::{self, Elements};

/// Bytes of host state in one run; what does not fit is recorded as left out.
const BUDGET: u64 = 256 << 20;
/// Bytes held in memory before they are written.
const HELD_MAX: usize = 32 << 20;

/// Takes and writes rounds of host state.
pub struct State {
    host: Host,
    elements: Elements,
    writer: StateWriter,
}

impl State {
    /// Starts in a run's directory with the names that the inventory found.
    pub fn create(dir: &Path, host: Host, elements: Elements) -> netcap_bundle::Result<Self> {
        Ok(Self { host, elements, writer: StateWriter::create(dir, BUDGET)? })
    }

    /// The first round: what the inventory took already, and everything else.
    pub async fn first(&mut self, inventory: Vec<Taken>) -> netcap_bundle::Result<()> {
        let have: BTreeSet<&str> = inventory.iter().map(|taken| taken.source).collect();
        let rest: Vec<_> = sources::ALL.iter().copied().filter(|def| !have.contains(def.id)).collect();
        self.round(inventory, &rest).await
    }

    /// What changes by itself.
    pub async fn periodic(&mut self) -> netcap_bundle::Result<()> {
        let some: Vec<_> = sources::ALL.iter().copied().filter(|d| d.cadence == Cadence::Periodic).collect();
        self.round(Vec::new(), &some).await
    }

    /// Everything, once more.
    pub async fn last(&mut self) -> netcap_bundle::Result<()> {
        let mut all = sources::ALL.to_vec();
        // Names first: bridges and machines may have come and gone.
        all.sort_by_key(|def| !matches!(def.id, "ovsdb" | "libvirt"));
        self.round(Vec::new(), &all).await
    }

    async fn round(
        &mut self,
        mut held: Vec<Taken>,
        defs: &[&'static SourceDef],
    ) -> netcap_bundle::Result<()> {
        for def in defs {
            held.extend(sample::source(&self.host, def, &mut self.elements).await);
            let bytes: usize = held.iter().map(|taken| taken.bytes.len()).sum();
            if bytes > HELD_MAX {
                self.writer.round(std::mem::take(&mut held))?;
            }
        }
        self.writer.round(held)
    }

    /// Samples left out because the budget was spent.
    pub fn refused(&self) -> u64 {
        self.writer.refused()
    }
}

/// Runs rounds until told to stop, then the last one. Gives how many samples were left out.
pub async fn keep(
    mut state: State,
    inventory: Vec<Taken>,
    interval: Duration,
    mut stop: tokio::sync::watch::Receiver<bool>,
) -> netcap_bundle::Result<u64> {
    state.first(inventory).await?;
    let mut timer = tokio::time::interval(interval);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    timer.tick().await;
    loop {
        tokio::select! {
            // It changes once; a sender that is gone means the same.
            _ = stop.changed() => break,
            _ = timer.tick() => state.periodic().await?,
        }
    }
    state.last().await?;
    Ok(state.refused())
}
