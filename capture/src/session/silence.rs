//! A run on a disk that does not answer can still be ended. Whoever writes there, or looks, waits in the kernel, and that may
//! be the session itself; so a thread of its own hears what asks for the end, waits a while for the disk, and then ends the
//! program without what wants a disk: closing files, manifest, tar. What has been written is there when the disk answers
//! again, and `netcap seal` closes it.

use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use netcap_words::quote;
use nix::sys::signal::{SigSet, Signal};
use rust_i18n::t;

use crate::control::protocol::Ended;
use crate::control::signals::{Action, Signals};
use crate::control::{Control, Farewell};
use crate::disk::probe::Probe;
use crate::ui;

/// Time between two looks.
const EVERY: Duration = Duration::from_millis(250);
/// How long the end of a run waits for a disk that does not answer: a server that restarts takes less, or minutes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Exit status of a run that was ended like that.
const GIVEN_UP: i32 = 1;

/// Begins to watch over a run in `dir`, until the program ends.
pub(super) fn watch(dir: PathBuf, control: &Control) -> io::Result<()> {
    let probe = Probe::start(dir.clone())?;
    let (board, farewell) = (control.board.clone(), control.farewell());
    // The kernel gives a signal to the first thread that takes it, be it one that waits for a disk and hears nothing: so
    // none takes these from here on but the new one.
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    signals.thread_block()?;
    let thread = thread::Builder::new().name("silence".into()).spawn(move || {
        let taken = signals.thread_unblock();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        // Without both the run can be ended as long as its disk answers.
        let (Ok(()), Ok(runtime)) = (taken, runtime) else { wait_for_ever() };
        runtime.block_on(async move {
            let Ok(mut signals) = Signals::take() else { wait_for_ever() };
            let mut silence = Silence::default();
            let mut look = tokio::time::interval(EVERY);
            look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            loop {
                tokio::select! {
                    asked = signals.next() => if let Action::End(_) = asked {
                        silence.ask();
                    },
                    _ = look.tick() => {}
                }
                let silent = probe.silent();
                board.silent(silent);
                match silence.look(silent, board.is_stopping(), Instant::now()) {
                    Verdict::Nothing => {}
                    Verdict::Silent(silent) => {
                        let seconds = silent.as_secs();
                        ui::note(&t!("disk.silent", dir = quote::path(&dir), seconds = seconds));
                    }
                    Verdict::Waiting => ui::note(&t!("disk.waiting", seconds = PATIENCE.as_secs())),
                    Verdict::GiveUp => give_up(&dir, &farewell),
                }
            }
        });
    });
    if thread.is_err() {
        signals.thread_unblock()?;
    }
    thread.map(drop)
}

/// A thread that takes the signals, so that the session hears of them.
fn wait_for_ever() -> ! {
    loop {
        thread::park();
    }
}

/// Ends the program; threads that wait for the disk end with it, as far as the kernel lets them.
fn give_up(dir: &std::path::Path, farewell: &Farewell) -> ! {
    let why = t!("disk.given_up", dir = quote::path(dir)).into_owned();
    ui::note(&why);
    farewell.say(Ended { path: dir.to_owned(), unsealed: Some(why), status: 1, ..Ended::default() });
    std::process::exit(GIVEN_UP)
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Nothing,
    /// To say that the disk has not answered for so long.
    Silent(Duration),
    /// To say that the end waits for it.
    Waiting,
    GiveUp,
}

/// What is known of the disk and of those who ask for the end.
#[derive(Debug, Default)]
struct Silence {
    /// The end was asked for.
    asked: bool,
    /// It has been said that the disk is silent.
    said: bool,
    /// Since then the end has waited for the disk, which has been said.
    waiting: Option<Instant>,
    /// It was asked for again since.
    impatient: bool,
}

impl Silence {
    fn ask(&mut self) {
        self.impatient |= self.waiting.is_some();
        self.asked = true;
    }

    fn look(&mut self, silent: Option<Duration>, stopping: bool, now: Instant) -> Verdict {
        let Some(silent) = silent else {
            *self = Self { asked: self.asked, ..Self::default() };
            return Verdict::Nothing;
        };
        if !std::mem::replace(&mut self.said, true) {
            return Verdict::Silent(silent);
        }
        if !self.asked && !stopping {
            return Verdict::Nothing;
        }
        match self.waiting {
            None => {
                self.waiting = Some(now);
                Verdict::Waiting
            }
            Some(since) if self.impatient || now.saturating_duration_since(since) >= PATIENCE => {
                Verdict::GiveUp
            }
            Some(_) => Verdict::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENT: Option<Duration> = Some(Duration::from_secs(11));

    #[test]
    fn a_run_that_nobody_ends_waits_for_its_disk() {
        let (mut silence, now) = (Silence::default(), Instant::now());
        assert_eq!(silence.look(None, false, now), Verdict::Nothing);
        assert_eq!(silence.look(SILENT, false, now), Verdict::Silent(Duration::from_secs(11)));
        assert_eq!(silence.look(SILENT, false, now + 1000 * PATIENCE), Verdict::Nothing);
        assert_eq!(silence.look(None, false, now), Verdict::Nothing);
        assert!(matches!(silence.look(SILENT, false, now), Verdict::Silent(_)), "once more, once more");
    }

    #[test]
    fn the_end_waits_a_while_and_not_for_who_is_impatient() {
        for stopping in [false, true] {
            let (mut silence, now) = (Silence::default(), Instant::now());
            silence.look(SILENT, false, now);
            if !stopping {
                silence.ask();
            }
            assert_eq!(silence.look(SILENT, stopping, now), Verdict::Waiting);
            assert_eq!(silence.look(SILENT, stopping, now + PATIENCE / 2), Verdict::Nothing);
            assert_eq!(silence.look(SILENT, stopping, now + PATIENCE), Verdict::GiveUp);
            silence.ask();
            assert_eq!(silence.look(SILENT, stopping, now), Verdict::GiveUp, "a second Ctrl-C");
        }
    }

    #[test]
    fn a_disk_that_answers_in_time_lets_the_run_end_as_always() {
        let (mut silence, now) = (Silence::default(), Instant::now());
        silence.ask();
        silence.look(SILENT, false, now);
        assert_eq!(silence.look(SILENT, false, now), Verdict::Waiting);
        silence.ask();
        assert_eq!(silence.look(None, false, now + 2 * PATIENCE), Verdict::Nothing);
    }
}
