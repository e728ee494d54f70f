//! `disk`: block device counters (`/proc/diskstats`, Documentation/admin-guide/iostats.rst of the kernel).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::source::{
    Cadence, Each, Elements, How, Parsed, RawItem, Recipe, Snapshot, SourceDef, is_file_name,
};
use crate::sources::shared::text::{lines, usable};

/// All block devices.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Disk {
    /// By device name.
    pub devices: BTreeMap<String, DiskCounters>,
}

/// One device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct DiskCounters {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Reads completed.
    pub reads: u64,
    /// Sectors read, of `SECTOR_BYTES`.
    pub read_sectors: u64,
    /// Milliseconds all reads took together.
    pub read_ms: u64,
    /// Writes completed.
    pub writes: u64,
    /// Sectors written, of `SECTOR_BYTES`.
    pub written_sectors: u64,
    /// Milliseconds all writes took together.
    pub write_ms: u64,
    /// Requests under way now.
    pub in_flight: u64,
    /// Milliseconds with at least one request under way.
    pub busy_ms: u64,
    /// Milliseconds weighted by requests under way.
    pub weighted_ms: u64,
    /// Flushes completed (since 5.5).
    pub flushes: u64,
    /// Milliseconds all flushes took together.
    pub flush_ms: u64,
}

/// Block devices, their partitions too.
pub const BLOCK_DEVICES: Elements = Elements {
    id: "block-device",
    listed_by: "disk",
    names: |items| Disk::parse(items).value.devices.into_keys().collect(),
    is_name: is_file_name,
};

impl Snapshot for Disk {
    const DEF: SourceDef = SourceDef {
        id: "disk",
        about: "Block device counters: requests, sectors, time",
        cadence: Cadence::Periodic,
        recipes: &[Recipe {
            item: "diskstats",
            each: Each::Once,
            how: How::File("/proc/diskstats"),
            bytes_max: 4 << 20,
            timeout_ms: 1_000,
        }],
    };

    fn parse(items: &[RawItem<'_>]) -> Parsed<Self> {
        let mut parsed = Parsed::default();
        let mut devices = BTreeMap::new();
        for item in items.iter().filter(|item| item.item == "diskstats") {
            let text = usable(item, &mut parsed);
            for (number, line) in lines(&text) {
                match device(line) {
                    Some((name, counters)) => {
                        devices.insert(name, counters);
                    }
                    None => parsed.defect(item, number, format!("not a line of diskstats: {line}")),
                }
            }
        }
        parsed.value = Self { devices };
        parsed
    }
}

/// `   8  0 sda 1 2 3 …` with eleven numbers, fifteen (discards, 4.18) or seventeen (flushes, 5.5). Partitions of
/// kernels before 2.6.25 have four; they are left out.
fn device(line: &str) -> Option<(String, DiskCounters)> {
    let mut words = line.split_whitespace();
    let (major, minor) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let name = words.next()?.to_owned();
    let numbers: Option<Vec<u64>> = words.map(|word| word.parse().ok()).collect();
    let numbers = numbers.filter(|list| list.len() >= 11)?;
    let at = |place: usize| numbers.get(place).copied().unwrap_or(0);
    let counters = DiskCounters {
        major,
        minor,
        reads: at(0),
        read_sectors: at(2),
        read_ms: at(3),
        writes: at(4),
        written_sectors: at(6),
        write_ms: at(7),
        in_flight: at(8),
        busy_ms: at(9),
        weighted_ms: at(10),
        flushes: at(15),
        flush_ms: at(16),
    };
    Some((name, counters))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::shared::testing::{corpus_texts, hostile, parse_one, score, survives};
    use proptest::prelude::*;

    const STATS: &str = "\
   8       0 sda 25354637 34367663 1003346126 18492372 28444756 11134226 505697032 63877960 2 9653880 82621804
 259       0 nvme0n1 47114 4 4643973 21650 1078320 43950 39451633 1011053 0 222766 1032546 1 2 3 4 5 6
";

    #[test]
    fn old_and_new_kernels() {
        let parsed = parse_one::<Disk>("diskstats", "", STATS);
        assert_eq!(parsed.defects, []);
        let sda = parsed.value.devices["sda"];
        assert_eq!((sda.reads, sda.read_sectors, sda.read_ms), (25_354_637, 1_003_346_126, 18_492_372));
        assert_eq!(
            (sda.writes, sda.write_ms, sda.in_flight, sda.busy_ms),
            (28_444_756, 63_877_960, 2, 9_653_880)
        );
        let nvme = parsed.value.devices["nvme0n1"];
        assert_eq!((nvme.major, nvme.weighted_ms, nvme.flushes, nvme.flush_ms), (259, 1_032_546, 5, 6));
    }

    #[test]
    fn corpus_parses() {
        let texts: Vec<_> = corpus_texts("text", &["/diskstats"])
            .into_iter()
            .filter(|(name, _)| name.ends_with("diskstats"))
            .collect();
        let (files, clean) = score::<Disk>("diskstats", &texts);
        assert_eq!(files, clean);
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics(bytes in hostile(STATS), cut: bool) {
            survives::<Disk>(&bytes, cut);
        }
    }
}
