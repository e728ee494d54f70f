//! The threads of a run: one for each point, each ping and the ledger. How they start and how they end.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

use netcap_bundle::{Op, layout};
use rust_i18n::t;
use tokio::sync::mpsc;

use super::Context;
use super::rings::Listening;
use super::view::Session;
use crate::disk::budget::Metered;
use crate::error::{Error, Result};
use crate::ledger::{self, Ledger, NewPoint};
use crate::ping;
use crate::point::event::Event;

impl Session {
    pub(super) fn start(&mut self, context: &Context<'_>, listeners: Vec<Listening>) -> Result<Threads> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Threads { stop: stop.clone(), points: Vec::new(), pings: Vec::new(), ledger: None };
        if let Err(e) = self.start_all(context, listeners, &mut threads) {
            stop.store(true, Relaxed);
            // The run's directory goes next, and who still writes would leave some of it.
            let _ = threads.wait();
            return Err(e);
        }
        Ok(threads)
    }

    fn start_all(
        &mut self,
        context: &Context<'_>,
        listeners: Vec<Listening>,
        threads: &mut Threads,
    ) -> Result<()> {
        let run = context.run;
        let mut points = Vec::new();
        for (recorded, listening) in self.points.iter().zip(listeners) {
            points.push(NewPoint {
                point: recorded.point.clone(),
                counters: recorded.counters.clone(),
                crossed: listening.crossed,
            });
            let thread = Self::start_point(context, recorded, listening, threads)?;
            threads.points.push(thread);
        }
        let (budget, dir) = (self.budget.clone(), run.dir.clone());
        let open: ledger::Open =
            Box::new(move |path| Ok(Box::new(Metered::lines(dir.append(path)?, &budget))));
        let privileged = &context.process.privileged;
        let ovs = run.info.ovs_rundir.is_some().then(|| privileged.clone());
        let (joining, joined) = std::sync::mpsc::channel();
        let thread = Ledger::create(&run.dir, &points, ovs, self.host.clone(), context.events.clone(), open)
            .and_then(|ledger| ledger.start(joined))
            .map_err(Error::file(Op::Create, run.path.join(layout::LEDGERS)))?;
        threads.ledger = Some(LedgerThread { joining, thread });
        for (address, tally) in &self.pings {
            let (tally, stop) = (tally.clone(), threads.stop.clone());
            let thread =
                ping::start(&run.dir, *address, self.utc_offset_s, tally, stop, &self.budget, &**privileged);
            threads.pings.push((*address, thread.map_err(Error::file(Op::Ping, address.to_string()))?));
        }
        Ok(())
    }

    /// Waits for the threads to write what they have, and hears meanwhile what they say: they wait to be heard.
    pub(super) async fn join(&mut self, threads: Threads, inbox: &mut mpsc::Receiver<Event>) {
        let mut joined = tokio::task::spawn_blocking(move || threads.wait());
        let joined = loop {
            tokio::select! {
                joined = &mut joined => break joined,
                Some(event) = inbox.recv() => {
                    let _ = self.event(event);
                }
            }
        };
        let Ok(Waited { broken, remarks }) = joined else { return };
        if broken > 0 {
            self.remark(&t!("run.broken", count = broken));
        }
        for text in remarks {
            self.remark(&text);
        }
    }
}

/// Threads of a run and the flag that ends them.
pub(super) struct Threads {
    pub(super) stop: Arc<AtomicBool>,
    pub(super) points: Vec<JoinHandle<()>>,
    pub(super) pings: Vec<(IpAddr, JoinHandle<std::io::Result<()>>)>,
    pub(super) ledger: Option<LedgerThread>,
}

pub(super) struct LedgerThread {
    /// Points that join; dropping it ends the thread.
    pub(super) joining: std::sync::mpsc::Sender<NewPoint>,
    pub(super) thread: JoinHandle<()>,
}

/// How the threads ended.
struct Waited {
    /// Threads that ended by a panic.
    broken: usize,
    /// What the others had to complain of.
    remarks: Vec<String>,
}

impl Threads {
    /// Waits for all of them.
    fn wait(self) -> Waited {
        let broken =
            self.points.into_iter().map(JoinHandle::join).filter(std::result::Result::is_err).count();
        if let Some(LedgerThread { joining, thread }) = self.ledger {
            // After the points: its last line closes their sums.
            drop(joining);
            let _ = thread.join();
        }
        let failed =
            |address: IpAddr, why: String| t!("run.ping_failed", address = address, why = why).into_owned();
        let remarks = self.pings.into_iter().filter_map(|(address, thread)| match thread.join() {
            Ok(Ok(())) => None,
            Ok(Err(e)) => Some(failed(address, e.to_string())),
            Err(_) => Some(failed(address, "?".into())),
        });
        Waited { broken, remarks: remarks.collect() }
    }
}
