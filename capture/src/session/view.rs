//! What the user sees of a run while it runs, and what is remembered of it.

use netcap_words::columns::wrap_words;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use netcap_bundle::held::Dir;
use netcap_bundle::{Nanos, Op, layout};
use rust_i18n::t;

use super::Context;
use super::load::Governing;
use super::progress::Progress;
use super::recorded::Recorded;
use super::rings::Listening;
use crate::control::Control;
use crate::control::board::Board;
use crate::disk::budget::Budget;
use crate::disk::free::disk_left;
use crate::disk::journal::Journal;
use crate::disk::rundir::RunDir;
use crate::error::{Error, Result};
use crate::ping::Tally;
use crate::plan::Plan;
use crate::point::PointId;
use crate::point::counters::HostCounters;
use crate::point::event::Gap;
use crate::ring::memory::Fitted;
use crate::ui;
use crate::ui::units::human_bytes;

/// Remarks kept of a run.
const REMARKS_MAX: usize = 200;

/// What the first lines are about.
pub(super) struct Opening<'a> {
    pub(super) topology: &'a str,
    pub(super) fitted: &'a Fitted,
    pub(super) control: &'a Control,
    /// The run leaves its terminal.
    pub(super) background: bool,
}

/// The visible side of a run.
pub(super) struct Session {
    pub(super) progress: Progress,
    pub(super) journal: Journal,
    pub(super) points: Vec<Recorded>,
    /// What the host lost beside the points.
    pub(super) host: Arc<HostCounters>,
    pub(super) pings: Vec<(IpAddr, Arc<Tally>)>,
    pub(super) remarks: Vec<String>,
    /// Points that cannot be heard at this moment.
    pub(super) gaps: BTreeMap<PointId, Gap>,
    /// Interfaces that could not join.
    pub(super) refusals: BTreeSet<String>,
    /// The run's directory.
    pub(super) dir: Dir,
    pub(super) utc_offset_s: i32,
    pub(super) budget: Arc<Budget>,
    pub(super) board: Arc<Board>,
    pub(super) governing: Governing,
    /// It has been said that the helper is gone.
    pub(super) helper_lost: bool,
}

impl Session {
    pub(super) fn begin(context: &Context<'_>, budget: &Arc<Budget>, opening: &Opening<'_>) -> Result<Self> {
        let Context { plan, run, process, .. } = context;
        let Opening { topology, control, background, .. } = opening;
        let written =
            run.dir.create_new(layout::TOPOLOGY).and_then(|mut file| file.write_all(topology.as_bytes()));
        written.map_err(Error::file(Op::Write, run.path.join(layout::TOPOLOGY)))?;
        let points: Vec<Recorded> = plan.points.iter().map(Recorded::at_start).collect();
        let pings: Vec<(IpAddr, Arc<Tally>)> = plan.pings.iter().map(|ip| (*ip, Arc::default())).collect();
        control.watch(points.iter().map(|p| (p.iface.clone(), p.counters.clone())), &pings);
        let shown = points.iter().map(|p| (p.iface.clone(), p.counters.clone())).collect();
        let host: Arc<HostCounters> = Arc::default();
        let progress = Progress::new(shown, host.clone(), plan.quiet);
        let utc_offset_s = run.info.utc_offset_s;
        let journal = Journal::create(&run.dir, utc_offset_s, budget)?;
        let mut session = Self {
            progress,
            journal,
            points,
            host,
            pings,
            remarks: Vec::new(),
            gaps: BTreeMap::new(),
            refusals: BTreeSet::new(),
            dir: run.dir.clone(),
            utc_offset_s,
            budget: budget.clone(),
            board: control.board.clone(),
            governing: Governing::new(plan, process.privileged.clone()),
            helper_lost: false,
        };
        session.introduce(plan, run, *background);
        session.sandbox(run);
        if let Some(why) = &control.closed {
            session.remark(&t!("control.closed", why = why));
        }
        let max = session.budget.bounds().max;
        if max < plan.space.max {
            session.say(&t!("budget.trimmed", has = human_bytes(max), asked = human_bytes(plan.space.max)));
        }
        Ok(session)
    }

    /// The first lines: what is recorded, of it what, and where to.
    fn introduce(&mut self, plan: &Plan, run: &RunDir, background: bool) {
        let mut lines = Vec::new();
        if plan.points.is_empty() {
            lines.push(t!("run.no_points").into_owned());
        } else {
            lines.extend(wrap_words(
                ui::columns(),
                &t!("run.points"),
                plan.points.iter().map(|p| p.iface.as_str()),
            ));
            lines.extend(wrap_words(ui::columns(), &t!("run.filter"), filters(plan).split(' ')));
        }
        let pings: Vec<String> = plan.pings.iter().map(ToString::to_string).collect();
        if !pings.is_empty() {
            lines.extend(wrap_words(ui::columns(), &t!("run.pings"), pings.iter().map(String::as_str)));
        }
        lines.push(if background {
            t!("run.into_detached", dir = run.path.display()).into_owned()
        } else {
            t!("run.into", dir = run.path.display()).into_owned()
        });
        for line in lines {
            self.say(&line);
        }
    }

    /// Notes the ring memory that each point really has; less than was asked for is worth a remark.
    pub(super) fn rings(&mut self, listeners: &[Listening]) {
        for (recorded, Listening { open, .. }) in self.points.iter_mut().zip(listeners) {
            recorded.ring_bytes = open.ring.bytes() as u64;
        }
        for Listening { listener, open, .. } in listeners {
            let ring = &open.ring;
            let (asked, has) = (human_bytes(listener.size.bytes() as u64), human_bytes(ring.bytes() as u64));
            let iface = &listener.iface;
            if ring.bytes() < listener.size.bytes() {
                self.remark(&t!("memory.less", iface = iface, has = has, asked = asked));
            } else {
                self.journal.line(&t!("memory.ring", iface = iface, has = has));
            }
        }
    }

    /// Shows the numbers as they are at the end.
    pub(super) fn show_last(&mut self, plan: &Plan) {
        self.progress.last(disk_left(&plan.out), &self.ping_lines());
    }

    pub(super) fn ping_lines(&self) -> Vec<String> {
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

    pub(super) fn clock(&self, at: Nanos) -> String {
        at.clock(self.utc_offset_s)
    }

    pub(super) fn say(&mut self, text: &str) {
        self.progress.print(text);
        self.journal.line(text);
    }

    /// Something a reader must know. A fault that comes and goes all night is reported a hundred times, not a million.
    pub(super) fn remark(&mut self, text: &str) {
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
