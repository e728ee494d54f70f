//! A run from its first file to its last line.
//!
//! Order matters: rings are open before the first look at the host's state, and they stay open during the last one, so
//! that every sample lies inside the recording. Then the rings are drained, the segments closed, the run sealed.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use netcap_bundle::Point;
use netcap_bundle::manifest::{Clock, End};
use netcap_bundle::state::Taken;
use netcap_filters::Filter;
use rust_i18n::t;
use tokio::sync::{mpsc, watch};

use crate::clock;
use crate::error::{Error, Result};
use crate::exec::Host;
use crate::live::disk_left;
use crate::plan::ring_size;
use crate::recorder::Listener;
use crate::rundir::RunDir;
use crate::sample::Elements;
use crate::segments::Rotation;
use crate::signals::Signals;
use crate::state::{self, State};
use crate::sys::Ring;
use crate::units::human_bytes;
use running::Session;

mod running;

/// Everything a run needs to know.
pub struct Plan {
    /// What is recorded.
    pub points: Vec<Point>,
    /// Addresses to ping.
    pub pings: Vec<IpAddr>,
    /// The compiled filter.
    pub filter: Filter,
    /// Bytes kept of each frame.
    pub snaplen: u32,
    /// Ring memory of all points.
    pub buffer: u64,
    /// When segments end.
    pub rotation: Rotation,
    /// How long.
    pub duration: Option<Duration>,
    /// Time between two rounds of host state.
    pub state_interval: Duration,
    /// Bytes that stay free on the disk.
    pub disk_reserve: u64,
    /// Directory for runs and bundles.
    pub out: PathBuf,
    /// Say nothing.
    pub quiet: bool,
}

/// What the inventory hands over.
pub struct Known {
    /// The host.
    pub host: Host,
    /// Names that recipes are repeated over.
    pub elements: Elements,
    /// Samples already taken: part of the first round.
    pub taken: Vec<Taken>,
    /// The topology as text.
    pub topology: String,
}

/// Events of one point that may wait for the session: it sends two while it ends, when nobody reads.
const EVENTS_PER_POINT: usize = 16;

/// A run that has ended and is not sealed yet.
pub struct Ended {
    /// Its directory.
    pub run: RunDir,
    /// When.
    pub at: Clock,
    /// Why.
    pub end: End,
    /// What a reader must know.
    pub remarks: Vec<String>,
    /// Still taken over: nothing interrupts the sealing.
    pub signals: Signals,
}

/// Threads of a run and the flag that ends them.
struct Threads {
    stop: Arc<AtomicBool>,
    points: Vec<JoinHandle<()>>,
    pings: Vec<(IpAddr, JoinHandle<std::io::Result<()>>)>,
    /// Dropping the first ends the second.
    ledger: Option<(std::sync::mpsc::Sender<()>, JoinHandle<()>)>,
}

/// Records until something ends it.
pub async fn record(plan: Plan, known: Known) -> Result<Ended> {
    let mut signals = Signals::take().map_err(|e| Error::Other(e.to_string()))?;
    // Everything that can be refused is refused before there is a directory.
    check_disk(&plan)?;
    let listeners = open_rings(&plan)?;
    let rundir = known.host.has_ovs().then(|| known.host.ovs_rundir.display().to_string());
    let pings = plan.pings.iter().map(IpAddr::to_string).collect();
    let run = RunDir::create(&plan.out, plan.points.clone(), pings, rundir)?;
    let (events, mut inbox) = mpsc::channel(EVENTS_PER_POINT * plan.points.len().max(1));
    let started =
        State::create(&run.path, known.host, known.elements).map_err(Error::from).and_then(|state| {
            let mut session = Session::begin(&plan, &run, &known.topology)?;
            let threads = session.start(&plan, &run, listeners, &events)?;
            Ok((state, session, threads))
        });
    let (writer, mut session, threads) = match started {
        Ok(started) => started,
        Err(e) => {
            // Nothing has been recorded: an empty run would only be mistaken for a silent network.
            let _ = std::fs::remove_dir_all(&run.path);
            return Err(e);
        }
    };
    let (tell_state, stop_state) = watch::channel(false);
    let state = tokio::spawn(state::keep(writer, known.taken, plan.state_interval, stop_state));
    let end = session.watch(&plan, &mut signals, &mut inbox).await;
    session.say(&t!("end.stopping"));
    let _ = tell_state.send(true);
    session.last_round(state, &mut signals).await;
    threads.stop.store(true, Relaxed);
    session.join(threads).await;
    session.show(&plan);
    session.last_events(&mut inbox);
    session.journal.close();
    Ok(Ended { at: clock::both(), end, remarks: session.remarks, run, signals })
}

/// An open ring with the index of its interface, and what it takes to open it again.
type Listening = (Listener, (Ring, u32));

/// Opens all rings; nothing is written yet, but packets are already kept.
fn open_rings(plan: &Plan) -> Result<Vec<Listening>> {
    let ring = ring_size(plan.buffer, plan.points.len());
    let program = plan.filter.instructions_with_snaplen(plan.snaplen);
    plan.points
        .iter()
        .map(|point| {
            let listener = Listener { iface: point.iface.clone(), program: program.clone(), ring };
            let opened =
                listener.open().map_err(|source| Error::Listen { iface: point.iface.clone(), source })?;
            Ok((listener, opened))
        })
        .collect()
}

/// A disk that is full already is not filled further.
fn check_disk(plan: &Plan) -> Result<()> {
    std::fs::create_dir_all(&plan.out).map_err(Error::file("create", &plan.out))?;
    match disk_left(&plan.out) {
        Some(left) if left < plan.disk_reserve => {
            let reserve = human_bytes(plan.disk_reserve);
            Err(Error::Other(t!("run.disk", left = human_bytes(left), reserve = reserve).into_owned()))
        }
        _ => Ok(()),
    }
}
