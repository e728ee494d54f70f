//! What a compiled filter tells about itself.

use netcap_filters::{Filter, Instruction, Options, SNAPLEN_MAX_BYTES, VlanMode};
use netcap_tests::frames;

const LITERAL: Options = Options { vlan: VlanMode::Literal, inner: false };
const RETURN: u16 = 6;

fn kept(program: &[Instruction]) -> Vec<u32> {
    let mut kept: Vec<u32> = program.iter().filter(|i| i.code == RETURN && i.k > 0).map(|i| i.k).collect();
    kept.dedup();
    kept
}

#[test]
fn the_snaplen_is_what_is_kept() {
    for expression in ["", "icmp", "not icmp"] {
        let filter = Filter::compile(expression, Options::default()).unwrap();
        assert_eq!(kept(filter.instructions()), [SNAPLEN_MAX_BYTES]);
        assert_eq!(kept(&filter.instructions_with_snaplen(96)), [96]);
        assert_eq!(kept(&filter.instructions_with_snaplen(0)), [SNAPLEN_MAX_BYTES]);
    }
}

/// What does not look behind the MAC addresses does not pay for tags, and works on frames that end there.
#[test]
fn filters_without_offsets_stay_as_they_are() {
    for expression in ["", "ether broadcast", "ether src 0c:da:41:1d:10:2e", "multicast"] {
        let as_meant = Filter::compile(expression, Options::default()).unwrap();
        let literal = Filter::compile(expression, LITERAL).unwrap();
        assert_eq!(as_meant.instructions(), literal.instructions(), "{expression}");
    }
    let filter = Filter::compile("ether broadcast", Options::default()).unwrap();
    assert!(filter.matches(&[0xff; 12], 60));
}

#[test]
fn the_length_on_the_wire_counts_not_the_captured_one() {
    let filter = Filter::compile("greater 1000", Options::default()).unwrap();
    let cut = frames::ipv4(1, &frames::icmp(8, 0));
    assert!(filter.matches(&cut, 1400));
    assert!(!filter.matches(&cut, cut.len()));
    let tagged = frames::tagged(&cut, &[0x8100]);
    assert!(filter.matches(&tagged, 1004) && !filter.matches(&tagged, 1003));
}

#[test]
fn only_a_literal_vlan_differs_live() {
    let differs = |expression, options| Filter::compile(expression, options).unwrap().differs_live();
    assert!(differs("vlan and icmp", LITERAL));
    assert!(!differs("icmp", LITERAL));
    assert!(!differs("vlan and icmp", Options::default()));
}

#[test]
fn the_description_shows_what_runs() {
    let text = Filter::compile("ether broadcast and len > 60", LITERAL).unwrap().describe();
    assert_eq!(
        text,
        "# filter: ether broadcast and len > 60\n\
         # frames: as they are, VLAN tags not looked through\n\
         # program: 8 instructions, in the kernel and offline\n\
         (000) ld       [2]\n\
         (001) jeq      #0xffffffff      jt 2\tjf 7\n\
         (002) ldh      [0]\n\
         (003) jeq      #0xffff          jt 4\tjf 7\n\
         (004) ld       #pktlen\n\
         (005) jgt      #0x3c            jt 6\tjf 7\n\
         (006) ret      #262144\n\
         (007) ret      #0\n"
    );
    let meant = Filter::compile("vlan 5", Options { inner: true, ..Options::default() }).unwrap().describe();
    for part in ["# filter: vlan 5\n", "offload metadata", "inside VXLAN and Geneve", "[vlanp]", "[vlan_tci]"]
    {
        assert!(meant.contains(part), "{part} in {meant}");
    }
}
