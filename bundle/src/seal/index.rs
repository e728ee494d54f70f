//! The index of a point's segments: a line for each that was closed, and from time to time one line in place of all that
//! were removed since, so that a run that goes on for months has an index as long as what it still holds.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use super::place::{absent, refused};
use crate::held::{Dir, Kind};
use crate::run::layout;
use crate::run::{Pruned, SegmentInfo};
use crate::{BundleError, Op, Result};

/// A line that stands for the lines of segments that were removed.
#[derive(Debug, Serialize, Deserialize)]
struct Removed {
    removed: Pruned,
}

/// What the indexes of a run say.
#[derive(Debug, Default)]
pub struct Indexes {
    /// Closed segments that are there and as large as they should be, by path.
    pub there: BTreeMap<String, SegmentInfo>,
    /// What was removed again, by point.
    pub pruned: Vec<Pruned>,
}

/// Bytes of one index at most: some 100,000 segments.
const INDEX_BYTES_MAX: u64 = 64 << 20;
/// Folders of points that are looked into: all ports of a large host, sixteen times over.
const POINTS_MAX: usize = 65_536;

/// Reads the indexes of all points of a run. A torn line never existed.
pub fn read(dir: &Dir) -> Result<Indexes> {
    let mut out = Indexes::default();
    let mut pruned: BTreeMap<String, Pruned> = BTreeMap::new();
    let listed = dir.dir(layout::PACKETS).and_then(|top| top.list(POINTS_MAX));
    let points = match listed {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(out),
        listed => listed.map_err(BundleError::io(Op::List, dir.path().join(layout::PACKETS)))?,
    };
    for (name, _) in points.into_iter().filter(|(_, kind)| *kind == Kind::Dir) {
        let index = layout::segment_index(&name);
        let Some(bytes) = refused(dir.read_all(&index, INDEX_BYTES_MAX))
            .map_err(BundleError::io(Op::Read, dir.path().join(&index)))?
        else {
            continue;
        };
        for line in String::from_utf8_lossy(&bytes).lines() {
            if let Ok(Removed { removed }) = serde_json::from_str(line) {
                pruned.entry(removed.point.clone()).or_default().merge(&removed);
                continue;
            }
            let Ok(info) = serde_json::from_str::<SegmentInfo>(line) else { continue };
            let path = layout::segment(&info.point, info.number);
            match dir.meta(&path) {
                // A line is believed only if the file is what it says.
                Ok(meta) if meta.len == info.file_bytes => {
                    out.there.insert(path, info);
                }
                Ok(_) => {}
                // The index is written before a segment may be removed, so it knows of all that were.
                Err(e) if absent(&e) => pruned.entry(info.point.clone()).or_default().add(&info),
                Err(e) => return Err(BundleError::io(Op::Read, dir.path().join(&path))(e)),
            }
        }
    }
    out.pruned = pruned.into_iter().map(|(point, sums)| Pruned { point, ..sums }).collect();
    Ok(out)
}

/// A shorter index that is ready to take the place of the one that is there.
#[derive(Debug)]
pub struct Shorter {
    path: String,
    text: Vec<u8>,
    /// Bytes of the index that is there.
    pub freed: u64,
}

impl Shorter {
    /// The index of a point with one line for all segments that are gone; `None` when none has gone since the last time.
    pub fn of(dir: &Dir, point: &str) -> io::Result<Option<Self>> {
        let path = layout::segment_index(point);
        let bytes = dir.read_all(&path, INDEX_BYTES_MAX)?;
        let (mut removed, mut kept, mut gone) = (Pruned::default(), Vec::new(), false);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if let Ok(Removed { removed: before }) = serde_json::from_slice(line) {
                removed.merge(&before);
                continue;
            }
            let Ok(info) = serde_json::from_slice::<SegmentInfo>(line) else { continue };
            match dir.meta(&layout::segment(&info.point, info.number)) {
                Err(e) if absent(&e) => {
                    removed.add(&info);
                    gone = true;
                }
                _ => kept.extend_from_slice(line),
            }
        }
        if !gone {
            return Ok(None);
        }
        let mut text =
            serde_json::to_vec(&Removed { removed: Pruned { point: point.to_owned(), ..removed } })?;
        text.push(b'\n');
        text.extend_from_slice(&kept);
        Ok(Some(Self { path, text, freed: bytes.len() as u64 }))
    }

    /// Bytes it takes, for a moment beside those of the one that is there.
    pub fn bytes(&self) -> u64 {
        self.text.len() as u64
    }

    /// Puts it in place: whatever happens, one of the two is there and whole.
    pub fn put(&self, dir: &Dir) -> io::Result<()> {
        dir.replace_with(&self.path, &self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::json_line;
    use std::fs;
    use std::io::Write;
    use std::path::Path;

    fn held(dir: &tempfile::TempDir) -> Dir {
        Dir::open(dir.path()).unwrap()
    }

    use crate::Nanos;

    /// A run of one point with segments of these numbers in its index; each file has as many bytes as its number says.
    fn run(numbers: std::ops::RangeInclusive<u32>) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(layout::point_dir("p"))).unwrap();
        append(dir.path(), numbers);
        dir
    }

    fn append(dir: &Path, numbers: std::ops::RangeInclusive<u32>) {
        let path = dir.join(layout::segment_index("p"));
        let mut index = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        for number in numbers {
            let info = SegmentInfo {
                point: "p".into(),
                number,
                packets: 10,
                wire_bytes: 1000,
                received: 12,
                dropped: 2,
                file_bytes: u64::from(number),
                opened: Nanos(i64::from(number) * 10),
                closed: Nanos(i64::from(number) * 10 + 10),
                ..SegmentInfo::default()
            };
            let bytes = vec![0; usize::try_from(number).unwrap()];
            fs::write(dir.join(layout::segment("p", number)), bytes).unwrap();
            index.write_all(&json_line(&info).unwrap()).unwrap();
        }
    }

    fn remove(dir: &Path, numbers: std::ops::RangeInclusive<u32>) {
        numbers.for_each(|number| fs::remove_file(dir.join(layout::segment("p", number))).unwrap());
    }

    #[test]
    fn a_shorter_index_says_the_same() {
        let dir = run(1..=500);
        let path = dir.path().join(layout::segment_index("p"));
        assert!(Shorter::of(&held(&dir), "p").unwrap().is_none(), "nothing has gone");
        for round in 0..3u32 {
            remove(dir.path(), round * 150 + 1..=round * 150 + 150);
            let long = read(&held(&dir)).unwrap();
            let shorter = Shorter::of(&held(&dir), "p").unwrap().expect("some are gone");
            assert_eq!(shorter.freed, path.metadata().unwrap().len());
            shorter.put(&held(&dir)).unwrap();
            assert_eq!(shorter.bytes(), path.metadata().unwrap().len());
            assert!(shorter.bytes() + 150 * 100 < shorter.freed);
            let short = read(&held(&dir)).unwrap();
            assert_eq!((&short.there, &short.pruned), (&long.there, &long.pruned));
            append(dir.path(), 501 + round..=501 + round);
        }
        let [gone] = &read(&held(&dir)).unwrap().pruned[..] else { panic!("one point") };
        assert_eq!((gone.point.as_str(), gone.segments, gone.packets, gone.dropped), ("p", 450, 4500, 900));
        assert_eq!((gone.from, gone.until), (Nanos(10), Nanos(4510)));
        assert_eq!(read(&held(&dir)).unwrap().there.len(), 53);
    }

    #[test]
    fn a_torn_end_costs_one_line() {
        let dir = run(1..=9);
        remove(dir.path(), 1..=3);
        Shorter::of(&held(&dir), "p").unwrap().unwrap().put(&held(&dir)).unwrap();
        let path = dir.path().join(layout::segment_index("p"));
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - 5);
        bytes.extend_from_slice(&[0, 0xff, 0xfe]);
        fs::write(&path, bytes).unwrap();
        let found = read(&held(&dir)).unwrap();
        assert_eq!((found.there.len(), found.pruned[0].segments), (5, 3));
    }
}
