use std::net::Ipv4Addr;

use netcap_bundle::Role;
use netcap_bundle::packets::Direction::In;
use netcap_tests::bundle::{BundleBuilder, SealedBundle};
use netcap_tests::packets::{echo, mac};

use crate::finding::{Confidence, Severity};
use crate::testing::{found, only, ruled};

const VM: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 6);
const GUEST: &str = "0c:da:41:1d:56:a7";
const FILTER: &str = "<filter name='quiet' chain='ipv4' priority='-700'>\n<rule action='drop' direction='out' \
    priority='100'><ip protocol='icmp'/></rule>\n</filter>\n";
const DOMAIN: &str = "<domain type='kvm' id='3'><name>web</name><devices><interface type='bridge'>\
    <mac address='0c:da:41:1d:56:a7'/><source bridge='br0'/><target dev='vnet0'/>\
    <filterref filter='quiet'/></interface></devices></domain>";

fn rules(rule: &str, packets: u64) -> String {
    let rule = rule.replace("counter", &format!("counter packets {packets} bytes 9"));
    format!(
        "table bridge nat {{\n\tchain libvirt-I-vnet0 {{\n\t\t{rule}\n\t}}\n\n\tchain PREROUTING {{\n\t\ttype filter hook \
         prerouting priority dstnat; policy accept;\n\t\tiifname \"vnet0\" counter packets 9 bytes 9 jump libvirt-I-vnet0\n\
         \t}}\n}}\n"
    )
}

fn ports(state: &str) -> String {
    format!(
        r#"[{{"ifindex":3,"ifname":"eth2","flags":["UP"],"mtu":1500,"master":"br0","state":"forwarding"}},{{"ifindex":4,"ifname":"vnet0","flags":["UP"],"mtu":1500,"master":"br0","state":"{state}"}}]"#
    )
}

/// Ten pings of the guest enter br0 and leave it nowhere.
fn bundle(state: &str, rule: Option<&str>, filtered: bool) -> SealedBundle {
    let (vm, router) = (mac(GUEST), mac("a0:36:9f:97:76:b8"));
    let mut bundle = BundleBuilder::new(60_000);
    let vnet = Role::Vnet { vm: Some("web".into()), guest_mac: Some(vm) };
    bundle.point_in("vnet0", vnet, "", Some("br0"), None);
    bundle.point_in("eth2", Role::Uplink { bond: None }, "", Some("br0"), None);
    for n in 10..20_u16 {
        bundle.frame("vnet0", i64::from(n) * 1_000, In, &echo(false, vm, router, VM, GATEWAY, n));
    }
    for (ms, packets) in [(0, 2), (30_000, 12), (58_000, 12)] {
        let (ports, rules) = (ports(state), rule.map(|rule| rules(rule, packets)));
        let mut samples = vec![("linux-bridge", "link", "", ports.as_str())];
        samples.extend(rules.as_deref().map(|text| ("bridge-filter", "ruleset", "", text)));
        if filtered {
            samples.extend([("libvirt", "domain", "web", DOMAIN), ("libvirt", "nwfilter", "quiet", FILTER)]);
        }
        bundle.state(ms, &samples);
    }
    bundle.seal()
}

#[test]
fn a_rule_of_ebtables_that_counted_them_is_proven() {
    let sealed = bundle("forwarding", Some("ether type ip ip protocol icmp counter drop"), false);
    let findings = found(&sealed, "linux-bridge");
    assert_eq!(only(&findings), (Severity::Error, Confidence::Proven));
    let (claim, remedy) = (findings[0].claim.english(), findings[0].remedy.english());
    assert!(claim.contains("chain libvirt-I-vnet0 of table bridge nat"), "{claim}");
    assert!(remedy.contains("virsh dumpxml web") && !remedy.contains("ovs-"), "{remedy}");
}

#[test]
fn a_rule_without_a_counter_is_likely_and_one_for_others_is_none() {
    let silent = bundle("forwarding", Some("ip protocol icmp drop"), false);
    assert_eq!(only(&found(&silent, "linux-bridge")), (Severity::Error, Confidence::Likely));
    let other = bundle("forwarding", Some("ip daddr 172.16.51.9 ip protocol icmp counter drop"), false);
    assert!(found(&other, "linux-bridge").is_empty());
    assert!(ruled(&other).iter().any(|text| text.starts_with("a filter rule of br0")), "{:?}", ruled(&other));
}

/// A match that is not understood may hold or not.
#[test]
fn a_rule_behind_one_that_is_not_understood_is_not_blamed() {
    let sealed = bundle("forwarding", Some("vlan id 7 accept\n\t\tip protocol icmp counter drop"), false);
    assert!(found(&sealed, "linux-bridge").is_empty());
    assert!(
        ruled(&sealed).iter().any(|text| text.contains("not all are understood")),
        "{:?}",
        ruled(&sealed)
    );
}

#[test]
fn a_port_that_spanning_tree_holds_forwards_nothing() {
    let findings = found(&bundle("listening", Some("accept"), false), "linux-bridge");
    assert_eq!(only(&findings), (Severity::Error, Confidence::Proven));
    assert!(
        findings[0].claim.english().contains("does not let vnet0, VM web forward in br0: it is 'listening'")
    );
}

/// libvirt's filter is enforced on a kernel bridge, so what is configured there decides even where the kernel's rules were
/// not recorded.
#[test]
fn the_machines_network_filter_is_named() {
    let sealed = bundle("forwarding", None, true);
    let findings = found(&sealed, "acl-drop");
    assert_eq!(only(&findings), (Severity::Error, Confidence::Likely));
    let (claim, remedy) = (findings[0].claim.english(), findings[0].remedy.english());
    assert!(claim.starts_with("Rule 1 of the network filter 'quiet' of vnet0"), "{claim}");
    assert!(remedy.contains("'quiet' of vnet0"), "{remedy}");
}

#[test]
fn without_rules_nobody_can_tell() {
    let sealed = bundle("forwarding", None, false);
    assert!(found(&sealed, "linux-bridge").is_empty());
    assert!(
        ruled(&sealed).iter().any(|text| text.contains("nft list ruleset bridge")),
        "{:?}",
        ruled(&sealed)
    );
}

const UPLINK: &str = r#"{"ifname":"eth2","vlans":[{"vlan":1,"flags":["PVID","Egress Untagged"]}]}"#;

/// Ten pings of the guest enter br0 and leave it nowhere; what br0 thinks of VLANs, and the VLANs of its ports.
fn with_vlans(filtering: u8, ports_of_vlans: &str) -> SealedBundle {
    let (vm, router) = (mac(GUEST), mac("a0:36:9f:97:76:b8"));
    let mut bundle = BundleBuilder::new(60_000);
    let vnet = Role::Vnet { vm: Some("web".into()), guest_mac: Some(vm) };
    bundle.point_in("vnet0", vnet, "", Some("br0"), None);
    bundle.point_in("eth2", Role::Uplink { bond: None }, "", Some("br0"), None);
    for n in 10..20_u16 {
        bundle.frame("vnet0", i64::from(n) * 1_000, In, &echo(false, vm, router, VM, GATEWAY, n));
    }
    let bridge = format!(
        r#"[{{"ifindex":2,"ifname":"br0","flags":["UP"],"mtu":1500,"operstate":"UP","linkinfo":{{"info_kind":"bridge","info_data":{{"stp_state":0,"vlan_filtering":{filtering}}}}}}}]"#
    );
    let (ports, vlans) = (ports("forwarding"), format!("[{ports_of_vlans}]"));
    for ms in [0, 30_000, 58_000] {
        bundle.state(ms, &[("linux-bridge", "link", "", &ports), ("linux-bridge", "vlan", "", &vlans)]);
        bundle.state(ms, &[("links", "link", "", &bridge)]);
    }
    bundle.seal()
}

fn vnet(vlans: &str) -> String {
    format!(r#"{UPLINK},{{"ifname":"vnet0","vlans":[{vlans}]}}"#)
}

#[test]
fn a_vlan_that_the_uplink_does_not_carry_is_named() {
    let findings =
        found(&with_vlans(1, &vnet(r#"{"vlan":188,"flags":["PVID","Egress Untagged"]}"#)), "linux-bridge");
    assert_eq!(only(&findings), (Severity::Error, Confidence::Proven));
    let claim = findings[0].claim.english();
    assert!(claim.contains("eth2 is no member of VLAN 188"), "{claim}");
}

#[test]
fn a_port_without_pvid_takes_no_untagged_frames() {
    let findings = found(&with_vlans(1, &vnet(r#"{"vlan":1}"#)), "linux-bridge");
    let claim = findings[0].claim.english();
    assert!(claim.contains("vnet0 takes no frames without a tag"), "{claim}");
}

#[test]
fn vlans_of_a_bridge_that_does_not_filter_them_decide_nothing() {
    let other = vnet(r#"{"vlan":188,"flags":["PVID","Egress Untagged"]}"#);
    assert!(found(&with_vlans(0, &other), "linux-bridge").is_empty());
    let same = vnet(r#"{"vlan":1,"flags":["PVID","Egress Untagged"]}"#);
    assert!(found(&with_vlans(1, &same), "linux-bridge").is_empty());
}
