//! Opening whatever a user hands in: a bundle (tar or directory), a bare capture, a directory of the old script.
//!
//! Inputs are hostile: names are checked, counts and sizes bounded, nothing is extracted to disk.

use std::path::Path;

use crate::files::{Place, Source};
use crate::packets::PacketReader;
use crate::run::layout;
use crate::{BundleError, Op, Result};

mod bundle;
mod legacy;
mod listports;
mod model;
mod ping;
mod remark;
mod rotated;

#[cfg(test)]
mod tests;

use crate::files::Files;
pub use listports::{ListedPort, Listing};
pub use model::{Input, Kind, Missing, Segment, Unread};
pub use ping::PingLog;
pub use remark::{Limited, Remark, Unreadable};

impl Input {
    /// Opens an input of any kind.
    pub fn open(path: &Path) -> Result<Self> {
        let meta = path.metadata().map_err(BundleError::io(Op::Open, path))?;
        if !meta.is_dir() && !meta.is_file() {
            // A pipe can be read once, and what it is shows only by looking.
            return Err(BundleError::Unknown { path: path.to_owned() });
        }
        if meta.is_dir() {
            let files = Files::directory(path)?;
            return if files.has(layout::RUN) || files.has(layout::MANIFEST) {
                bundle::open(path, files)
            } else {
                legacy::open(path, files)
            };
        }
        if let Some(files) = Files::tar(path)? {
            return if files.has(layout::RUN) || files.has(layout::MANIFEST) {
                bundle::open(path, files)
            } else {
                legacy::open(path, files)
            };
        }
        Self::capture(path)
    }

    fn capture(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let segment = Segment::new(None, name.clone(), Place::File(Source::Named(path.to_owned())));
        let stream = segment.open()?;
        let known = PacketReader::open(stream).map_err(BundleError::io(Op::Read, path))?;
        if known.is_none() {
            return Err(BundleError::Unknown { path: path.to_owned() });
        }
        Ok(Self { segments: vec![segment], ..Self::empty(name, Kind::Capture, Files::default()) })
    }
}
