//! The only place that prints. What was asked for goes to standard output, progress and complaints to standard error.
//!
//! A terminal that has gone away (a broken SSH line) must not end a recording, so failed writes are ignored. Every line is
//! cleaned here, for names of interfaces, machines and runs, and what other programs say, are foreign text.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use netcap_words::foreign::clean;
use netcap_words::{Lang, columns};
use rust_i18n::t;

pub(crate) mod units;
pub(crate) mod wording;
pub(crate) mod zone;

/// What was asked for: lists, where the bundle is.
pub(crate) fn answer(text: &str) {
    write(&mut io::stdout().lock(), text);
}

/// Progress and complaints.
pub(crate) fn note(text: &str) {
    write(&mut io::stderr().lock(), text);
}

/// Lines in which nothing steers a terminal.
fn write(out: &mut impl Write, text: &str) {
    let _ = writeln!(out, "{}", text.split('\n').map(clean).collect::<Vec<_>>().join("\n"));
}

/// Draws lines in place of the `before` ones that were drawn last. Each is cut to the terminal's width by the terminal
/// itself (DECAWM off), so that the count of lines stays right.
pub(crate) fn redraw(before: usize, lines: &[String]) {
    let mut out = io::stderr().lock();
    let _ = out.write_all(drawing(before, lines).as_bytes());
    let _ = out.flush();
}

fn drawing(before: usize, lines: &[String]) -> String {
    let mut text = String::from("\x1b[?7l");
    if before > 0 {
        let _ = write!(text, "\x1b[{before}A");
    }
    for line in lines {
        let _ = write!(text, "\r\x1b[K{}\n", clean(line));
    }
    text.push_str("\r\x1b[J\x1b[?7h");
    text
}

/// Whether somebody watches.
pub(crate) fn on_terminal() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Chooses the language: the one asked for, else that of the environment (`zh_CN.UTF-8`); English otherwise.
pub(crate) fn set_language(asked: Option<Lang>) {
    rust_i18n::set_locale(asked.unwrap_or_else(Lang::of_environment).code());
}

/// The language that is set.
pub(crate) fn language() -> Lang {
    Lang::of_locale(&rust_i18n::locale())
}

/// Columns of a line of standard output.
pub(crate) fn answer_columns() -> usize {
    columns::of(&io::stdout())
}

/// Columns of a line of standard error.
pub(crate) fn columns() -> usize {
    columns::of(&io::stderr())
}

/// Seconds as people read them: `01:02:03`.
pub(crate) fn hours(seconds: u64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// `1 packet`, `2 packets`.
pub(crate) fn packets(count: u64) -> String {
    if count == 1 { t!("count.packet") } else { t!("count.packets", count = count) }.into_owned()
}

/// `1 point`, `2 points`.
pub(crate) fn points(count: usize) -> String {
    if count == 1 { t!("count.point") } else { t!("count.points", count = count) }.into_owned()
}

/// `1 segment`, `2 segments`.
pub(crate) fn segments(count: u64) -> String {
    if count == 1 { t!("count.segment") } else { t!("count.segments", count = count) }.into_owned()
}

#[cfg(test)]
mod tests;
