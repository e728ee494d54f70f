//! One thread for one point: from the kernel's ring into segments, until the run ends.
//!
//! The thread waits at most a fifth of a second, so that flushing, rotation and stopping need no packets. An interface
//! that goes away ends the segment (silence means nothing without an interface), and it is tried again each second.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use netcap_bundle::run::{ShedLevel, ShedReason};
use nix::net::if_::if_indextoname;
use rust_i18n::t;
use tokio::sync::mpsc::Sender;

use super::PointId;
use super::counters::Counters;
use super::cutting::Cutting;
use super::event::{Event, Gap, PointEvent};
use super::segments::Segments;
use crate::disk::writer;
use crate::host::clock;
use crate::host::iface::Iface;
use crate::privileged;
use crate::ring::frames::Frames;
use crate::ring::listener::{Listener, OpenRing};
use crate::shed::{Order, Pressure};
use crate::sys::{RETIRE_MS, Ring};

/// Longest wait for packets: the time it takes to notice the stop flag.
const WAIT: Duration = Duration::from_millis(200);
/// How often the kernel's counters are read while no loss shows.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// How often they are read at least, even while the ring never drains.
const COUNT_AT_LEAST: Duration = Duration::from_secs(5);
/// How often a missing interface is looked for.
const RETRY: Duration = Duration::from_secs(1);
/// How long the last block may take to be handed over after the point was stopped.
const DRAIN: Duration = Duration::from_millis(4 * RETIRE_MS as u64);

/// What the thread of a point starts with.
pub(crate) struct Setup {
    pub(crate) id: PointId,
    /// What it takes to open its ring again.
    pub(crate) listener: Listener,
    /// Where its packets go.
    pub(crate) segments: Segments,
    /// Its numbers.
    pub(crate) counters: Arc<Counters>,
    /// Set when the run ends.
    pub(crate) stop: Arc<AtomicBool>,
    /// Where it reports to.
    pub(crate) events: Sender<Event>,
}

/// Starts the thread of a point whose ring is already open, so that a start that fails fails before anything is recorded.
pub(crate) fn start(setup: Setup, opened: OpenRing) -> io::Result<JoinHandle<()>> {
    let name: String = format!("cap-{}", setup.listener.iface).chars().take(15).collect();
    thread::Builder::new().name(name).spawn(move || {
        // Losing packets to save cycles would miss the point of a recorder; only the rest of the program is niced.
        let _ = crate::sys::nice_this_thread(0);
        let mut worker = Worker::new(setup);
        if let Err(e) = worker.run(opened) {
            worker.counters.ended.store(true, Relaxed);
            if writer::is_reported(&e) {
                return;
            }
            let what = PointEvent::Failed { why: e.to_string() };
            let _ = worker.events.blocking_send(Event::Point { id: worker.id, what });
        }
    })
}

/// Drops that were counted and that no packet bears yet.
#[derive(Default)]
struct Unmarked {
    /// Blocks that are taken before: those were filled earlier.
    blocks: u32,
    drops: u64,
}

struct Worker {
    id: PointId,
    listener: Listener,
    segments: Segments,
    counters: Arc<Counters>,
    stop: Arc<AtomicBool>,
    events: Sender<Event>,
    /// The interface cannot be heard since then.
    gap: Option<Gap>,
    counted: Instant,
    cutting: Cutting,
    /// Packets that were received when the point was stopped, all of them or until a gap.
    due: Option<u64>,
    /// How it was asked to compress.
    level: i32,
    pressure: Pressure,
    step: ShedLevel,
    unmarked: Unmarked,
}

impl Worker {
    fn new(setup: Setup) -> Self {
        let Setup { id, listener, segments, counters, stop, events } = setup;
        let (now, level) = (Instant::now(), segments.asked_level());
        let (pressure, step) = (Pressure::new(now), ShedLevel::Whole);
        let cutting = Cutting::new(&listener.program);
        Self {
            id,
            listener,
            segments,
            counters,
            stop,
            events,
            gap: None,
            counted: now,
            cutting,
            due: None,
            level,
            pressure,
            step,
            unmarked: Unmarked::default(),
        }
    }

    /// Takes the step that the ring or the governor asks for, whichever gives up more.
    fn shed(&mut self, open: &OpenRing) -> io::Result<()> {
        let own = self.pressure.look(open.ring.filled(), Instant::now());
        let ordered = self.counters.shedding.order();
        let order = if own > ordered.level { Order { level: own, why: ShedReason::Ring } } else { ordered };
        let Order { level: mut step, why } = order;
        if step == ShedLevel::Level1 && self.level <= 1 {
            step = ShedLevel::Whole;
        }
        if step == self.step {
            self.cutting.ask_again(&self.listener, open, step);
            return Ok(());
        }
        let why = if step < self.step { ShedReason::Calm } else { why };
        if step.snaplen() != self.step.snaplen() {
            self.cutting.ask(&self.listener, open, step);
        }
        self.step = step;
        self.counters.shedding.took(clock::now(), step, why);
        self.report(PointEvent::Shed { level: step, why });
        self.segments.level(step.level(self.level))
    }

    /// Everything that was received until the point was stopped is written or shed; so many more are at hand.
    fn is_complete(&self, more: u64) -> bool {
        let Some(due) = self.due else { return false };
        let done = self.counters.packets.load(Relaxed).saturating_add(self.counters.shedding.packets());
        done.saturating_add(more) >= due
    }

    /// Records until stopped. An error is one of writing: reading errors are gaps.
    fn run(&mut self, opened: OpenRing) -> io::Result<()> {
        self.counters.index.store(opened.index, Relaxed);
        let mut ring = Some(opened);
        self.segments.begin()?;
        if Iface::find(&self.listener.iface).is_some_and(|iface| !iface.up) {
            self.begin_gap(t!("gap.down").into_owned());
        }
        while !self.stop.load(Relaxed) {
            ring = match ring {
                Some(ring) => self.listen(ring)?,
                None if !self.listener.waits => {
                    self.leave();
                    return Ok(());
                }
                None => self.look_again()?,
            };
            self.segments.tick()?;
        }
        if let Some(mut open) = ring {
            self.drain(&mut open)?;
        }
        self.segments.end()
    }

    /// One round: everything that is ready, then a wait. Gives the ring back unless the interface is gone.
    fn listen(&mut self, mut open: OpenRing) -> io::Result<Option<OpenRing>> {
        self.consume(&mut open)?;
        self.shed(&open)?;
        if self.count_when_due(&open.ring, COUNT_EVERY) {
            self.still_there(open.index)?;
        }
        match open.ring.wait(WAIT) {
            Ok(ready) => {
                if ready && open.ring.peek_losing().is_none() {
                    // The kernel speaks of a block that is not ours yet; do not spin until it is.
                    thread::sleep(Duration::from_millis(2));
                }
                self.after_gap(open)
            }
            Err(why) => self.interrupted(open, &why),
        }
    }

    /// During a gap: is the interface up again, or has it become another one?
    fn after_gap(&mut self, open: OpenRing) -> io::Result<Option<OpenRing>> {
        if self.gap.is_none() {
            return Ok(Some(open));
        }
        if !self.still_there(open.index)? {
            return self.give_up(open);
        }
        if Iface::find(&self.listener.iface).is_some_and(|iface| iface.index == open.index && iface.up) {
            self.heard_again();
        }
        Ok(Some(open))
    }

    /// Whether the interface is still there. Its index is what makes it the same one: with another name it goes on in a
    /// new segment, for a segment carries the name.
    fn still_there(&mut self, index: u32) -> io::Result<bool> {
        let name = if_indextoname(index).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.is_empty() {
            return Ok(false);
        }
        if name != self.listener.iface {
            self.segments.rename(&name)?;
            self.counters.rename(&name);
            let from = std::mem::replace(&mut self.listener.iface, name.clone());
            self.report(PointEvent::Renamed { from, to: name });
        }
        Ok(true)
    }

    /// The interface is gone for good as far as this point is concerned.
    fn leave(&mut self) {
        self.counters.left.store(true, Relaxed);
        self.report(PointEvent::Left);
    }

    /// Writes all blocks that are ready.
    fn consume(&mut self, open: &mut OpenRing) -> io::Result<()> {
        while !self.is_complete(0) {
            self.count_when_due(&open.ring, COUNT_AT_LEAST);
            let Some(losing) = open.ring.peek_losing() else { return Ok(()) };
            if losing {
                // The drops happened before this block was filled, so its first packet bears them.
                self.count(&open.ring);
            }
            self.mark_drops();
            let Some(block) = open.ring.take() else { return Ok(()) };
            let mut shed = 0;
            for mut frame in Frames::new(block.bytes()) {
                if self.is_complete(shed) {
                    break;
                }
                match self.cutting.kept(frame.data, self.step) {
                    None => shed += 1,
                    Some(data) => {
                        frame.data = data;
                        self.segments.packet(&frame)?;
                    }
                }
            }
            drop(block);
            if shed > 0 {
                self.segments.shed(shed);
            }
            self.shed(open)?;
            self.segments.rotate_by_size()?;
            self.segments.tick()?;
        }
        Ok(())
    }

    /// The interface went down or away. Down: the kernel resumes by itself on this socket. Away: the ring is given up.
    fn interrupted(&mut self, mut open: OpenRing, why: &io::Error) -> io::Result<Option<OpenRing>> {
        self.consume(&mut open)?;
        self.count(&open.ring);
        self.begin_gap(why.to_string());
        if self.still_there(open.index)? {
            return Ok(Some(open));
        }
        self.give_up(open)
    }

    /// The interface is gone: what the ring still holds is written, then the ring goes too.
    fn give_up(&mut self, mut open: OpenRing) -> io::Result<Option<OpenRing>> {
        self.counters.index.store(0, Relaxed);
        self.drain(&mut open)?;
        self.unmarked.blocks = 0;
        self.segments.end()?;
        Ok(None)
    }

    /// Looks for the interface once, after a pause.
    fn look_again(&mut self) -> io::Result<Option<OpenRing>> {
        let until = Instant::now() + RETRY;
        while Instant::now() < until && !self.stop.load(Relaxed) {
            thread::sleep(WAIT);
        }
        let opened = match self.listener.open() {
            Ok(opened) => opened,
            Err(e) => {
                if privileged::is_foreign(&e) {
                    self.wait_on(t!("gap.foreign").into_owned());
                }
                return Ok(None);
            }
        };
        self.cutting.begin(&self.listener, &opened, self.step);
        self.counters.index.store(opened.index, Relaxed);
        self.segments.begin()?;
        Ok(Some(opened))
    }

    fn begin_gap(&mut self, why: String) {
        if self.gap.is_some() {
            return;
        }
        let gap = Gap { from: clock::now(), why };
        self.counters.away.store(true, Relaxed);
        self.report(PointEvent::GapBegins(gap.clone()));
        self.gap = Some(gap);
    }

    /// The gap goes on for another reason, which is reported once.
    fn wait_on(&mut self, why: String) {
        let Some(gap) = self.gap.as_mut().filter(|gap| gap.why != why) else { return };
        gap.why = why;
        let gap = gap.clone();
        self.report(PointEvent::GapBegins(gap));
    }

    fn heard_again(&mut self) {
        if let Some(gap) = self.gap.take() {
            self.counters.away.store(false, Relaxed);
            self.report(PointEvent::GapEnds { gap, until: clock::now() });
        }
    }

    /// A session that does not listen must not stop the recording.
    fn report(&self, what: PointEvent) {
        let _ = self.events.try_send(Event::Point { id: self.id.clone(), what });
    }

    fn count_when_due(&mut self, ring: &Ring, every: Duration) -> bool {
        let due = self.counted.elapsed() >= every;
        if due {
            self.count(ring);
        }
        due
    }

    fn count(&mut self, ring: &Ring) {
        self.counted = Instant::now();
        if self.due.is_some() {
            // What comes now is no longer of this recording.
            return;
        }
        // A ring that was not read for long holds what came before it was full.
        let ahead = ring.sound_ahead();
        if let Ok(counted) = ring.counted() {
            self.segments.counted(counted.received, counted.dropped);
            if counted.dropped > 0 {
                self.unmarked.blocks = self.unmarked.blocks.max(ahead);
                self.unmarked.drops += counted.dropped;
            }
        }
    }

    /// Before each block: its first packet bears the drops that lie before it.
    fn mark_drops(&mut self) {
        match self.unmarked.blocks.checked_sub(1) {
            None => self.segments.lost(std::mem::take(&mut self.unmarked.drops)),
            Some(blocks) => self.unmarked.blocks = blocks,
        }
    }

    /// Writes what was received until now, the block that is not full included, and nothing that comes later.
    fn drain(&mut self, open: &mut OpenRing) -> io::Result<()> {
        self.count(&open.ring);
        let numbers = (&self.counters.received, &self.counters.dropped);
        self.due = Some(numbers.0.load(Relaxed).saturating_sub(numbers.1.load(Relaxed)));
        let until = Instant::now() + DRAIN;
        loop {
            self.consume(open)?;
            if self.is_complete(0) || Instant::now() >= until {
                self.due = None;
                // The ledger takes the sums as they were when something was counted last.
                self.counters.settle();
                return Ok(());
            }
            let _ = open.ring.wait(Duration::from_millis(20));
        }
    }
}
