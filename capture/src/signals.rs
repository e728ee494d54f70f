//! What may end a run from outside, and SIGHUP, which may not.
//!
//! SIGHUP means two things: "go on with a new file" to a program that writes logs, and "your terminal is gone" to one
//! that has a terminal. Which was meant can be seen: a terminal that is gone cannot be opened any more.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::Receiver;

/// The signals that end a run orderly. Once made, none of them kills the process any more.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    /// What is asked for through the control socket.
    control: Option<Receiver<Asked>>,
    /// There is a terminal to lose, and nobody asked to outlive it (nohup(1)).
    terminal: bool,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To end; the signal's name, or the command's.
    End(&'static str),
    /// To begin new segments now.
    Rotate,
}

impl Signals {
    /// Takes the signals over.
    pub fn take() -> io::Result<Self> {
        let terminal = !hangup_ignored() && terminal_there();
        Ok(Self {
            terminal,
            control: None,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Hears also what is asked for here.
    pub fn listen(&mut self, control: Receiver<Asked>) {
        self.control = Some(control);
    }

    /// Waits for one.
    pub async fn next(&mut self) -> Asked {
        let asked = &mut self.control;
        let control = async {
            match asked {
                Some(control) => control.recv().await,
                None => None,
            }
        };
        tokio::select! {
            Some(asked) = control => asked,
            _ = self.interrupt.recv() => Asked::End("SIGINT"),
            _ = self.terminate.recv() => Asked::End("SIGTERM"),
            _ = self.hangup.recv() => {
                if self.terminal && !terminal_there() { Asked::End("SIGHUP") } else { Asked::Rotate }
            }
        }
    }

    /// Waits for a signal that asks to end, while the run is ending: `netcap stop` asks for no more than that.
    pub async fn end(&mut self) {
        self.control = None;
        while self.next().await == Asked::Rotate {}
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
