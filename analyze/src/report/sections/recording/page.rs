//! For people: a table of points and lines about what happened when.

use netcap_bundle::run::{Change, ChangeKind, ShedLevel, ShedReason};

use crate::measure::recording::{LossPeriod, LossSpan, PointLoss, Recording, Steps};
use crate::report::page::Page;
use crate::text::Text;
use netcap_words::columns::{left, right};

/// Points and changes shown, each; the rest is in the JSON.
const ROWS_MAX: usize = 20;
/// Columns of a point's name.
const NAME: usize = 15;
/// Columns of a count.
const COUNT: usize = 12;

impl Page {
    /// What the recording lost, gave up and removed; nothing when it has all it was asked for.
    pub(super) fn recording(&mut self, recording: &Recording) {
        if recording.is_empty() {
            return;
        }
        self.heading("recording.title");
        let shown = if self.look.verbose { usize::MAX } else { ROWS_MAX };
        self.losses(recording, shown);
        if let Some(host) = &recording.host {
            let text = Text::new("recording.host")
                .with("softnet", host.softnet)
                .with("upcalls", host.upcalls)
                .with_text("when", self.period(&host.period));
            self.wrapped_text("  ", &text);
        }
        for change in recording.changes.iter().take(shown) {
            let text = self.change(recording, change);
            self.wrapped_text("  ", &text);
        }
        self.more(recording.changes.len(), shown);
    }

    fn losses(&mut self, recording: &Recording, shown: usize) {
        if recording.points.is_empty() {
            return;
        }
        let titles =
            ["received", "written", "dropped", "shed", "filtered"].map(|name| format!("recording.{name}"));
        let mut head = left(&self.phrase("report.point"), NAME);
        for title in &titles {
            head.push_str(&right(&self.phrase(title), COUNT));
        }
        self.line(&format!("  {head}"));
        for point in recording.points.iter().take(shown) {
            let sums = &point.sums;
            let mut row = left(&Text::verbatim(&point.name).english(), NAME);
            for count in [sums.received, sums.written, sums.dropped, sums.shed] {
                row.push_str(&right(&count.to_string(), COUNT));
            }
            row.push_str(&right(&point.filtered.map_or_else(|| "?".into(), |n| n.to_string()), COUNT));
            self.line(&format!("  {row}"));
            for text in self.details(point) {
                self.wrapped_text("    ", &text);
            }
        }
        self.more(recording.points.len(), shown);
    }

    fn details(&self, point: &PointLoss) -> Vec<Text> {
        let mut out = Vec::new();
        for (key, period) in [("recording.dropped-when", point.dropped), ("recording.shed-when", point.shed)]
        {
            out.extend(period.map(|period| Text::new(key).with_text("when", self.period(&period))));
        }
        out.extend(point.steps.as_ref().map(|steps| self.steps(steps)));
        if let Some(gone) = &point.pruned {
            let key = if gone.segments == 1 { "recording.pruned-one" } else { "recording.pruned" };
            let text = Text::new(key).with("segments", gone.segments).with("packets", gone.packets);
            out.push(text.with("when", self.short_span(gone.from, gone.until)));
        }
        if point.unaccounted > 0 {
            out.push(Text::new("recording.unaccounted").with("count", point.unaccounted));
        }
        out
    }

    fn period(&self, period: &LossPeriod) -> Text {
        let LossSpan { from, to, count } = period.worst;
        let key = if period.spans == 1 { "recording.once" } else { "recording.spell" };
        Text::new(key)
            .with("span", self.short_span(period.from, period.to))
            .with("spans", period.spans)
            .with("from", from.clock(self.offset))
            .with("to", to.clock(self.offset))
            .with("count", count)
    }

    fn steps(&self, steps: &Steps) -> Text {
        let why = steps.why.iter().map(|why| Text::new(reason(*why))).collect();
        Text::new("recording.steps")
            .with("span", self.short_span(steps.from, steps.to))
            .with_text("what", Text::new(word(steps.shed.deepest)))
            .with_clauses("why", why)
            .with("steps", steps.shed.steps)
            .with("seconds", steps.shed.cut_ms.div_ceil(1000))
    }

    fn change(&self, recording: &Recording, change: &Change) -> Text {
        let (key, id, from, to) = match &change.what {
            ChangeKind::Joined { point } => ("recording.joined", &point.id, "", ""),
            ChangeKind::Renamed { id, from, to } => ("recording.renamed", id, from.as_str(), to.as_str()),
            ChangeKind::Left { id } => ("recording.left", id, "", ""),
        };
        let mut text = Text::new(key).with("at", change.at.display(self.offset));
        text = text.with("point", recording.name(id)).with("from", from).with("to", to);
        if let ChangeKind::Joined { point } = &change.what {
            text = text.with("kind", point.role.word());
        }
        text
    }

    fn wrapped_text(&mut self, head: &str, text: &Text) {
        let text = self.text(text);
        self.wrapped(head, &format!("{head}  "), &text);
    }
}

fn word(step: ShedLevel) -> &'static str {
    match step {
        ShedLevel::Whole => "recording.step-whole",
        ShedLevel::Level1 => "recording.step-level1",
        ShedLevel::Fast => "recording.step-fast",
        ShedLevel::Fastest => "recording.step-fastest",
        ShedLevel::Cut256 => "recording.step-cut256",
        ShedLevel::Cut128 => "recording.step-cut128",
        ShedLevel::Off => "recording.step-off",
    }
}

fn reason(why: ShedReason) -> &'static str {
    match why {
        ShedReason::Ring => "recording.why-ring",
        ShedReason::Loss => "recording.why-loss",
        ShedReason::Cpu => "recording.why-cpu",
        ShedReason::Memory => "recording.why-memory",
        ShedReason::Calm => "recording.why-calm",
    }
}
