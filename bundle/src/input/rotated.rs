//! Files of one capture that was rotated, in one folder without names of interfaces: they are one point, or what begins in
//! one file and ends in the next is seen by nobody.
//!
//! Only numbers count that programs put there: `x.pcap3` (`tcpdump -C` and `-W`), `x_00003_20261127232127.pcapng` (dumpcap,
//! editcap), `x-20261127-2321.pcap` (`tcpdump -G`). `eth0.pcap` and `eth1.pcap` are two interfaces.

use std::collections::BTreeMap;

use super::model::POINTS_MAX;
use super::remark::Remark;
use super::{Input, Segment};
use crate::Nanos;
use crate::packets::{LinkType, PacketReader};
use crate::run::Point;

/// Digits of a date that names a file, at least: `20261127`.
const DATE_DIGITS: usize = 8;
/// Endings of captures that a number may follow.
const ENDINGS: [&str; 3] = [".pcapng", ".pcap", ".cap"];

/// What a file's name says of its place in a series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// The name without numbers.
    stem: String,
    /// The numbers.
    order: Vec<u128>,
}

/// A file of a series, and how it begins.
#[derive(Debug, Clone, Copy)]
struct Begin {
    segment: usize,
    at: Nanos,
    link: LinkType,
    snaplen: u32,
}

/// Makes the files of each series one point, where they follow each other.
pub(super) fn join(input: &mut Input) {
    let mut series: BTreeMap<String, Vec<(Vec<u128>, usize)>> = BTreeMap::new();
    for (index, segment) in input.segments.iter().enumerate() {
        let place = place(&segment.name).filter(|_| segment.point.is_none());
        if let Some(Place { stem, order }) = place {
            series.entry(stem).or_default().push((order, index));
        }
    }
    let mut order: Vec<usize> = (0..input.segments.len()).collect();
    for (stem, mut files) in series {
        files.sort();
        // Twice the same number: a copy.
        let mut numbers = files.iter().zip(files.iter().skip(1));
        if numbers.any(|(a, b)| a.0 == b.0) {
            continue;
        }
        let begins: Vec<Begin> =
            files.iter().filter_map(|(_, index)| begin(*index, input.segments.get(*index)?)).collect();
        if begins.len() < 2 || input.points.len() >= POINTS_MAX {
            continue;
        }
        if !is_one(&begins) {
            input.remarks.push(Remark::NotRotated { name: stem, files: begins.len() });
            continue;
        }
        let point = input.points.len();
        input.points.push(Point::bare(&stem));
        let mut sorted = begins.clone();
        sorted.sort_by_key(|begin| (begin.at, begin.segment));
        // They take each other's places, in order of time.
        let mut places: Vec<usize> = begins.iter().map(|begin| begin.segment).collect();
        places.sort_unstable();
        for (to, from) in places.into_iter().zip(&sorted) {
            if let Some(place) = order.get_mut(to) {
                *place = from.segment;
            }
            if let Some(segment) = input.segments.get_mut(from.segment) {
                segment.point = Some(point);
            }
        }
        input.remarks.push(Remark::Rotated { name: stem, files: begins.len() });
    }
    let mut segments: Vec<Option<Segment>> =
        std::mem::take(&mut input.segments).into_iter().map(Some).collect();
    input.segments = order.into_iter().filter_map(|from| segments.get_mut(from)?.take()).collect();
}

/// Of one kind, and each begins after the one before it; a ring of files begins anywhere.
fn is_one(begins: &[Begin]) -> bool {
    let alike = |a: &Begin, b: &Begin| (a.link, a.snaplen) == (b.link, b.snaplen);
    let pairs = || begins.iter().zip(begins.iter().skip(1));
    let back = pairs().filter(|(a, b)| b.at < a.at).count();
    let around = match (begins.first(), begins.last()) {
        (Some(first), Some(last)) => last.at <= first.at,
        _ => false,
    };
    pairs().all(|(a, b)| alike(a, b)) && (back == 0 || back == 1 && around)
}

/// A file without a packet has no place, and one of several interfaces is no single point.
fn begin(index: usize, segment: &Segment) -> Option<Begin> {
    let mut reader = PacketReader::open(segment.open().ok()?).ok()??;
    let at = reader.next_packet()?.at;
    match reader.interfaces() {
        [one] => Some(Begin { segment: index, at, link: one.link, snaplen: one.snaplen }),
        _ => None,
    }
}

fn place(path: &str) -> Option<Place> {
    // A folder is an interface, and that is said elsewhere.
    let name = (!path.contains('/')).then_some(path)?;
    let name = [".zst", ".gz", ".xz", ".bz2"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    ENDINGS.iter().find_map(|ending| {
        let (stem, number) = name.rsplit_once(ending)?;
        if number.is_empty() {
            return dated(stem, ending).or_else(|| Some(Place { stem: name.to_owned(), order: vec![0] }));
        }
        // tcpdump -C leaves the first file without a number, and begins with 1.
        let order = number.bytes().all(|c| c.is_ascii_digit()).then(|| number.parse().ok())??;
        Some(Place { stem: format!("{stem}{ending}"), order: vec![order] })
    })
}

/// Numbers that stand by themselves, if they are long enough to be a date.
fn dated(stem: &str, ending: &str) -> Option<Place> {
    let words: Vec<&str> = stem.split(['_', '-', '.']).collect();
    let is_number = |word: &&str| !word.is_empty() && word.bytes().all(|c| c.is_ascii_digit());
    let (numbers, names): (Vec<&str>, Vec<&str>) = words.into_iter().partition(is_number);
    let digits: usize = numbers.iter().map(|word| word.len()).sum();
    let order = numbers.iter().map(|word| word.parse().ok()).collect::<Option<Vec<u128>>>()?;
    (digits >= DATE_DIGITS && !names.is_empty())
        .then(|| Place { stem: format!("{}{ending}", names.join("_")), order })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// One packet at that second.
    fn pcap(second: u32, link: u32) -> Vec<u8> {
        let words = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, link, second, 0, 20, 20];
        words.iter().flat_map(|word: &u32| word.to_le_bytes()).chain([0; 20]).collect()
    }

    /// The points' names, and the files in order with their points.
    fn joined(files: &[(&str, u32, u32)]) -> (Vec<String>, Vec<(String, Option<usize>)>) {
        let dir = tempfile::tempdir().unwrap();
        for (name, second, link) in files {
            std::fs::write(dir.path().join(name), pcap(*second, *link)).unwrap();
        }
        let input = Input::open(Path::new(dir.path())).unwrap();
        let segments = input.segments.iter().map(|s| (s.name.clone(), s.point)).collect();
        (input.points.into_iter().map(|point| point.iface).collect(), segments)
    }

    fn at(files: &[(&str, Option<usize>)]) -> Vec<(String, Option<usize>)> {
        files.iter().map(|(name, point)| ((*name).to_owned(), *point)).collect()
    }

    #[test]
    fn rotated_files_are_one_point_in_order_of_time() {
        let (points, files) =
            joined(&[("x.pcap", 1, 1), ("x.pcap1", 2, 1), ("x.pcap2", 3, 1), ("x.pcap10", 11, 1)]);
        assert_eq!(points, ["x.pcap"]);
        let all = [("x.pcap", Some(0)), ("x.pcap1", Some(0)), ("x.pcap2", Some(0)), ("x.pcap10", Some(0))];
        assert_eq!(files, at(&all));
        // A ring: the oldest is in the middle.
        let (_, files) = joined(&[("x.pcap0", 8, 1), ("x.pcap1", 9, 1), ("x.pcap2", 7, 1)]);
        assert_eq!(files, at(&[("x.pcap2", Some(0)), ("x.pcap0", Some(0)), ("x.pcap1", Some(0))]));
        let dumpcap = [("a_00001_20261127232127.pcapng", 1, 1), ("a_00002_20261127232227.pcapng", 9, 1)];
        assert_eq!(joined(&dumpcap).0, ["a.pcapng"]);
    }

    #[test]
    fn what_differs_is_not_joined() {
        for files in [
            // Two interfaces.
            [("eth0.pcap", 1, 1), ("eth1.pcap", 2, 1)],
            [("vm-1.pcap", 1, 1), ("vm-2.pcap", 2, 1)],
            [("x.pcap", 1, 1), ("x.pcap.gz", 1, 1)],
            // Of other kinds.
            [("x.pcap0", 1, 1), ("x.pcap1", 2, 113)],
            [("x.pcap0", 1, 1), ("y.pcap1", 2, 1)],
        ] {
            assert!(joined(&files).0.is_empty(), "{files:?}");
        }
        // Neither in order nor a ring.
        let dice = [("x.pcap0", 5, 1), ("x.pcap1", 9, 1), ("x.pcap2", 3, 1), ("x.pcap3", 6, 1)];
        assert!(joined(&dice).0.is_empty());
    }
}
