//! `ovs-fdb`: which MAC each OVS bridge has learned at which port (`fdb/show`, ovs-vswitchd(8)).

use serde::Serialize;

use crate::Mac;
use crate::source::{Cadence, Each, How, Parsed, RawItem, Recipe, Snapshot, SourceDef};
use crate::sources::ovs::ovsdb::BRIDGES;
use crate::sources::shared::OfPort;
use crate::sources::shared::text::{lines, push_capped, usable};

/// The learning tables of all bridges.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct OvsFdb {
    /// Entries in the order of the dumps.
    pub entries: Vec<FdbEntry>,
}

/// One learned address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FdbEntry {
    /// Name of the bridge that learned it.
    pub bridge: String,
    /// OpenFlow port; for a bond the number of one of its members.
    pub port: OfPort,
    /// VLAN, 0 for untagged.
    pub vlan: u16,
    /// The address.
    pub mac: Mac,
    /// Seconds since it was last seen; `None` for a static entry.
    pub age_s: Option<u32>,
}

impl OvsFdb {
    /// Where an address was learned, in every bridge and VLAN.
    pub fn by_mac(&self, mac: Mac) -> impl Iterator<Item = &FdbEntry> {
        self.entries.iter().filter(move |entry| entry.mac == mac)
    }
}

impl Snapshot for OvsFdb {
    const DEF: SourceDef = SourceDef {
        id: "ovs-fdb",
        about: "Open vSwitch learning tables: MAC and VLAN to port",
        cadence: Cadence::Periodic,
        recipes: &[Recipe {
            item: "fdb-show",
            each: Each::Of(&BRIDGES),
            how: How::Command(&["ovs-appctl", "fdb/show", "{}"]),
            bytes_max: 4 << 20,
            timeout_ms: 5_000,
        }],
    };

    fn parse(items: &[RawItem<'_>]) -> Parsed<Self> {
        let mut parsed = Parsed::default();
        let mut entries = Vec::new();
        for item in items.iter().filter(|item| item.item == "fdb-show") {
            let text = usable(item, &mut parsed);
            for (number, line) in lines(&text) {
                match entry(item.arg, line) {
                    Some(entry) => {
                        if !push_capped(&mut entries, entry, item, &mut parsed) {
                            break;
                        }
                    }
                    None if is_heading(line) => {}
                    None => parsed.defect(item, number, format!("not an FDB entry: {line}")),
                }
            }
        }
        parsed.value = Self { entries };
        parsed
    }
}

/// ` port  VLAN  MAC                Age`
fn is_heading(line: &str) -> bool {
    line.split_whitespace().map(str::to_ascii_lowercase).eq(["port", "vlan", "mac", "age"])
}

/// `    3   188  c2:4c:aa:34:e2:ee    7`; the port may be `LOCAL`, the age `static`.
fn entry(bridge: &str, line: &str) -> Option<FdbEntry> {
    let mut words = line.split_whitespace();
    let (port, vlan, mac, age) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let age_s = match age {
        "static" => None,
        seconds => Some(seconds.parse().ok()?),
    };
    let mac = mac.parse().ok()?;
    Some(FdbEntry {
        bridge: bridge.to_owned(),
        port: port.parse().ok()?,
        vlan: vlan.parse().ok()?,
        mac,
        age_s,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::shared::testing::{corpus_texts, hostile, parse_one, score, survives};
    use proptest::prelude::*;

    const SHOW: &str = " port  VLAN  MAC                Age
    1     0  16:d2:21:39:0a:f2    8
LOCAL     0  1a:e7:c6:fa:ef:49  118
    3   188  c2:4c:aa:34:e2:ee    7
    4     0  0c:da:41:1d:10:2e  static
";

    #[test]
    fn reads_numbers_local_and_static() {
        let parsed = parse_one::<OvsFdb>("fdb-show", "vswitch0", SHOW);
        assert_eq!(parsed.defects, []);
        let [_, local, tagged, fixed] = parsed.value.entries.as_slice() else { panic!("four entries") };
        assert_eq!((local.port, local.age_s, local.bridge.as_str()), (OfPort::LOCAL, Some(118), "vswitch0"));
        assert_eq!((tagged.port, tagged.vlan), (OfPort(3), 188));
        assert_eq!(fixed.age_s, None);
        assert_eq!(parsed.value.by_mac(tagged.mac).count(), 1);
    }

    #[test]
    fn a_foreign_line_is_a_defect_and_the_rest_is_kept() {
        let parsed = parse_one::<OvsFdb>(
            "fdb-show",
            "br0",
            "ovs-vswitchd: no such bridge\n    1     0  16:d2:21:39:0a:f2    8\n",
        );
        assert_eq!((parsed.value.entries.len(), parsed.defects.len()), (1, 1));
    }

    #[test]
    fn corpus_parses() {
        let (files, clean) =
            score::<OvsFdb>("fdb-show", &corpus_texts("text/canonical+hotsos", &["fdb.show_"]));
        assert_eq!(files, clean);
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics(bytes in hostile(SHOW), cut: bool) {
            survives::<OvsFdb>(&bytes, cut);
        }
    }
}
