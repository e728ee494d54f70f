//! How recording one item ended.

use std::io::{self, ErrorKind};

use serde::{Deserialize, Serialize};

/// How recording one item ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status", from = "Written")]
pub enum Outcome {
    /// It was read, or the command exited 0.
    Ok,
    /// The command exited with another status (128 + signal when killed by one).
    Exit {
        /// The exit status.
        code: i32,
    },
    /// The time-out passed.
    TimedOut,
    /// It could not be started or read, or was not tried.
    Failed {
        /// Why, for programs.
        reason: Reason,
        /// Why, in the system's words.
        why: String,
    },
}

/// The same as it is written; older recorders wrote no reason.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
enum Written {
    Ok,
    Exit { code: i32 },
    TimedOut,
    Failed { reason: Option<Reason>, why: String },
}

impl From<Written> for Outcome {
    fn from(written: Written) -> Self {
        match written {
            Written::Ok => Self::Ok,
            Written::Exit { code } => Self::Exit { code },
            Written::TimedOut => Self::TimedOut,
            Written::Failed { reason, why } => {
                Self::Failed { reason: reason.unwrap_or_else(|| Reason::of_words(&why)), why }
            }
        }
    }
}

/// Why an item could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The program is not installed.
    NoProgram,
    /// The service that the program would ask is not there.
    NoService,
    /// There is no such file: what it belongs to is not loaded or not configured.
    NoFile,
    /// The system does not allow it.
    Denied,
    /// It was not tried, because a command before it was stopped at its time limit.
    NotTried,
    /// Its name is none that a command may be given.
    BadName,
    /// What may be written of host state was spent.
    Budget,
    /// Anything else, and what a newer recorder knows.
    #[default]
    #[serde(other)]
    Other,
}

impl Reason {
    /// What recorders meant that wrote words only (up to 0.1).
    fn of_words(why: &str) -> Self {
        match why {
            "not tried: the one before timed out" => Self::NotTried,
            "the disk budget is spent" | "the byte budget for host state is spent" => Self::Budget,
            why if why.starts_with("no Open vSwitch here") || why.starts_with("no libvirt here") => {
                Self::NoService
            }
            why if why.ends_with("(os error 2)") && why.starts_with('/') => Self::NoFile,
            why if why.ends_with("(os error 2)") => Self::NoProgram,
            why if why.ends_with("(os error 13)") => Self::Denied,
            _ => Self::Other,
        }
    }

    /// Why a file could not be read.
    pub fn of_file(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::NoFile,
            ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Other,
        }
    }

    /// Why a program could not be started.
    pub fn of_program(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::NoProgram,
            ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Other,
        }
    }
}

impl Outcome {
    /// Why it could not be taken, if it was not.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Failed { reason, .. } => Some(*reason),
            Self::Ok | Self::Exit { .. } | Self::TimedOut => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(reason: Reason, why: &str) -> Outcome {
        Outcome::Failed { reason, why: why.to_owned() }
    }

    #[test]
    fn what_is_written_is_read() {
        for outcome in [
            Outcome::Ok,
            Outcome::Exit { code: 137 },
            Outcome::TimedOut,
            failed(Reason::NoProgram, "virsh: gone"),
            failed(Reason::Other, "the disk budget is spent"),
        ] {
            let text = serde_json::to_string(&outcome).unwrap();
            assert_eq!(serde_json::from_str::<Outcome>(&text).unwrap(), outcome, "{text}");
        }
    }

    #[test]
    fn lines_of_older_and_newer_recorders_are_read() {
        let newer = r#"{"status":"failed","reason":"moon-is-full","why":"x"}"#;
        assert_eq!(serde_json::from_str::<Outcome>(newer).unwrap(), failed(Reason::Other, "x"));
        for (why, reason) in [
            ("/proc/sys/x: No such file or directory (os error 2)", Reason::NoFile),
            ("virsh: No such file or directory (os error 2)", Reason::NoProgram),
            ("/proc/x: Permission denied (os error 13)", Reason::Denied),
            ("no Open vSwitch here: /run/openvswitch/db.sock does not exist", Reason::NoService),
            ("no libvirt here: there is no socket in /run/libvirt", Reason::NoService),
            ("not tried: the one before timed out", Reason::NotTried),
            ("the byte budget for host state is spent", Reason::Budget),
            ("the helper is gone", Reason::Other),
        ] {
            let older = format!(r#"{{"status":"failed","why":"{why}"}}"#);
            assert_eq!(serde_json::from_str::<Outcome>(&older).unwrap(), failed(reason, why));
        }
    }
}
