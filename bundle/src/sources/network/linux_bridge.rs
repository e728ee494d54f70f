//! `linux-bridge`: ports and learned addresses of kernel bridges (`bridge link`, `bridge fdb`, bridge(8)).

use serde::Serialize;
use serde_json::Value;

use crate::Mac;
use crate::source::{Cadence, Each, How, Parsed, RawItem, Recipe, Snapshot, SourceDef};
use crate::sources::shared::json;
use crate::sources::shared::text::push_capped;

/// Kernel bridges.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LinuxBridge {
    /// Ports, in the kernel's order.
    pub ports: Vec<BridgePort>,
    /// Forwarding entries, in the kernel's order.
    pub fdb: Vec<BridgeFdb>,
    /// VLANs of ports, where VLAN filtering is used.
    pub vlans: Vec<PortVlan>,
}

/// One port of a kernel bridge.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct BridgePort {
    /// Interface.
    pub iface: String,
    /// Name of the bridge it is in.
    pub bridge: String,
    /// MTU in bytes.
    pub mtu: Option<u32>,
    /// `forwarding`, `blocking`, `listening`, `learning`, `disabled`.
    pub state: String,
    /// Spanning-tree priority.
    pub priority: Option<u32>,
    /// Spanning-tree cost.
    pub cost: Option<u32>,
    /// Frames may leave by the port they came in at.
    pub hairpin: bool,
    /// It learns addresses.
    pub learning: bool,
    /// Unknown unicast is flooded to it.
    pub flood: bool,
    /// Isolated from other isolated ports.
    pub isolated: bool,
}

/// One entry of a kernel bridge's table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BridgeFdb {
    /// The address.
    pub mac: Mac,
    /// Port.
    pub iface: String,
    /// Bridge; `None` for a device's own filter list.
    pub bridge: Option<String>,
    /// VLAN, if the bridge filters them.
    pub vlan: Option<u16>,
    /// The address of the port itself, or configured; learned entries are not.
    pub permanent: bool,
}

/// VLAN membership of one port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PortVlan {
    /// Interface.
    pub iface: String,
    /// First VLAN of the range.
    pub first: u16,
    /// Last VLAN of the range.
    pub last: u16,
    /// VLAN of untagged frames coming in.
    pub pvid: bool,
    /// Leaves untagged.
    pub untagged: bool,
}

impl LinuxBridge {
    /// The VLAN of untagged frames that come in at a port; `None` when it takes none.
    pub fn pvid(&self, iface: &str) -> Option<u16> {
        self.vlans.iter().find(|vlan| vlan.iface == iface && vlan.pvid).map(|vlan| vlan.first)
    }

    /// The port is a member of that VLAN, in both directions.
    pub fn carries(&self, iface: &str, vlan: u16) -> bool {
        let mut mine = self.vlans.iter().filter(|range| range.iface == iface);
        mine.any(|range| (range.first..=range.last).contains(&vlan))
    }

    /// Where an address was learned.
    pub fn learned(&self, mac: Mac) -> impl Iterator<Item = &BridgeFdb> {
        self.fdb.iter().filter(move |entry| entry.mac == mac && !entry.permanent && entry.bridge.is_some())
    }
}

/// A command without elements.
const fn command(item: &'static str, argv: &'static [&'static str]) -> Recipe {
    Recipe { item, each: Each::Once, how: How::Command(argv), bytes_max: 4 << 20, timeout_ms: 5_000 }
}

impl Snapshot for LinuxBridge {
    const DEF: SourceDef = SourceDef {
        id: "linux-bridge",
        about: "Kernel bridges: ports, spanning-tree state, learned addresses",
        cadence: Cadence::Periodic,
        recipes: &[
            command("link", &["bridge", "-j", "-d", "link", "show"]),
            command("fdb", &["bridge", "-j", "fdb", "show"]),
            command("vlan", &["bridge", "-j", "vlan", "show"]),
        ],
    };

    fn parse(items: &[RawItem<'_>]) -> Parsed<Self> {
        let mut parsed = Parsed::default();
        let mut found = Self::default();
        for item in items {
            match item.item {
                "link" => collect(item, &mut found.ports, &mut parsed, port),
                "fdb" => {
                    collect(item, &mut found.fdb, &mut parsed, |value| fdb(value).map(|entry| vec![entry]));
                }
                "vlan" => collect(item, &mut found.vlans, &mut parsed, vlans),
                _ => {}
            }
        }
        parsed.value = found;
        parsed
    }
}

/// Converts every element of the item's array; one that cannot be converted is a defect.
fn collect<E>(
    item: &RawItem<'_>,
    list: &mut Vec<E>,
    parsed: &mut Parsed<LinuxBridge>,
    convert: impl Fn(&Value) -> Option<Vec<E>>,
) {
    for value in json::array(item, parsed) {
        // iproute2 leaves `{}` behind for entries that another option would have shown.
        if value.as_object().is_some_and(serde_json::Map::is_empty) {
            continue;
        }
        match convert(&value) {
            None => parsed.defect(item, 0, format!("not understood: {}", json::start_of(&value.to_string()))),
            Some(entries) => {
                for entry in entries {
                    if !push_capped(list, entry, item, parsed) {
                        return;
                    }
                }
            }
        }
    }
}

/// One port; none (but no defect) for a bridge's own line, which has no master.
fn port(value: &Value) -> Option<Vec<BridgePort>> {
    let iface = json::string(value, "ifname")?;
    let Some(bridge) = json::string(value, "master") else { return Some(Vec::new()) };
    let flag = |key: &str| value.get(key).and_then(Value::as_bool);
    Some(vec![BridgePort {
        iface,
        bridge,
        mtu: json::number(value, "mtu"),
        state: json::string(value, "state").unwrap_or_default(),
        priority: json::number(value, "priority"),
        cost: json::number(value, "cost"),
        hairpin: flag("hairpin").unwrap_or(false),
        learning: flag("learning").unwrap_or(true),
        flood: flag("flood").unwrap_or(true),
        isolated: flag("isolated").unwrap_or(false),
    }])
}

fn fdb(value: &Value) -> Option<BridgeFdb> {
    Some(BridgeFdb {
        mac: json::string(value, "mac")?.parse().ok()?,
        iface: json::string(value, "ifname")?,
        bridge: json::string(value, "master"),
        vlan: json::number(value, "vlan"),
        permanent: value.get("state").and_then(Value::as_str) == Some("permanent"),
    })
}

fn vlans(value: &Value) -> Option<Vec<PortVlan>> {
    let iface = json::string(value, "ifname")?;
    let list = value.get("vlans")?.as_array()?;
    list.iter()
        .map(|vlan| {
            let first = json::number(vlan, "vlan")?;
            let flags = vlan.get("flags").and_then(Value::as_array);
            let has = |flag: &str| flags.is_some_and(|list| list.iter().any(|f| f.as_str() == Some(flag)));
            Some(PortVlan {
                iface: iface.clone(),
                first,
                last: json::number(vlan, "vlanEnd").unwrap_or(first),
                pvid: has("PVID"),
                untagged: has("Egress Untagged"),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::shared::testing::{hostile, item, survives};
    use proptest::prelude::*;

    const LINK: &str = r#"[{"ifindex":20,"link":"pvnet9","ifname":"vnet9","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1500,"master":"br9","state":"forwarding","priority":32,"cost":2,"hairpin":false,"guard":false,"learning":true,"flood":true,"isolated":false}]"#;
    const FDB: &str = r#"[{"mac":"33:33:00:00:00:01","ifname":"br9","flags":["self"],"state":"permanent"},
        {"mac":"da:a9:30:d4:56:d8","ifname":"vnet9","flags":[],"master":"br9","state":""},
        {"mac":"9e:84:d1:89:1a:3c","ifname":"vnet9","vlan":5,"flags":[],"master":"br9","state":"permanent"}]"#;
    const VLAN: &str = r#"[{"ifname":"vnet9","vlans":[{"vlan":1,"flags":["PVID","Egress Untagged"]},{"vlan":5,"vlanEnd":9}]}]"#;

    #[test]
    fn ports_addresses_and_vlans() {
        let parsed =
            LinuxBridge::parse(&[item("link", "", LINK), item("fdb", "", FDB), item("vlan", "", VLAN)]);
        assert_eq!(parsed.defects, []);
        let bridge = parsed.value;
        assert_eq!((bridge.ports[0].bridge.as_str(), bridge.ports[0].iface.as_str()), ("br9", "vnet9"));
        assert_eq!(bridge.ports[0].state, "forwarding");
        assert_eq!(bridge.learned("da:a9:30:d4:56:d8".parse().unwrap()).count(), 1);
        assert_eq!(bridge.learned("9e:84:d1:89:1a:3c".parse().unwrap()).count(), 0);
        assert_eq!((bridge.fdb[2].vlan, bridge.vlans[1].last), (Some(5), 9));
        assert!(bridge.vlans[0].pvid && bridge.vlans[0].first == 1);
        assert_eq!((bridge.pvid("vnet9"), bridge.pvid("eth2")), (Some(1), None));
        assert_eq!(
            [1, 2, 5, 9, 10].map(|vlan| bridge.carries("vnet9", vlan)),
            [true, false, true, true, false]
        );
    }

    #[test]
    fn no_bridge_at_all_is_not_a_defect() {
        let parsed =
            LinuxBridge::parse(&[item("link", "", "[]\n"), item("fdb", "", ""), item("vlan", "", "[{}]")]);
        assert_eq!((parsed.value, parsed.defects), (LinuxBridge::default(), vec![]));
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics(bytes in prop_oneof![hostile(LINK), hostile(FDB), hostile(VLAN)], cut: bool) {
            survives::<LinuxBridge>(&bytes, cut);
        }
    }
}
