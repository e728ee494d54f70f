//! The errors of reading and writing bundles.
//!
//! They are English; programs that speak other languages match on [`Op`] and [`Damage`], which say all there is to say.

use std::fmt;
use std::path::PathBuf;

/// The result of a bundle operation.
pub type Result<T> = std::result::Result<T, BundleError>;

/// Why a bundle could not be read or written; each names the operation and its subject.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file operation failed.
    #[error("cannot {op} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        op: Op,
        /// On which file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A file is not what its place in the bundle says.
    #[error("{what} is damaged: {damage}")]
    Damaged {
        /// The file, as the user knows it.
        what: String,
        /// What is wrong with it.
        damage: Damage,
    },
    /// Nothing netcap can read.
    #[error(
        "{}: not a capture. Give a netcap bundle (.tar or directory), a pcap or pcapng file (also .zst, .gz), \
         or a directory of check_network.sh",
        path.display()
    )]
    Unknown {
        /// The input.
        path: PathBuf,
    },
}

/// What was attempted on a file, or by a recorder on a program, a thread or an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// To put it into the tar.
    Bundle,
    /// To compress it with zstd.
    Compress,
    /// To make it.
    Create,
    /// To find it by its name.
    Find,
    /// To end the tar.
    Finish,
    /// To list a directory.
    List,
    /// To lock it against other recorders and repairs.
    Lock,
    /// To open it.
    Open,
    /// To send it an echo request, or to hear its answer.
    Ping,
    /// To read it.
    Read,
    /// To remove it.
    Remove,
    /// To give it its final name.
    Rename,
    /// To write what is readable of a cut segment anew.
    Repair,
    /// To start it as a program.
    Start,
    /// To start a thread for it.
    StartThread,
    /// To write it, or to make sure that it is on the disk.
    Write,
}

/// What is wrong with a bundle.
#[derive(Debug)]
pub enum Damage {
    /// Neither the manifest nor the description from its start can be read.
    Undescribed,
    /// A newer recorder wrote it.
    Newer {
        /// The version of its shape.
        schema: u32,
    },
    /// It is no JSON of the kind that belongs there.
    Json(serde_json::Error),
    /// It has more values than fit in memory.
    TooManyValues {
        /// How many there may be.
        max: usize,
    },
    /// The name of the run is none for a file.
    Name,
    /// Files are missing, and so is the tar that they were moved into.
    MovedAway {
        /// That tar.
        moving: PathBuf,
    },
}

impl BundleError {
    /// For `map_err`: an I/O error with its operation and subject.
    pub fn io(op: Op, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { op, path, source }
    }

    /// For `map_err`: a file that is no JSON, or not the JSON that belongs there.
    pub(crate) fn json(what: impl fmt::Display) -> impl FnOnce(serde_json::Error) -> Self {
        let what = what.to_string();
        move |error| Self::Damaged { what, damage: Damage::Json(error) }
    }
}

impl Op {
    /// Each once, for tests of catalogues.
    pub const ALL: [Self; 16] = [
        Self::Bundle,
        Self::Compress,
        Self::Create,
        Self::Find,
        Self::Finish,
        Self::List,
        Self::Lock,
        Self::Open,
        Self::Ping,
        Self::Read,
        Self::Remove,
        Self::Rename,
        Self::Repair,
        Self::Start,
        Self::StartThread,
        Self::Write,
    ];
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bundle => "bundle",
            Self::Compress => "compress",
            Self::Create => "create",
            Self::Find => "find",
            Self::Finish => "finish",
            Self::List => "list",
            Self::Lock => "lock",
            Self::Open => "open",
            Self::Ping => "ping",
            Self::Read => "read",
            Self::Remove => "remove",
            Self::Rename => "rename",
            Self::Repair => "repair",
            Self::Start => "start",
            Self::StartThread => "start a thread for",
            Self::Write => "write",
        })
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undescribed => f.write_str("neither manifest.json nor run.json can be read"),
            Self::Newer { schema } => {
                write!(f, "written by a newer netcap (schema {schema}); use its netcap-analyze")
            }
            Self::Json(error) => error.fmt(f),
            Self::TooManyValues { max } => write!(f, "it has more than {max} values"),
            Self::Name => f.write_str("the run's name in it is none for a directory"),
            Self::MovedAway { moving } => {
                write!(f, "files are missing, and {} is not there", moving.display())
            }
        }
    }
}
