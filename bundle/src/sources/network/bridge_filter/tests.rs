use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::sources::shared::PacketFields;
use crate::sources::shared::testing::{hostile, parse_one, survives};

/// nftables 1.0.6 with rules of ebtables 1.8.9 (nf_tables).
const REAL: &str = r#"table bridge nat {
	chain libvirt-I-vnet0 {
		ether type ip ip protocol icmp counter packets 7 bytes 588 drop
		ether saddr 0c:da:41:1d:56:a7 ether type ip ip saddr != 10.0.0.1 counter packets 0 bytes 0 drop
		ether type arp xt match arp counter packets 0 bytes 0 drop
	}

	chain PREROUTING {
		type filter hook prerouting priority dstnat; policy accept;
		iifname "vnet0" counter packets 9 bytes 700 jump libvirt-I-vnet0
	}
}
table bridge guard {
	set quiet {
		type ipv4_addr
		elements = { 10.0.0.7 }
	}

	chain forward {
		type filter hook forward priority 0; policy accept;
		iifname "vnet1" ip daddr 10.0.0.254 ip protocol tcp drop
		ip saddr @quiet drop
	}
}
"#;

fn filter() -> BridgeFilter {
    let parsed = parse_one::<BridgeFilter>("ruleset", "", REAL);
    assert_eq!(parsed.defects, []);
    parsed.value
}

fn packet(protocol: u8, src: &str) -> PacketFields {
    let ip = |text: &str| text.parse::<IpAddr>().ok();
    PacketFields {
        eth_type: Some(0x0800),
        eth_src: "0c:da:41:1d:56:a7".parse().ok(),
        ip_proto: Some(protocol),
        ip_src: ip(src),
        ip_dst: ip("10.0.0.254"),
        ..PacketFields::default()
    }
}

fn end(filter: &BridgeFilter, packet: &PacketFields, enters: &str) -> Option<(String, bool)> {
    let end = filter.drops(&BridgedFrame { packet, enters, leaves: "eth2" })?;
    Some((format!("{} {}", end.chain.name, end.rule.map_or("policy", |rule| &rule.raw)), end.certain))
}

#[test]
fn chains_rules_and_counters() {
    let filter = filter();
    let hooks: Vec<_> =
        filter.chains.iter().map(|c| (c.name.as_str(), c.hook.as_deref(), c.priority)).collect();
    let expected = [
        ("libvirt-I-vnet0", None, 0),
        ("PREROUTING", Some("prerouting"), -300),
        ("forward", Some("forward"), 0),
    ];
    assert_eq!((hooks.as_slice(), filter.complete), (&expected[..], true));
    let first = &filter.chains[0].rules[0];
    assert_eq!((first.packets, &first.verdict), (Some(7), &Verdict::Drop));
    assert_eq!(first.matches.join(" "), "ether type ip ip protocol icmp");
}

#[test]
fn the_first_rule_that_drops_is_named() {
    let filter = filter();
    let (icmp, tcp) = (packet(1, "10.0.0.1"), packet(6, "10.0.0.1"));
    let (rule, certain) = end(&filter, &icmp, "vnet0").unwrap();
    assert!(certain && rule.starts_with("libvirt-I-vnet0 ether type ip ip protocol icmp"), "{rule}");
    // A sender that is not the bound one.
    let (rule, certain) = end(&filter, &packet(6, "10.0.0.9"), "vnet0").unwrap();
    assert!(certain && rule.contains("ip saddr != 10.0.0.1"), "{rule}");
    assert_eq!(end(&filter, &tcp, "vnet0"), None);
    assert!(end(&filter, &tcp, "vnet1").unwrap().0.starts_with("forward"));
    assert_eq!(end(&filter, &icmp, "vnet1"), None, "the jump is vnet0's");
}

/// nftables 1.0.6, a chain at one device and one at two.
const DEVICES: &str = r#"table netdev guard {
	chain in0 {
		type filter hook ingress device "vnet0" priority filter; policy accept;
		icmp type echo-request counter packets 3 bytes 252 drop
		tcp dport 22 drop
	}

	chain out {
		type filter hook egress devices = { "eth2", "eth3" } priority filter; policy accept;
		udp sport 53 drop
	}
}
"#;

#[test]
fn rules_at_devices_are_asked_at_their_devices_only() {
    let filter = parse_one::<BridgeFilter>("netdev", "", DEVICES);
    assert_eq!((filter.defects.as_slice(), filter.value.devices_complete), (&[][..], Some(true)));
    let filter = filter.value;
    assert_eq!(filter.device_chains[1].devices, ["eth2", "eth3"]);
    assert!(filter.chains.is_empty());
    let end = |packet: &PacketFields, enters, leaves| {
        let end = filter.drops_at_devices(&BridgedFrame { packet, enters, leaves })?;
        Some((end.chain.name.clone(), end.rule.and_then(|rule| rule.packets), end.certain))
    };
    let ping = PacketFields { icmp_type: Some(8), ..packet(1, "10.0.0.1") };
    let pong = PacketFields { icmp_type: Some(0), ..packet(1, "10.0.0.1") };
    let ssh = PacketFields { l4_dst: Some(22), ..packet(6, "10.0.0.1") };
    let dns = PacketFields { l4_src: Some(53), l4_dst: Some(4711), ..packet(17, "10.0.0.1") };
    assert_eq!(end(&ping, "vnet0", "eth3"), Some(("in0".to_owned(), Some(3), true)));
    assert_eq!(end(&pong, "vnet0", "eth3"), None);
    assert_eq!(end(&ping, "vnet1", "eth3"), None);
    assert_eq!(end(&ssh, "vnet0", "eth3"), Some(("in0".to_owned(), None, true)));
    assert_eq!(end(&dns, "vnet0", "eth3"), Some(("out".to_owned(), None, true)));
    assert_eq!(end(&dns, "vnet0", "eth4"), None);
    // Of another protocol it does not matter what is not known.
    assert_eq!(end(&packet(6, "10.0.0.1"), "vnet0", "eth3"), None);
}

/// A match that is not understood may hold or not.
#[test]
fn what_is_not_understood_is_no_drop_and_no_certainty() {
    let unread = REAL.replace("ip protocol icmp counter", "vlan id 7 ip protocol icmp counter");
    let filter = parse_one::<BridgeFilter>("ruleset", "", &unread).value;
    assert_eq!(end(&filter, &packet(1, "10.0.0.1"), "vnet0"), None);
    let (_, certain) = end(&filter, &packet(1, "10.0.0.9"), "vnet0").unwrap();
    assert!(!certain, "an earlier rule may have decided");
}

#[test]
fn a_policy_drops_what_no_rule_decides() {
    let text = "table bridge t {\n\tchain f {\n\t\ttype filter hook forward priority filter; policy drop;\n\t\tip saddr 10.0.0.1 accept\n\t}\n}\n";
    let filter = parse_one::<BridgeFilter>("ruleset", "", text).value;
    assert_eq!(end(&filter, &packet(1, "10.0.0.1"), "vnet0"), None);
    assert_eq!(end(&filter, &packet(1, "10.0.0.2"), "vnet0"), Some(("f policy".to_owned(), true)));
}

#[test]
fn an_empty_list_is_whole_and_a_stranger_is_not() {
    assert!(parse_one::<BridgeFilter>("ruleset", "", "").value.complete);
    let stranger = parse_one::<BridgeFilter>("ruleset", "", "hello\n");
    assert!(!stranger.value.complete && stranger.defects.len() == 1);
}

proptest! {
    #[test]
    fn hostile_text_never_panics(bytes in hostile(REAL), cut: bool) {
        survives::<BridgeFilter>(&bytes, cut);
    }
}
