//! What the threads report, and what becomes of it: a line for the user, a remark for the reader of the bundle.

use rust_i18n::t;
use tokio::sync::mpsc;

use super::running::Session;
use crate::point::event::Event;
use crate::point::watchdog::Bark;
use crate::shed;

impl Session {
    /// Takes in what a point has to say; a reason when the run cannot go on.
    pub(super) fn event(&mut self, event: Event) -> Option<String> {
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
            Event::Renamed { from, to } => {
                self.renamed(&from, &to);
                None
            }
            Event::Left { iface } => {
                self.left(&iface);
                None
            }
            Event::Watchdog { iface, bark } => {
                self.bark(&iface, bark);
                None
            }
            Event::Shed { iface, step, why } => {
                let (what, why) = (shed::word(step), shed::reason(why));
                self.say(&t!("shed.step", iface = iface, what = what, why = why));
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
}
