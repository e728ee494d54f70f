//! `--together`: what each host says for itself, then their clocks and the packets between them.

use std::io::{self, Write};
use std::path::Path;

use netcap_bundle::Op;
use netcap_bundle::held::output;
use netcap_bundle::input::Input;
use serde_json::Value;

use super::args::Args;
use super::failure::{Failure, Result, Sink};
use super::refused::refused;
use super::reports::{appearance, worst};
use super::watch::Watch;
use super::{CLEAN, FOUND, WRONG, compare, complain, explained, is_stdout, language, survived};
use crate::analysis::Verdict;
use crate::detectors::addresses::ip_conflict::Books;
use crate::engine::Progress;
use crate::finding::Finding;
use crate::report::across::Across;
use crate::report::together::{render, render_json};
use crate::report::{expect, many, text};
use crate::symptoms::loss::packet_loss;
use crate::together::{Together, look};

/// Hosts compared with one another: every pair is.
const HOSTS_MAX: usize = 16;

pub(super) fn run(args: &Args, pool: &rayon::ThreadPool, expected: Option<&Value>) -> Result<u8> {
    if args.inputs.len() < 2 {
        return Err(Failure::OneHost);
    }
    if args.inputs.len() > HOSTS_MAX {
        return Err(Failure::TooManyHosts { max: HOSTS_MAX });
    }
    let (mut inputs, mut bad) = (Vec::new(), false);
    for path in &args.inputs {
        match Input::open(path) {
            Ok(input) => inputs.push(input),
            Err(err) => {
                complain(&refused(&err).render(language(args)));
                bad = true;
            }
        }
    }
    if let Some((one, other)) = twice(&inputs) {
        return Err(Failure::SameRecording { one: one.to_owned(), other: other.to_owned() });
    }
    let said = said(args, pool, inputs)?;
    bad |= said.bad;
    write(args, &said)?;
    let mut total = many::Total::default();
    said.verdicts.iter().for_each(|verdict| total.add(verdict));
    total.add_findings(&said.together.findings);
    let code = match expected {
        Some(expected) if !bad => {
            let kept: Vec<_> = said.verdicts.iter().map(expect::Compared::new).collect();
            compare(args, expected, &kept, &said.together.findings)?
        }
        None if worst(&total, args.fail_on.severity()) => FOUND,
        _ => CLEAN,
    };
    Ok(if bad { WRONG } else { code })
}

/// What is said of each host, and of all.
struct Said {
    verdicts: Vec<Verdict>,
    together: Together,
    /// Something went wrong with one of them.
    bad: bool,
}

fn said(args: &Args, pool: &rayon::ThreadPool, inputs: Vec<Input>) -> Result<Said> {
    let (progress, watch) = (Progress::default(), Watch::new(language(args)));
    std::thread::scope(|scope| {
        let watcher = watch.spawn(scope, &progress);
        let (mut verdicts, mut books, mut sound) = (Vec::new(), Books::default(), Vec::new());
        let given = inputs.len();
        for input in inputs {
            let work = || Ok(pool.install(|| explained(&input, args, true, &progress)));
            match survived(Path::new(&input.name), language(args), work) {
                Ok((verdict, book)) => {
                    verdicts.push(verdict);
                    books.extend(book);
                    sound.push(input);
                }
                Err(why) => complain(&why),
            }
        }
        let across = Across::of(&books, &args.only);
        let together = pool.install(|| look(&sound, &progress));
        watch.stop();
        drop(watcher);
        Ok(Said { bad: sound.len() < given, verdicts, together: with(together, across, &args.only) })
    })
}

/// With the findings of all inputs, as far as they are wanted.
fn with(mut together: Together, mut across: Across, only: &[String]) -> Together {
    let id = packet_loss::SYMPTOM.unit.id;
    if !only.is_empty() && !only.iter().any(|wanted| wanted == id) {
        together.findings.clear();
    }
    together.findings.append(&mut across.findings);
    together.remarks.append(&mut across.remarks);
    Finding::sort(&mut together.findings);
    together
}

fn write(args: &Args, said: &Said) -> Result<()> {
    if let Some(path) = &args.json {
        let text = render_json(&said.together, &said.verdicts);
        if is_stdout(Some(path)) {
            io::stdout().write_all(text.as_bytes()).map_err(Failure::output(Sink::StandardOutput))?;
        } else {
            let mut file = output(path).map_err(Failure::created(path))?;
            file.write_all(text.as_bytes()).map_err(Failure::file(Op::Write, path))?;
        }
    }
    if is_stdout(args.json.as_deref()) {
        return Ok(());
    }
    let look = appearance(args);
    let mut pages: String = said.verdicts.iter().map(|verdict| text::render(verdict, look) + "\n").collect();
    pages.push_str(&render(&said.together, look));
    io::stdout().write_all(pages.as_bytes()).map_err(Failure::output(Sink::StandardOutput))
}

/// Two inputs that are one run.
fn twice(inputs: &[Input]) -> Option<(&str, &str)> {
    let run =
        |input: &Input| input.info.as_ref().map(|info| (info.host.clone(), info.run.clone(), info.started));
    inputs.iter().enumerate().find_map(|(number, input)| {
        let same = |other: &&Input| run(input).is_some() && run(other) == run(input);
        let other = inputs.iter().skip(number + 1).find(same)?;
        Some((input.name.as_str(), other.name.as_str()))
    })
}
