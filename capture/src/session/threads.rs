//! The threads of a run: one for each point, each ping and the ledger. How they start and how they end.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

use netcap_bundle::layout;
use rust_i18n::t;

use super::running::Session;
use super::{Listening, Stage, Threads};
use crate::budget::Metered;
use crate::error::{Error, Result};
use crate::ledger::{self, Ledger};
use crate::ping;

impl Session {
    pub(super) fn start(&mut self, stage: &Stage<'_>, listeners: Vec<Listening>) -> Result<Threads> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Threads { stop: stop.clone(), points: Vec::new(), pings: Vec::new(), ledger: None };
        let run = stage.run;
        let started = || -> Result<()> {
            for (recorded, listening) in self.points.iter().zip(listeners) {
                let thread = Self::start_point(stage, recorded, listening, &threads)?;
                threads.points.push(thread);
            }
            let points: Vec<_> = self.points.iter().map(|p| (&p.point, p.counters.clone())).collect();
            let budget = self.budget.clone();
            let open: ledger::Open =
                Box::new(move |path| Ok(Box::new(Metered::lines(ledger::append(path)?, &budget))));
            let ovs = run.info.ovs_rundir.as_deref().map(Path::new);
            let (keep, stop_ledger) = std::sync::mpsc::channel();
            let ledger =
                Ledger::create(&run.path, &points, ovs, self.host.clone(), stage.events.clone(), open)
                    .and_then(|ledger| ledger.start(stop_ledger))
                    .map_err(Error::file("create", run.path.join(layout::LEDGERS)))?;
            threads.ledger = Some((keep, ledger));
            for (address, tally) in &self.pings {
                let thread = ping::start(
                    &run.path,
                    *address,
                    self.utc_offset_s,
                    tally.clone(),
                    stop.clone(),
                    &self.budget,
                );
                threads.pings.push((*address, thread.map_err(Error::file("ping", address.to_string()))?));
            }
            Ok(())
        }();
        if started.is_err() {
            stop.store(true, Relaxed);
        }
        started.map(|()| threads)
    }

    /// Waits for the threads to write what they have.
    pub(super) async fn join(&mut self, threads: Threads) {
        let joined = tokio::task::spawn_blocking(move || {
            let broken =
                threads.points.into_iter().map(JoinHandle::join).filter(std::result::Result::is_err).count();
            if let Some((keep, ledger)) = threads.ledger {
                // After the points: its last line closes their sums.
                drop(keep);
                let _ = ledger.join();
            }
            let mut remarks = Vec::new();
            for (address, thread) in threads.pings {
                match thread.join() {
                    Ok(Ok(())) => {}
                    Ok(Err(e)) => {
                        remarks.push(t!("run.ping_failed", address = address, why = e).into_owned());
                    }
                    Err(_) => remarks.push(t!("run.ping_failed", address = address, why = "?").into_owned()),
                }
            }
            (broken, remarks)
        });
        if let Ok((broken, remarks)) = joined.await {
            if broken > 0 {
                self.remark(&t!("run.broken", count = broken));
            }
            for text in remarks {
                self.remark(&text);
            }
        }
    }
}
