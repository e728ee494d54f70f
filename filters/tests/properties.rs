//! Random expressions, programs and bytes.

use netcap_filters::{Filter, Options, VlanMode, any_of, preset};
use netcap_tests::frames::{self, ENCAPSULATIONS, stripped, tagged};
use pcap::{Capture, Linktype};
use proptest::prelude::*;

/// A term of the filter language.
fn term() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        "arp",
        "icmp",
        "ip",
        "ip6",
        "tcp",
        "udp",
        "icmp6",
        "stp",
        "llc",
        "ether broadcast",
        "multicast",
        "rarp",
        "mpls",
        "ether proto 0x88cc",
        "igmp",
        "ip multicast",
        "host 172.16.51.23",
        "net 172.16.204.0/24",
        "ip6 host fe80::1",
        "ether src 0c:da:41:1d:10:2e",
        "tcp[13] & 2 != 0",
        "ip[ip[0] & 0xf] > 9",
        "udp[4:2] > ip[2:2] - 28",
        "len > 60",
    ]);
    prop_oneof![
        4 => fixed.prop_map(str::to_owned),
        1 => (1_u16..=u16::MAX).prop_map(|port| format!("port {port}")),
        1 => prop::sample::select(vec![22_u16, 53, 67, 80, 443, 514]).prop_map(|port| format!("dst port {port}")),
        1 => (1_u16..9000, 0_u16..9000).prop_map(|(low, more)| format!("portrange {low}-{}", low + more)),
        1 => (0_u8..64, prop::sample::select(vec![1, 2, 4]), any::<u8>())
            .prop_map(|(at, size, value)| format!("ip[{at}:{size}] & 0xff > {value}")),
        1 => (14_u8..90, any::<u8>()).prop_map(|(at, value)| format!("ether[{at}] = {value}")),
        1 => (0_u16..1600).prop_map(|bytes| format!("greater {bytes}")),
    ]
}

fn expression() -> impl Strategy<Value = String> {
    term().prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) and ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) or ({b})")),
            inner.prop_map(|a| format!("not ({a})")),
        ]
    })
}

/// A frame of the grid with a few bytes changed, perhaps cut behind its ethertype.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let frames: Vec<Vec<u8>> = frames::frames().into_iter().map(|(_, frame)| frame).collect();
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (prop::sample::select(frames), changes, prop::option::of(any::<prop::sample::Index>())).prop_map(
        |(mut frame, changes, cut)| {
            for (at, value) in changes {
                let at = at.index(frame.len());
                frame[at] = value;
            }
            if let Some(cut) = cut {
                frame.truncate(14 + cut.index(frame.len() - 13));
            }
            frame
        },
    )
}

fn is_tagged(frame: &[u8]) -> bool {
    frame.get(12..14).is_none_or(|t| matches!(u16::from_be_bytes([t[0], t[1]]), 0x8100 | 0x88a8 | 0x9100))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// The interpreter gives libpcap's answer for libpcap's program, on any bytes.
    #[test]
    fn the_interpreter_agrees_with_libpcap(
        expression in expression(),
        frames in prop::collection::vec(prop_oneof![frame(), prop::collection::vec(any::<u8>(), 0..120)], 8),
    ) {
        let handle = Capture::dead(Linktype::ETHERNET).unwrap();
        let Ok(reference) = handle.compile(&expression, true) else { return Ok(()) };
        let filter = Filter::compile(&expression, Options { vlan: VlanMode::Literal, inner: false }).unwrap();
        for frame in frames {
            prop_assert_eq!(filter.matches(&frame, frame.len()), reference.filter(&frame), "{} {:?}", expression, frame);
        }
    }

    /// Tags change nothing, in the payload or beside it.
    #[test]
    fn tags_change_nothing(expression in expression(), frames in prop::collection::vec(frame(), 4)) {
        let handle = Capture::dead(Linktype::ETHERNET).unwrap();
        let Ok(reference) = handle.compile(&expression, true) else { return Ok(()) };
        let filter = Filter::compile(&expression, Options::default()).unwrap();
        for frame in frames.iter().filter(|frame| !is_tagged(frame)) {
            let expected = reference.filter(frame);
            for tpids in ENCAPSULATIONS {
                let whole = tagged(frame, tpids);
                prop_assert_eq!(filter.matches(&whole, whole.len()), expected, "{} {:04x?}", &expression, tpids);
                if let (bare, Some(tag)) = stripped(frame, tpids) {
                    prop_assert_eq!(filter.matches_with_tag(&bare, bare.len(), tag), expected, "{}", &expression);
                }
            }
        }
    }

    /// With questions about tags in it, an expression still does not depend on where the outer tag travels.
    #[test]
    fn live_and_offline_agree(
        a in expression(),
        question in prop::sample::select(vec![
            "vlan", "vlan 100", "not vlan", "vlan 101 or vlan 7", "vlan 100 and vlan 101", "ether proto 0x88a8",
        ]),
        join in prop::sample::select(vec!["and", "or"]),
        first in any::<bool>(),
        frames in prop::collection::vec(frame(), 4),
    ) {
        let (left, right) = if first { (question, a.as_str()) } else { (a.as_str(), question) };
        let expression = format!("({left}) {join} ({right})");
        let Ok(filter) = Filter::compile(&expression, Options::default()) else { return Ok(()) };
        for frame in frames.iter().filter(|frame| !is_tagged(frame)) {
            for tpids in ENCAPSULATIONS {
                let whole = tagged(frame, tpids);
                if let (bare, Some(tag)) = stripped(frame, tpids) {
                    let live = filter.matches_with_tag(&bare, bare.len(), tag);
                    prop_assert_eq!(filter.matches(&whole, whole.len()), live, "{} {:04x?}", &expression, tpids);
                }
            }
        }
    }

    /// In a tunnel an expression says what it says of the outer or of the inner frame alone.
    #[test]
    fn tunnels_are_looked_into(expression in expression(), frame in frame(), words in 0_u8..64, tags in 0_usize..7) {
        let mut frame = frame;
        frame.resize(frame.len().max(400), 0);
        prop_assume!(!is_tagged(&frame));
        let handle = Capture::dead(Linktype::ETHERNET).unwrap();
        let Ok(reference) = handle.compile(&expression, true) else { return Ok(()) };
        let filter = Filter::compile(&expression, Options { inner: true, ..Options::default() }).unwrap();
        let inner = tagged(&frame, ENCAPSULATIONS[tags]);
        for packet in [frames::vxlan(&[1; 4], 4789, &inner), frames::ipv6(17, &frames::geneve(words, &inner))] {
            let expected = reference.filter(&packet) || reference.filter(&frame);
            let whole = tagged(&packet, ENCAPSULATIONS[6 - tags]);
            prop_assert_eq!(filter.matches(&whole, whole.len()), expected, "{}", &expression);
        }
    }

    /// Joining gives the logical result.
    #[test]
    fn joined_filters_match_what_either_matches(a in expression(), b in expression(), frame in frame()) {
        // Of two expressions that change what follows, the later one changes its meaning (see `combine`).
        prop_assume!(!(a.contains("mpls") && b.contains("mpls")));
        // A part that looks beyond the end of a cut frame ends the whole program, so only whole frames are compared.
        let mut frame = frame;
        frame.resize(frame.len().max(400), 0);
        let matches = |expression: &str| {
            Filter::compile(expression, Options::default()).ok().map(|f| f.matches(&frame, frame.len()))
        };
        if let (Some(x), Some(y)) = (matches(&a), matches(&b))
            && let Some(either) = matches(&any_of([&a, &b]))
        {
            prop_assert_eq!(either, x || y);
        }
    }

    /// Nothing that a person or a file can contain panics: words, symbols and any characters; any bytes as a frame.
    #[test]
    fn nothing_panics(
        words in prop::collection::vec(prop::sample::select(vec![
            "vlan", "and", "or", "not", "(", ")", "ether", "proto", "0x8100", "12", ":", "2", "[", "]", "=", "!=",
            "host", "port", "10.0.0.1", "::1", "\\tcp", "domain", "icmp", "mpls", "portrange", "1-2", "llc", "-", "&",
        ]), 0..9),
        junk in any::<String>(),
        bytes in prop::collection::vec(any::<u8>(), 0..100),
        inner in any::<bool>(),
        literal in any::<bool>(),
    ) {
        let vlan = if literal { VlanMode::Literal } else { VlanMode::AsMeant };
        for expression in [words.join(" "), junk.clone(), format!("{} {junk}", words.join(" "))] {
            match Filter::compile(&expression, Options { vlan, inner }) {
                Ok(filter) => {
                    filter.matches(&bytes, bytes.len());
                    prop_assert!(!filter.describe().is_empty());
                }
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
            let _ = preset(&expression);
        }
    }
}
