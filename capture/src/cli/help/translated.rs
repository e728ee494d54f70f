//! A command line in the user's language. What clap derives is English; all of it that is for people is replaced by what
//! the catalogue of the crate says. Both programs have this file: each with a catalogue of its own.

use std::ffi::OsString;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Command};
use rust_i18n::t;
use unicode_width::UnicodeWidthStr;

/// What `--lang` says in these words, which are not parsed yet: what is wrong with them should be said in that language.
pub(crate) fn asked(words: &[OsString]) -> Option<&str> {
    let mut words = words.iter().filter_map(|word| word.to_str());
    let mut asked = None;
    while let Some(word) = words.next() {
        asked = match word.strip_prefix("--lang") {
            Some("") => words.next().or(asked),
            Some(rest) => rest.strip_prefix('=').or(asked),
            None => asked,
        };
    }
    asked
}

/// A command with all that is for people in this language; `scope` is its part of the catalogue.
pub(crate) fn translated(command: Command, scope: &str, locale: &str) -> Command {
    let text = |key: &str| t!(key, locale = locale).into_owned();
    let flag = |name: &'static str, short, action| {
        Arg::new(name).short(short).long(name).action(action).help(text(&format!("help.frame.{name}")))
    };
    let mut command = command.about(text(&format!("help.{scope}.about"))).disable_help_flag(true);
    command = command.arg(flag("help", 'h', ArgAction::Help));
    if command.get_version().is_some() {
        command = command.disable_version_flag(true).arg(flag("version", 'V', ArgAction::Version));
    }
    if let Some(after) = told(&format!("help.{scope}.after"), locale) {
        command = command.after_help(after);
    }
    command
        .help_template(format!(
            "{{about-with-newline}}\n{}{{usage}}\n\n{{all-args}}{{after-help}}",
            t!("help.frame.usage", locale = locale)
        ))
        .subcommand_help_heading(text("help.frame.commands"))
        .mut_args(|arg| argument(arg, scope, locale))
}

fn argument(arg: Arg, scope: &str, locale: &str) -> Arg {
    let heading = if arg.is_positional() { "help.frame.arguments" } else { "help.frame.options" };
    let arg = arg.help_heading(t!(heading, locale = locale).into_owned());
    let Some(mut help) = told(&format!("help.{scope}.{}", arg.get_id()), locale) else { return arg };
    if !arg.get_action().takes_values() {
        return arg.help(folded(&help));
    }
    let default: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if !default.is_empty() {
        help += &t!("help.frame.default", locale = locale, value = default.join(" "));
    }
    let values = arg.get_possible_values();
    let values: Vec<_> =
        values.iter().filter(|value| !value.is_hide_set()).map(PossibleValue::get_name).collect();
    if !values.is_empty() {
        help += &t!("help.frame.values", locale = locale, value = values.join(", "));
    }
    if let Some(name) = arg.get_env() {
        help += &t!("help.frame.env", locale = locale, value = name.to_string_lossy());
    }
    arg.help(folded(&help)).hide_default_value(true).hide_possible_values(true).hide_env(true)
}

/// Columns for the text of an option beside its name, on a terminal of a hundred.
const COLUMNS: usize = 70;

/// Text of a script that has no blanks, in lines: clap breaks at blanks only.
fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let (mut out, mut columns) = (String::new(), 0);
    for part in text.split_inclusive(['，', '；', '：', '。', '、', '）', ' ']) {
        if columns > 0 && columns + part.trim_end().width() > COLUMNS {
            out.truncate(out.trim_end().len());
            out.push('\n');
            columns = 0;
        }
        out.push_str(part);
        columns += part.width();
    }
    out
}

/// What the catalogue has for a key, if anything: it gives a key back that it does not know.
fn told(key: &str, locale: &str) -> Option<String> {
    Some(t!(key, locale = locale).into_owned()).filter(|text| text != key)
}

/// What a catalogue (its text) has not, or has otherwise than the definition of these commands, each with its scope; and
/// what it has about options that are not there any more.
#[cfg(test)]
pub(crate) fn faults(commands: &[(&str, Command)], catalogue: &str) -> Vec<String> {
    let (mut faults, mut defined) = (Vec::new(), Vec::new());
    for (scope, command) in commands {
        let about = (format!("help.{scope}.about"), command.get_about().unwrap().to_string());
        let options = command.get_arguments().map(|arg| {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            (format!("help.{scope}.{}", arg.get_id()), help)
        });
        for (key, english) in std::iter::once(about).chain(options) {
            let [en, zh] = ["en", "zh-CN"].map(|locale| told(&key, locale).unwrap_or_default());
            if en != english || zh.is_empty() || zh.is_ascii() {
                faults.push(format!("{key}: defined as {english:?}, told as {en:?} and {zh:?}"));
            }
            defined.push(key);
        }
    }
    for line in catalogue.lines().filter(|line| line.starts_with("help.")) {
        let key = line.trim_end_matches(':');
        let framed = key.starts_with("help.frame.") || key.rsplit('.').next() == Some("after");
        if !framed && !defined.iter().any(|have| have == key) {
            faults.push(format!("{key}: there is no such option"));
        }
    }
    faults
}
