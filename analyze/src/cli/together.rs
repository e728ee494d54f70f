//! `--together`: the clocks of several hosts, and the packets between them.

use std::io::{self, Write};

use netcap_bundle::Op;
use netcap_bundle::input::Input;

use super::args::Args;
use super::failure::{Failure, Result, Sink};
use super::refused::refused;
use super::reports::appearance;
use super::watch::Watch;
use super::{CLEAN, FOUND, WRONG, complain, is_stdout, language};
use crate::engine::Progress;
use crate::report::together::{render, render_json};
use crate::together::look;

/// Hosts compared with one another: every pair is.
const HOSTS_MAX: usize = 16;

pub(super) fn run(args: &Args, pool: &rayon::ThreadPool) -> Result<u8> {
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
    let (progress, watch) = (Progress::default(), Watch::new(language(args)));
    let together = std::thread::scope(|scope| {
        let watcher = watch.spawn(scope, &progress);
        let together = pool.install(|| look(&inputs, &progress));
        watch.stop();
        drop(watcher);
        together
    });
    if let Some(path) = &args.json {
        let text = render_json(&together);
        if is_stdout(Some(path)) {
            io::stdout().write_all(text.as_bytes()).map_err(Failure::output(Sink::StandardOutput))?;
        } else {
            std::fs::write(path, text).map_err(Failure::file(Op::Write, path))?;
        }
    }
    if !is_stdout(args.json.as_deref()) {
        let page = render(&together, appearance(args));
        io::stdout().write_all(page.as_bytes()).map_err(Failure::output(Sink::StandardOutput))?;
    }
    let least = args.fail_on.severity();
    let found = least.is_some_and(|least| together.findings.iter().any(|f| f.severity >= least));
    // Nothing was compared: an answer that must not be taken for a good one.
    let bad = bad || together.joined < 2;
    Ok(match (bad, found) {
        (true, _) => WRONG,
        (false, true) => FOUND,
        (false, false) => CLEAN,
    })
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
