//! What may end a run from outside, and SIGHUP, which may not.
//!
//! SIGHUP means two things: "go on with a new file" to a program that writes logs, and "your terminal is gone" to one
//! that has a terminal. Which was meant can be seen: a terminal that is gone cannot be opened any more.

use std::future::pending;
use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep};

/// How long a terminal may take to be gone after SIGHUP: the kernel sends the signal first and takes the terminal away
/// from the session afterwards (`tty_signal_session_leader` in drivers/tty/tty_jobctrl.c).
const LETTING_GO: Duration = Duration::from_secs(1);
/// Time between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The signals that end a run orderly. Once made, none of them kills the process any more.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    /// What is asked for through the control socket.
    control: Option<Receiver<Action>>,
    /// There is a terminal to lose, and nobody asked to outlive it (nohup(1)).
    terminal: bool,
    /// SIGHUP came then, and whether the terminal is gone is not known yet. Kept here, because who waits for the next
    /// signal may give up and come back.
    hung_up: Option<Instant>,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// To end; the signal's name, or the command's.
    End(&'static str),
    /// To begin new segments now.
    Rotate,
}

impl Signals {
    /// Takes the signals over.
    pub(crate) fn take() -> io::Result<Self> {
        let terminal = !hangup_ignored() && terminal_there();
        Ok(Self {
            terminal,
            hung_up: None,
            control: None,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Hears also what is asked for here.
    pub(crate) fn listen(&mut self, control: Receiver<Action>) {
        self.control = Some(control);
    }

    /// Waits for one.
    pub(crate) async fn next(&mut self) -> Action {
        loop {
            let asked = &mut self.control;
            let control = async {
                match asked {
                    Some(control) => control.recv().await,
                    None => None,
                }
            };
            let unclear = self.hung_up;
            let look = async {
                match unclear {
                    Some(since) => {
                        sleep(LOOK_EVERY).await;
                        since
                    }
                    None => pending().await,
                }
            };
            tokio::select! {
                Some(asked) = control => return asked,
                _ = self.interrupt.recv() => return Action::End("SIGINT"),
                _ = self.terminate.recv() => return Action::End("SIGTERM"),
                _ = self.hangup.recv() => {
                    if !self.terminal {
                        return Action::Rotate;
                    }
                    self.hung_up.get_or_insert_with(Instant::now);
                }
                since = look => {
                    let gone = !terminal_there();
                    if gone || since.elapsed() >= LETTING_GO {
                        self.hung_up = None;
                        return if gone { Action::End("SIGHUP") } else { Action::Rotate };
                    }
                }
            }
        }
    }

    /// Waits for a signal that asks to end, while the run is ending: `netcap stop` asks for no more than that.
    pub(crate) async fn end(&mut self) {
        self.control = None;
        while self.next().await == Action::Rotate {}
    }
}

/// Whether this process has a controlling terminal (tty(4): opening it fails when there is none, or no more).
fn terminal_there() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// Whether SIGHUP was ignored when we were started: bit 0 of `SigIgn` (proc(5)).
fn hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).is_some_and(|mask| mask & 1 != 0)
}
