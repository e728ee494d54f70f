//! The loss ledger: each second, what the points took in, lost and wrote, and what their interfaces counted meanwhile.
//!
//! A thread of its own, because the second has to come also while the last look at the host takes its time. It reads
//! what the points' threads have settled ([`Counters::settled`]), so a line never tears a count apart. It ends after
//! them, so that its last line closes the sums.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use netcap_bundle::ledger::{IfaceCounts, PointSpan, SoftnetSpan, Sums, line};
use netcap_bundle::{Point, layout};
use tokio::sync::mpsc::Sender;

use crate::clock;
use crate::counters::Counters;
use crate::netdev::{self, Softnet};
use crate::recorder::Event;
use crate::watchdog::Watchdog;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// A line is written at least this often when only the interface has something to tell.
const CROSSED_MS: u64 = 10_000;
/// A line is written at least this often: the heartbeat.
const HEARTBEAT_MS: u64 = 60_000;

/// The ledgers of a run.
pub struct Ledger {
    points: Vec<Entry>,
    softnet: Softnet,
    /// Softnet counts that are in no line yet: processed, dropped, squeezed.
    host: [u64; 3],
    host_file: Box<dyn Write + Send>,
    host_line: Instant,
    events: Sender<Event>,
}

/// One point's ledger.
struct Entry {
    iface: String,
    counters: Arc<Counters>,
    file: Box<dyn Write + Send>,
    /// What the last line closed with.
    written: Sums,
    line: Instant,
    /// Interface counts since the last line; the interface's counters at the last look.
    crossed: IfaceCounts,
    seen: Option<IfaceCounts>,
    looked: Instant,
    /// Received when last looked, for the watchdog.
    received: u64,
    away: bool,
    dog: Watchdog,
}

impl Ledger {
    /// Makes the files; `open` gives the file of a path, so that the disk budget can look on.
    pub fn create(
        dir: &Path,
        points: &[(&Point, Arc<Counters>)],
        events: Sender<Event>,
        open: impl Fn(&Path) -> io::Result<Box<dyn Write + Send>>,
    ) -> io::Result<Self> {
        fs::create_dir_all(dir.join(layout::LEDGERS))?;
        let (now, interfaces) = (Instant::now(), netdev::interfaces());
        let entry = |(point, counters): &(&Point, Arc<Counters>)| -> io::Result<Entry> {
            Ok(Entry {
                iface: point.iface.clone(),
                counters: counters.clone(),
                file: open(&dir.join(layout::ledger(&point.id)))?,
                written: Sums::default(),
                line: now,
                crossed: IfaceCounts::default(),
                seen: interfaces.get(&point.iface).copied(),
                looked: now,
                received: 0,
                away: false,
                dog: Watchdog::new(!point.filter.is_empty()),
            })
        };
        let points = points.iter().map(entry).collect::<io::Result<Vec<_>>>()?;
        let mut softnet = Softnet::default();
        let _ = softnet.since_last();
        let host_file = open(&dir.join(layout::SOFTNET))?;
        Ok(Self { points, softnet, host: [0; 3], host_file, host_line: now, events })
    }

    /// Starts the thread; it ends with a last line when the other side of `stop` is dropped.
    pub fn start(mut self, stop: Receiver<()>) -> io::Result<JoinHandle<()>> {
        thread::Builder::new().name("ledger".into()).spawn(move || {
            let mut next = Instant::now() + EVERY;
            loop {
                let over = match stop.recv_timeout(next.saturating_duration_since(Instant::now())) {
                    Err(RecvTimeoutError::Timeout) => false,
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => true,
                };
                next = Instant::now() + EVERY;
                if let Err(e) = self.look(over) {
                    // The recording goes on: it does not depend on the ledger, and the remark says where it ends.
                    let _ = self.events.blocking_send(Event::LedgerEnded { why: e.to_string() });
                    return;
                }
                if over {
                    return;
                }
            }
        })
    }

    fn look(&mut self, over: bool) -> io::Result<()> {
        let interfaces = netdev::interfaces();
        for entry in &mut self.points {
            if let Some(bark) = entry.look(&interfaces) {
                let _ = self.events.try_send(Event::Watchdog { iface: entry.iface.clone(), bark });
            }
            if over || entry.due() {
                entry.write()?;
            }
        }
        for (sum, new) in self.host.iter_mut().zip(self.softnet.since_last()) {
            *sum = sum.saturating_add(new);
        }
        let [processed, dropped, squeezed] = self.host;
        let ms = millis(self.host_line);
        if over || dropped > 0 || squeezed > 0 || ms >= HEARTBEAT_MS {
            let span = SoftnetSpan { at: clock::now(), ms, processed, dropped, squeezed };
            self.host_file.write_all(&line(&span)?)?;
            (self.host, self.host_line) = ([0; 3], Instant::now());
        }
        Ok(())
    }
}

impl Entry {
    /// Takes in the interface's counters of the time since the last look.
    fn look(&mut self, interfaces: &BTreeMap<String, IfaceCounts>) -> Option<crate::watchdog::Bark> {
        let now = interfaces.get(&self.iface).copied();
        let new = now.zip(self.seen).and_then(|(now, seen)| now.since(seen));
        let crossed = new.unwrap_or_default();
        add(&mut self.crossed, crossed);
        self.seen = now;
        let (ms, received) = (millis(self.looked), self.counters.settled().received);
        let heard = received.saturating_sub(self.received);
        (self.looked, self.received) = (Instant::now(), received);
        if new.is_none() || self.counters.away.load(Relaxed) {
            self.dog.reset();
            return None;
        }
        let bark = self.dog.span(ms, crossed.packets(), heard);
        self.counters.deaf.store(self.dog.deaf(), Relaxed);
        bark
    }

    fn due(&self) -> bool {
        let ms = millis(self.line);
        let crossed = self.crossed;
        let trouble = crossed.rx_dropped | crossed.tx_dropped | crossed.rx_errors | crossed.tx_errors != 0;
        self.counters.settled() != self.written
            || self.counters.away.load(Relaxed) != self.away
            || trouble
            || (crossed.packets() > 0 && ms >= CROSSED_MS)
            || ms >= HEARTBEAT_MS
    }

    fn write(&mut self) -> io::Result<()> {
        let now = self.counters.settled();
        let before = self.written;
        self.away = self.counters.away.load(Relaxed);
        let span = PointSpan {
            at: clock::now(),
            ms: millis(self.line),
            received: now.received.saturating_sub(before.received),
            dropped: now.dropped.saturating_sub(before.dropped),
            written: now.written.saturating_sub(before.written),
            wire_bytes: now.wire_bytes.saturating_sub(before.wire_bytes),
            iface: self.seen.map(|_| self.crossed),
            away: self.away,
        };
        self.file.write_all(&line(&span)?)?;
        (self.written, self.line, self.crossed) = (now, Instant::now(), IfaceCounts::default());
        Ok(())
    }
}

/// A file that lines are appended to, each with one write.
pub fn append(path: &Path) -> io::Result<fs::File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn add(sum: &mut IfaceCounts, new: IfaceCounts) {
    let fields = [
        (&mut sum.rx_packets, new.rx_packets),
        (&mut sum.tx_packets, new.tx_packets),
        (&mut sum.rx_dropped, new.rx_dropped),
        (&mut sum.tx_dropped, new.tx_dropped),
        (&mut sum.rx_errors, new.rx_errors),
        (&mut sum.tx_errors, new.tx_errors),
    ];
    for (sum, new) in fields {
        *sum = sum.saturating_add(new);
    }
}
