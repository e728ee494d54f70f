//! `--help` in the user's language. The command line is defined once, in English ([`crate::cli`]); before it is read, all
//! that is for people is replaced by what the catalogue says (`locales/help.yml`).

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command, CommandFactory, FromArgMatches};
use rust_i18n::t;
use unicode_width::UnicodeWidthStr;

use crate::ui;

/// Name of the program, and of the part of the catalogue about its own options.
const PROGRAM: &str = "netcap";

/// The language that is asked for in these words, if it is one there is. They are not parsed yet: what is wrong with them
/// should be said in it too.
pub fn language(words: &[OsString]) -> Option<String> {
    let mut words = words.iter().filter_map(|word| word.to_str());
    let mut asked = None;
    while let Some(word) = words.next() {
        asked = match word.strip_prefix("--lang") {
            Some("") => words.next().or(asked),
            Some(rest) => rest.strip_prefix('=').or(asked),
            None => asked,
        };
    }
    ui::language(asked?).ok()
}

/// Reads a command line; help is in the language that is set.
pub fn parse<T: CommandFactory + FromArgMatches>(words: &[OsString]) -> Result<T, clap::Error> {
    T::from_arg_matches(&command::<T>(&rust_i18n::locale()).try_get_matches_from(words)?)
}

/// The command with all that is for people in this language.
pub fn command<T: CommandFactory>(locale: &str) -> Command {
    let command = T::command().mut_subcommands(|command| {
        let scope = command.get_name().to_owned();
        translated(command, &scope, locale)
    });
    translated(command, PROGRAM, locale)
}

fn translated(command: Command, scope: &str, locale: &str) -> Command {
    let text = |key: &str| t!(key, locale = locale).into_owned();
    let flag = |name: &'static str, short, action| {
        Arg::new(name).short(short).long(name).action(action).help(text(&format!("help.frame.{name}")))
    };
    let mut command = command.about(text(&format!("help.{scope}.about"))).disable_help_flag(true);
    command = command.arg(flag("help", 'h', ArgAction::Help));
    if scope == PROGRAM {
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
    if let Some(name) = arg.get_env() {
        help += &t!("help.frame.env", locale = locale, value = name.to_string_lossy());
    }
    arg.help(folded(&help)).hide_default_value(true).hide_env(true)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Other, Record};

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    /// What the catalogue must have: key, and the English of the definition.
    fn defined() -> Vec<(String, String)> {
        let mut out = Vec::new();
        let mut add = |command: &Command, scope: &str| {
            out.push((format!("help.{scope}.about"), command.get_about().unwrap().to_string()));
            for arg in command.get_arguments() {
                let key = format!("help.{scope}.{}", arg.get_id());
                out.push((key, arg.get_help().unwrap().to_string()));
            }
        };
        let record = Record::command();
        add(&record, PROGRAM);
        for command in Other::command().get_subcommands() {
            add(command, command.get_name());
        }
        out
    }

    #[test]
    fn every_option_is_there_in_every_language_and_the_english_is_that_of_the_definition() {
        for (key, english) in defined() {
            assert_eq!(t!(&key, locale = "en"), english, "{key}");
            let chinese = t!(&key, locale = "zh-CN");
            assert!(chinese != key && !chinese.is_ascii(), "{key}: {chinese}");
        }
    }

    #[test]
    fn nothing_is_translated_that_is_not_there_any_more() {
        let defined: Vec<String> = defined().into_iter().map(|(key, _)| key).collect();
        for line in include_str!("../locales/help.yml").lines().filter(|line| line.starts_with("help.")) {
            let key = line.trim_end_matches(':');
            let framed = key.starts_with("help.frame.") || key.contains(".after");
            assert!(framed || defined.iter().any(|have| have == key), "{key}");
        }
    }

    #[test]
    fn help_is_in_the_language_that_is_set_and_fits() {
        for (locale, words) in [
            ("en", ["Usage: netcap", "Options:", "[default: 1GiB]", "Print help", "Exit status:"]),
            ("zh-CN", ["用法：netcap", "选项:", "（默认 1GiB）", "显示帮助", "退出码："]),
        ] {
            let help = command::<Record>(locale).term_width(100).render_help().to_string();
            let in_one_line = help.split_whitespace().collect::<Vec<_>>().join(" ");
            for word in words {
                assert!(in_one_line.contains(word), "{word}: {help}");
            }
            assert!(help.lines().all(|line| line.width() <= 102), "{help}");
        }
    }

    #[test]
    fn the_language_is_known_before_the_words_are_read() {
        for line in
            ["netcap --lang zh --nonsense", "netcap status --lang=zh-CN", "netcap --lang en --lang zh_CN"]
        {
            assert_eq!(language(&words(line)).as_deref(), Some("zh-CN"), "{line}");
        }
        for line in ["netcap", "netcap --lang", "netcap --lang fr", "netcap --language=zh"] {
            assert_eq!(language(&words(line)), None, "{line}");
        }
        let sound = |parsed: Result<Record, clap::Error>| parsed.is_ok();
        assert!(sound(parse(&words("netcap --iface eth0 --duration 5m icmp"))));
        assert!(!sound(parse(&words("netcap --nonsense"))));
        command::<Record>("zh-CN").debug_assert();
        command::<Other>("en").debug_assert();
    }
}
