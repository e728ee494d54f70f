//! `--help` in the user's language. The command line is defined once, in English ([`crate::cli::options`]); before it is read, all
//! that is for people is replaced by what the catalogue says (`locales/help.yml`).

use std::ffi::OsString;

use clap::{Command, CommandFactory, FromArgMatches};
use netcap_words::help::{known, translated};
use netcap_words::{Lang, lang};
use rust_i18n::t;

use crate::ui;

/// Name of the program, and of the part of the catalogue about its own options.
const PROGRAM: &str = "netcap";

/// Reads a command line; help is in the language that is set.
pub(super) fn parse<T: CommandFactory + FromArgMatches>(words: &[OsString]) -> Result<T, clap::Error> {
    T::from_arg_matches(&command::<T>(ui::language()).try_get_matches_from(words)?)
}

/// The command with all that is for people in this language.
fn command<T: CommandFactory>(lang: Lang) -> Command {
    let command = T::command().mut_subcommands(|command| {
        let scope = command.get_name().to_owned();
        translated(command, &scope, catalogue, lang)
    });
    let mut command = translated(command, PROGRAM, catalogue, lang);
    if !command.has_subcommands() {
        return command;
    }
    // The command `help` is clap's own and is there only in what is built.
    command.build();
    let about = catalogue("help.frame.helper", lang).unwrap_or_default();
    command.mut_subcommand("help", |help| help.about(about))
}

/// What is wrong with a command line, in the language that is set.
pub(super) fn refusal(error: &clap::Error) -> Option<String> {
    lang::refusal(error, catalogue, ui::language())
}

fn catalogue(key: &str, lang: Lang) -> Option<String> {
    known(key, t!(key, locale = lang.code()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::options::{Other, Record};
    use unicode_width::UnicodeWidthStr;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn every_option_is_reported_in_every_language_and_nothing_else_is() {
        let record = (PROGRAM, Record::command());
        let other = Other::command();
        let others = other.get_subcommands().map(|command| (command.get_name(), command.clone()));
        let commands: Vec<_> = std::iter::once(record).chain(others).collect();
        let faults = netcap_words::help::faults(&commands, catalogue, include_str!("../../locales/help.yml"));
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    #[test]
    fn help_is_in_the_language_that_is_set_and_fits() {
        for (lang, words) in [
            (Lang::En, ["Usage: netcap", "Options:", "[default: 1GiB]", "Print help", "Exit status:"]),
            (Lang::Zh, ["用法：netcap", "选项:", "（默认 1GiB）", "显示帮助", "退出码："]),
        ] {
            let help = command::<Record>(lang).term_width(100).render_help().to_string();
            let in_one_line = help.split_whitespace().collect::<Vec<_>>().join(" ");
            for word in words {
                assert!(in_one_line.contains(word), "{word}: {help}");
            }
            assert!(help.lines().all(|line| line.width() <= 102), "{help}");
        }
    }

    #[test]
    fn the_list_of_commands_is_all_in_one_language_and_each_has_its_help() {
        let list = command::<Other>(Lang::Zh).render_help().to_string();
        let help = |line: &str| line.contains("help ") && line.ends_with("说明某个命令的用途和选项");
        assert!(list.lines().any(help), "{list}");
        assert!(!list.contains("Print this message"), "{list}");
        for line in ["netcap help status", "netcap status --help"] {
            let help = command::<Other>(Lang::Zh).try_get_matches_from(words(line)).unwrap_err().to_string();
            assert!(
                help.contains("用法：netcap status [OPTIONS] [RUN]") && help.contains("--json"),
                "{help}"
            );
        }
    }

    #[test]
    fn right_and_wrong_words_are_told_apart() {
        let sound = |parsed: Result<Record, clap::Error>| parsed.is_ok();
        assert!(sound(parse(&words("netcap --iface eth0 --duration 5m icmp"))));
        assert!(!sound(parse(&words("netcap --nonsense"))));
        command::<Record>(Lang::Zh).debug_assert();
        command::<Other>(Lang::En).debug_assert();
    }
}
