use proptest::prelude::*;

use super::*;
use crate::sources::shared::testing::{corpus_texts, hostile, item, parse_one, score, survives};

/// A manual's text: version before 2.15, one word capitalised by hand.
const OLD: &str = "\
---- vswitch0_bond ----
bond_mode: active-backup
bond may use recirculation: no, Recirc-ID : -1
bond-hash-basis: 0
updelay: 0 ms
downdelay: 0 ms
lACP_status: off
lACP_fallback_ab: true
active slave mac: 40:a8:f0:28:14:d8(eth0)

slave eth0: enabled
\tactive slave
\tmay_enable: true

slave eth1: enabled
\tmay_enable: true

";

/// Two bonds of version 3.1.
const NEW: &str = "\
---- lacpbond ----
bond_mode: balance-tcp
bond may use recirculation: yes, Recirc-ID : 1
bond-hash-basis: 0
lb_output action: disabled, bond-id: -1
updelay: 0 ms
downdelay: 0 ms
next rebalance: 9298 ms
lacp_status: configured
lacp_fallback_ab: false
active-backup primary: <none>
active member mac: 00:00:00:00:00:00(none)

member eth4: disabled
  may_enable: false

member eth5: disabled
  may_enable: false

---- vswitch0_bond ----
bond_mode: active-backup
bond may use recirculation: no, Recirc-ID : -1
bond-hash-basis: 0
lb_output action: disabled, bond-id: -1
updelay: 0 ms
downdelay: 31000 ms
lacp_status: off
lacp_fallback_ab: false
active-backup primary: eth2 (no such member)
active member mac: e6:69:a0:48:4f:a9(eth3)

member eth2: enabled
  may_enable: true

member eth3: enabled
  active member
  may_enable: true

";

const LACP: &str = "\
---- lacpbond ----
  status: active negotiated
  sys_id: 3a:ae:6e:f1:f9:43
  sys_priority: 65534
  aggregation key: 1
  lacp_time: slow

member: eth4: current attached
  port_id: 2
  port_priority: 65535
  may_enable: true

  actor sys_id: 3a:ae:6e:f1:f9:43
  actor sys_priority: 65534
  actor port_id: 2
  actor port_priority: 65535
  actor key: 1
  actor state: activity aggregation synchronized collecting distributing

  partner sys_id: 00:23:89:5f:71:07
  partner sys_priority: 32768
  partner port_id: 5
  partner port_priority: 32768
  partner key: 4
  partner state: activity timeout aggregation

slave: eth5: defaulted detached
\tport_id: 1
\tpartner sys_id: 00:00:00:00:00:00
\tpartner state:
";

#[test]
fn reads_both_spellings_alike() {
    for (text, bond, active, backup) in [(OLD, 0, "eth0", "eth1"), (NEW, 1, "eth3", "eth2")] {
        let parsed = parse_one::<OvsBond>("bond-show", "", text);
        assert_eq!(parsed.defects, []);
        let bond = &parsed.value.bonds[bond];
        assert_eq!((bond.name.as_str(), &bond.mode), ("vswitch0_bond", &BondMode::ActiveBackup));
        assert_eq!(bond.lacp_status, LacpStatus::Off);
        assert_eq!(bond.active.as_deref(), Some(active));
        assert!(bond.active_mac.is_some());
        let (_, member) = parsed.value.member(active).unwrap();
        assert!(member.active && member.enabled && member.may_enable == Some(true));
        assert!(!parsed.value.member(backup).unwrap().1.active);
    }
}

#[test]
fn a_failed_negotiation_has_no_active_member() {
    let parsed = parse_one::<OvsBond>("bond-show", "", NEW);
    let bond = parsed.value.bond("lacpbond").unwrap();
    assert_eq!((bond.lacp_status, &bond.mode), (LacpStatus::Configured, &BondMode::BalanceTcp));
    assert_eq!((&bond.active, bond.active_mac), (&None, None));
    assert!(bond.members.iter().all(|m| !m.enabled && m.may_enable == Some(false)));
    assert_eq!(parsed.value.bond("vswitch0_bond").unwrap().downdelay_ms, Some(31_000));
    assert_eq!(parsed.value.bond("vswitch0_bond").unwrap().primary.as_deref(), Some("eth2"));
}

#[test]
fn lacp_keeps_both_sides_apart() {
    let parsed = parse_one::<OvsBond>("lacp-show", "", LACP);
    assert_eq!(parsed.defects, []);
    let lacp = parsed.value.lacp("lacpbond").unwrap();
    assert!(lacp.active && lacp.negotiated);
    let (eth4, eth5) = (&lacp.members[0], &lacp.members[1]);
    assert_eq!((eth4.status, eth4.attached), (LacpInfo::Current, true));
    assert_eq!(eth4.partner.sys_id, "00:23:89:5f:71:07".parse().ok());
    assert_eq!(eth4.partner.state, ["activity", "timeout", "aggregation"]);
    assert_eq!((eth5.status, eth5.attached), (LacpInfo::Defaulted, false));
    assert!(eth5.partner.sys_id.unwrap().is_zero() && eth5.partner.state.is_empty());
}

#[test]
fn both_items_fill_one_snapshot_and_strangers_are_named() {
    let strange = format!("{NEW}  surprise\n");
    let parsed = OvsBond::parse(&[item("bond-show", "", &strange), item("lacp-show", "", LACP)]);
    assert_eq!((parsed.value.bonds.len(), parsed.value.lacp.len()), (2, 1));
    assert_eq!(parsed.defects.len(), 1);
    assert_eq!(parsed.defects[0].line, NEW.lines().count() + 1);
}

#[test]
fn corpus_parses() {
    let bonds = corpus_texts("text/openvswitch+ovs/blocks", &["/bond_show/"]);
    let lacp: Vec<_> = corpus_texts("text/openvswitch+ovs/blocks", &["/lacp_show/"])
        .into_iter()
        // The test suite asks lacp/show and bond/show in one block: take the part before the first bond line.
        .map(|(name, text)| (name, text.split("\nbond_mode").next().unwrap().to_owned()))
        .collect();
    let (files, clean) = score::<OvsBond>("bond-show", &bonds);
    assert_eq!(files, clean);
    let (files, clean) = score::<OvsBond>("lacp-show", &lacp);
    assert_eq!(files, clean);
}

proptest! {
    #[test]
    fn hostile_text_never_panics(bytes in prop_oneof![hostile(OLD), hostile(NEW), hostile(LACP)], cut: bool) {
        survives::<OvsBond>(&bytes, cut);
    }
}
