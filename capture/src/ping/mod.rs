//! Own ICMP echo, one request a second, so that loss and round trips stand on the packets' clock in the bundle.
//!
//! A request that is not answered within two seconds is lost; an answer that comes later is written as a line for people
//! but the machine line stays `lost`: for the service behind the address it was. Requests still open when the run ends are
//! `open`, never losses.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use netcap_bundle::Nanos;
use netcap_bundle::held::Dir;
use netcap_bundle::run::{Answer, Clock, NS_PER_S};

use crate::disk::budget::Budget;
use crate::host::clock;
use crate::privileged::Privileged;
use log::Log;
use socket::{Socket, SocketEvent};

mod log;
mod packet;
mod socket;

/// Nanoseconds between two requests.
const INTERVAL_NS: i64 = NS_PER_S;
/// Nanoseconds after which a request is lost.
const TIMEOUT_NS: i64 = 2 * NS_PER_S;
/// Nanoseconds by which the clock of the stamps may differ from the one that does not jump before it was set: two readings
/// are never of one moment, and slewing changes half a millisecond a second at most (adjtimex(2)).
const JUMP_NS: i64 = 5_000_000;
/// Longest wait, so that a stop is noticed.
const WAIT_NS: i64 = NS_PER_S / 5;

/// What one ping has seen so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests sent.
    pub sent: AtomicU64,
    /// Answered in time.
    pub answered: AtomicU64,
    /// Lost or answered by an error.
    pub lost: AtomicU64,
    /// The last round trip in nanoseconds; 0 before the first.
    pub last_rtt_ns: AtomicU64,
}

/// A request that waits for its answer.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    sent: Nanos,
    /// When it was asked for, by both clocks.
    asked: Clock,
    /// The stamp is the kernel's.
    kernel: bool,
}

impl Waiting {
    /// Nanoseconds until an answer that was stamped `at` and is read `now`, and whether they are those between both
    /// stamps: when the host's clock was set meanwhile, they are those until it was read.
    fn round_trip(&self, at: Nanos, now: Clock) -> (i64, bool) {
        let elapsed = now.monotonic_ns.saturating_sub(self.asked.monotonic_ns);
        let jumped = now.realtime.since(self.asked.realtime).saturating_sub(elapsed);
        if jumped.saturating_abs() > JUMP_NS { (elapsed, false) } else { (at.since(self.sent), true) }
    }
}

/// What a raw socket of either family gave, read: for the fuzz target.
#[cfg(fuzzing)]
pub fn read_any(bytes: &[u8], id: u16) {
    let _ = (packet::read_v4(bytes, id), packet::read_v6(bytes, id), packet::sequence_of_sent(bytes, id));
}

/// Starts pinging an address; the sockets and files are opened before this returns.
pub(crate) fn start(
    dir: &Dir,
    address: IpAddr,
    utc_offset_s: i32,
    tally: Arc<Tally>,
    stop: Arc<AtomicBool>,
    budget: &Arc<Budget>,
    privileged: &dyn Privileged,
) -> io::Result<JoinHandle<io::Result<()>>> {
    let socket = Socket::open(address, privileged)?;
    let log = Log::create(dir, address, utc_offset_s, budget)?;
    let pinger = Pinger { socket, log, tally, next: 1, waiting: BTreeMap::new() };
    thread::Builder::new().name("ping".into()).spawn(move || pinger.run(&stop))
}

struct Pinger {
    socket: Socket,
    log: Log,
    tally: Arc<Tally>,
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
}

impl Pinger {
    fn run(mut self, stop: &AtomicBool) -> io::Result<()> {
        let mut due = clock::monotonic_ns();
        while !stop.load(Relaxed) {
            let now = clock::monotonic_ns();
            if now >= due {
                self.send()?;
                // A host that was suspended does not catch up in a burst.
                due = (due + INTERVAL_NS).max(now - INTERVAL_NS);
            }
            let wait = (due - clock::monotonic_ns()).clamp(0, WAIT_NS);
            self.hear(Duration::from_nanos(u64::try_from(wait).unwrap_or(0)))?;
            self.give_up()?;
        }
        self.hear(Duration::ZERO)?;
        for (seq, waiting) in std::mem::take(&mut self.waiting) {
            self.log.answer(seq, waiting.sent, &Answer::Open)?;
        }
        self.log.summary(&self.tally)
    }

    fn send(&mut self) -> io::Result<()> {
        let seq = self.next;
        self.next += 1;
        let asked = clock::both();
        let sent = asked.realtime;
        self.tally.sent.fetch_add(1, Relaxed);
        match self.socket.send(seq) {
            Ok(()) => {
                self.waiting.insert(seq, Waiting { sent, asked, kernel: false });
                Ok(())
            }
            Err(e) => {
                self.tally.lost.fetch_add(1, Relaxed);
                self.log.answer(seq, sent, &Answer::Error { why: e.to_string() })
            }
        }
    }

    fn hear(&mut self, wait: Duration) -> io::Result<()> {
        for heard in self.socket.hear(wait) {
            match heard {
                SocketEvent::Sent { seq, at } => self.stamp(seq, at),
                SocketEvent::Reply { seq, at, ttl, kernel } => self.reply(seq, at, ttl, kernel)?,
                SocketEvent::Error { seq, why } => {
                    let Some((seq, waiting)) = self.take(seq) else { continue };
                    self.tally.lost.fetch_add(1, Relaxed);
                    self.log.answer(seq, waiting.sent, &Answer::Error { why })?;
                }
            }
        }
        Ok(())
    }

    /// The kernel says when the request really left.
    fn stamp(&mut self, seq: u16, at: Nanos) {
        if let Some(full) = self.full(seq)
            && let Some(waiting) = self.waiting.get_mut(&full)
        {
            (waiting.sent, waiting.kernel) = (at, true);
        }
    }

    fn reply(&mut self, seq: u16, at: Nanos, ttl: Option<u8>, by_kernel: bool) -> io::Result<()> {
        let Some((full, waiting)) = self.take(seq) else { return self.log.late(seq, at) };
        let (rtt_ns, stamped) = waiting.round_trip(at, clock::both());
        if rtt_ns > TIMEOUT_NS {
            self.tally.lost.fetch_add(1, Relaxed);
            self.log.late(seq, at)?;
            return self.log.answer(full, waiting.sent, &Answer::Lost);
        }
        self.tally.answered.fetch_add(1, Relaxed);
        self.tally.last_rtt_ns.store(u64::try_from(rtt_ns).unwrap_or(0), Relaxed);
        let kernel = waiting.kernel && by_kernel && stamped;
        self.log.answer(full, waiting.sent, &Answer::Reply { rtt_ns, ttl, kernel })
    }

    /// Requests whose time is over.
    fn give_up(&mut self) -> io::Result<()> {
        let now = clock::monotonic_ns();
        while let Some(first) = self.waiting.first_entry() {
            if now.saturating_sub(first.get().asked.monotonic_ns) <= TIMEOUT_NS {
                break;
            }
            let (seq, waiting) = first.remove_entry();
            self.tally.lost.fetch_add(1, Relaxed);
            self.log.answer(seq, waiting.sent, &Answer::Lost)?;
        }
        Ok(())
    }

    fn take(&mut self, seq: u16) -> Option<(u64, Waiting)> {
        self.waiting.remove_entry(&self.full(seq)?)
    }

    /// The waiting request with these low 16 bits; only a few wait at a time.
    fn full(&self, seq: u16) -> Option<u64> {
        self.waiting.keys().copied().find(|full| full & 0xffff == u64::from(seq))
    }
}

#[cfg(test)]
mod tests;
