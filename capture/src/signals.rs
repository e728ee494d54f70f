//! What may end a run from outside.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end a run orderly. Once made, none of them kills the process any more.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// Absent under nohup(1): somebody wants the run to outlive the terminal.
    hangup: Option<Signal>,
}

impl Signals {
    /// Takes the signals over.
    pub fn take() -> io::Result<Self> {
        let hangup = (!hangup_ignored()).then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
        })
    }

    /// Waits for one and names it.
    pub async fn next(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = hangup => "SIGHUP",
        }
    }
}

/// Whether SIGHUP was ignored when we were started: bit 0 of `SigIgn` (proc(5)).
fn hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).is_some_and(|mask| mask & 1 != 0)
}
