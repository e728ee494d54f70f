//! A run while it runs: its threads, what they report, and what the user sees of it.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use netcap_bundle::manifest::End;
use netcap_bundle::packets::SegmentMeta;
use netcap_bundle::{Nanos, Point, layout};
use rust_i18n::t;
use tokio::sync::mpsc;

use super::{Listening, Plan, Threads};
use crate::budget::{Budget, Metered};
use crate::clock;
use crate::counters::Counters;
use crate::error::{Error, Result};
use crate::journal::Journal;
use crate::ledger::{self, Ledger};
use crate::live::{Live, disk_left};
use crate::ping::{self, Tally};
use crate::recorder::{self, Event};
use crate::rundir::{RunDir, tool};
use crate::segments::Segments;
use crate::signals::{Asked, Signals};
use crate::ui;
use crate::units::human_bytes;
use crate::watchdog::Bark;

/// Longest time for the last look at the host.
const LAST_ROUND_MAX: Duration = Duration::from_mins(1);

/// How often the ends that have no timer of their own are looked for.
const ENOUGH_EVERY: Duration = Duration::from_millis(100);
/// Remarks kept of a run.
const REMARKS_MAX: usize = 200;

/// The visible side of a run.
pub(super) struct Session {
    live: Live,
    pub(super) journal: Journal,
    counters: Vec<Arc<Counters>>,
    pings: Vec<(IpAddr, Arc<Tally>)>,
    pub(super) remarks: Vec<String>,
    /// Interfaces that cannot be heard at this moment: since when and why.
    gaps: BTreeMap<String, (Nanos, String)>,
    utc_offset_s: i32,
    budget: Arc<Budget>,
}

impl Session {
    pub(super) fn begin(plan: &Plan, run: &RunDir, topology: &str, budget: Arc<Budget>) -> Result<Self> {
        let path = run.path.join(layout::TOPOLOGY);
        std::fs::write(&path, topology).map_err(Error::file("write", path))?;
        let counters: Vec<Arc<Counters>> = plan.points.iter().map(|_| Arc::default()).collect();
        let pings: Vec<(IpAddr, Arc<Tally>)> = plan.pings.iter().map(|ip| (*ip, Arc::default())).collect();
        let names = plan.points.iter().map(|point| point.iface.clone());
        let live = Live::new(names.zip(counters.iter().cloned()).collect(), plan.quiet);
        let utc_offset_s = run.info.utc_offset_s;
        let journal = Journal::create(&run.path, utc_offset_s, &budget)?;
        let mut session = Self {
            live,
            journal,
            counters,
            pings,
            remarks: Vec::new(),
            gaps: BTreeMap::new(),
            utc_offset_s,
            budget,
        };
        session.introduce(plan, run);
        let max = session.budget.bounds().max;
        if max < plan.space.max {
            session.say(&t!("budget.trimmed", has = human_bytes(max), asked = human_bytes(plan.space.max)));
        }
        Ok(session)
    }

    /// The first lines: what is recorded, of it what, and where to.
    fn introduce(&mut self, plan: &Plan, run: &RunDir) {
        let mut lines = Vec::new();
        if plan.points.is_empty() {
            lines.push(t!("run.no_points").into_owned());
        } else {
            lines.extend(ui::wrap(&t!("run.points"), plan.points.iter().map(|p| p.iface.as_str())));
            lines.extend(ui::wrap(&t!("run.filter"), filters(plan).split(' ')));
        }
        let pings: Vec<String> = plan.pings.iter().map(ToString::to_string).collect();
        if !pings.is_empty() {
            lines.extend(ui::wrap(&t!("run.pings"), pings.iter().map(String::as_str)));
        }
        lines.push(t!("run.into", dir = run.path.display()).into_owned());
        for line in lines {
            self.say(&line);
        }
    }

    /// Notes the ring memory that each point really has; less than was asked for is worth a remark.
    pub(super) fn rings(&mut self, listeners: &[Listening]) {
        for (listener, (ring, _)) in listeners {
            let (asked, has) = (human_bytes(listener.ring.bytes() as u64), human_bytes(ring.bytes() as u64));
            let iface = &listener.iface;
            if ring.bytes() < listener.ring.bytes() {
                self.remark(&t!("memory.less", iface = iface, has = has, asked = asked));
            } else {
                self.journal.line(&t!("memory.ring", iface = iface, has = has));
            }
        }
    }

    pub(super) fn start(
        &mut self,
        plan: &Plan,
        run: &RunDir,
        listeners: Vec<Listening>,
        events: &mpsc::Sender<Event>,
    ) -> Result<Threads> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Threads { stop: stop.clone(), points: Vec::new(), pings: Vec::new(), ledger: None };
        let started = || -> Result<()> {
            for ((point, counters), (listener, opened)) in
                plan.points.iter().zip(&self.counters).zip(listeners)
            {
                let fail = Error::file("create", run.path.join(layout::point_dir(&point.id)));
                let meta = meta(point, run);
                let segments =
                    Segments::create(&run.path, meta, plan.rotation, counters.clone(), self.budget.clone())
                        .map_err(fail)?;
                let (stop, events) = (stop.clone(), events.clone());
                let thread = recorder::start(listener, opened, segments, counters.clone(), stop, events);
                threads.points.push(thread.map_err(Error::file("start a thread for", &point.iface))?);
            }
            let points: Vec<_> = plan.points.iter().zip(self.counters.iter().cloned()).collect();
            let open = |path: &Path| -> std::io::Result<Box<dyn Write + Send>> {
                Ok(Box::new(Metered::lines(ledger::append(path)?, &self.budget)))
            };
            let (keep, stop_ledger) = std::sync::mpsc::channel();
            let ledger = Ledger::create(&run.path, &points, events.clone(), open)
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

    /// Shows what happens until something ends the run.
    pub(super) async fn watch(
        &mut self,
        plan: &Plan,
        signals: &mut Signals,
        inbox: &mut mpsc::Receiver<Event>,
    ) -> End {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut often = tokio::time::interval(ENOUGH_EVERY);
        often.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let over = async {
            match plan.duration {
                Some(duration) => tokio::time::sleep(duration).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(over);
        loop {
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::End(by) => return End::Stopped { by: by.into() },
                    Asked::Rotate => self.rotate(),
                },
                () = &mut over => return End::Duration,
                Some(event) = inbox.recv() => if let Some(why) = self.event(event) {
                    return End::Failed { why };
                },
                _ = often.tick() => if let Some(end) = self.enough(plan) {
                    return end;
                },
                _ = second.tick() => {
                    let left = disk_left(&plan.out);
                    self.live.tick(left, &self.ping_lines());
                    // Nothing is asked for: only whether the floor is near.
                    let _ = self.budget.take(0);
                    if self.budget.low() {
                        let (left, reserve) = (left.unwrap_or(0), human_bytes(self.budget.bounds().floor));
                        let why = t!("run.disk", left = human_bytes(left), reserve = reserve).into_owned();
                        self.say(&why);
                        return End::Failed { why };
                    }
                }
            }
        }
    }

    /// The time or the number of packets asked for is reached.
    fn enough(&self, plan: &Plan) -> Option<End> {
        if plan.until.is_some_and(|until| clock::now() >= until) {
            return Some(End::Duration);
        }
        let max = plan.max_packets?;
        let packets: u64 = self.counters.iter().map(|counters| counters.packets.load(Relaxed)).sum();
        (packets >= max).then(|| End::Stopped { by: "--max-packets".into() })
    }

    /// Every point goes on with a new segment.
    fn rotate(&mut self) {
        for counters in &self.counters {
            counters.rotate.store(true, Relaxed);
        }
        self.say(&t!("run.rotate"));
    }

    /// Takes in what a point has to say; a reason when the run cannot go on.
    fn event(&mut self, event: Event) -> Option<String> {
        match event {
            Event::Gap { iface, from, until: None, why } => {
                self.say(&t!("run.gap", iface = iface, from = self.clock(from), why = why));
                self.gaps.insert(iface, (from, why));
                None
            }
            Event::Gap { iface, from, until: Some(until), why } => {
                self.gaps.remove(&iface);
                let (from, until) = (self.clock(from), self.clock(until));
                let text =
                    t!("run.gap_over", iface = iface, from = from, until = until, why = why).into_owned();
                self.say(&text);
                self.remarks.push(text);
                None
            }
            Event::Watchdog { iface, bark } => {
                self.bark(&iface, bark);
                None
            }
            Event::LedgerEnded { why } => {
                self.remark(&t!("run.ledger", why = why));
                None
            }
            Event::Failed { iface, why } => {
                let text = t!("run.failed", iface = iface, why = why).into_owned();
                self.say(&text);
                self.remarks.push(text.clone());
                Some(text)
            }
        }
    }

    /// What the watchdog found; a point that hears nothing of what crosses it must not pass for a silent one.
    fn bark(&mut self, iface: &str, bark: Bark) {
        match bark {
            Bark::Deaf { ms, packets } => {
                let text = t!("watchdog.deaf", iface = iface, seconds = ms / 1000, packets = packets);
                self.remark(&text);
            }
            Bark::HeardAgain { ms, packets } => {
                let text = t!("watchdog.again", iface = iface, seconds = ms / 1000, packets = packets);
                self.remark(&text);
            }
            Bark::NoMatch { ms, packets } => {
                self.say(&t!("watchdog.no_match", iface = iface, seconds = ms / 1000, packets = packets));
            }
        }
    }

    /// What the points said while the run was ending, and gaps that never ended.
    pub(super) fn last_events(&mut self, inbox: &mut mpsc::Receiver<Event>) {
        while let Ok(event) = inbox.try_recv() {
            let _ = self.event(event);
        }
        for (iface, (from, why)) in std::mem::take(&mut self.gaps) {
            let text = t!("run.gap_open", iface = iface, from = self.clock(from), why = why);
            self.remark(&text);
        }
    }

    /// The last look at the host; a second Ctrl-C leaves it out, and nothing else.
    pub(super) async fn last_round(
        &mut self,
        mut state: tokio::task::JoinHandle<netcap_bundle::Result<u64>>,
        signals: &mut Signals,
    ) {
        let result = tokio::select! {
            done = &mut state => done,
            () = signals.end() => {
                state.abort();
                return self.remark(&t!("end.state_skipped"));
            }
            () = tokio::time::sleep(LAST_ROUND_MAX) => {
                state.abort();
                return self.remark(&t!("end.state_slow", seconds = LAST_ROUND_MAX.as_secs()));
            }
        };
        match result {
            Ok(Ok(0)) => {}
            Ok(Ok(refused)) => self.remark(&t!("end.state_refused", count = refused)),
            Ok(Err(e)) => self.remark(&t!("end.state_failed", why = e)),
            Err(e) => self.remark(&t!("end.state_failed", why = e)),
        }
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

    /// Shows the numbers as they are at the end.
    pub(super) fn show_last(&mut self, plan: &Plan) {
        self.live.last(disk_left(&plan.out), &self.ping_lines());
    }

    fn ping_lines(&self) -> Vec<String> {
        let line = |(address, tally): &(IpAddr, Arc<Tally>)| {
            let (sent, answered) = (tally.sent.load(Relaxed), tally.answered.load(Relaxed));
            let lost = tally.lost.load(Relaxed);
            let rtt = match tally.last_rtt_ns.load(Relaxed) {
                0 => "-".to_owned(),
                ns => format!("{:.3} ms", ns as f64 / 1e6),
            };
            t!("live.ping", address = address, sent = sent, answered = answered, lost = lost, rtt = rtt)
                .into_owned()
        };
        self.pings.iter().map(line).collect()
    }

    fn clock(&self, at: Nanos) -> String {
        at.clock(self.utc_offset_s)
    }

    pub(super) fn say(&mut self, text: &str) {
        self.live.tell(text);
        self.journal.line(text);
    }

    /// Something a reader must know. A fault that comes and goes all night is told a hundred times, not a million.
    fn remark(&mut self, text: &str) {
        self.say(text);
        if self.remarks.len() < REMARKS_MAX {
            self.remarks.push(text.to_owned());
        }
    }
}

/// The common filter and those of single points, as they were typed.
fn filters(plan: &Plan) -> String {
    let common = Some(plan.filter.expression().trim()).filter(|f| !f.is_empty());
    let common = common.map_or_else(|| t!("run.everything").into_owned(), str::to_owned);
    let own = plan.points.iter().filter(|point| plan.own.contains_key(&point.iface));
    let own = own.map(|point| format!("{}: '{}'", point.iface, point.filter));
    std::iter::once(common).chain(own).collect::<Vec<_>>().join("; ")
}

fn meta(point: &Point, run: &RunDir) -> SegmentMeta {
    let switch = point.vswitch.as_deref().map_or_else(String::new, |switch| format!(" of {switch}"));
    SegmentMeta {
        point: point.id.clone(),
        iface: point.iface.clone(),
        description: format!("{}{switch}", point.role.word()),
        mac: point.mac,
        filter: point.filter.clone(),
        snaplen: point.snaplen,
        os: format!("Linux {} ({})", run.info.kernel, run.info.host),
        tool: tool(),
    }
}
