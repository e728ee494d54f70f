//! What the user sees while it runs: one line per point on a terminal, plain lines now and then elsewhere.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use netcap_bundle::run::ShedLevel;
use rust_i18n::t;
use unicode_width::UnicodeWidthStr;

use crate::point::counters::{Counters, HostCounters, Numbers};
use crate::ui::units::human_bytes;
use crate::{shed, ui};

/// Time between two plain lines where nobody watches.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// A point's line.
struct Row {
    /// The name its interface has now.
    name: String,
    counters: Arc<Counters>,
    /// The numbers when it was last drawn.
    before: Numbers,
}

impl Row {
    fn new(name: String, counters: Arc<Counters>) -> Self {
        Self { name, counters, before: Numbers::default() }
    }
}

/// How the run shows itself.
pub(super) struct Progress {
    points: Vec<Row>,
    host: Arc<HostCounters>,
    terminal: bool,
    quiet: bool,
    /// Lines drawn that the next drawing replaces.
    drawn: usize,
    began: Instant,
    drew: Option<Instant>,
}

impl Progress {
    /// Watches these points, name and numbers, and the host.
    pub(super) fn new(points: Vec<(String, Arc<Counters>)>, host: Arc<HostCounters>, quiet: bool) -> Self {
        let points = points.into_iter().map(|(name, counters)| Row::new(name, counters)).collect();
        let (terminal, began) = (ui::on_terminal(), Instant::now());
        // Where lines stay, the first ones would only say that there is nothing yet.
        let drew = (!terminal).then_some(began);
        Self { points, host, terminal, quiet, drawn: 0, began, drew }
    }

    /// Another point joins.
    pub(super) fn join(&mut self, name: String, counters: Arc<Counters>) {
        self.points.push(Row::new(name, counters));
    }

    /// A line that stays.
    pub(super) fn print(&mut self, text: &str) {
        self.clear();
        if !self.quiet {
            ui::note(text);
        }
    }

    /// Called each second: draws what there is to draw. `pings` are lines of their own.
    pub(super) fn tick(&mut self, left: Option<u64>, pings: &[String]) {
        let due = self.drew.is_none_or(|at| at.elapsed() >= PLAIN_EVERY);
        if self.quiet || (!self.terminal && !due) {
            return;
        }
        let seconds = self.drew.map_or(1.0, |at| at.elapsed().as_secs_f64());
        self.drew = Some(Instant::now());
        self.block(left, pings, seconds);
    }

    /// The last numbers, which stay; rates are those of the whole run.
    pub(super) fn last(&mut self, left: Option<u64>, pings: &[String]) {
        if self.quiet {
            return;
        }
        for row in &mut self.points {
            row.before = Numbers::default();
        }
        self.block(left, pings, self.began.elapsed().as_secs_f64());
    }

    fn block(&mut self, left: Option<u64>, pings: &[String], seconds: f64) {
        let seconds = seconds.max(0.001);
        let mut lines = vec![self.head(left)];
        let width = self.points.iter().map(|row| row.name.width()).max().unwrap_or(0);
        for row in &mut self.points {
            if let Some(name) = row.counters.renamed(&row.name) {
                row.name = name;
            }
            let now = row.counters.read();
            lines.push(format!("  {}", line(&row.name, width, &now, &row.before, seconds)));
            row.before = now;
        }
        lines.extend(self.host_line());
        lines.extend(pings.iter().map(|ping| format!("  {ping}")));
        if self.terminal {
            self.draw(&lines);
        } else {
            for line in &lines {
                ui::note(line);
            }
        }
    }

    /// What the host lost before any point; nothing when it lost nothing.
    fn host_line(&self) -> Option<String> {
        let softnet = self.host.softnet_dropped.load(Relaxed);
        let upcalls = self.host.upcalls_lost.load(Relaxed);
        (softnet > 0 || upcalls > 0)
            .then(|| format!("  {}", t!("live.host", softnet = softnet, upcalls = upcalls)))
    }

    fn head(&self, left: Option<u64>) -> String {
        let time = ui::hours(self.began.elapsed().as_secs());
        t!("live.head", time = time, left = left.map_or_else(|| "?".into(), human_bytes)).into_owned()
    }

    /// Replaces the lines drawn before.
    fn draw(&mut self, lines: &[String]) {
        ui::redraw(self.drawn, lines);
        self.drawn = lines.len();
    }

    /// Takes the drawn lines away.
    fn clear(&mut self) {
        if self.drawn > 0 {
            self.draw(&[]);
        }
    }
}

fn line(name: &str, width: usize, now: &Numbers, before: &Numbers, seconds: f64) -> String {
    let rate = now.packets.saturating_sub(before.packets) as f64 / seconds;
    let pad = " ".repeat(width.saturating_sub(name.width()));
    let word = if now.packets == 1 { t!("live.packet") } else { t!("live.packets") };
    let packets = format!("{:>9} {word}", now.packets);
    let mut text = t!(
        "live.point",
        name = format!("{name}{pad}"),
        packets = packets,
        rate = format!("{rate:>7.0}"),
        bytes = format!("{:>10}", human_bytes(now.wire_bytes)),
        dropped = now.dropped,
        file = format!("{:06} {}", now.segment, human_bytes(now.file_bytes))
    )
    .into_owned();
    for (key, count) in [
        ("live.filtered", now.filtered),
        ("live.nic_dropped", now.nic_dropped),
        ("live.ovs_dropped", now.ovs_dropped),
    ] {
        if count > 0 {
            text.push_str("  ");
            text.push_str(&t!(key, count = count));
        }
    }
    let state = match (now.ended, now.left, now.away, now.deaf) {
        (true, ..) => t!("live.ended"),
        (_, true, ..) => t!("live.left"),
        (_, _, true, _) => t!("live.away"),
        (_, _, _, true) => t!("live.deaf"),
        _ if now.step > ShedLevel::Whole => t!("live.shed", what = shed::word(now.step)),
        _ => return text,
    };
    text.push_str("  ");
    text.push_str(&state);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_matters() {
        rust_i18n::set_locale("en");
        let now = Numbers {
            packets: 1200,
            dropped: 7,
            wire_bytes: 2048,
            segment: 3,
            away: true,
            filtered: 91,
            ovs_dropped: 4,
            ..Numbers::default()
        };
        let before = Numbers { packets: 200, ..Numbers::default() };
        let text = line("eth2", 6, &now, &before, 2.0);
        for part in ["eth2  ", "1200", "500", "2.0 KiB", "7", "000003", "filtered 91", "OVS dropped 4"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("NIC"), "what did not happen takes no room: {text}");
    }
}
