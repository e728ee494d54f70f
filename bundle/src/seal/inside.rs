//! What is in a tar already: nothing of a run is removed that its tar does not hold byte for byte. Whoever put a tar beside
//! a run, its name says nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use super::place::{failed, open, parse_manifest};
use crate::files::{Files, Member};
use crate::held::Dir;
use crate::run::{Manifest, layout};
use crate::{Op, Result};

/// Bytes that are compared at a time.
const PIECE: usize = 64 * 1024;

/// The manifest of a tar that has every file which it names, each as long as it should be; `None` when it has not.
pub fn whole(tar: &Files) -> Option<Manifest> {
    if tar.is_cut() {
        return None;
    }
    let manifest = parse_manifest(&tar.read_small(layout::MANIFEST)?)?;
    let sizes: BTreeMap<&str, u64> = tar.places().map(|(path, place)| (path, place.size())).collect();
    let there = |(path, size): (String, u64)| sizes.get(path.as_str()) == Some(&size);
    let all = listed(&manifest).all(there);
    all.then_some(manifest)
}

/// Whether each file of a run's directory is in the tar with the same bytes. What was not complete is no part of a run.
pub fn holds_all(tar: &Files, dir: &Dir) -> Result<bool> {
    let places: BTreeMap<_, _> = tar.places().collect();
    for path in Files::below(dir)?.paths().filter(|path| !path.ends_with(layout::PARTIAL_END)) {
        let Some(place) = places.get(path) else { return Ok(false) };
        let same =
            || io::Result::Ok(place.size() == dir.meta(path)?.len && same(open(dir, path)?, place.open()?)?);
        if !same().map_err(failed(Op::Read, dir, path))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The files that a manifest names, with their bytes.
pub(super) fn listed(manifest: &Manifest) -> impl Iterator<Item = (String, u64)> {
    let segments = manifest.segments.iter().map(|s| (layout::segment(&s.point, s.number), s.file_bytes));
    segments.chain(manifest.files.iter().map(|file| (file.path.clone(), file.bytes)))
}

/// Whether a file of a run is what a member of a tar is.
pub(super) fn is_member(dir: &Dir, path: &str, tar: &File, member: &Member) -> io::Result<bool> {
    let file = open(dir, path)?;
    if file.metadata()?.len() != member.length {
        return Ok(false);
    }
    same(file, Part { tar, at: member.offset, left: member.length })
}

fn same(mut one: impl Read, mut other: impl Read) -> io::Result<bool> {
    let (mut a, mut b) = (vec![0; PIECE], vec![0; PIECE]);
    loop {
        let (a, b) = (filled(&mut one, &mut a)?, filled(&mut other, &mut b)?);
        if a != b {
            return Ok(false);
        }
        if a.is_empty() {
            return Ok(true);
        }
    }
}

/// As much as there is, up to the length of the buffer.
fn filled<'a>(from: &mut impl Read, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let mut have = 0;
    while let Some(rest) = buffer.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(n) => have += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(buffer.get(..have).unwrap_or_default())
}

/// A part of a tar, read without moving the place where the tar is written on.
struct Part<'a> {
    tar: &'a File,
    at: u64,
    left: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        let n = self.tar.read_at(out.get_mut(..most).unwrap_or_default(), self.at)?;
        self.at += n as u64;
        self.left = self.left.saturating_sub(n as u64);
        Ok(n)
    }
}
