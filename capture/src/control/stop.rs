//! `netcap stop` and `netcap rotate`.

use netcap_words::foreign::clean;
use netcap_words::quote;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use netcap_bundle::files::Files;
use netcap_bundle::held::Dir;
use netcap_bundle::{Manifest, layout, seal};
use rust_i18n::t;

use super::ask::{self, NoAnswer, Run};
use super::pick::{self, Picked};
use super::protocol::{Answer, Ask, Ended, Phase, Request};
use super::show::unknown;
use crate::error::{Error, Result};
use crate::finish::{self, RunResult};
use crate::ui;

/// How often a user who waits hears that something happens; the first time after [`FIRST_PROGRESS`].
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
/// Time after which a user begins to wonder.
const FIRST_PROGRESS: Duration = Duration::from_secs(2);

/// What to stop, and how.
#[derive(Debug, Clone)]
pub(crate) struct Stopping {
    /// Names; none means the only one.
    pub words: Vec<String>,
    /// Every run, instead of those that are named.
    pub all: bool,
    /// How long to wait for the bundle; `None` does not wait.
    pub patience: Option<Duration>,
    /// Explain what was recorded.
    pub analyze: bool,
    /// Where bundles of runs that are over already are looked for.
    pub out: PathBuf,
}

/// Asks runs to end and waits for their bundles. 0: all are there; 1: one is not; 2: unclear which was meant.
pub(crate) fn stop(stopping: &Stopping) -> Result<u8> {
    let analyzer = stopping.analyze.then(finish::analyzer).transpose()?;
    let runs = ask::runs()?;
    let Some((chosen, over)) = choose(&runs, &stopping.words, stopping.all, &stopping.out)? else {
        ui::answer(&t!("status.none"));
        return Ok(0);
    };
    for path in &over {
        ui::answer(&t!("stop.over", path = path.display()));
    }
    let wait = stopping.patience.is_some();
    let patience = stopping.patience.unwrap_or(PROGRESS_EVERY);
    // All are asked before any is waited for.
    let asked: Vec<_> = chosen
        .into_iter()
        .map(|run| (run, ask::start(run.socket.clone(), Request::new(Ask::Stop, wait), patience)))
        .collect();
    let mut worst = 0;
    for (run, answer) in asked {
        let (status, path) = wait_for(run, &answer, wait, patience);
        worst = worst.max(status);
        if let (Some(program), Some(path)) = (&analyzer, path) {
            finish::analyze(program, &path);
        }
    }
    Ok(worst)
}

/// `netcap rotate`: new segments now. 0: they will begin; 1: a run did not want to; 2: unclear which was meant.
pub(crate) fn rotate(words: &[String], all: bool) -> Result<u8> {
    let runs = ask::runs()?;
    let Some((chosen, _)) = choose(&runs, words, all, Path::new(""))? else {
        ui::answer(&t!("status.none"));
        return Ok(0);
    };
    let mut worst = 0;
    for run in chosen {
        let name = run.name();
        match ask::ask(&run.socket, Ask::Rotate) {
            Ok(Answer { error: None, .. }) => ui::answer(&t!("rotate.done", run = name)),
            Ok(Answer { error: Some(why), .. }) | Err(NoAnswer::Because(why)) => {
                worst = 1;
                ui::note(&t!("stop.refused", run = name, why = clean(&why)));
            }
            Err(NoAnswer::Gone | NoAnswer::HungUp | NoAnswer::Unfinished) => {
                worst = 1;
                ui::note(&t!("stop.gone", run = name));
            }
        }
    }
    Ok(worst)
}

/// Runs to ask, and bundles of those that are over already.
type Chosen<'a> = (Vec<&'a Run>, Vec<PathBuf>);

/// The runs that were meant; `None` when there is none to mean.
fn choose<'a>(runs: &'a [Run], words: &[String], all: bool, out: &Path) -> Result<Option<Chosen<'a>>> {
    let live: Vec<&str> = runs.iter().map(Run::name).collect();
    if words.is_empty() {
        return match runs {
            [] => Ok(None),
            [one] => Ok(Some((vec![one], vec![]))),
            many if all => Ok(Some((many.iter().collect(), vec![]))),
            _ => Err(Error::Usage(t!("stop.which", list = live.join("\n  ")).into_owned())),
        };
    }
    let (mut chosen, mut over): Chosen<'a> = (Vec::new(), Vec::new());
    for word in words {
        match pick::pick(runs.iter().map(|run| (run.name(), run.dir())), word) {
            Picked::One(index) => chosen.extend(runs.get(index)),
            other => match finished(word, out) {
                Some(path) => over.push(path),
                None => return Err(unknown(other, word, &live)),
            },
        }
    }
    chosen.sort_by(|a, b| a.socket.cmp(&b.socket));
    chosen.dedup_by(|a, b| a.socket == b.socket);
    Ok(Some((chosen, over)))
}

/// The bundle of a run that was stopped before.
fn finished(word: &str, out: &Path) -> Option<PathBuf> {
    let name = format!("{}{}", pick::name(word), layout::BUNDLE_END);
    let beside = Path::new(word).parent().unwrap_or(Path::new(""));
    [beside.join(&name), out.join(&name)].into_iter().find(|path| path.is_file())
}

/// Waits for one run; gives the exit status and where its bundle is.
fn wait_for(
    run: &Run,
    answer: &Receiver<std::result::Result<Answer, NoAnswer>>,
    wait: bool,
    patience: Duration,
) -> (u8, Option<PathBuf>) {
    let (answer, name) = (wait_with_progress(run, answer, patience), run.name());
    match answer {
        Ok(Answer { ended: Some(ended), .. }) => report_end(name, ended),
        Ok(Answer { done: true, .. }) if !wait => {
            ui::answer(&t!("stop.asked", run = name));
            (0, None)
        }
        Ok(Answer { error: why, .. }) => {
            let why = clean(&why.unwrap_or_else(|| "?".into()));
            ui::note(&t!("stop.refused", run = name, why = why));
            (1, None)
        }
        Err(NoAnswer::Gone | NoAnswer::HungUp) => report_vanished(run),
        Err(NoAnswer::Unfinished) => {
            ui::note(&t!("stop.slow", run = name, why = t!("control.slow")));
            (1, None)
        }
        Err(NoAnswer::Because(why)) => {
            let pid = run.status.as_ref().map_or_else(|_| "PID".to_owned(), |status| status.pid.to_string());
            ui::note(&t!("stop.unheard", run = name, why = clean(&why), pid = pid));
            (1, None)
        }
    }
}

/// The answer, and something to read until it comes.
fn wait_with_progress(
    run: &Run,
    answer: &Receiver<std::result::Result<Answer, NoAnswer>>,
    patience: Duration,
) -> std::result::Result<Answer, NoAnswer> {
    let began = Instant::now();
    let mut pause = FIRST_PROGRESS;
    loop {
        match answer.recv_timeout(pause) {
            Ok(answer) => return answer,
            Err(RecvTimeoutError::Disconnected) => return Err(NoAnswer::HungUp),
            // The asking thread gives up by itself; this is for a run that cannot even be reached.
            Err(RecvTimeoutError::Timeout) if began.elapsed() > patience + PROGRESS_EVERY => {
                return Err(NoAnswer::Because(t!("control.slow").into_owned()));
            }
            Err(RecvTimeoutError::Timeout) => progress(run, began.elapsed()),
        }
        pause = PROGRESS_EVERY;
    }
}

fn progress(run: &Run, waited: Duration) {
    let state = ask::ask(&run.socket, Ask::Status).ok().and_then(|answer| answer.status).map(|s| s.state);
    let sealing = matches!(state, Some(Phase::Sealing | Phase::Sealed));
    let doing = if sealing { t!("status.sealing") } else { t!("status.ending") };
    ui::note(&t!("stop.waiting", run = run.name(), doing = doing, seconds = waited.as_secs()));
}

/// What became of a run that said so itself.
fn report_end(name: &str, ended: Ended) -> (u8, Option<PathBuf>) {
    if let Some(why) = ended.unsealed {
        ui::note(&t!("stop.unsealed", run = name, why = clean(&why), dir = quote::path(&ended.path)));
        return (1, None);
    }
    let Ended { path, bytes, no_tar, left, .. } = ended;
    let outcome = RunResult { path, bytes, no_tar, left };
    summary(&outcome);
    (ended.status, Some(outcome.path))
}

fn summary(outcome: &RunResult) {
    match manifest(&outcome.path) {
        Some(manifest) => finish::summary(&manifest, outcome),
        // It lies where we cannot read it: another mount namespace, another user's directory.
        None => finish::print_place(outcome),
    }
}

fn manifest(path: &Path) -> Option<Manifest> {
    if path.is_dir() {
        return seal::read_manifest(&Dir::open(path).ok()?).ok()?;
    }
    let (dir, name) = Dir::around(path).ok()?;
    seal::whole(&Files::tar_in(&dir, &name).ok()??)
}

/// A run that did not answer: it was just over, or it was killed. What lies on the disk shows which.
fn report_vanished(run: &Run) -> (u8, Option<PathBuf>) {
    let name = run.name();
    let Ok(status) = &run.status else {
        ui::note(&t!("stop.gone", run = name));
        return (1, None);
    };
    let mut tar = status.dir.as_os_str().to_owned();
    tar.push(layout::BUNDLE_END);
    let tar = PathBuf::from(tar);
    let sealed_dir = !status.bundle && status.dir.join(layout::MANIFEST).is_file();
    let found = if tar.is_file() { Some(tar) } else { sealed_dir.then(|| status.dir.clone()) };
    match found {
        Some(path) => {
            let bytes = path.metadata().map_or(0, |meta| meta.len());
            summary(&RunResult { path: path.clone(), bytes, no_tar: None, left: None });
            (0, Some(path))
        }
        None if status.dir.is_dir() => {
            ui::note(&t!("stop.died", run = name, dir = quote::path(&status.dir)));
            (1, None)
        }
        None => {
            ui::note(&t!("stop.gone", run = name));
            (1, None)
        }
    }
}
