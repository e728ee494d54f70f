//! The errors of reading and writing bundles.

use std::path::PathBuf;

/// The result of a bundle operation.
pub type Result<T> = std::result::Result<T, BundleError>;

/// Why a bundle could not be read or written; each names the operation and its subject.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file operation failed.
    #[error("cannot {op} {path}: {source}")]
    Io {
        /// What was attempted, as a verb.
        op: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A file is not what its place in the bundle says.
    #[error("{what} is damaged: {why}")]
    Damaged {
        /// The file, as the user knows it.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing netcap can read.
    #[error(
        "{path}: not a capture. Give a netcap bundle (.tar or directory), a pcap or pcapng file (also .zst, .gz), \
         or a directory of check_network.sh"
    )]
    Unknown {
        /// The input.
        path: PathBuf,
    },
    /// A bound that protects the reader was hit.
    #[error("{what}: {why}; refused to protect this machine")]
    TooMuch {
        /// The file.
        what: String,
        /// The bound.
        why: String,
    },
}

impl BundleError {
    /// For `map_err`: an I/O error with its operation and subject.
    pub fn io(op: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { op, path, source }
    }
}
