//! `--help` in the user's language: `--lang`, else that of the environment. What it says is in `locales/help.yml`.

use std::ffi::OsString;

use clap::{Command, CommandFactory, FromArgMatches};
use netcap_words::help::{known, translated};
use netcap_words::{Lang, lang};
use rust_i18n::t;

use super::args::Args;

/// The part of the catalogue about the options.
const SCOPE: &str = "netcap-analyze";

/// Reads a command line; help is in the language that these words or else the environment ask for.
pub(super) fn parse(words: &[OsString]) -> Result<Args, clap::Error> {
    Args::from_arg_matches(&command(lang::of_words(words)).try_get_matches_from(words)?)
}

/// What is wrong with a command line, in that language.
pub(super) fn refusal(error: &clap::Error, words: &[OsString]) -> Option<String> {
    lang::refusal(error, catalogue, lang::of_words(words))
}

fn command(lang: Lang) -> Command {
    translated(Args::command(), SCOPE, catalogue, lang)
}

fn catalogue(key: &str, lang: Lang) -> Option<String> {
    known(key, t!(key, locale = lang.code()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn every_option_is_told_in_every_language_and_nothing_else_is() {
        let commands = [(SCOPE, Args::command())];
        let faults = netcap_words::help::faults(&commands, catalogue, include_str!("../../locales/help.yml"));
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    #[test]
    fn help_is_in_the_language_that_is_asked_for_and_fits() {
        for (asked, words) in [
            ("en", ["Usage: netcap-analyze", "Options:", "[default: warning]", "Exit status:"]),
            ("zh_CN", ["用法：netcap-analyze", "选项:", "（默认 warning）", "退出码："]),
        ] {
            let line = ["netcap-analyze", "--lang", asked, "--help"];
            let help = parse(&line.map(OsString::from)).unwrap_err().to_string();
            for word in words {
                assert!(help.contains(word), "{word}: {help}");
            }
            assert!(help.lines().all(|line| line.width() <= 104), "{help}");
        }
        command(Lang::Zh).debug_assert();
        command(Lang::En).debug_assert();
    }
}
