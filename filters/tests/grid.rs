//! The VLAN grid: each preset and many expressions, over frames of all kinds, in all encapsulations. What the filter
//! says of the encapsulated frame has to be what libpcap says of the same frame without its tags.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not inside test functions")]

use netcap_filters::{Filter, Options, VlanMode};
use netcap_tests::frames::{
    self, ENCAPSULATIONS, expressions, frames, libpcap_says, stripped, tagged, without_names,
};
use pcap::{Capture, Linktype};

#[test]
fn every_encapsulation_matches_as_the_frame_without_tags() {
    let handle = Capture::dead(Linktype::ETHERNET).unwrap();
    let frames = frames();
    for expression in expressions() {
        let filter = Filter::compile(&expression, Options::default()).unwrap_or_else(|e| panic!("{e}"));
        let reference = handle.compile(&without_names(&expression), true).unwrap();
        for (name, frame) in &frames {
            let expected = reference.filter(frame);
            for tpids in ENCAPSULATIONS {
                let whole = tagged(frame, tpids);
                let context = format!("`{expression}` on {name} in {tpids:04x?}\n{}", filter.describe());
                assert_eq!(filter.matches(&whole, whole.len()), expected, "payload: {context}");
                let (bare, tag) = stripped(frame, tpids);
                if let Some(tag) = tag {
                    let live = filter.matches_with_tag(&bare, bare.len(), tag);
                    assert_eq!(live, expected, "metadata: {context}");
                }
            }
        }
    }
}

/// A preset that no frame of the grid satisfies would prove nothing above.
#[test]
fn every_preset_and_expression_tells_frames_apart() {
    let frames = frames();
    for expression in expressions().iter().filter(|e| !e.is_empty() && *e != "net 10") {
        let filter = Filter::compile(expression, Options::default()).unwrap();
        let matched = frames.iter().filter(|(_, f)| filter.matches(f, f.len())).count();
        assert!(matched < frames.len(), "`{expression}` matches everything");
        let host_of_other_family = expression.contains(" and host ");
        assert!(matched > 0 || host_of_other_family, "`{expression}` matches nothing");
    }
}

#[test]
fn the_literal_meaning_is_libpcaps_own() {
    let options = Options { vlan: VlanMode::Literal, inner: false };
    for expression in
        expressions().iter().map(String::as_str).chain(["vlan", "vlan 100 and icmp", "vlan and vlan"])
    {
        let filter = Filter::compile(expression, options).unwrap();
        assert_eq!(filter.differs_live(), expression.starts_with("vlan"));
        let handle = Capture::dead(Linktype::ETHERNET).unwrap();
        let reference = handle.compile(&without_names(expression), true).unwrap();
        for (name, frame) in frames() {
            for tpids in ENCAPSULATIONS {
                let whole = tagged(&frame, tpids);
                let got = filter.matches(&whole, whole.len());
                assert_eq!(got, reference.filter(&whole), "`{expression}` on {name} in {tpids:04x?}");
            }
        }
    }
}

/// The measured case: one ping in four encapsulations, of which libpcap's `icmp` finds one offline.
#[test]
fn four_of_four() {
    let ping = frames::ipv4(1, &frames::icmp(8, 0));
    let four: [&[u16]; 4] = [&[], &[0x8100], &[0x88a8, 0x8100], &[0x8100, 0x8100]];
    let count =
        |matches: &dyn Fn(&[u8]) -> bool| four.iter().filter(|tpids| matches(&tagged(&ping, tpids))).count();
    let filter = Filter::compile("icmp", Options::default()).unwrap();
    assert_eq!(count(&|frame| filter.matches(frame, frame.len())), 4);
    assert_eq!(count(&|frame| libpcap_says("icmp", frame)), 1);
    let live = four.iter().filter(|tpids| match stripped(&ping, tpids) {
        (bare, Some(tag)) => filter.matches_with_tag(&bare, bare.len(), tag),
        (bare, None) => filter.matches(&bare, bare.len()),
    });
    assert_eq!(live.count(), 4);
}
