//! The files of an input, in a directory or inside a tar that is never unpacked.

mod ahead;
pub mod decompress;
mod lines;
mod members;
mod place;
mod remark;

use lines::Budget;
pub use lines::{FileLines, Lines};
pub(crate) use members::{Member, Members};
pub use place::Stream;
pub(crate) use place::{Place, Source};
pub use remark::FilesRemark;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::held::{Dir, Kind, is_leftover};
use crate::{BundleError, Op, Result};

/// Files kept of one input: a month of samples that all differ. Each takes some 200 bytes of memory.
const FILES_MAX: usize = 200_000;
/// Bytes of all their names together, and of one (`PATH_MAX`, include/uapi/linux/limits.h).
const NAMES_BYTES_MAX: usize = 32 * 1024 * 1024;
const NAME_BYTES_MAX: usize = 4_096;
/// Folders below the top that are looked into.
const DEPTH_MAX: usize = 8;
/// Uncompressed bytes read of one file that is not a packet file: twice what the largest recipe keeps.
const SMALL_MAX: usize = 32 * 1024 * 1024;
/// Uncompressed bytes read of all such files of an input together: a day of tables of 120 KB that differ every ten
/// seconds. Parsing them all takes some seconds.
const SMALL_ALL_MAX: u64 = 1024 * 1024 * 1024;
/// Offset and value of the magic in a POSIX tar header (pax(1), ustar interchange format).
const TAR_MAGIC: (usize, &[u8]) = (257, b"ustar");

/// The files of an input by their path below its top folder.
#[derive(Debug, Default)]
pub struct Files {
    map: BTreeMap<String, Place>,
    /// Bytes of their names.
    names: usize,
    remarks: Vec<FilesRemark>,
    /// Files of which the end of the tar took a part.
    torn: BTreeSet<String>,
    cut: bool,
    /// Folders too deep to be looked into.
    deep: u64,
    /// Uncompressed bytes read so far of files that are not packet files.
    read: AtomicU64,
    /// Files of lines that were not read to their end.
    unread: Mutex<BTreeSet<String>>,
}

impl Files {
    /// The files below a directory. Symbolic links are not followed: a bundle has none.
    pub fn directory(top: &Path) -> Result<Self> {
        Self::below(&Dir::visit(top).map_err(BundleError::io(Op::List, top))?)
    }

    /// The same of a directory that is held open.
    pub fn below(top: &Dir) -> Result<Self> {
        let mut files = Self::default();
        let held = Arc::new(top.clone());
        files.walk(&held, top, "", 0).map_err(BundleError::io(Op::List, top.path()))?;
        Ok(files)
    }

    /// The members of a tar, or `None` when the file is not one.
    pub fn tar(path: &Path) -> Result<Option<Self>> {
        Self::tar_of(Source::Named(path.to_owned()), path)
    }

    /// The same of a tar that lies in a directory that is held open.
    pub fn tar_in(dir: &Dir, name: &str) -> Result<Option<Self>> {
        let source = Source::Below { top: Arc::new(dir.clone()), path: name.into() };
        Self::tar_of(source, &dir.path().join(name))
    }

    fn tar_of(source: Source, path: &Path) -> Result<Option<Self>> {
        let file = source.open().map_err(BundleError::io(Op::Open, path))?;
        let mut head = Vec::new();
        (&file).take(512).read_to_end(&mut head).map_err(BundleError::io(Op::Read, path))?;
        let (at, magic) = TAR_MAGIC;
        if head.get(at..at + magic.len()) != Some(magic) {
            return Ok(None);
        }
        let size = file.metadata().map_or(0, |m| m.len());
        let mut files = Self::default();
        files.members(source, &file, size);
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

    /// Folders that are too deep to be looked into; a tar has a remark for each such member.
    pub(crate) fn deep(&self) -> u64 {
        self.deep
    }

    /// Every path, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.map.keys().map(String::as_str)
    }

    /// So much was read that the rest of the files is taken as missing.
    pub fn is_exhausted(&self) -> bool {
        self.read.load(Ordering::Relaxed) >= SMALL_ALL_MAX
    }

    /// Files with more lines than whoever read them wanted, in order of path.
    pub(crate) fn unread(&self) -> Vec<String> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// A file that is not a packet file, uncompressed; `None` when it is missing or unreadable. What is larger than any
    /// recipe keeps is cut.
    pub fn read_small(&self, path: &str) -> Option<Vec<u8>> {
        self.read_part(path, SMALL_MAX).map(|(bytes, _)| bytes)
    }

    /// Up to so many bytes of a file that is not a packet file, uncompressed, and whether there were more.
    pub(crate) fn read_part(&self, path: &str, most: usize) -> Option<(Vec<u8>, bool)> {
        let mut stream = self.open_small(path)?;
        let mut out = Vec::new();
        // What was read before an error is kept: a torn file is worth reading up to the tear.
        let _ = stream.by_ref().take(most as u64).read_to_end(&mut out);
        self.read.fetch_add(out.len() as u64, Ordering::Relaxed);
        let more = out.len() == most && matches!(stream.read(&mut [0]), Ok(1));
        Some((out, more))
    }

    fn open_small(&self, path: &str) -> Option<Stream> {
        let place = self.map.get(path).filter(|_| !self.is_exhausted())?;
        decompress::open(place.open().ok()?).ok()
    }

    /// A small file as text.
    pub fn text(&self, path: &str) -> Option<String> {
        let bytes = self.read_small(path)?;
        Some(
            String::from_utf8(bytes)
                .unwrap_or_else(|err| String::from_utf8_lossy(err.as_bytes()).into_owned()),
        )
    }

    /// The lines of a file, however large it is; `None` when there is no such file.
    pub fn lines(&self, path: &str) -> Option<FileLines<'_>> {
        let budget = Budget { read: &self.read, most: SMALL_ALL_MAX, unread: &self.unread };
        Some(FileLines::new(path, self.open_small(path)?, budget))
    }

    pub(crate) fn under<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a Place)> {
        self.map.iter().filter_map(move |(path, place)| {
            let inside = path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
            inside.then_some((path.as_str(), place))
        })
    }

    pub(crate) fn remarks(&mut self) -> Vec<FilesRemark> {
        std::mem::take(&mut self.remarks)
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = (&str, &Place)> {
        self.map.iter().map(|(path, place)| (path.as_str(), place))
    }

    fn walk(&mut self, top: &Arc<Dir>, dir: &Dir, prefix: &str, depth: usize) -> io::Result<()> {
        dir.each(|name, kind| {
            let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
            match kind {
                Kind::Dir if depth < DEPTH_MAX => self.walk(top, &dir.dir(name)?, &path, depth + 1)?,
                Kind::Dir => self.deep += 1,
                // It was removed, and is gone when somebody closes it.
                Kind::File if is_leftover(name) => {}
                Kind::File => {
                    let source = Source::Below { top: Arc::clone(top), path: path.as_str().into() };
                    self.add(path, Place::File(source));
                }
                Kind::Other => {}
            }
            Ok(true)
        })
    }

    /// False when there is no room for more.
    fn add(&mut self, path: String, place: Place) -> bool {
        let names = self.names + path.len();
        if self.map.len() < FILES_MAX && names <= NAMES_BYTES_MAX {
            self.names = names;
            self.map.insert(path, place);
            return true;
        }
        let remark = if names > NAMES_BYTES_MAX {
            FilesRemark::NamesTooLong
        } else {
            FilesRemark::TooMany { max: FILES_MAX }
        };
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
        false
    }

    fn members(&mut self, source: Source, file: &File, size: u64) {
        let tar = Arc::new(source);
        let mut refused = 0;
        for member in Members::new(file) {
            let Ok(member) = member else {
                self.remarks.push(FilesRemark::Damaged);
                self.cut = true;
                break;
            };
            let (offset, length) = (member.offset, member.length);
            let Some(name) = below_top(&member.path).filter(|name| name.len() <= NAME_BYTES_MAX) else {
                refused += 1;
                continue;
            };
            if offset.saturating_add(length) > size {
                self.remarks.push(FilesRemark::CutShort { file: name.clone() });
                self.torn.insert(name.clone());
                self.cut = true;
            }
            if !self.add(name, Place::Part { tar: Arc::clone(&tar), offset, length }) {
                break;
            }
        }
        if refused > 0 {
            self.remarks.push(FilesRemark::Refused { count: refused });
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
