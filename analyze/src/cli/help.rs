//! `--help` in the user's language: `--lang`, else that of the environment. What it says is in `locales/help.yml`.

use std::ffi::OsString;

use clap::{Command, CommandFactory, FromArgMatches, ValueEnum};

use super::args::{Args, Language};
use crate::text::Lang;

#[path = "../../../capture/src/cli/help/translated.rs"]
mod translated;

/// The part of the catalogue about the options.
const SCOPE: &str = "netcap-analyze";

/// Reads a command line; help is in the language that these words or else the environment ask for.
pub(super) fn parse(words: &[OsString]) -> Result<Args, clap::Error> {
    let asked = translated::asked(words).and_then(|name| Language::from_str(name, false).ok());
    Args::from_arg_matches(&command(super::spoken(asked)).try_get_matches_from(words)?)
}

fn command(lang: Lang) -> Command {
    translated::translated(Args::command(), SCOPE, lang.code())
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn every_option_is_told_in_every_language_and_nothing_else_is() {
        let commands = [(SCOPE, Args::command())];
        let faults = translated::faults(&commands, include_str!("../../locales/help.yml"));
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
