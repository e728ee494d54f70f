//! What a page of the report for people is made of: lines that fit, in one language, and steer no terminal.

use anstyle::Style;
use netcap_bundle::Nanos;
use netcap_bundle::run::human_ns;
use netcap_words::Lang;
use netcap_words::columns::wrap;
use netcap_words::foreign::clean;

use crate::text::{Text, phrase};

/// Columns of `2026-11-21`, of `2026-11-21 08:15:04` and of `2026-11-21 08:15:04.123`.
const DATE_COLUMNS: usize = 10;
const SECONDS_COLUMNS: usize = 19;
const MILLIS_COLUMNS: usize = 23;

/// How the report is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// Language.
    pub lang: Lang,
    /// With ANSI colours.
    pub color: bool,
    /// Columns of a line.
    pub columns: usize,
    /// Exonerations, filters and every remark too.
    pub verbose: bool,
}

pub(in crate::report) struct Page {
    pub(in crate::report) out: String,
    pub(in crate::report) look: Look,
    pub(in crate::report) offset: i32,
}

impl Page {
    /// A line; what is foreign in it cannot steer a terminal.
    pub(in crate::report) fn line(&mut self, text: &str) {
        let text = clean(text);
        self.styled_line(&text);
    }

    /// A line that may have styles, and is clean otherwise.
    pub(in crate::report) fn styled_line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    pub(in crate::report) fn wrapped(&mut self, head: &str, tail: &str, text: &str) {
        for line in wrap(self.look.columns, head, tail, &clean(text)) {
            self.line(&line);
        }
    }

    pub(in crate::report) fn text(&self, text: &Text) -> String {
        text.render(self.look.lang)
    }

    pub(in crate::report) fn phrase(&self, key: &str) -> String {
        phrase(key, self.look.lang)
    }

    pub(in crate::report) fn styled(&self, text: &str, style: Style) -> String {
        if self.look.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    pub(in crate::report) fn heading(&mut self, key: &str) {
        let text = self.phrase(key);
        let text = self.styled(&text, Style::new().bold());
        self.out.push('\n');
        self.styled_line(&text);
    }

    pub(in crate::report) fn labelled(&mut self, key: &str, text: &str) {
        let label = self.phrase(key);
        self.wrapped("  ", "    ", &format!("{label} {text}"));
    }

    pub(in crate::report) fn span(&self, from: Nanos, to: Nanos) -> String {
        if from == to {
            return from.display(self.offset);
        }
        format!("{} – {} ({})", from.display(self.offset), to.clock(self.offset), human_ns(to.since(from)))
    }

    /// How many of `all` were not `shown`, when some were not.
    pub(in crate::report) fn more(&mut self, all: usize, shown: usize) {
        if let Some(more) = all.checked_sub(shown).filter(|more| *more > 0) {
            let text = self.text(&Text::new("report.more").with("count", more));
            self.line(&format!("  {text}"));
        }
    }

    /// A span in half a line: milliseconds on one day, seconds over several.
    pub(in crate::report) fn short_span(&self, from: Nanos, to: Nanos) -> String {
        let (begin, end) = (from.display(self.offset), to.display(self.offset));
        let cut = |text: &str, columns: usize| text.chars().take(columns).collect::<String>();
        let took = human_ns(to.since(from));
        if cut(&begin, DATE_COLUMNS) == cut(&end, DATE_COLUMNS) {
            return format!("{} – {} ({took})", cut(&begin, MILLIS_COLUMNS), to.clock(self.offset));
        }
        format!("{} – {} ({took})", cut(&begin, SECONDS_COLUMNS), cut(&end, SECONDS_COLUMNS))
    }
}

/// One unit for the whole table, so that numbers can be compared by eye.
pub(in crate::report) fn milliseconds(ns: u64) -> String {
    let (whole, part) = (ns / 1_000_000, ns / 1_000 % 1_000);
    if whole < 10_000 { format!("{whole}.{part:03}") } else { whole.to_string() }
}
