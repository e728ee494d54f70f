//! Where bytes lie: in a file, or inside a tar that is never unpacked.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A stream of bytes that can be handed to another thread.
pub type Stream = Box<dyn Read + Send>;

/// Where bytes lie.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// A file.
    File(PathBuf),
    /// A part of a tar.
    Part { tar: Arc<Path>, offset: u64, length: u64 },
}

impl Place {
    pub(crate) fn open(&self) -> std::io::Result<Stream> {
        match self {
            Self::File(path) => Ok(Box::new(File::open(path)?)),
            Self::Part { tar, offset, length } => {
                let mut file = File::open(tar)?;
                file.seek(SeekFrom::Start(*offset))?;
                Ok(Box::new(file.take(*length)))
            }
        }
    }

    /// Bytes on disk.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::File(path) => std::fs::metadata(path).map_or(0, |m| m.len()),
            Self::Part { length, .. } => *length,
        }
    }
}
