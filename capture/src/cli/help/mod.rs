//! `--help` in the user's language. The command line is defined once, in English ([`crate::cli::options`]); before it is read, all
//! that is for people is replaced by what the catalogue says (`locales/help.yml`).

use std::ffi::OsString;

use clap::{Command, CommandFactory, FromArgMatches};
use rust_i18n::t;

use crate::ui;

mod translated;

use translated::translated;

/// Name of the program, and of the part of the catalogue about its own options.
const PROGRAM: &str = "netcap";

/// The language that is asked for in these words, if it is one there is.
pub(super) fn language(words: &[OsString]) -> Option<String> {
    ui::language(translated::asked(words)?).ok()
}

/// Reads a command line; help is in the language that is set.
pub(super) fn parse<T: CommandFactory + FromArgMatches>(words: &[OsString]) -> Result<T, clap::Error> {
    T::from_arg_matches(&command::<T>(&rust_i18n::locale()).try_get_matches_from(words)?)
}

/// The command with all that is for people in this language.
pub(super) fn command<T: CommandFactory>(locale: &str) -> Command {
    let command = T::command().mut_subcommands(|command| {
        let scope = command.get_name().to_owned();
        translated(command, &scope, locale)
    });
    let mut command = translated(command, PROGRAM, locale);
    if !command.has_subcommands() {
        return command;
    }
    // The command `help` is clap's own and is there only in what is built.
    command.build();
    command.mut_subcommand("help", |help| help.about(t!("help.frame.helper", locale = locale).into_owned()))
}

#[cfg(test)]
mod tests;
