//! A run from its first file to its last line.
//!
//! Order matters: rings are open before the first look at the host's state, and they stay open during the last one, so
//! that every sample lies inside the recording. Then the rings are drained, the segments closed, the run sealed.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

use netcap_bundle::Point;
use netcap_bundle::run::{Clock, Cost, End};
use netcap_bundle::state::Taken;
use rust_i18n::t;
use tokio::sync::{mpsc, watch};

use crate::control::Control;
use crate::control::protocol::Phase;
use crate::control::signals::Signals;
use crate::disk::budget::{Bounds, Budget, directory_bytes};
use crate::disk::rundir::{RunDir, Start};
use crate::disk::syncer::SyncerThread;
use crate::disk::writer::{Disk, WriterThread};
use crate::error::{Error, Op, Result};
use crate::host::clock;
use crate::host::sample::{Elements, Sampler};
use crate::host::services::Host;
use crate::ledger::NewPoint;
use crate::plan::Plan;
use crate::point::event::Event;
use crate::privileged::{Privileged, Process};
use crate::ring::listener::{Listener, OpenRing};
use crate::ring::memory;
use crate::ring::memory::{ring_size, starters_memory};
use crate::sys::RingSize;
use bounds::bounds;
use following::Following;
use running::Session;
use state::{Ending, State};

mod bounds;
mod confined;
pub(crate) mod cost;
mod ends;
mod events;
mod follow;
mod following;
mod govern;
mod load;
mod points;
mod progress;
mod recorded;
mod running;
mod state;
mod threads;

/// What the inventory hands over.
pub(crate) struct InitialState {
    pub host: Host,
    /// Names that recipes are repeated over.
    pub elements: Elements,
    /// Samples already taken: part of the first round.
    pub taken: Vec<Taken>,
    /// The topology as text.
    pub topology: String,
    /// Indexes of the interfaces that there were.
    pub old: BTreeSet<u32>,
}

/// What a point needs to start.
struct Context<'a> {
    plan: &'a Plan,
    run: &'a RunDir,
    process: &'a Process,
    disk: &'a Disk,
    events: &'a mpsc::Sender<Event>,
}

/// Events of one point that may wait for the session: it sends two while it ends, when nobody reads.
const EVENTS_PER_POINT: usize = 16;
/// Points that may join are counted like this many of the start.
const JOINERS: usize = 16;

/// A run that has ended and is not sealed yet.
pub(crate) struct Ended {
    /// Its directory.
    pub run: RunDir,
    /// When.
    pub at: Clock,
    /// Why.
    pub end: End,
    /// What a reader must know.
    pub remarks: Vec<String>,
    /// What the disk allowed it.
    pub bounds: Bounds,
    /// What it took of the host.
    pub cost: Option<Cost>,
    /// How others ask for the run: they still wait for its end.
    pub control: Control,
    /// Still taken over: nothing interrupts the sealing.
    pub signals: Signals,
}

/// Threads of a run and the flag that ends them.
struct Threads {
    stop: Arc<AtomicBool>,
    points: Vec<JoinHandle<()>>,
    pings: Vec<(IpAddr, JoinHandle<std::io::Result<()>>)>,
    /// Dropping the first ends the second.
    ledger: Option<(std::sync::mpsc::Sender<NewPoint>, JoinHandle<()>)>,
}

/// Lets go of the terminal; called as soon as packets are taken in.
pub(crate) type OnStarted = Box<dyn FnOnce(&RunDir) -> Result<()>>;

/// Records until something ends it. `on_started` is there for a run in the background.
pub(crate) async fn record(
    mut plan: Plan,
    initial: InitialState,
    process: Process,
    on_started: Option<OnStarted>,
) -> Result<Ended> {
    let mut signals = Signals::take().map_err(|e| Error::Other(e.to_string()))?;
    // Everything that can be refused is refused before there is a directory.
    let fitted = memory::fit(
        plan.max_memory,
        plan.buffer,
        plan.points.len(),
        plan.rotation.level,
        &initial.host.root,
    )?;
    (plan.buffer, plan.rotation.level, plan.max_memory) = (fitted.buffer, fitted.level, Some(fitted.ceiling));
    memory::check(plan.buffer, &initial.host.root)?;
    let bounds = bounds(&plan)?;
    plan.rotation.bytes = plan.rotation.bytes.min(bounds.segment);
    let listeners = open_rings(&plan, &process.privileged)?;
    let ovs_rundir = initial.host.has_ovs().then(|| initial.host.ovs_rundir.display().to_string());
    let pings = plan.pings.iter().map(IpAddr::to_string).collect();
    let sandbox = Some(process.sandbox.clone());
    let start = Start { points: plan.points.clone(), pings, ovs_rundir, sandbox };
    let run = RunDir::create(&plan.out, &plan.taken, start)?;
    let budget = Budget::new(&run.path, bounds, directory_bytes(&run.path) + initial.topology.len() as u64);
    let control = Control::open(&plan, &run, &budget, &process, &mut signals);
    let (events, mut inbox) = mpsc::channel(EVENTS_PER_POINT * (plan.points.len() + JOINERS));
    let sampler: Arc<dyn Sampler> = process.privileged.clone();
    let started = State::create(&run.path, sampler.clone(), initial.elements, budget.clone())
        .map_err(Error::from)
        .and_then(|state| {
            let mut session = Session::begin(
                &plan,
                &run,
                &process,
                &initial.topology,
                budget.clone(),
                &control,
                on_started.is_some(),
            )?;
            fitted.remarks.iter().for_each(|text| session.remark(text));
            session.rings(&listeners);
            let (disk, ends) = open_disk(&run, &budget, plan.points.len(), fitted.queue)?;
            let context = Context { plan: &plan, run: &run, process: &process, disk: &disk, events: &events };
            let threads = session.start(&context, listeners)?;
            Ok((state, session, threads, (disk, ends)))
        })
        .and_then(|started| on_started.map_or(Ok(()), |on_started| on_started(&run)).map(|()| started));
    let (writer, mut session, mut threads, (disk, (writing, syncing))) = match started {
        Ok(started) => started,
        Err(e) => {
            // Nothing has been recorded: an empty run would only be mistaken for a silent network.
            let _ = std::fs::remove_dir_all(&run.path);
            return Err(e);
        }
    };
    let (end_state, stop_state) = watch::channel(Ending::NotYet);
    let (mut follow, look_samples) = Following::start(plan.follow.clone(), sampler, initial.old);
    let state =
        tokio::spawn(state::keep(writer, initial.taken, plan.state_interval, look_samples, stop_state));
    let context = Context { plan: &plan, run: &run, process: &process, disk: &disk, events: &events };
    let end = session.watch(&context, &mut threads, &mut signals, &mut inbox, &mut follow).await;
    follow.stop();
    control.board.phase(Phase::Ending);
    session.say(&t!("end.stopping"));
    let _ = end_state.send(Ending::LastLook);
    session.last_round(state, &end_state, &mut signals, &mut inbox).await;
    threads.stop.store(true, Relaxed);
    budget.ending();
    session.join(threads, &mut inbox).await;
    // Everything is handed over: a disk that stands still is waited for here and nowhere else.
    let _ = tokio::task::spawn_blocking(move || {
        writing.end();
        syncing.end();
    })
    .await;
    session.disk_failed();
    budget.sealing();
    session.last_events(&mut inbox);
    session.show_last(&plan);
    session.journal.close();
    let cost = cost::so_far(&process, budget.written());
    Ok(Ended { at: clock::both(), end, remarks: session.remarks, run, bounds, cost, control, signals })
}

/// Starts what brings bytes to the disk, with room held back for the end.
fn open_disk(
    run: &RunDir,
    budget: &Arc<Budget>,
    points: usize,
    queue: usize,
) -> Result<(Disk, (WriterThread, SyncerThread))> {
    let reserve = RESERVE + POINT_RESERVE * points as u64;
    budget.reserve(reserve).map_err(Error::file(Op::Write, &run.path))?;
    let disk = Disk::new(&run.path, budget, queue);
    let failed = || Error::file(Op::StartThread, &run.path);
    let ends = (disk.start().map_err(failed())?, budget.syncer().start().map_err(failed())?);
    Ok((disk, ends))
}

/// An open ring, and what it takes to open it again.
struct Listening {
    listener: Listener,
    open: OpenRing,
}

impl Listening {
    fn open(listener: Listener) -> Result<Self> {
        let open = listener.open();
        let fail = |source| Error::Listen { iface: listener.iface.clone(), source };
        Ok(Self { open: open.map_err(fail)?, listener })
    }
}

/// What it takes to hear a point.
fn listener(plan: &Plan, point: &Point, size: RingSize, privileged: &Arc<dyn Privileged>) -> Listener {
    let filter = plan.own.get(&point.iface).unwrap_or(&plan.filter);
    let program = filter.instructions_with_snaplen(plan.snaplen);
    // Who joins again after it left gets a new point.
    let waits = plan.follow.as_ref().is_none_or(|wanted| wanted.waits_for(point));
    Listener { iface: point.iface.clone(), program, size, waits, privileged: privileged.clone() }
}

/// Opens all rings; nothing is written yet, but packets are already kept.
fn open_rings(plan: &Plan, privileged: &Arc<dyn Privileged>) -> Result<Vec<Listening>> {
    let size = ring_size(starters_memory(plan.buffer, plan.follow.is_some()), plan.points.len());
    plan.points.iter().map(|point| Listening::open(listener(plan, point, size, privileged))).collect()
}

/// Bytes held back twice for the end of a run on a disk that others have filled: ends of files; manifest.
const RESERVE: u64 = 128 << 10;
/// And for each point: the end of its segment.
const POINT_RESERVE: u64 = 32 << 10;
