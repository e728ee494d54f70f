//! `neighbours`: the host's own ARP and neighbour-discovery cache (`ip neigh`, or /proc/net/arp where iproute2 has no JSON).

use std::net::IpAddr;

use serde::Serialize;

use crate::Mac;
use crate::source::{Cadence, Each, How, Parsed, RawItem, Recipe, Snapshot, SourceDef};
use crate::sources::shared::json;
use crate::sources::shared::text::{lines, push_capped, usable};

/// The cache.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Neighbours {
    /// Entries in the kernel's order.
    pub entries: Vec<Neighbour>,
}

/// What the host believes of one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Neighbour {
    /// IP address.
    pub ip: IpAddr,
    /// Interface.
    pub dev: String,
    /// Its MAC; `None` while nobody has answered.
    pub mac: Option<Mac>,
    /// `REACHABLE`, `STALE`, `FAILED`, `INCOMPLETE`, `PERMANENT`, … (ip-neighbour(8)); empty when not said.
    pub state: String,
    /// Said to be a router (IPv6).
    pub router: bool,
}

impl Neighbours {
    /// The addresses the host believes to be at that MAC.
    pub fn by_mac(&self, mac: Mac) -> impl Iterator<Item = &Neighbour> {
        self.entries.iter().filter(move |entry| entry.mac == Some(mac))
    }

    /// What the host believes of that address, on any interface.
    pub fn by_ip(&self, ip: IpAddr) -> impl Iterator<Item = &Neighbour> {
        self.entries.iter().filter(move |entry| entry.ip == ip)
    }
}

impl Snapshot for Neighbours {
    const DEF: SourceDef = SourceDef {
        id: "neighbours",
        about: "The host's ARP and neighbour-discovery cache",
        cadence: Cadence::Periodic,
        recipes: &[
            Recipe {
                item: "neigh",
                each: Each::Once,
                how: How::Command(&["ip", "-j", "neigh", "show"]),
                bytes_max: 4 << 20,
                timeout_ms: 5_000,
            },
            Recipe {
                item: "arp",
                each: Each::Once,
                how: How::File("/proc/net/arp"),
                bytes_max: 4 << 20,
                timeout_ms: 1_000,
            },
        ],
    };

    fn parse(items: &[RawItem<'_>]) -> Parsed<Self> {
        let mut parsed = Parsed::default();
        let mut entries = Vec::new();
        for item in items.iter().filter(|item| item.item == "neigh") {
            read_neigh(item, &mut entries, &mut parsed);
        }
        // The file says less (no IPv6, no state), so it only stands in.
        if entries.is_empty() {
            for item in items.iter().filter(|item| item.item == "arp") {
                read_arp(item, &mut entries, &mut parsed);
            }
        }
        parsed.value = Self { entries };
        parsed
    }
}

fn read_neigh(item: &RawItem<'_>, entries: &mut Vec<Neighbour>, parsed: &mut Parsed<Neighbours>) {
    for value in json::array(item, parsed) {
        let ip = json::string(&value, "dst").and_then(|text| text.parse().ok());
        let (Some(ip), Some(dev)) = (ip, json::string(&value, "dev")) else {
            parsed.defect(item, 0, format!("not a neighbour: {}", json::start_of(&value.to_string())));
            continue;
        };
        let state = value.get("state").and_then(|list| list.as_array()).and_then(|list| list.first());
        let state = state.and_then(|state| state.as_str()).unwrap_or_default().to_owned();
        let mac = json::string(&value, "lladdr").and_then(|text| text.parse().ok());
        // iproute2 prints `"router":null` for the flag; newer ones print true.
        let router = value.get("router").is_some_and(|flag| flag.as_bool() != Some(false));
        if !push_capped(entries, Neighbour { ip, dev, mac, state, router }, item, parsed) {
            break;
        }
    }
}

/// `172.16.51.6  0x1  0x2  a0:36:9f:97:76:b8  *  vswitch0` (net/ipv4/arp.c, `arp_format_neigh_entry`).
fn read_arp(item: &RawItem<'_>, entries: &mut Vec<Neighbour>, parsed: &mut Parsed<Neighbours>) {
    let text = usable(item, parsed);
    for (number, line) in lines(&text).skip(1) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [ip, _kind, flags, mac, _mask, dev] = words.as_slice() else {
            parsed.defect(item, number, format!("not an ARP entry: {line}"));
            continue;
        };
        let Ok(ip) = ip.parse() else {
            parsed.defect(item, number, format!("not an ARP entry: {line}"));
            continue;
        };
        // ATF_COM 0x02: answered; ATF_PERM 0x04 (include/uapi/linux/if_arp.h).
        let flags = crate::sources::shared::text::number(flags).unwrap_or(0);
        let state = if flags & 4 != 0 {
            "PERMANENT"
        } else if flags & 2 != 0 {
            ""
        } else {
            "INCOMPLETE"
        };
        let mac = mac.parse::<Mac>().ok().filter(|mac| !mac.is_zero());
        let entry = Neighbour { ip, dev: (*dev).to_owned(), mac, state: state.to_owned(), router: false };
        if !push_capped(entries, entry, item, parsed) {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::shared::testing::{corpus_texts, hostile, item, parse_one, score, survives};
    use proptest::prelude::*;

    const JSON: &str = r#"[{"dst":"172.16.51.6","dev":"vswitch0","lladdr":"a0:36:9f:97:76:b8","state":["REACHABLE"]},
        {"dst":"172.16.51.9","dev":"vswitch0","state":["FAILED"]},
        {"dst":"fe80::1","dev":"vswitch0","lladdr":"00:00:5e:00:02:01","router":null,"state":["STALE"]}]"#;
    const ARP: &str = "IP address       HW type     Flags       HW address            Mask     Device
172.16.51.6      0x1         0x2         a0:36:9f:97:76:b8     *        vswitch0
172.16.51.9      0x1         0x0         00:00:00:00:00:00     *        vswitch0
";

    #[test]
    fn reads_answered_failed_and_ipv6() {
        let parsed = parse_one::<Neighbours>("neigh", "", JSON);
        assert_eq!(parsed.defects, []);
        let [gateway, failed, router] = parsed.value.entries.as_slice() else { panic!("three entries") };
        assert_eq!(gateway.mac, "a0:36:9f:97:76:b8".parse().ok());
        assert_eq!((failed.mac, failed.state.as_str()), (None, "FAILED"));
        assert!(router.router && router.ip.is_ipv6() && !gateway.router);
    }

    #[test]
    fn the_file_stands_in_when_ip_has_no_json() {
        let items = [item("neigh", "", ""), item("arp", "", ARP)];
        let parsed = Neighbours::parse(&items);
        assert_eq!(parsed.value.entries.len(), 2);
        assert_eq!(
            (parsed.value.entries[1].mac, parsed.value.entries[1].state.as_str()),
            (None, "INCOMPLETE")
        );
        let both = Neighbours::parse(&[item("neigh", "", JSON), item("arp", "", ARP)]);
        assert_eq!(both.value.entries.len(), 3);
    }

    #[test]
    fn corpus_parses() {
        let texts = corpus_texts("text", &["proc/net/arp", "linux-proc/net_arp"]);
        let texts: Vec<_> = texts.into_iter().filter(|(_, text)| text.starts_with("IP address")).collect();
        let (files, clean) = score::<Neighbours>("arp", &texts);
        assert_eq!(files, clean);
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics(bytes in prop_oneof![hostile(JSON), hostile(ARP)], cut: bool) {
            survives::<Neighbours>(&bytes, cut);
        }
    }
}
