//! The files of an input, in a directory or inside a tar that is never unpacked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path};

use super::Place;
use crate::packets::decompress;
use crate::{BundleError, Result};

/// Files kept of one input.
const FILES_MAX: usize = 1_000_000;
/// Folders below the top that are looked into.
const DEPTH_MAX: usize = 8;
/// Uncompressed bytes read of one file that is not a packet file.
const SMALL_MAX: u64 = 64 * 1024 * 1024;
/// Offset and value of the magic in a POSIX tar header (pax(1), ustar interchange format).
const TAR_MAGIC: (usize, &[u8]) = (257, b"ustar");

/// The files of an input by their path below its top folder.
#[derive(Debug, Default)]
pub struct Files {
    map: BTreeMap<String, Place>,
    remarks: Vec<String>,
    /// Files of which the end of the tar took a part.
    torn: BTreeSet<String>,
    cut: bool,
}

impl Files {
    /// The files below a directory. Symbolic links are not followed: a bundle has none.
    pub fn directory(top: &Path) -> Result<Self> {
        let mut files = Self::default();
        files.walk(top, "", 0)?;
        Ok(files)
    }

    /// The members of a tar, or `None` when the file is not one.
    pub fn tar(path: &Path) -> Result<Option<Self>> {
        let mut file = File::open(path).map_err(BundleError::io("open", path))?;
        let mut head = Vec::new();
        file.by_ref().take(512).read_to_end(&mut head).map_err(BundleError::io("read", path))?;
        let (at, magic) = TAR_MAGIC;
        if head.get(at..at + magic.len()) != Some(magic) {
            return Ok(None);
        }
        let file = File::open(path).map_err(BundleError::io("open", path))?;
        let size = file.metadata().map_or(0, |m| m.len());
        let mut files = Self::default();
        files.members(path, file, size);
        Ok(Some(files))
    }

    /// Whether a file is there.
    pub fn has(&self, path: &str) -> bool {
        self.map.contains_key(path)
    }

    /// Whether a file is there from its first byte to its last.
    pub fn is_whole(&self, path: &str) -> bool {
        self.has(path) && !self.torn.contains(path)
    }

    /// The tar ends, or cannot be read on, before all its members were there.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Every path, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.map.keys().map(String::as_str)
    }

    /// A file that is not a packet file, uncompressed; `None` when it is missing, unreadable or too large.
    pub fn read_small(&self, path: &str) -> Option<Vec<u8>> {
        let stream = decompress::open(self.map.get(path)?.open().ok()?).ok()?;
        let mut out = Vec::new();
        // What was read before an error is kept: a torn file is worth reading up to the tear.
        let _ = stream.take(SMALL_MAX).read_to_end(&mut out);
        Some(out)
    }

    /// A small file as text.
    pub fn text(&self, path: &str) -> Option<String> {
        self.read_small(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(crate) fn under<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a Place)> {
        self.map.iter().filter_map(move |(path, place)| {
            let inside = path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
            inside.then_some((path.as_str(), place))
        })
    }

    pub(crate) fn remarks(&mut self) -> Vec<String> {
        std::mem::take(&mut self.remarks)
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = (&str, &Place)> {
        self.map.iter().map(|(path, place)| (path.as_str(), place))
    }

    fn walk(&mut self, dir: &Path, prefix: &str, depth: usize) -> Result<()> {
        for entry in fs::read_dir(dir).map_err(BundleError::io("list", dir))? {
            let entry = entry.map_err(BundleError::io("list", dir))?;
            let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else { continue };
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            if kind.is_dir() && depth < DEPTH_MAX {
                self.walk(&entry.path(), &path, depth + 1)?;
            } else if kind.is_file() {
                self.add(path, Place::File(entry.path()));
            }
        }
        Ok(())
    }

    fn add(&mut self, path: String, place: Place) {
        if self.map.len() < FILES_MAX {
            self.map.insert(path, place);
        } else if self.remarks.is_empty() {
            self.remarks.push(format!("more than {FILES_MAX} files: the rest was not read"));
        }
    }

    fn members(&mut self, path: &Path, file: File, size: u64) {
        let mut archive = tar::Archive::new(file);
        let Ok(entries) = archive.entries_with_seek() else {
            self.remarks.push("the tar cannot be read".into());
            return;
        };
        let mut refused = 0;
        for entry in entries {
            let Ok(entry) = entry else {
                self.remarks.push("the tar is cut or damaged: what follows the damage is missing".into());
                self.cut = true;
                break;
            };
            if entry.header().entry_type() != tar::EntryType::Regular {
                continue;
            }
            let offset = entry.raw_file_position();
            let length = entry.size();
            let Some(name) = entry.path().ok().and_then(|p| below_top(&p)) else {
                refused += 1;
                continue;
            };
            if offset.saturating_add(length) > size {
                self.remarks.push(format!("{name}: cut short by the end of the tar"));
                self.torn.insert(name.clone());
                self.cut = true;
            }
            self.add(name, Place::Part { tar: path.to_owned(), offset, length });
            if self.map.len() >= FILES_MAX {
                break;
            }
        }
        if refused > 0 {
            self.remarks
                .push(format!("{refused} members of the tar have a path that leads outside: ignored"));
        }
    }
}

/// The path below the top folder; `None` for names that lead out of it.
fn below_top(path: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str()?),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    if parts.len() > 1 {
        parts.remove(0);
    }
    (!parts.is_empty() && parts.len() <= DEPTH_MAX + 1).then(|| parts.join("/"))
}
