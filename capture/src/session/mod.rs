//! A run from its first file to its last line.
//!
//! Order matters: rings are open before the first look at the host's state, and they stay open during the last one, so
//! that every sample lies inside the recording. Then the rings are drained, the segments closed, the run sealed.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use netcap_bundle::Op;
use netcap_bundle::run::{Clock, Cost, End};
use netcap_bundle::state::Taken;
use rust_i18n::t;
use tokio::sync::{mpsc, watch};

use crate::control::Control;
use crate::control::protocol::Phase;
use crate::control::signals::Signals;
use crate::disk::budget::{Bounds, Budget};
use crate::disk::rundir::{RunDir, Start};
use crate::disk::writer::Disk;
use crate::error::{Error, Result};
use crate::host::clock;
use crate::host::sample::{ElementNames, Sampler};
use crate::host::services::Host;
use crate::plan::Plan;
use crate::point::event::Event;
use crate::privileged::Process;
use crate::ring::memory::{self, Fitted};
use bounds::bounds;
use following::Following;
use rings::open_rings;
use start::Running;
use state::{Ending, State};
use view::Opening;

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
mod rings;
mod silence;
mod start;
mod state;
mod threads;
mod view;

/// What the inventory hands over.
pub(crate) struct InitialState {
    pub host: Host,
    /// Names that recipes are repeated over.
    pub elements: ElementNames,
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
    let fitted = fit(&mut plan, &initial.host.root)?;
    let bounds = bounds(&plan)?;
    plan.rotation.bytes = plan.rotation.bytes.min(bounds.segment);
    let listeners = open_rings(&plan, &process.privileged)?;
    let run = create_run(&plan, &initial.host, &process)?;
    let budget = Budget::new(&run.dir, bounds, run.dir.bytes() + initial.topology.len() as u64);
    let control = Control::open(&plan, &run, &budget, &process, &mut signals);
    silence::watch(run.path.clone(), &control).map_err(Error::file(Op::StartThread, &run.path))?;
    let (events, mut inbox) = mpsc::channel(EVENTS_PER_POINT * (plan.points.len() + JOINERS));
    let disk = Disk::new(&run.dir, &budget, fitted.queue);
    let context = Context { plan: &plan, run: &run, process: &process, disk: &disk, events: &events };
    let sampler: Arc<dyn Sampler> = process.privileged.clone();
    let state = State::create(&run.dir, sampler.clone(), initial.elements, budget.clone());
    let background = on_started.is_some();
    let opening = Opening { topology: &initial.topology, fitted: &fitted, control: &control, background };
    let started = state.map_err(Error::from).and_then(|state| {
        let running = Running::start(&context, &budget, &opening, listeners)?;
        on_started.map_or(Ok(()), |on_started| on_started(&run))?;
        Ok((state, running))
    });
    // Nothing has been recorded: an empty run would only be mistaken for a silent network.
    let (state, mut running) = started.inspect_err(|_| {
        budget.syncer().let_go();
        let _ = run.remove();
    })?;
    let (ending, state_ending) = watch::channel(Ending::NotYet);
    let (mut follow, look_samples) = Following::start(plan.follow.clone(), sampler, initial.old);
    let state =
        tokio::spawn(state::keep(state, initial.taken, plan.state_interval, look_samples, state_ending));
    let Running { session, threads, .. } = &mut running;
    let end = session.watch(&context, threads, &mut signals, &mut inbox, &mut follow).await;
    follow.stop();
    control.board.phase(Phase::Ending);
    session.say(&t!("end.stopping"));
    let _ = ending.send(Ending::LastLook);
    session.last_round(state, &ending, &mut signals, &mut inbox).await;
    session.look_after_helper();
    let remarks = running.end(&plan, &mut inbox).await;
    let cost = cost::so_far(&process, budget.written());
    Ok(Ended { at: clock::both(), end, remarks, run, bounds, cost, control, signals })
}

/// Makes rings, queue and compression fit into the memory there is.
fn fit(plan: &mut Plan, root: &Path) -> Result<Fitted> {
    let fitted = memory::fit(plan.max_memory, plan.buffer, plan.points.len(), plan.rotation.level, root)?;
    (plan.buffer, plan.rotation.level, plan.max_memory) = (fitted.buffer, fitted.level, Some(fitted.ceiling));
    memory::check(plan.buffer, root)?;
    Ok(fitted)
}

fn create_run(plan: &Plan, host: &Host, process: &Process) -> Result<RunDir> {
    let start = Start {
        points: plan.points.clone(),
        pings: plan.pings.iter().map(IpAddr::to_string).collect(),
        ovs_rundir: host.has_ovs().then(|| host.ovs_rundir.display().to_string()),
        sandbox: Some(process.sandbox.clone()),
    };
    RunDir::create(&plan.out, &plan.taken, start)
}
