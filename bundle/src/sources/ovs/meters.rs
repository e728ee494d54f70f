//! `ovs-meters`: OpenFlow meters, which limit the rate at which packets pass, with what came to each and what was over the
//! rate (`ovs-ofctl meter-stats`, lib/ofp-meter.c `ofputil_format_meter_stats`).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::source::{Cadence, Each, How, Outcome, Parsed, RawItem, Recipe, Snapshot, SourceDef};
use crate::sources::ovs::openflow::VERSIONS;
use crate::sources::ovs::ovsdb::BRIDGES;
use crate::sources::shared::text::{lines, number, push_capped, usable};

/// Meters by bridge.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct OvsMeters {
    /// The bridges that know meters.
    pub bridges: BTreeMap<String, Vec<Meter>>,
}

/// A limit of a rate that rules name, with what was over it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Meter {
    /// Its number.
    pub id: u32,
    /// Packets that came to it.
    pub packets: u64,
    /// Packets over the rate of any band: dropped, or marked where the band only marks.
    pub over: u64,
    /// The lines that say so, in one.
    pub raw: String,
}

impl OvsMeters {
    /// The meters of a bridge.
    pub fn of(&self, bridge: &str) -> &[Meter] {
        self.bridges.get(bridge).map(Vec::as_slice).unwrap_or_default()
    }
}

impl Snapshot for OvsMeters {
    const DEF: SourceDef = SourceDef {
        id: "ovs-meters",
        about: "OpenFlow meters of every bridge, and what they dropped",
        cadence: Cadence::Periodic,
        recipes: &[Recipe {
            item: "meter-stats",
            each: Each::Of(&BRIDGES),
            how: How::Command(&["ovs-ofctl", "-O", VERSIONS, "meter-stats", "{}"]),
            bytes_max: 1 << 20,
            timeout_ms: 5_000,
        }],
    };

    fn parse(items: &[RawItem<'_>]) -> Parsed<Self> {
        let mut parsed = Parsed::default();
        for item in items.iter().filter(|item| item.item == "meter-stats") {
            stats(item, &mut parsed);
        }
        parsed
    }
}

/// `meter:1 flow_count:1 packet_in_count:80 byte_in_count:7840 duration:3.5s bands:`, then a line for each band,
/// `0: packet_count:60 byte_count:5880`. A bridge that speaks OpenFlow 1.0 only has no meters and says so by failing.
fn stats(item: &RawItem<'_>, parsed: &mut Parsed<OvsMeters>) {
    if matches!(item.outcome, Outcome::Exit { .. }) {
        return;
    }
    let text = usable(item, parsed);
    let mut meters: Vec<Meter> = Vec::new();
    for (place, line) in lines(&text) {
        let line = line.trim();
        let value = |name: &str| {
            let word = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix(':'));
            word.and_then(number)
        };
        if line.contains("METER reply") {
            continue;
        }
        let (id, band) = (value("meter").and_then(|id| u32::try_from(id).ok()), value("packet_count"));
        match (id, band, meters.last_mut()) {
            (Some(id), ..) => {
                let packets = value("packet_in_count").unwrap_or(0);
                let meter = Meter { id, packets, over: 0, raw: line.to_owned() };
                if !push_capped(&mut meters, meter, item, parsed) {
                    break;
                }
            }
            (None, Some(over), Some(meter)) => {
                meter.over = meter.over.saturating_add(over);
                meter.raw = format!("{} {line}", meter.raw);
            }
            _ => parsed.defect(item, place, format!("not a meter: {line}")),
        }
    }
    parsed.value.bridges.insert(item.arg.to_owned(), meters);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::shared::testing::{hostile, parse_one, survives};
    use proptest::prelude::*;

    const REAL: &str = "OFPST_METER reply (OF1.3) (xid=0x2):
meter:1 flow_count:1 packet_in_count:80 byte_in_count:7840 duration:3.500s bands:
0: packet_count:60 byte_count:5880
1: packet_count:2 byte_count:9

meter:9 flow_count:0 packet_in_count:0 byte_in_count:0 duration:1.000s bands:
0: packet_count:0 byte_count:0
";

    #[test]
    fn bands_belong_to_their_meter() {
        let parsed = parse_one::<OvsMeters>("meter-stats", "br0", REAL);
        assert_eq!(parsed.defects, []);
        let shown: Vec<_> = parsed.value.of("br0").iter().map(|m| (m.id, m.packets, m.over)).collect();
        assert_eq!(shown, [(1, 80, 62), (9, 0, 0)]);
        assert!(parsed.value.of("br0")[0].raw.ends_with("1: packet_count:2 byte_count:9"));
        assert_eq!(parse_one::<OvsMeters>("meter-stats", "br0", "0: packet_count:1\n").defects.len(), 1);
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics(bytes in hostile(REAL), cut: bool) {
            survives::<OvsMeters>(&bytes, cut);
        }
    }
}
