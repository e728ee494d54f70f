//! What ends a run, and the last look at the host when it has ended.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use netcap_bundle::run::End;
use rust_i18n::t;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;

use super::Context;
use super::following::Following;
use super::state::Ending;
use super::threads::Threads;
use super::view::Session;
use crate::control::signals::{Action, Signals};
use crate::disk::free::disk_left;
use crate::host::clock;
use crate::plan::Plan;
use crate::point::event::Event;
use crate::ui::units::human_bytes;

/// Longest time for the last look at the host.
const LAST_ROUND_MAX: Duration = Duration::from_mins(1);
/// Longest time for writing what that look has by then.
const STATE_WRITE_MAX: Duration = Duration::from_secs(5);
/// How often the ends that have no timer of their own are looked for.
const ENOUGH_EVERY: Duration = Duration::from_millis(100);

impl Session {
    /// Shows what happens until something ends the run.
    pub(super) async fn watch(
        &mut self,
        context: &Context<'_>,
        threads: &mut Threads,
        signals: &mut Signals,
        inbox: &mut mpsc::Receiver<Event>,
        follow: &mut Following,
    ) -> End {
        let plan = context.plan;
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
                    Action::End(by) => return End::Stopped { by: by.into() },
                    Action::Rotate => self.rotate(),
                },
                () = &mut over => return End::Duration,
                Some(event) = inbox.recv() => if let Some(why) = self.event(event) {
                    return End::Failed { why };
                },
                found = follow.next() => self.found(context, found, threads),
                _ = often.tick() => if let Some(end) = self.enough(plan) {
                    return end;
                },
                _ = second.tick() => {
                    follow.tick();
                    let left = disk_left(&plan.out);
                    self.board.tick(left);
                    self.progress.tick(left, &self.ping_lines());
                    self.govern();
                    self.look_after_helper();
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

    /// The disk takes nothing more: said once.
    pub(super) fn disk_failed(&mut self) -> Option<String> {
        let why = self.budget.syncer().failure()?;
        if !self.remarks.contains(&why) {
            self.remark(&why);
        }
        Some(why)
    }

    /// The time or the number of packets asked for is reached, or the disk takes nothing more.
    fn enough(&mut self, plan: &Plan) -> Option<End> {
        if let Some(why) = self.disk_failed() {
            return Some(End::Failed { why });
        }
        if plan.until.is_some_and(|until| clock::now() >= until) {
            return Some(End::Duration);
        }
        let max = plan.max_packets?;
        let packets: u64 = self.points.iter().map(|p| p.counters.packets.load(Relaxed)).sum();
        (packets >= max).then(|| End::Stopped { by: "--max-packets".into() })
    }

    /// Every point goes on with a new segment.
    fn rotate(&mut self) {
        for point in &self.points {
            point.counters.rotate.store(true, Relaxed);
        }
        self.say(&t!("run.rotate"));
    }

    /// The last look at the host; a second Ctrl-C ends it, and nothing else. What it has by then is kept.
    pub(super) async fn last_round(
        &mut self,
        mut state: JoinHandle<netcap_bundle::Result<u64>>,
        ending: &watch::Sender<Ending>,
        signals: &mut Signals,
        inbox: &mut mpsc::Receiver<Event>,
    ) {
        let slow = tokio::time::sleep(LAST_ROUND_MAX);
        tokio::pin!(slow);
        let cut = loop {
            tokio::select! {
                done = &mut state => return self.state_ended(done),
                () = signals.end() => break t!("end.state_skipped"),
                () = &mut slow => break t!("end.state_slow", seconds = LAST_ROUND_MAX.as_secs()),
                // Points go on meanwhile, and what becomes of them is news.
                Some(event) = inbox.recv() => {
                    let _ = self.event(event);
                }
            }
        };
        self.remark(&cut);
        let _ = ending.send(Ending::Now);
        match timeout(STATE_WRITE_MAX, &mut state).await {
            Ok(done) => self.state_ended(done),
            Err(_) => state.abort(),
        }
    }

    fn state_ended(&mut self, done: std::result::Result<netcap_bundle::Result<u64>, JoinError>) {
        match done {
            Ok(Ok(0)) => {}
            Ok(Ok(refused)) => self.remark(&t!("end.state_refused", count = refused)),
            Ok(Err(e)) => self.remark(&t!("end.state_failed", why = e)),
            Err(e) => self.remark(&t!("end.state_failed", why = e)),
        }
    }
}
