//! The loss ledger: each second, what the points took in, lost and wrote, and what their interfaces counted meanwhile.
//!
//! A thread of its own, because the second has to come also while the last look at the host takes its time. It reads
//! what the points' threads have settled ([`Counters::settled`]), so a line never tears a count apart. It ends after
//! them, so that its last line closes the sums.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use netcap_bundle::held::Dir;
use netcap_bundle::run::{HostSpan, IfaceCounts, json_line};
use netcap_bundle::{Point, layout};
use tokio::sync::mpsc::Sender;

use crate::host::clock;
use crate::host::netdev::{self, Softnet};
use crate::point::counters::{Counters, HostCounters};
use crate::point::event::{Event, PointEvent};
use crate::privileged::Privileged;
use datapaths::Drops;
use entry::Entry;

mod datapaths;
mod entry;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// A line is written at least this often: the heartbeat.
const HEARTBEAT_MS: u64 = 60_000;

/// Gives the file of a path, so that the disk budget can look on.
pub(crate) type Open = Box<dyn Fn(&str) -> io::Result<Box<dyn Write + Send>> + Send>;

/// A point whose ledger begins.
pub(crate) struct NewPoint {
    /// What is recorded.
    pub point: Point,
    /// Its numbers.
    pub counters: Arc<Counters>,
    /// What its interface had counted when its ring began to hear.
    pub crossed: Option<IfaceCounts>,
}

/// The ledgers of a run.
pub(crate) struct Ledger {
    open: Open,
    points: Vec<Entry>,
    softnet: Softnet,
    ovs: Option<Drops>,
    /// What is in no line yet.
    host: HostSpan,
    host_file: Box<dyn Write + Send>,
    host_line: Instant,
    /// Sums for who looks on.
    sums: Arc<HostCounters>,
    events: Sender<Event>,
}

impl Ledger {
    /// Makes the files. `ovs` asks Open vSwitch, if it is there.
    pub(crate) fn create(
        dir: &Dir,
        points: &[NewPoint],
        ovs: Option<Arc<dyn Privileged>>,
        sums: Arc<HostCounters>,
        events: Sender<Event>,
        open: Open,
    ) -> io::Result<Self> {
        dir.make_dir(layout::LEDGERS)?;
        let entry = |new: &NewPoint| Ok(Entry::new(new, open(&layout::ledger(&new.point.id))?));
        let points = points.iter().map(entry).collect::<io::Result<Vec<_>>>()?;
        let mut softnet = Softnet::default();
        let _ = softnet.since_last();
        let mut ovs = ovs.map(Drops::new);
        let _ = ovs.as_mut().and_then(Drops::since_last);
        let host_file = open(layout::SOFTNET)?;
        let (host, host_line) = (HostSpan::default(), Instant::now());
        Ok(Self { open, points, softnet, ovs, host, host_file, host_line, sums, events })
    }

    /// Starts the thread; it ends with a last line when the other side of `joining` is dropped.
    pub(crate) fn start(mut self, joining: Receiver<NewPoint>) -> io::Result<JoinHandle<()>> {
        thread::Builder::new().name("ledger".into()).spawn(move || {
            if let Err(e) = self.keep(&joining) {
                // The recording goes on: it does not depend on the ledger, and the remark says where it ends.
                let _ = self.events.blocking_send(Event::LedgerEnded { why: e.to_string() });
            }
        })
    }

    fn keep(&mut self, joining: &Receiver<NewPoint>) -> io::Result<()> {
        let mut next = Instant::now() + EVERY;
        loop {
            let over = match joining.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
                Ok(joined) => {
                    self.join(&joined)?;
                    continue;
                }
            };
            next = Instant::now() + EVERY;
            self.look(over)?;
            if over {
                return Ok(());
            }
        }
    }

    fn join(&mut self, joined: &NewPoint) -> io::Result<()> {
        let file = (self.open)(&layout::ledger(&joined.point.id))?;
        self.points.push(Entry::new(joined, file));
        Ok(())
    }

    fn look(&mut self, over: bool) -> io::Result<()> {
        let interfaces = netdev::interfaces();
        let ovs = self.ovs.as_mut().and_then(Drops::since_last);
        for entry in &mut self.points {
            if let Some(alarm) = entry.look(&interfaces, ovs.as_ref(), over) {
                let _ = self
                    .events
                    .try_send(Event::Point { id: entry.id.clone(), what: PointEvent::Watchdog(alarm) });
            }
            entry.write_steps()?;
            if over || entry.due() {
                entry.write()?;
            }
        }
        let [processed, dropped, squeezed] = self.softnet.since_last();
        add(&mut self.host.processed, processed);
        add(&mut self.host.dropped, dropped);
        add(&mut self.host.squeezed, squeezed);
        self.sums.softnet_dropped.fetch_add(dropped, Relaxed);
        if let Some(ovs) = ovs {
            add(self.host.upcalls.get_or_insert(0), ovs.missed);
            add(&mut self.host.upcalls_lost, ovs.lost);
            self.sums.upcalls_lost.fetch_add(ovs.lost, Relaxed);
        }
        let ms = millis(self.host_line);
        if over || self.host.dropped | self.host.squeezed | self.host.upcalls_lost != 0 || ms >= HEARTBEAT_MS
        {
            let span = HostSpan { at: clock::now(), ms, ..self.host };
            self.host_file.write_all(&json_line(&span)?)?;
            (self.host, self.host_line) = (HostSpan::default(), Instant::now());
        }
        Ok(())
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn add(sum: &mut u64, new: u64) {
    *sum = sum.saturating_add(new);
}
