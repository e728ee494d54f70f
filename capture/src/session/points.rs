//! The points of a run: those of the start, and those that join while it lasts.

use std::thread::JoinHandle;

use netcap_bundle::packets::SegmentMeta;
use netcap_bundle::run::{Change, ChangeKind, json_line};
use netcap_bundle::{Nanos, Op, Point, Role, layout};
use nix::net::if_::if_nametoindex;
use rust_i18n::t;

use super::Context;
use super::bounds::has_room_for;
use super::follow::Candidates;
use super::recorded::Recorded;
use super::rings::Listening;
use super::rings::listener;
use super::start::POINT_RESERVE;
use super::threads::Threads;
use super::view::Session;
use crate::disk::budget::Metered;
use crate::disk::rundir::{RunDir, tool};
use crate::error::{Error, Result};
use crate::host::clock;
use crate::ledger::NewPoint;
use crate::plan::fresh_id;
use crate::point::PointId;
use crate::point::recorder::{self, Setup};
use crate::point::segments::Segments;
use crate::ring::memory::newcomers_ring;
use crate::ui::units::human_bytes;
use crate::ui::wording;

/// Points that join one run at most, those that left again counted: each has a folder, a ledger and a place in memory.
const JOINED_MAX: usize = 256;

impl Session {
    /// Starts the thread of a point.
    pub(super) fn start_point(
        context: &Context<'_>,
        recorded: &Recorded,
        Listening { listener, open, .. }: Listening,
        threads: &Threads,
    ) -> Result<JoinHandle<()>> {
        let (point, counters) = (&recorded.point, &recorded.counters);
        let fail = Error::file(Op::Create, context.run.path.join(layout::point_dir(&point.id)));
        let meta = meta(point, context.run);
        let (rotation, disk) = (context.plan.rotation, context.disk.clone());
        let segments = Segments::create(&context.run.dir, meta, rotation, counters.clone(), disk);
        let setup = Setup {
            id: recorded.id.clone(),
            listener,
            segments: segments.map_err(fail)?,
            counters: counters.clone(),
            stop: threads.stop.clone(),
            events: context.events.clone(),
        };
        recorder::start(setup, open).map_err(Error::file(Op::StartThread, &point.iface))
    }

    /// Adds what has come to belong to the run.
    pub(super) fn found(&mut self, context: &Context<'_>, found: Candidates, threads: &mut Threads) {
        for point in found.points {
            let index = if_nametoindex(point.iface.as_str()).unwrap_or(0);
            if self.points.iter().any(|have| have.is_of(&point.iface, index)) {
                continue;
            }
            let iface = point.iface.clone();
            if let Err(e) = self.join_point(context, point, threads) {
                self.refused(&iface, &e.to_string());
            }
        }
    }

    /// A point that cannot join is reported once: it is tried again and again.
    fn refused(&mut self, iface: &str, why: &str) {
        if self.refusals.len() < JOINED_MAX && self.refusals.insert(iface.to_owned()) {
            self.remark(&t!("run.not_joined", iface = iface, why = why));
        }
    }

    fn join_point(&mut self, context: &Context<'_>, mut point: Point, threads: &mut Threads) -> Result<()> {
        let joined = self.points.iter().filter(|p| p.joined).count();
        let held = self.points.iter().filter(|p| p.joined && p.is_active()).map(|p| p.ring_bytes).sum();
        let Some(ring) = newcomers_ring(context.plan.buffer, held).filter(|_| joined < JOINED_MAX) else {
            return Err(Error::Other(
                t!("join.memory", buffer = human_bytes(context.plan.buffer)).into_owned(),
            ));
        };
        if !has_room_for(self.budget.bounds().max, self.points.len() + 1) {
            let max = human_bytes(self.budget.bounds().max);
            return Err(Error::Other(t!("join.disk", max = max).into_owned()));
        }
        context.plan.apply_to(&mut point);
        point.id = fresh_id(&point.iface, self.points.iter().map(|p| p.point.id.as_str()));
        let listening = Listening::open(listener(context.plan, &point, ring, &context.process.privileged))?;
        // What its end takes is held back from the start, as for those of the start.
        self.budget.reserve_more(POINT_RESERVE).map_err(|e| Error::Other(e.to_string()))?;
        let since = clock::now();
        let ring_bytes = listening.open.ring.bytes() as u64;
        let crossed = listening.crossed;
        let recorded = Recorded { ring_bytes, joined: true, ..Recorded::at_start(&point) };
        let thread = Self::start_point(context, &recorded, listening, threads)?;
        threads.points.push(thread);
        if let Some(ledger) = &threads.ledger {
            let counters = recorded.counters.clone();
            let _ = ledger.joining.send(NewPoint { point: point.clone(), counters, crossed });
        }
        self.board.watch_point(&point.iface, recorded.counters.clone());
        self.progress.join(point.iface.clone(), recorded.counters.clone());
        self.say(&t!(
            "run.joined",
            iface = point.iface,
            what = describe(&point),
            ring = human_bytes(ring_bytes)
        ));
        self.note(since, ChangeKind::Joined { point: Box::new(point) });
        self.points.push(recorded);
        Ok(())
    }

    /// The interface of a point has another name.
    pub(super) fn renamed(&mut self, id: &PointId, from: String, to: String) {
        self.remark(&t!("run.renamed", from = from, to = to));
        if let Some(point) = self.points.iter_mut().find(|point| point.id == *id) {
            to.clone_into(&mut point.iface);
            self.note(clock::now(), ChangeKind::Renamed { id: id.to_string(), from, to });
        }
    }

    /// The interface of a point is gone and the point is closed.
    pub(super) fn left(&mut self, id: &PointId) {
        let from = self.gaps.remove(id).map_or_else(clock::now, |gap| gap.from);
        let Some(point) = self.points.iter().find(|point| point.id == *id) else { return };
        let (iface, what) = (point.iface.clone(), describe(&point.point));
        self.remark(&t!("run.left", iface = iface, what = what, from = self.clock(from)));
        self.note(from, ChangeKind::Left { id: id.to_string() });
    }

    /// Appends to the file of changes; a full disk is noticed by the packets.
    fn note(&mut self, at: Nanos, what: ChangeKind) {
        let written = self.dir.append(layout::CHANGES).and_then(|file| {
            std::io::Write::write_all(
                &mut Metered::lines(file, &self.budget),
                &json_line(&Change { at, what })?,
            )
        });
        if let Err(e) = written {
            self.remark(&t!("run.changes", why = e));
        }
    }
}

/// For people, in their language: `vnet of vswitch0, VM E0530`.
fn describe(point: &Point) -> String {
    let role = wording::role(&point.role);
    let place = match point.vswitch.as_deref() {
        Some(switch) => t!("point.of", role = role, switch = switch).into_owned(),
        None => role,
    };
    match &point.role {
        Role::Vnet { vm: Some(vm), .. } => t!("point.vm", place = place, vm = vm).into_owned(),
        _ => place,
    }
}

/// For the file: `vnet of vswitch0`.
fn place(point: &Point) -> String {
    let switch = point.vswitch.as_deref().map_or_else(String::new, |switch| format!(" of {switch}"));
    format!("{}{switch}", point.role.word())
}

fn meta(point: &Point, run: &RunDir) -> SegmentMeta {
    SegmentMeta {
        point: point.id.clone(),
        iface: point.iface.clone(),
        description: place(point),
        mac: point.mac,
        filter: point.filter.clone(),
        snaplen: point.snaplen,
        os: format!("Linux {} ({})", run.info.kernel, run.info.host),
        tool: tool(),
    }
}
