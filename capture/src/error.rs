//! Why a command ends without having done its work.

use std::io;
use std::path::{Path, PathBuf};

use netcap_bundle::held::{Mistrust, mistrust};
use netcap_bundle::{BundleError, Op};
use netcap_filters::{FilterError, PresetError};
use nix::sys::statfs::{NFS_SUPER_MAGIC, statfs};
use rust_i18n::t;

use crate::ui::wording;

/// A name that does not lead to a point; the message lists what does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PlanError(pub String);

/// What went wrong; the exit status separates the user's mistakes from the run's.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name that is not here.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// An expression that gives no filter.
    #[error("{}", wording::filter(.0))]
    Filter(#[from] FilterError),
    /// A preset that does not exist, or not with this argument.
    #[error("{}", wording::preset(.0))]
    Preset(#[from] PresetError),
    /// Something else on the command line.
    #[error("{0}")]
    Usage(String),
    /// Reading or writing a run.
    #[error("{}", wording::bundle(.0))]
    Bundle(#[from] BundleError),
    /// A file operation of the recorder itself.
    #[error("{}", t!("error.file", op = wording::operation(*op), path = path.display(), why = wording::io(source)))]
    File {
        /// What was attempted.
        op: Op,
        /// On which file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// An interface cannot be recorded.
    #[error("{}", t!("error.listen", iface = iface, why = source))]
    Listen {
        /// The interface.
        iface: String,
        /// What the system answered.
        source: std::io::Error,
    },
    /// Another netcap is still recording this run.
    #[error("{}", t!("error.active", dir = .0.display()))]
    Active(PathBuf),
    /// Whether a run is still being recorded cannot be seen on a file system without locks.
    #[error("{}", t!("error.no_locks", dir = .0.display()))]
    NoLocks(PathBuf),
    /// Anything else, already worded.
    #[error("{0}")]
    Other(String),
}

impl Error {
    /// For `map_err`: a file operation with its subject.
    pub fn file(op: Op, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { op, path, source }
    }

    /// For `map_err`: the directory of `--out`, which the user may choose anew when it is not trusted.
    pub(crate) fn out(dir: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let dir = dir.to_owned();
        move |source| {
            let at = match mistrust(&source) {
                Some(Mistrust::Owner { dir, .. } | Mistrust::Writable { dir }) => Some(dir),
                None if source.kind() == io::ErrorKind::PermissionDenied => Some(&dir),
                _ => None,
            };
            // Where the server takes root for somebody else, root may not write, or what it makes is not its own.
            if at.is_some_and(|at| is_on_nfs(at)) {
                let why = wording::io(&source);
                return Self::Usage(t!("held.squashed", dir = dir.display(), why = why).into_owned());
            }
            Self::place(Op::Create, "held.out", &dir)(source)
        }
    }

    /// For `map_err`: the directory of a run, or that of its tar.
    pub(crate) fn run(dir: &Path) -> impl FnOnce(std::io::Error) -> Self {
        Self::place(Op::Open, "held.run", dir)
    }

    /// For `map_err`: the directory of Open vSwitch's sockets.
    pub(crate) fn ovs(dir: &Path) -> impl FnOnce(std::io::Error) -> Self {
        Self::place(Op::Open, "held.ovs", dir)
    }

    /// For `map_err`: the directory of tools that the user has chosen.
    pub(crate) fn tools(dir: &Path) -> impl FnOnce(std::io::Error) -> Self {
        Self::place(Op::Open, "held.tools", dir)
    }

    fn place(op: Op, advice: &'static str, dir: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = dir.to_owned();
        move |source| match mistrust(&source) {
            Some(why) => {
                let why = wording::mistrusted(why);
                Self::Usage(t!(advice, dir = path.display(), why = why).into_owned())
            }
            None => Self::File { op, path, source },
        }
    }

    /// 2 when the command line is wrong, 1 when the run failed.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Plan(_) | Self::Filter(_) | Self::Preset(_) | Self::Usage(_) => 2,
            _ => 1,
        }
    }
}

/// Whether a directory, or the last one above it that is there, is kept by an NFS server.
fn is_on_nfs(dir: &Path) -> bool {
    let there = dir.ancestors().find_map(|dir| statfs(dir).ok());
    there.is_some_and(|stat| stat.filesystem_type() == NFS_SUPER_MAGIC)
}

/// The result of a command.
pub type Result<T> = std::result::Result<T, Error>;
