//! The command line: which command was meant, and doing it. The one visible match of the program is here.

use std::time::Instant;

use crate::control::show;
use crate::control::stop::{self, Stopping};
use crate::error::Result;
use crate::{finish, sandbox, ui};
use netcap_words::{Lang, lang};
use options::{COMMANDS, Command, Other, Record};

mod detach;
mod filters;
mod help;
mod lists;
mod options;
mod plan;
mod record;
mod runtime;

/// Runs the command line; gives the exit status.
pub fn main() -> u8 {
    let began = Instant::now();
    let words: Vec<_> = std::env::args_os().collect();
    let first = words.get(1).and_then(|word| word.to_str()).unwrap_or_default();
    if first == sandbox::HELPER {
        return sandbox::helper::main();
    }
    // Help and complaints about the command line come before it is read.
    ui::set_language(lang::asked(&words).and_then(Lang::named));
    let done = if COMMANDS.contains(&first) {
        match help::parse::<Other>(&words) {
            Ok(other) => self::other(other.command),
            Err(e) => return usage(&e),
        }
    } else {
        match help::parse::<Record>(&words) {
            Ok(options) => record::record(options, began),
            Err(e) => return usage(&e),
        }
    };
    done.unwrap_or_else(|e| {
        ui::note(&format!("netcap: {e}"));
        e.exit_status()
    })
}

/// Help and version are answers, everything else is a mistake.
fn usage(error: &clap::Error) -> u8 {
    match help::refusal(error) {
        Some(said) => ui::note(&format!("netcap: {said}")),
        None => drop(error.print()),
    }
    u8::try_from(error.exit_code()).unwrap_or(2)
}

fn other(command: Command) -> Result<u8> {
    match command {
        Command::Points { ovs_rundir, tools, lang } => {
            ui::set_language(lang);
            runtime::tools(tools.as_deref())?;
            lists::points(ovs_rundir)
        }
        Command::Sources { lang } => {
            ui::set_language(lang);
            lists::sources();
            Ok(0)
        }
        Command::Presets { lang } => {
            ui::set_language(lang);
            lists::presets();
            Ok(0)
        }
        Command::Bundle { dir, moving, output, lang } => {
            ui::set_language(lang);
            finish::bundle(&dir, moving, output.as_deref())
        }
        Command::Status { run, json, out, lang } => {
            ui::set_language(lang);
            show::status(run.as_deref(), json, &out)
        }
        Command::Stop { run, all, timeout, no_wait, analyze, out, lang } => {
            ui::set_language(lang);
            let patience = (!no_wait).then_some(timeout);
            stop::stop(&Stopping { words: run, all, patience, analyze, out })
        }
        Command::Rotate { run, all, lang } => {
            ui::set_language(lang);
            stop::rotate(&run, all)
        }
        Command::Seal { dir, no_bundle, lang } => {
            ui::set_language(lang);
            finish::seal_dead(&dir, !no_bundle)
        }
    }
}

#[cfg(test)]
mod tests;
