use std::net::Ipv4Addr;

use netcap_bundle::packets::Direction::{In, Out};
use netcap_bundle::{Mac, Role};
use netcap_tests::bundle::{BundleBuilder, DumpedPort, ovsdb_dump};
use netcap_tests::packets::{arp_announce, echo, mac, tagged};

use crate::finding::{Confidence, Evidence, Finding, Severity, Subject};
use crate::testing::{explain_path, found, only};

const VM: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
const OTHER: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 21);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 6);

fn vm() -> Mac {
    mac("0c:da:41:1d:56:a7")
}

fn other() -> Mac {
    mac("0c:da:41:1d:56:a8")
}

fn gateway() -> Mac {
    mac("a0:36:9f:97:76:b8")
}

/// What the database says of vnet0, vnet1 and eth3.
fn dump(tags: [Option<u16>; 2], trunks: &[u16]) -> String {
    ovsdb_dump(
        "netdev",
        &[
            DumpedPort { name: "eth3", ifaces: &["eth3"], trunks, ..DumpedPort::default() },
            DumpedPort {
                name: "vnet0",
                ifaces: &["vnet0"],
                tag: tags[0],
                guest: Some(vm()),
                ..DumpedPort::default()
            },
            DumpedPort {
                name: "vnet1",
                ifaces: &["vnet1"],
                tag: tags[1],
                guest: Some(other()),
                ..DumpedPort::default()
            },
        ],
    )
}

/// Two machines at ports with these VLANs, and an uplink with these.
fn bundle(tags: [Option<u16>; 2], trunks: &[u16]) -> BundleBuilder {
    let mut bundle = BundleBuilder::new(60_000);
    let role = |name: &str, mac: Mac| Role::Vnet { vm: Some(name.into()), guest_mac: Some(mac) };
    bundle.point_in("vnet0", role("vm1", vm()), "", Some("vswitch0"), tags[0]);
    bundle.point_in("vnet1", role("vm2", other()), "", Some("vswitch0"), tags[1]);
    bundle.point("eth3", Role::Uplink { bond: None }, "");
    bundle.state(0, &[("ovsdb", "dump", "", &dump(tags, trunks))]);
    bundle
}

fn to_other(bundle: &mut BundleBuilder, seconds: std::ops::Range<u16>) {
    for n in seconds {
        bundle.frame("vnet0", i64::from(n) * 1_000, In, &echo(false, vm(), other(), VM, OTHER, n));
    }
}

fn to_gateway(bundle: &mut BundleBuilder, out: Option<u16>) {
    for n in 10..16 {
        let ms = i64::from(n) * 1_000;
        let frame = echo(false, vm(), gateway(), VM, GATEWAY, n);
        bundle.frame("vnet0", ms, In, &frame);
        if let Some(vlan) = out {
            bundle.frame("eth3", ms, Out, &tagged(vlan, &frame));
        }
    }
}

fn findings(bundle: BundleBuilder) -> Vec<Finding> {
    found(&bundle.seal(), "vlan-mismatch")
}

#[test]
fn two_machines_in_two_vlans_are_one_finding_for_both_directions() {
    let mut bundle = bundle([Some(188), Some(189)], &[]);
    to_other(&mut bundle, 10..16);
    for n in 20..24u16 {
        bundle.frame("vnet1", i64::from(n) * 1_000, In, &echo(false, other(), vm(), OTHER, VM, n));
    }
    let findings = findings(bundle);
    assert_eq!(only(&findings), (Severity::Error, Confidence::Proven));
    let finding = &findings[0];
    assert_eq!(
        finding.claim.english(),
        "What enters vswitch0 at vnet0 is in VLAN 188, and had to leave at vnet1 (VLAN 189 only): that does not carry it."
    );
    let ports = vec!["vnet0".to_owned(), "vnet1".to_owned()];
    assert_eq!(finding.subject, Subject::Ports { switch: Some("vswitch0".into()), ports });
    assert_eq!(finding.consequences.len(), 2);
    let Evidence::Snapshot { line, .. } = &finding.evidence[0] else { panic!("{:#?}", finding.evidence) };
    assert_eq!(line, "Port vnet0: tag 188, trunks []");
    assert!(finding.remedy.english().contains("ovs-vsctl set Port vnet1 tag=188"));
}

#[test]
fn a_trunk_that_leaves_a_vlan_out_is_one_finding_for_both_directions() {
    let mut bundle = bundle([Some(188), None], &[0, 100]);
    to_gateway(&mut bundle, None);
    for n in 20..26u16 {
        let frame = echo(false, gateway(), vm(), GATEWAY, VM, n);
        bundle.frame("eth3", i64::from(n) * 1_000, In, &tagged(188, &frame));
    }
    let findings = findings(bundle);
    assert_eq!(only(&findings), (Severity::Error, Confidence::Proven));
    assert_eq!(findings[0].consequences.len(), 2);
    assert!(findings[0].remedy.english().contains("ovs-vsctl add Port eth3 trunks 188"));
    let mut works = self::bundle([Some(188), None], &[0, 100, 188]);
    to_gateway(&mut works, None);
    assert!(self::findings(works).is_empty(), "the trunk carries it");
}

/// The machine's pings leave in VLAN 77; what is heard at eth3.
fn apart(heard: &[Vec<u8>]) -> Vec<Finding> {
    let mut bundle = bundle([Some(77), None], &[]);
    for (n, frame) in heard.iter().enumerate() {
        bundle.frame("eth3", 5_000 + i64::try_from(n).unwrap() * 100, In, frame);
    }
    to_gateway(&mut bundle, Some(77));
    findings(bundle)
}

#[test]
fn who_is_heard_in_another_vlan_only_is_likely_apart() {
    let there = tagged(188, &arp_announce(gateway(), GATEWAY));
    let findings = apart(std::slice::from_ref(&there));
    assert_eq!(only(&findings), (Severity::Error, Confidence::Likely));
    assert_eq!(
        findings[0].claim.english(),
        "What 172.16.51.20 sends at vnet0 is in VLAN 77, and 172.16.51.6 is in VLAN 188 (heard at eth3): they cannot reach \
         each other."
    );
    let here = tagged(77, &arp_announce(gateway(), GATEWAY));
    assert!(apart(&[there, here]).is_empty(), "it is in both");
    assert!(apart(&[]).is_empty(), "nobody is heard");
    let stranger = tagged(188, &arp_announce(other(), GATEWAY));
    assert!(apart(&[stranger]).is_empty(), "somebody else has that address there");
}

#[test]
fn the_vlan_of_that_time_counts() {
    let mut repaired = bundle([Some(188), Some(189)], &[]);
    repaired.state(20_000, &[("ovsdb", "dump", "", &dump([Some(188), Some(188)], &[]))]);
    to_other(&mut repaired, 30..36);
    assert!(findings(repaired).is_empty());
    // Between the two readings nobody knows which held.
    let mut between = bundle([Some(188), Some(189)], &[]);
    between.state(20_000, &[("ovsdb", "dump", "", &dump([Some(188), Some(188)], &[]))]);
    to_other(&mut between, 10..16);
    assert!(findings(between).is_empty());
}

#[test]
fn a_port_that_was_not_recorded_is_likely() {
    let mut bundle = BundleBuilder::new(60_000);
    let role = Role::Vnet { vm: Some("vm1".into()), guest_mac: Some(vm()) };
    bundle.point_in("vnet0", role, "", Some("vswitch0"), Some(188));
    bundle.point("eth3", Role::Uplink { bond: None }, "");
    bundle.state(0, &[("ovsdb", "dump", "", &dump([Some(188), Some(189)], &[]))]);
    to_other(&mut bundle, 10..16);
    assert_eq!(only(&findings(bundle)).1, Confidence::Likely);
}

#[test]
fn a_rule_drops_before_anything_is_switched() {
    let mut bundle = bundle([Some(188), Some(189)], &[]);
    let rule = " cookie=0x30, duration=238.433s, table=0, n_packets=6, n_bytes=6210, priority=20,icmp,in_port=2 \
                actions=drop\n cookie=0x0, duration=900.1s, table=0, n_packets=5000, n_bytes=1, priority=0 actions=NORMAL\n";
    for ms in [5_000, 30_000] {
        bundle.state(ms, &[("ovs-openflow", "dump-flows", "vswitch0", rule)]);
    }
    to_other(&mut bundle, 10..16);
    let verdict = explain_path(&bundle.seal().path, 1);
    let ids: Vec<&str> = verdict.findings.iter().map(|finding| finding.detector).collect();
    assert!(ids.contains(&"acl-drop") && !ids.contains(&"vlan-mismatch"), "{ids:?}");
}

/// The port lost its tag on the way: pings that leave untagged are not answered, those before were.
#[test]
fn a_vlan_that_was_changed_meanwhile_is_told_by_what_was_answered() {
    for (other, found) in [(0, 1), (188, 0)] {
        let mut bundle = bundle([Some(188), Some(188)], &[]);
        for n in 10..22_u16 {
            let ms = i64::from(n) * 1_000;
            let frame = echo(false, vm(), gateway(), VM, GATEWAY, n);
            let answer = echo(true, gateway(), vm(), GATEWAY, VM, n);
            bundle.frame("vnet0", ms, In, &frame);
            if n < 16 {
                bundle.frame("eth3", ms, Out, &tagged(188, &frame));
                bundle.frame("eth3", ms + 1, In, &tagged(188, &answer)).frame("vnet0", ms + 1, Out, &answer);
            } else {
                let frame = if other == 0 { frame } else { tagged(other, &frame) };
                bundle.frame("eth3", ms, Out, &frame);
            }
        }
        bundle.state(15_500, &[("ovsdb", "dump", "", &dump([None, Some(188)], &[]))]);
        let findings = findings(bundle);
        assert_eq!(findings.len(), found, "{findings:#?}");
        let Some(finding) = findings.first() else { continue };
        assert_eq!(finding.confidence, Confidence::Likely);
        let claim = finding.claim.english();
        assert!(claim.starts_with("The VLAN of vnet0 was changed") && claim.contains("VLAN 188"), "{claim}");
        assert!(finding.remedy.english().contains("ovs-vsctl set Port vnet0 tag=188"));
    }
}

/// The machine's bridge is joined to the one with the uplink by patch ports of these VLANs: tag and trunks of each.
fn across_patches(near: (Option<u16>, &str), far: (Option<u16>, &str)) -> Vec<Finding> {
    let set = |words: &str| format!(r#"["set",[{words}]]"#);
    let tag = |tag: Option<u16>| tag.map_or_else(|| set(""), |tag| tag.to_string());
    let port = |name: &str, vlan: (Option<u16>, &str)| {
        format!(r#"[["uuid","{name}"],"{name}",["uuid","{name}"],{},{}]"#, tag(vlan.0), set(vlan.1))
    };
    let iface = |name: &str, kind: &str, peer: &str| {
        let peer = if peer.is_empty() { String::new() } else { format!(r#"["peer","{peer}"]"#) };
        format!(r#"[["uuid","{name}"],"{name}","{kind}",["map",[{peer}]]]"#)
    };
    let table = |name: &str, columns: &str, rows: &[String]| {
        format!("{{\"caption\":\"{name} table\",\"data\":[{}],\"headings\":[{columns}]}}\n", rows.join(","))
    };
    let bridge = |name: &str, ports: [&str; 2]| {
        let ports = ports.map(|port| format!(r#"["uuid","{port}"]"#)).join(",");
        format!(r#"[["uuid","{name}"],"{name}","netdev",["set",[{ports}]]]"#)
    };
    let database = table(
        "Bridge",
        r#""_uuid","name","datapath_type","ports""#,
        &[bridge("app", ["vnet0", "up"]), bridge("vswitch0", ["down", "eth3"])],
    ) + &table(
        "Port",
        r#""_uuid","name","interfaces","tag","trunks""#,
        &[port("vnet0", (Some(188), "")), port("up", near), port("down", far), port("eth3", (None, ""))],
    ) + &table(
        "Interface",
        r#""_uuid","name","type","options""#,
        &[
            iface("vnet0", "tap", ""),
            iface("up", "patch", "down"),
            iface("down", "patch", "up"),
            iface("eth3", "system", ""),
        ],
    );
    let mut bundle = BundleBuilder::new(60_000);
    let role = Role::Vnet { vm: Some("vm1".into()), guest_mac: Some(vm()) };
    bundle.point_in("vnet0", role, "", Some("app"), Some(188)).point("eth3", Role::Uplink { bond: None }, "");
    bundle.state(0, &[("ovsdb", "dump", "", &database)]);
    to_gateway(&mut bundle, None);
    findings(bundle)
}

#[test]
fn a_patch_port_between_two_bridges_has_vlans_of_its_own() {
    for (near, far, patch) in [
        ((None, "100"), (None, ""), "up"),
        ((None, ""), (None, "100"), "down"),
        ((Some(77), ""), (None, ""), "up"),
        ((None, ""), (Some(188), ""), "down"),
    ] {
        let findings = across_patches(near, far);
        assert_eq!(only(&findings), (Severity::Error, Confidence::Proven), "{near:?} {far:?}");
        let claim = findings[0].claim.english();
        assert!(claim.contains(&format!("had to cross the patch port {patch} (")), "{claim}");
        assert!(findings[0].remedy.english().contains(&format!(" Port {patch} ")), "{near:?} {far:?}");
    }
    for (near, far) in [
        ((None, ""), (None, "")),
        ((None, "188"), (None, "100,188")),
        // Without a tag in between: another VLAN behind it, and the trunk at the uplink takes all.
        ((Some(188), ""), (Some(77), "")),
        ((Some(188), ""), (Some(188), "")),
    ] {
        assert!(across_patches(near, far).is_empty(), "{near:?} {far:?}");
    }
}
