//! The only place that prints. What was asked for goes to standard output, progress and complaints to standard error.
//!
//! A terminal that has gone away (a broken SSH line) must not end a recording, so failed writes are ignored.

use std::io::{self, IsTerminal, Write};

/// What was asked for: lists, where the bundle is.
pub fn answer(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Progress and complaints.
pub fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Text with control sequences, as it is.
pub fn draw(text: &str) {
    let mut out = io::stderr().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Whether somebody watches.
pub fn on_terminal() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Chooses the language: the one asked for, else that of the environment (`zh_CN.UTF-8`); English otherwise.
pub fn set_language(asked: Option<&str>) {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let from_environment = || ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set);
    let language = asked.map(str::to_owned).or_else(from_environment).unwrap_or_default();
    let locale = if language.to_ascii_lowercase().starts_with("zh") { "zh-CN" } else { "en" };
    rust_i18n::set_locale(locale);
}
