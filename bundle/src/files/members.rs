//! The members of a tar, header by header: nothing is unpacked, and no header may ask for memory.
//!
//! The walk is ours, because the library reads a member's long name (GNU `L`, pax `x`) into memory whatever its size; the
//! headers are still its own. POSIX pax(1), "pax Interchange Format"; GNU tar manual, "Basic Tar Format".

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use tar::{EntryType, Header, PaxExtensions};

const BLOCK: u64 = 512;
/// Longest name or set of pax records read, in bytes: sixteen times PATH_MAX.
const EXTENSION_MAX: u64 = 64 * 1024;
/// Headers read of one tar, those of folders and links included.
const HEADERS_MAX: u32 = 1_000_000;
/// Where a block of a GNU sparse map says that another follows.
const SPARSE_MORE_AT: usize = 504;

/// A regular file in a tar.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub path: PathBuf,
    /// Where its content lies.
    pub offset: u64,
    pub length: u64,
}

/// Walks over a tar; an error ends it.
pub(crate) struct Members<'a> {
    file: &'a File,
    at: u64,
    headers: u32,
    ended: bool,
}

/// What the headers before a member say about it.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    size: Option<u64>,
}

impl<'a> Members<'a> {
    pub(crate) fn new(file: &'a File) -> Self {
        Self { file, at: 0, headers: 0, ended: false }
    }

    fn walk(&mut self) -> io::Result<Option<Member>> {
        let mut extended = Extended::default();
        loop {
            let Some(block) = self.block()? else { return Ok(None) };
            self.headers += 1;
            if self.headers > HEADERS_MAX {
                return Err(io::Error::other("too many members"));
            }
            let header = Header::from_byte_slice(&block);
            check(&block, header)?;
            let kind = header.entry_type();
            let extends = matches!(kind, EntryType::GNULongName | EntryType::XHeader);
            let length = match extended.size.filter(|_| !extends) {
                Some(size) => size,
                None => header.entry_size()?,
            };
            if header.as_gnu().is_some_and(tar::GnuHeader::is_extended) && kind == EntryType::GNUSparse {
                while self.block()?.is_some_and(|map| map.get(SPARSE_MORE_AT) == Some(&1)) {
                    self.headers += 1;
                    if self.headers > HEADERS_MAX {
                        return Err(io::Error::other("a map without end"));
                    }
                }
            }
            let offset = self.at;
            self.at = length
                .checked_next_multiple_of(BLOCK)
                .and_then(|padded| offset.checked_add(padded))
                .ok_or_else(|| io::Error::other("a member larger than any file"))?;
            match kind {
                EntryType::GNULongName => {
                    let mut name = self.content(offset, length)?;
                    name.truncate(name.iter().position(|b| *b == 0).unwrap_or(name.len()));
                    extended.name = Some(name);
                }
                EntryType::XHeader => extended.records(&self.content(offset, length)?),
                EntryType::Regular => {
                    let name = extended.name.unwrap_or_else(|| header.path_bytes().into_owned());
                    return Ok(Some(Member { path: OsStr::from_bytes(&name).into(), offset, length }));
                }
                _ => extended = Extended::default(),
            }
        }
    }

    /// The next block; `None` at the end of the file, and at the zeros that end an archive.
    fn block(&mut self) -> io::Result<Option<[u8; 512]>> {
        let mut block = [0; 512];
        match self.file.read_at(&mut block, self.at)? {
            0 => return Ok(None),
            512 => {}
            _ => self.file.read_exact_at(&mut block, self.at)?,
        }
        self.at += BLOCK;
        Ok(block.iter().any(|b| *b != 0).then_some(block))
    }

    fn content(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        if length > EXTENSION_MAX {
            return Err(io::Error::other("a name longer than any path"));
        }
        let mut content = vec![0; usize::try_from(length).unwrap_or(0)];
        self.file.read_exact_at(&mut content, offset)?;
        Ok(content)
    }
}

impl Extended {
    fn records(&mut self, content: &[u8]) {
        for record in PaxExtensions::new(content).flatten() {
            match record.key_bytes() {
                b"path" => self.name = Some(record.value_bytes().to_vec()),
                b"size" => self.size = record.value().ok().and_then(|v| v.parse().ok()).or(self.size),
                _ => {}
            }
        }
    }
}

/// The sum of all bytes, those of the sum itself taken as blanks.
fn check(block: &[u8; 512], header: &Header) -> io::Result<()> {
    let sum = |range: std::ops::Range<usize>| {
        block.get(range).unwrap_or_default().iter().map(|b| u32::from(*b)).sum::<u32>()
    };
    if sum(0..148) + sum(156..512) + 8 * 32 == header.cksum()? {
        Ok(())
    } else {
        Err(io::Error::other("a header whose checksum is wrong"))
    }
}

impl Iterator for Members<'_> {
    type Item = io::Result<Member>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.walk().transpose();
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn on_disk(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn names(bytes: &[u8]) -> (Vec<String>, bool) {
        let file = on_disk(bytes);
        let members: Vec<_> = Members::new(&file).collect();
        let whole = members.iter().all(Result::is_ok);
        (members.into_iter().flatten().map(|m| m.path.display().to_string()).collect(), whole)
    }

    fn sample() -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        let long = format!("run/{}/虚拟机.pcap", "x".repeat(150));
        for (name, size) in [("run/a", 3), (long.as_str(), 600), ("run/b", 0)] {
            let mut header = Header::new_gnu();
            header.set_size(size);
            header.set_cksum();
            tar.append_data(&mut header, name, io::repeat(7).take(size)).unwrap();
        }
        tar.append_pax_extensions([("path", "run/from-pax".as_bytes()), ("size", b"5")]).unwrap();
        let mut header = Header::new_ustar();
        header.set_path("run/short").unwrap();
        header.set_size(5);
        header.set_cksum();
        tar.append(&header, &b"12345"[..]).unwrap();
        tar.into_inner().unwrap()
    }

    use std::io::Read as _;

    #[test]
    fn names_of_all_kinds_are_read() {
        let (got, whole) = names(&sample());
        assert!(whole);
        assert_eq!(
            (got.len(), got[0].as_str(), got[2].as_str(), got[3].as_str()),
            (4, "run/a", "run/b", "run/from-pax")
        );
        assert!(got[1].ends_with("x/虚拟机.pcap"), "{}", got[1]);
    }

    #[test]
    fn a_name_as_large_as_a_file_is_refused() {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::GNULongName);
        header.set_size(1 << 33);
        header.set_cksum();
        let (got, whole) = names(&[header.as_bytes().as_slice(), &[b'a'; 4096]].concat());
        assert_eq!((got.len(), whole), (0, false));
    }

    proptest! {
        #[test]
        fn any_change_of_a_tar_is_answered(at: prop::sample::Index, value: u8, cut: prop::sample::Index) {
            let mut bytes = sample();
            let at = at.index(bytes.len());
            bytes[at] = value;
            bytes.truncate(cut.index(bytes.len() + 1));
            let _ = names(&bytes);
        }
    }
}
