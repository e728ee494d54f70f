//! The only place that prints. What was asked for goes to standard output, progress and complaints to standard error.
//!
//! A terminal that has gone away (a broken SSH line) must not end a recording, so failed writes are ignored.

use std::io::{self, IsTerminal, Write};

use rust_i18n::t;
use unicode_width::UnicodeWidthStr;

pub(crate) mod units;
pub(crate) mod wording;

/// What was asked for: lists, where the bundle is.
pub(crate) fn answer(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Progress and complaints.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Text with control sequences, as it is.
pub(crate) fn draw(text: &str) {
    let mut out = io::stderr().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Whether somebody watches.
pub(crate) fn on_terminal() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Languages by the names they may be asked for; compared without case, `_` being `-`.
const LANGUAGES: [(&str, &str); 4] = [("en", "en"), ("en-us", "en"), ("zh", "zh-CN"), ("zh-cn", "zh-CN")];

/// A language as people type it: `en`, `zh`, `zh-CN` or `zh_CN`.
pub(crate) fn language(text: &str) -> Result<String, String> {
    let plain = text.trim().to_ascii_lowercase().replace('_', "-");
    let found = LANGUAGES.iter().find(|(name, _)| *name == plain);
    found
        .map(|(_, locale)| (*locale).to_owned())
        .ok_or_else(|| t!("units.language", text = text).into_owned())
}

/// Chooses the language: the one asked for, else that of the environment (`zh_CN.UTF-8`); English otherwise.
pub(crate) fn set_language(asked: Option<&str>) {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let from_environment = || ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set);
    let language = asked.map(str::to_owned).or_else(from_environment).unwrap_or_default();
    let locale = if language.to_ascii_lowercase().starts_with("zh") { "zh-CN" } else { "en" };
    rust_i18n::set_locale(locale);
}

/// Columns of a line that nobody has to scroll for.
const WIDTH: usize = 100;

/// A heading and words, broken into lines of at most 100 columns (a longer word stays whole), the further ones
/// indented under the first word.
pub(crate) fn wrap<'a>(head: &str, words: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let indent = " ".repeat(head.width());
    let (mut lines, mut line) = (Vec::new(), head.to_owned());
    let mut empty = true;
    for word in words {
        if !empty && line.width() + 1 + word.width() > WIDTH {
            lines.push(std::mem::replace(&mut line, indent.clone()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines
}

/// Text of others without control characters: nothing in it may steer a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
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
