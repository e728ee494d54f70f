//! What the threads report, and what becomes of it: a line for the user, a remark for the reader of the bundle.

use rust_i18n::t;
use tokio::sync::mpsc;

use super::view::Session;
use crate::point::PointId;
use crate::point::event::{Event, PointEvent};
use crate::point::watchdog::Alarm;
use crate::shed;

impl Session {
    /// Takes in what a thread reports; a reason when the run cannot go on.
    pub(super) fn event(&mut self, event: Event) -> Option<String> {
        match event {
            Event::Point { id, what } => self.point_event(&id, what),
            Event::LedgerEnded { why } => {
                self.remark(&t!("run.ledger", why = why));
                None
            }
        }
    }

    fn point_event(&mut self, id: &PointId, what: PointEvent) -> Option<String> {
        let iface = self.iface(id);
        match what {
            PointEvent::GapBegins(gap) => {
                self.say(&t!("run.gap", iface = iface, from = self.clock(gap.from), why = gap.why));
                self.gaps.insert(id.clone(), gap);
            }
            PointEvent::GapEnds { gap, until } => {
                self.gaps.remove(id);
                let (from, until) = (self.clock(gap.from), self.clock(until));
                let text = t!("run.gap_over", iface = iface, from = from, until = until, why = gap.why);
                self.say(&text);
                self.remarks.push(text.into_owned());
            }
            PointEvent::Renamed { from, to } => self.renamed(id, from, to),
            PointEvent::Left => self.left(id),
            PointEvent::Watchdog(alarm) => self.alarm(&iface, alarm),
            PointEvent::Shed { level, why } => {
                let (what, why) = (shed::word(level), shed::reason(why));
                self.say(&t!("shed.step", iface = iface, what = what, why = why));
            }
            PointEvent::Failed { why } => {
                let text = t!("run.failed", iface = iface, why = why).into_owned();
                self.say(&text);
                self.remarks.push(text.clone());
                return Some(text);
            }
        }
        None
    }

    /// The name that a point's interface has now.
    fn iface(&self, id: &PointId) -> String {
        let point = self.points.iter().find(|point| point.id == *id);
        point.map_or_else(|| id.to_string(), |point| point.iface.clone())
    }

    /// What the watchdog found; a point that hears nothing of what crosses it must not pass for a silent one.
    fn alarm(&mut self, iface: &str, alarm: Alarm) {
        match alarm {
            Alarm::Deaf { ms, packets } => {
                let text = t!("watchdog.deaf", iface = iface, seconds = ms / 1000, packets = packets);
                self.remark(&text);
            }
            Alarm::HeardAgain { ms, packets } => {
                let text = t!("watchdog.again", iface = iface, seconds = ms / 1000, packets = packets);
                self.remark(&text);
            }
            Alarm::NoMatch { ms, packets } => {
                self.say(&t!("watchdog.no_match", iface = iface, seconds = ms / 1000, packets = packets));
            }
        }
    }

    /// What the points said while the run was ending, and gaps that never ended.
    pub(super) fn last_events(&mut self, inbox: &mut mpsc::Receiver<Event>) {
        while let Ok(event) = inbox.try_recv() {
            let _ = self.event(event);
        }
        for (id, gap) in std::mem::take(&mut self.gaps) {
            let (iface, from) = (self.iface(&id), self.clock(gap.from));
            let text = t!("run.gap_open", iface = iface, from = from, why = gap.why);
            self.remark(&text);
        }
    }
}
