//! Where bytes lie: in a file, or inside a tar that is never unpacked.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use crate::held::Dir;

/// A stream of bytes that can be handed to another thread.
pub type Stream = Box<dyn Read + Send>;

/// A file as it is found again.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// One that the user named.
    Named(PathBuf),
    /// One below a directory: nothing on the way is a link.
    Below { top: Arc<Dir>, path: Box<str> },
}

impl Source {
    pub(super) fn open(&self) -> io::Result<File> {
        match self {
            Self::Named(path) => Dir::file_of_anybody(path),
            Self::Below { top, path } => top.read(path),
        }
    }

    fn size(&self) -> u64 {
        match self {
            Self::Named(path) => path.metadata().map_or(0, |meta| meta.len()),
            Self::Below { top, path } => top.meta(path).map_or(0, |meta| meta.len),
        }
    }
}

/// Where bytes lie.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// By itself.
    File(Source),
    /// A part of a tar.
    Part { tar: Arc<Source>, offset: u64, length: u64 },
}

impl Place {
    pub(crate) fn open(&self) -> io::Result<Stream> {
        match self {
            Self::File(source) => Ok(Box::new(source.open()?)),
            Self::Part { tar, offset, length } => {
                let mut file = tar.open()?;
                file.seek(SeekFrom::Start(*offset))?;
                Ok(Box::new(file.take(*length)))
            }
        }
    }

    /// Bytes on disk.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::File(source) => source.size(),
            Self::Part { length, .. } => *length,
        }
    }
}
