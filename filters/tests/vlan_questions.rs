//! `vlan` and the ethertypes of tags: the same answer with the outer tag in metadata and in the payload.

use netcap_filters::{Filter, Options};
use netcap_tests::frames::{self, icmp, ipv4, stripped, tagged};

/// The encapsulations of a ping (ids 100, 101, … from outside) for which the expression holds; panics when metadata
/// and payload disagree.
fn holds_for(expression: &str) -> Vec<Vec<u16>> {
    let filter = Filter::compile(expression, Options::default()).unwrap_or_else(|e| panic!("{e}"));
    let ping = ipv4(1, &icmp(8, 0));
    let mut out = Vec::new();
    for tpids in frames::ENCAPSULATIONS {
        let whole = tagged(&ping, tpids);
        let in_payload = filter.matches(&whole, whole.len());
        let in_metadata = match stripped(&ping, tpids) {
            (bare, Some(tag)) => filter.matches_with_tag(&bare, bare.len(), tag),
            (bare, None) => filter.matches(&bare, bare.len()),
        };
        assert_eq!(in_payload, in_metadata, "`{expression}` on {tpids:04x?}\n{}", filter.describe());
        if in_payload {
            out.push(tpids.to_vec());
        }
    }
    out
}

fn all() -> Vec<Vec<u16>> {
    frames::ENCAPSULATIONS.iter().map(|tpids| tpids.to_vec()).collect()
}

fn all_where(keep: impl Fn(&[u16]) -> bool) -> Vec<Vec<u16>> {
    all().into_iter().filter(|tpids| keep(tpids)).collect()
}

#[test]
fn vlan_is_a_question_and_moves_nothing() {
    assert_eq!(holds_for("vlan"), all_where(|t| !t.is_empty()));
    assert_eq!(holds_for("not vlan"), all_where(<[u16]>::is_empty));
    assert_eq!(holds_for("vlan and icmp"), all_where(|t| !t.is_empty()));
    assert_eq!(holds_for("icmp and vlan and host 172.16.51.23"), all_where(|t| !t.is_empty()));
    assert_eq!(holds_for("vlan or icmp"), all());
    assert_eq!(holds_for("icmp or (vlan and icmp) or (vlan and vlan and icmp)"), all());
    assert_eq!(holds_for("vlan and arp"), all_where(|_| false));
}

#[test]
fn ids_are_found_in_any_tag_and_a_chain_goes_by_position() {
    assert_eq!(holds_for("vlan 100"), all_where(|t| !t.is_empty()));
    assert_eq!(holds_for("vlan 101"), all_where(|t| t.len() > 1));
    assert_eq!(holds_for("vlan 7 or vlan 101"), all_where(|t| t.len() > 1));
    assert_eq!(holds_for("vlan 7"), all_where(|_| false));
    assert_eq!(holds_for("vlan and vlan"), all_where(|t| t.len() > 1));
    assert_eq!(holds_for("vlan 100 and vlan 101 and icmp"), all_where(|t| t.len() > 1));
    assert_eq!(holds_for("vlan 101 and vlan 100"), all_where(|_| false));
    assert_eq!(holds_for("vlan 100 and not vlan 101"), all_where(|t| t.len() == 1));
    assert_eq!(holds_for("!vlan (100)"), all_where(<[u16]>::is_empty));
}

#[test]
fn ethertypes_of_tags_are_questions() {
    assert_eq!(holds_for("ether proto 0x8100"), all_where(|t| t.contains(&0x8100)));
    assert_eq!(holds_for("ether proto 0x88a8 and icmp"), all_where(|t| t.contains(&0x88a8)));
    assert_eq!(holds_for("ether[12:2] = 0x9100"), all_where(|t| t.contains(&0x9100)));
    assert_eq!(holds_for("ether[12:2] != 0x8100"), all_where(|t| !t.contains(&0x8100)));
}

/// A tag in metadata on top of two in the payload: three tags, all looked through.
#[test]
fn three_tags() {
    let ping = ipv4(1, &icmp(8, 0));
    let (bare, tag) = stripped(&ping, &[0x88a8, 0x8100, 0x8100]);
    for (expression, expected) in
        [("icmp", true), ("vlan 100 and vlan 101 and vlan 102", true), ("vlan 102", true), ("udp", false)]
    {
        let filter = Filter::compile(expression, Options::default()).unwrap();
        assert_eq!(filter.matches_with_tag(&bare, bare.len(), tag.unwrap()), expected, "{expression}");
    }
}

/// A priority tag has the id 0, which is not the same as no tag.
#[test]
fn id_zero_is_an_id() {
    let ping = ipv4(1, &icmp(8, 0));
    let filter = Filter::compile("vlan 0", Options::default()).unwrap();
    let tag = netcap_filters::VlanTag { tpid: 0x8100, tci: 0xe000 };
    assert!(filter.matches_with_tag(&ping, ping.len(), tag));
    assert!(!filter.matches(&ping, ping.len()));
}
