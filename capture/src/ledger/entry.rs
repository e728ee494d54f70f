//! One point's ledger: what its socket, its interface and its port of Open vSwitch counted, and the line about it.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use netcap_bundle::ledger::{Datapaths, Sums};
use netcap_bundle::run::{IfaceCounts, OvsDrops, PointSpan, json_line};

use super::{HEARTBEAT_MS, NewPoint, add, millis};
use crate::host::clock;
use crate::point::PointId;
use crate::point::counters::{Counters, Settled};
use crate::point::watchdog::{Alarm, Watchdog};

/// A line is written at least this often when only the interface has counted something.
const CROSSED_MS: u64 = 10_000;
/// Looks remembered: a point's thread settles its sums at least every five seconds.
const LOOKS: usize = 8;

/// One point's ledger.
pub(super) struct Entry {
    pub(super) id: PointId,
    /// Its interface, by the name it has now.
    iface: String,
    counters: Arc<Counters>,
    file: Box<dyn Write + Send>,
    /// What the last line closed with.
    written: Sums,
    line: Instant,
    /// The interface has another name since the last line.
    renamed: bool,
    /// Interface counts since the last line; the interface's counters at the last look.
    crossed: IfaceCounts,
    seen: Option<IfaceCounts>,
    /// Those at the last look before there was no interface of that name: it may have got another one.
    before: Option<IfaceCounts>,
    /// Open vSwitch's counts since the last line.
    ovs: Option<OvsDrops>,
    filter: Filtered,
    looked: Instant,
    /// Received when last looked, for the watchdog.
    received: u64,
    away: bool,
    watchdog: Watchdog,
}

/// How many packets the filter did not want: what crossed less what the socket received.
///
/// The socket's sums are older than the look at the interface. So what had crossed at the last look before they were
/// settled is compared: never too much, and what is left out comes a second later.
struct Filtered {
    any: bool,
    total: u64,
    looks: VecDeque<Look>,
    /// So far, and in lines.
    sum: u64,
    written: u64,
}

/// What had crossed the interface at one moment.
struct Look {
    at: Instant,
    crossed: u64,
}

impl Filtered {
    fn look(&mut self, crossed: u64, received: u64, settled: Option<Instant>, over: bool) {
        self.total = self.total.saturating_add(crossed);
        if !self.any {
            return;
        }
        if self.looks.len() == LOOKS {
            self.looks.pop_front();
        }
        self.looks.push_back(Look { at: Instant::now(), crossed: self.total });
        // When the point has ended there is nothing more to come.
        let before = |look: &&Look| over || settled.is_some_and(|at| look.at <= at);
        if let Some(Look { crossed, .. }) = self.looks.iter().rev().find(before) {
            self.sum = self.sum.max(crossed.saturating_sub(received));
        }
    }
}

impl Entry {
    pub(super) fn new(new: &NewPoint, file: Box<dyn Write + Send>) -> Self {
        let NewPoint { point, counters, crossed } = new;
        let (now, any) = (Instant::now(), !point.filter.is_empty());
        Self {
            id: point.into(),
            iface: point.iface.clone(),
            counters: counters.clone(),
            file,
            written: Sums::default(),
            line: now,
            renamed: false,
            crossed: IfaceCounts::default(),
            seen: *crossed,
            before: None,
            ovs: None,
            filter: Filtered { any, total: 0, looks: VecDeque::new(), sum: 0, written: 0 },
            looked: now,
            received: 0,
            away: false,
            watchdog: Watchdog::new(any),
        }
    }

    /// Takes in the counters of the time since the last look.
    pub(super) fn look(
        &mut self,
        interfaces: &BTreeMap<String, IfaceCounts>,
        ovs: Option<&Datapaths>,
        over: bool,
    ) -> Option<Alarm> {
        if let Some(name) = self.counters.renamed(&self.iface) {
            (self.iface, self.renamed) = (name, true);
            self.seen = self.seen.or(self.before);
        }
        let now = interfaces.get(&self.iface).copied();
        let new = now.zip(self.seen).and_then(|(now, seen)| now.since(seen));
        let crossed = new.unwrap_or_default();
        sum_up(&mut self.crossed, crossed);
        self.before = if now.is_some() { None } else { self.seen.or(self.before) };
        self.seen = now;
        let Settled { sums: settled, at } = self.counters.settled();
        self.filter.look(crossed.packets(), settled.received, at, over);
        if let Some(drops) = ovs.and_then(|ovs| ovs.ports.get(&self.iface)) {
            self.ovs.get_or_insert_default().add(*drops);
            self.counters.ovs_dropped.fetch_add(drops.both(), Relaxed);
        }
        self.counters.filtered.store(self.filter.sum, Relaxed);
        self.counters.nic_dropped.fetch_add(crossed.rx_dropped.saturating_add(crossed.tx_dropped), Relaxed);
        let (ms, heard) = (millis(self.looked), settled.received.saturating_sub(self.received));
        (self.looked, self.received) = (Instant::now(), settled.received);
        if new.is_none() || self.counters.away.load(Relaxed) {
            self.watchdog.reset();
            return None;
        }
        let alarm = self.watchdog.span(ms, crossed.packets(), heard);
        self.counters.deaf.store(self.watchdog.deaf(), Relaxed);
        alarm
    }

    pub(super) fn due(&self) -> bool {
        let ms = millis(self.line);
        let crossed = self.crossed;
        let trouble = crossed.rx_dropped | crossed.tx_dropped | crossed.rx_errors | crossed.tx_errors != 0;
        let beside = crossed.packets() > 0 || self.filter.sum > self.filter.written;
        self.counters.settled().sums != self.written
            || self.counters.away.load(Relaxed) != self.away
            || self.renamed
            || trouble
            || self.ovs.is_some_and(|drops| drops.both() > 0)
            || (beside && ms >= CROSSED_MS)
            || ms >= HEARTBEAT_MS
    }

    /// Steps of load shedding come before the line of the second in which they were taken.
    pub(super) fn write_steps(&mut self) -> io::Result<()> {
        for step in self.counters.shedding.take_steps() {
            self.file.write_all(&json_line(&step)?)?;
        }
        Ok(())
    }

    pub(super) fn write(&mut self) -> io::Result<()> {
        let now = self.counters.settled().sums;
        let before = self.written;
        self.away = self.counters.away.load(Relaxed);
        let filtered = self.filter.sum.saturating_sub(self.filter.written);
        let asked = self.seen.is_some() || filtered > 0 || self.crossed.packets() > 0;
        let span = PointSpan {
            at: clock::now(),
            ms: millis(self.line),
            received: now.received.saturating_sub(before.received),
            dropped: now.dropped.saturating_sub(before.dropped),
            written: now.written.saturating_sub(before.written),
            wire_bytes: now.wire_bytes.saturating_sub(before.wire_bytes),
            shed: now.shed.saturating_sub(before.shed),
            filtered: asked.then_some(filtered),
            iface: asked.then_some(self.crossed),
            ovs: self.ovs.take(),
            name: self.renamed.then(|| self.iface.clone()),
            away: self.away,
        };
        self.file.write_all(&json_line(&span)?)?;
        (self.written, self.line, self.crossed) = (now, Instant::now(), IfaceCounts::default());
        (self.renamed, self.filter.written) = (false, self.filter.sum);
        Ok(())
    }
}

fn sum_up(sum: &mut IfaceCounts, new: IfaceCounts) {
    add(&mut sum.rx_packets, new.rx_packets);
    add(&mut sum.tx_packets, new.tx_packets);
    add(&mut sum.rx_dropped, new.rx_dropped);
    add(&mut sum.tx_dropped, new.tx_dropped);
    add(&mut sum.rx_errors, new.rx_errors);
    add(&mut sum.tx_errors, new.tx_errors);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_lags_makes_nothing_filtered_that_was_not() {
        let mut filtered = Filtered { any: true, total: 0, looks: VecDeque::new(), sum: 0, written: 0 };
        let settled = Instant::now();
        filtered.look(1000, 0, Some(settled), false);
        assert_eq!(filtered.sum, 0, "nothing was settled after that look");
        filtered.look(0, 900, Some(Instant::now()), false);
        assert_eq!(filtered.sum, 100);
        filtered.look(50, 900, None, false);
        assert_eq!(filtered.sum, 100);
        filtered.look(0, 950, None, true);
        assert_eq!(filtered.sum, 100, "exact at the end");
        let mut none = Filtered { any: false, total: 0, looks: VecDeque::new(), sum: 0, written: 0 };
        none.look(1000, 10, Some(Instant::now()), true);
        assert_eq!(none.sum, 0, "without a filter nothing is filtered");
    }
}
