//! How a run starts and ends: rings, the disk, the threads.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use netcap_bundle::Op;
use tokio::sync::mpsc;

use super::Context;
use super::rings::Listening;
use super::threads::Threads;
use super::view::{Opening, Session};
use crate::disk::budget::Budget;
use crate::disk::syncer::SyncerThread;
use crate::disk::writer::WriterThread;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::point::event::Event;

/// A run whose packets are taken in.
pub(super) struct Running {
    pub(super) session: Session,
    pub(super) threads: Threads,
    disk: DiskThreads,
}

impl Running {
    /// Starts everything but the host's state.
    pub(super) fn start(
        context: &Context<'_>,
        budget: &Arc<Budget>,
        opening: &Opening<'_>,
        listeners: Vec<Listening>,
    ) -> Result<Self> {
        let mut session = Session::begin(context, budget, opening)?;
        opening.fitted.remarks.iter().for_each(|text| session.remark(text));
        session.rings(&listeners);
        let disk = DiskThreads::start(context, budget)?;
        let threads = session.start(context, listeners)?;
        Ok(Self { session, threads, disk })
    }

    /// Ends everything but the host's state; gives what a reader must know.
    pub(super) async fn end(self, plan: &Plan, inbox: &mut mpsc::Receiver<Event>) -> Vec<String> {
        let Self { mut session, threads, disk } = self;
        let budget = session.budget.clone();
        threads.stop.store(true, Relaxed);
        budget.ending();
        session.join(threads, inbox).await;
        // Everything is handed over: a disk that stands still is waited for here and nowhere else.
        let _ = tokio::task::spawn_blocking(move || disk.end()).await;
        session.disk_failed();
        budget.sealing();
        session.last_events(inbox);
        session.show_last(plan);
        session.journal.close();
        budget.syncer().let_go();
        session.remarks
    }
}

/// Bytes held back twice for the end of a run on a disk that others have filled: ends of files; manifest.
const RESERVE: u64 = 128 << 10;
/// And for each point: the end of its segment.
pub(super) const POINT_RESERVE: u64 = 32 << 10;

/// What brings bytes to the disk.
struct DiskThreads {
    writer: WriterThread,
    syncer: SyncerThread,
}

impl DiskThreads {
    /// With room held back for the end.
    fn start(context: &Context<'_>, budget: &Arc<Budget>) -> Result<Self> {
        let path = &context.run.path;
        let reserve = RESERVE + POINT_RESERVE * context.plan.points.len() as u64;
        budget.reserve(reserve).map_err(Error::file(Op::Write, path))?;
        let failed = || Error::file(Op::StartThread, path);
        let writer = context.disk.start().map_err(failed())?;
        Ok(Self { writer, syncer: budget.syncer().start().map_err(failed())? })
    }

    fn end(self) {
        self.writer.end();
        self.syncer.end();
    }
}
