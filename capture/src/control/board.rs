//! What a run lets others know of itself: the session fills it each second, the control socket reads it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use netcap_bundle::run::ShedLevel;
use netcap_bundle::{Nanos, RunInfo};
use tokio::sync::mpsc;

use super::protocol::{Phase, PingStatus, PointStatus, Status};
use super::signals::Action;
use crate::disk::budget::Budget;
use crate::host::clock;
use crate::ping::Tally;
use crate::point::counters::{Counters, Numbers};

/// What is known of a run when it starts.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// `HOST-STAMP`.
    pub run: String,
    /// Its directory.
    pub dir: PathBuf,
    /// When it started, by the wall clock.
    pub started: Nanos,
    /// Seconds east of Greenwich.
    pub utc_offset_s: i32,
    /// The common filter.
    pub filter: String,
    /// `--duration`.
    pub duration: Option<Duration>,
    /// `--until`.
    pub until: Option<Nanos>,
    /// `--max-packets`.
    pub max_packets: Option<u64>,
    /// A tar is made in the end.
    pub bundle: bool,
}

impl About {
    /// Of a run that has just got its directory; its ends are added by the caller.
    pub(crate) fn new(info: &RunInfo, dir: PathBuf, filter: &str) -> Self {
        Self {
            run: info.run.clone(),
            dir,
            started: info.started.realtime,
            utc_offset_s: info.utc_offset_s,
            filter: filter.trim().to_owned(),
            duration: None,
            until: None,
            max_packets: None,
            bundle: true,
        }
    }
}

/// The board of a run.
#[derive(Debug)]
pub(crate) struct Board {
    about: About,
    began: Instant,
    budget: Arc<Budget>,
    asks: mpsc::Sender<Action>,
    /// The end has been asked for: asking again changes nothing.
    stopping: AtomicBool,
    /// Bytes free on the disk, `u64::MAX` while not known.
    free: AtomicU64,
    /// Seconds that the disk has not answered.
    silent: AtomicU64,
    changing: Mutex<Changing>,
}

#[derive(Debug, Default)]
struct Changing {
    phase: Phase,
    points: Vec<Watched>,
    pings: Vec<(IpAddr, Arc<Tally>)>,
    ticked: Option<Instant>,
}

/// A point and how fast it went in the last second.
#[derive(Debug)]
struct Watched {
    iface: String,
    counters: Arc<Counters>,
    /// Those of closed points of the same interface.
    earlier: Vec<Arc<Counters>>,
    packets: u64,
    bytes: u64,
    packets_per_s: f64,
    bytes_per_s: f64,
}

/// Requests that may wait for the session: it takes each at once.
const ASKS_MAX: usize = 4;

impl Board {
    /// A board and the place where the session hears what was asked for.
    pub(crate) fn new(about: About, budget: Arc<Budget>) -> (Arc<Self>, mpsc::Receiver<Action>) {
        let (asks, inbox) = mpsc::channel(ASKS_MAX);
        let board = Self {
            about,
            began: Instant::now(),
            budget,
            asks,
            stopping: AtomicBool::new(false),
            free: AtomicU64::new(u64::MAX),
            silent: AtomicU64::new(0),
            changing: Mutex::default(),
        };
        (Arc::new(board), inbox)
    }

    pub(crate) fn run(&self) -> &str {
        &self.about.run
    }

    /// Another point is recorded. It takes the place of one of the same interface that is closed, and what that one
    /// counted stays in the sums: a machine that was started ten times has one line.
    pub(crate) fn watch_point(&self, iface: &str, counters: Arc<Counters>) {
        let mut changing = self.changing();
        let closed = |point: &mut Watched| point.is_closed() && point.current_iface() == iface;
        let earlier = changing.points.extract_if(.., closed).flat_map(Watched::all).collect();
        let (packets, bytes) = (counters.packets.load(Relaxed), counters.wire_bytes.load(Relaxed));
        let (packets_per_s, bytes_per_s) = (0.0, 0.0);
        let iface = iface.to_owned();
        let point = Watched { iface, counters, earlier, packets, bytes, packets_per_s, bytes_per_s };
        changing.points.push(point);
    }

    /// Another address is pinged.
    pub(crate) fn watch_ping(&self, address: IpAddr, tally: Arc<Tally>) {
        self.changing().pings.push((address, tally));
    }

    /// Called each second: takes the rates. `free` is what the disk has left.
    pub(crate) fn tick(&self, free: Option<u64>) {
        self.free.store(free.unwrap_or(u64::MAX), Relaxed);
        let mut changing = self.changing();
        let seconds = changing.ticked.map_or(1.0, |at| at.elapsed().as_secs_f64()).max(0.001);
        changing.ticked = Some(Instant::now());
        for point in &mut changing.points {
            if let Some(name) = point.counters.renamed(&point.iface) {
                point.iface = name;
            }
            let now = point.counters.read();
            point.packets_per_s = now.packets.saturating_sub(point.packets) as f64 / seconds;
            point.bytes_per_s = now.wire_bytes.saturating_sub(point.bytes) as f64 / seconds;
            (point.packets, point.bytes) = (now.packets, now.wire_bytes);
        }
    }

    /// The run goes on to this.
    pub(crate) fn phase(&self, phase: Phase) {
        let mut changing = self.changing();
        changing.phase = phase;
        for point in &mut changing.points {
            (point.packets_per_s, point.bytes_per_s) = (0.0, 0.0);
        }
    }

    /// Asks the session for new segments; false when it is busy or over.
    pub(crate) fn ask_rotate(&self) -> bool {
        self.changing().phase == Phase::Recording && self.asks.try_send(Action::Rotate).is_ok()
    }

    /// Asks the session to end. Only the first time is passed on: a second Ctrl-C means impatience, a second
    /// `netcap stop` does not.
    pub(crate) fn ask_stop(&self) {
        if !self.stopping.swap(true, Relaxed) && self.asks.try_send(Action::End("netcap stop")).is_err() {
            self.stopping.store(false, Relaxed);
        }
    }

    /// Whether somebody asked for the end through the control socket.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    /// The disk has not answered for so long.
    pub(crate) fn silent(&self, silent: Option<Duration>) {
        self.silent.store(silent.map_or(0, |silent| silent.as_secs()), Relaxed);
    }

    /// How the run is doing.
    pub(crate) fn status(&self) -> Status {
        let (about, bounds, seen) = (&self.about, self.budget.bounds(), self.budget.seen());
        let changing = self.changing();
        Status {
            run: about.run.clone(),
            pid: std::process::id(),
            state: changing.phase,
            dir: about.dir.clone(),
            started_ns: about.started.0,
            utc_offset_s: about.utc_offset_s,
            recorded_s: self.began.elapsed().as_secs(),
            left_s: self.left(changing.phase),
            max_packets: about.max_packets,
            bundle: about.bundle,
            filter: about.filter.clone(),
            points: changing.points.iter().map(Watched::status).collect(),
            pings: changing.pings.iter().map(ping_status).collect(),
            disk_used: seen.used,
            disk_max: bounds.max,
            disk_free: Some(self.free.load(Relaxed)).filter(|free| *free != u64::MAX),
            disk_floor: bounds.floor,
            disk_silent_s: Some(self.silent.load(Relaxed)).filter(|seconds| *seconds > 0),
            pruned: seen.removed,
        }
    }

    /// Seconds until a clock ends it.
    fn left(&self, phase: Phase) -> Option<u64> {
        if phase != Phase::Recording {
            return None;
        }
        let duration = self.about.duration.map(|all| all.saturating_sub(self.began.elapsed()).as_secs());
        let until = self
            .about
            .until
            .map(|until| u64::try_from(until.since(clock::now()) / 1_000_000_000).unwrap_or(0));
        duration.into_iter().chain(until).min()
    }

    fn changing(&self) -> MutexGuard<'_, Changing> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    /// Nothing comes any more.
    fn is_closed(&self) -> bool {
        self.counters.left.load(Relaxed) || self.counters.ended.load(Relaxed)
    }

    /// Its interface by the name it has now.
    fn current_iface(&self) -> String {
        self.counters.renamed(&self.iface).unwrap_or_else(|| self.iface.clone())
    }

    /// Its numbers and those of the points before it.
    fn all(mut self) -> Vec<Arc<Counters>> {
        self.earlier.push(self.counters);
        self.earlier
    }

    fn status(&self) -> PointStatus {
        let now = self.counters.read();
        let earlier: Vec<Numbers> = self.earlier.iter().map(|counters| counters.read()).collect();
        let sum = |of: fn(&Numbers) -> u64| earlier.iter().fold(of(&now), |sum, n| sum.saturating_add(of(n)));
        let shed = self.earlier.iter().chain([&self.counters]).map(|c| c.shedding.packets()).sum();
        PointStatus {
            iface: self.iface.clone(),
            packets: sum(|n| n.packets),
            packets_per_s: self.packets_per_s,
            wire_bytes: sum(|n| n.wire_bytes),
            bytes_per_s: self.bytes_per_s,
            dropped: sum(|n| n.dropped),
            shed,
            step: Some(now.step).filter(|step| *step > ShedLevel::Whole && !now.left && !now.ended),
            filtered: sum(|n| n.filtered),
            nic_dropped: sum(|n| n.nic_dropped),
            ovs_dropped: sum(|n| n.ovs_dropped),
            file_bytes: sum(|n| n.file_bytes),
            segment: now.segment,
            away: now.away && !now.left,
            left: now.left,
            deaf: now.deaf,
            ended: now.ended,
        }
    }
}

fn ping_status((address, tally): &(IpAddr, Arc<Tally>)) -> PingStatus {
    PingStatus {
        address: address.to_string(),
        sent: tally.sent.load(Relaxed),
        answered: tally.answered.load(Relaxed),
        lost: tally.lost.load(Relaxed),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::disk::budget::Bounds;
    use netcap_bundle::run::ShedReason;

    /// A board of a run that is not there.
    pub(crate) fn board(run: &str) -> (Arc<Board>, mpsc::Receiver<Action>) {
        let bounds = Bounds { max: 1 << 20, floor: 7, segment: 1 << 16 };
        let budget = Budget::new(&netcap_bundle::held::Dir::open("/".as_ref()).unwrap(), bounds, 1000);
        let about = About {
            run: run.into(),
            dir: "/nowhere".into(),
            started: Nanos(0),
            utc_offset_s: 0,
            filter: "arp".into(),
            duration: Some(Duration::from_secs(90)),
            until: None,
            max_packets: None,
            bundle: true,
        };
        Board::new(about, budget)
    }

    #[test]
    fn rates_are_those_of_the_last_second_and_none_when_it_is_over() {
        let (board, _inbox) = board("r");
        let counters = Arc::new(Counters::default());
        board.watch_point("eth0", counters.clone());
        board.tick(Some(5));
        counters.packets.store(1000, Relaxed);
        std::thread::sleep(Duration::from_millis(100));
        board.tick(Some(5));
        let status = board.status();
        let rate = status.points[0].packets_per_s;
        assert!((100.0..10_500.0).contains(&rate), "{rate}");
        assert_eq!((status.disk_used, status.disk_free, status.disk_floor), (1000, Some(5), 7));
        assert!(status.left_s.is_some_and(|left| (80..=90).contains(&left)));
        board.phase(Phase::Sealing);
        let status = board.status();
        assert_eq!((status.points[0].packets_per_s, status.left_s), (0.0, None));
    }

    #[test]
    fn a_point_that_comes_back_is_there_once_and_its_sums_go_on() {
        let (board, _inbox) = board("r");
        let points: [Arc<Counters>; 3] = Default::default();
        for (counters, packets) in points.iter().zip([3, 40, 500]) {
            counters.packets.store(packets, Relaxed);
            board.watch_point("vnet0", counters.clone());
            counters.left.store(true, Relaxed);
        }
        let points = board.status().points;
        assert_eq!((points.len(), points[0].packets), (1, 543));
    }

    #[test]
    fn a_point_whose_interface_was_renamed_stays_beside_the_one_that_got_its_name() {
        let (board, _inbox) = board("r");
        let (first, second): (Arc<Counters>, Arc<Counters>) = Default::default();
        board.watch_point("vnet0", first.clone());
        first.rename("vnet9");
        board.watch_point("vnet0", second);
        board.tick(None);
        let names: Vec<String> = board.status().points.into_iter().map(|p| p.iface).collect();
        assert_eq!(names, ["vnet9", "vnet0"]);
    }

    #[test]
    fn what_a_point_gives_up_and_whether_it_is_waited_for_is_reported() {
        let (board, _inbox) = board("r");
        let counters = Arc::new(Counters::default());
        board.watch_point("vnet0", counters.clone());
        assert_eq!((board.status().points[0].step, board.status().points[0].shed), (None, 0));
        counters.shedding.took(Nanos(1), ShedLevel::Off, ShedReason::Cpu);
        counters.shedding.packets.store(7, Relaxed);
        counters.away.store(true, Relaxed);
        let point = board.status().points.remove(0);
        assert_eq!((point.step, point.shed, point.away, point.left), (Some(ShedLevel::Off), 7, true, false));
        counters.left.store(true, Relaxed);
        let point = board.status().points.remove(0);
        assert_eq!((point.step, point.shed, point.away, point.left), (None, 7, false, true));
    }

    #[test]
    fn the_end_is_asked_for_once() {
        let (board, mut inbox) = board("r");
        board.ask_stop();
        board.ask_stop();
        assert_eq!(inbox.try_recv(), Ok(Action::End("netcap stop")));
        assert!(inbox.try_recv().is_err());
        assert!(board.ask_rotate());
        board.phase(Phase::Ending);
        assert!(!board.ask_rotate());
    }
}
