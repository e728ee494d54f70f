//! A host: ports, VLANs, learned addresses, patch ports into another bridge.

use super::*;
use crate::sources::ovs::fdb::OvsFdb;
use crate::sources::ovs::openflow::OfPortDesc;
use crate::sources::ovs::openflow::OvsOpenflow;
use crate::sources::ovs::ovsdb::Ovsdb;
use crate::sources::ovs::ovsdb::{Bridge, Interface, Port};

fn port(name: &str, number: u16, tag: Option<u16>, peer: Option<&str>) -> Port {
    let mut interface = Interface {
        name: name.into(),
        kind: if peer.is_some() { "patch".into() } else { "system".into() },
        ofport: Some(OfPort(number)),
        ..Interface::default()
    };
    if let Some(peer) = peer {
        interface.options.insert("peer".into(), peer.into());
    }
    Port { name: name.into(), tag, interfaces: vec![interface], ..Port::default() }
}

struct Host {
    openflow: OvsOpenflow,
    ovsdb: Ovsdb,
    fdb: OvsFdb,
}

/// Two bridges: VMs at br0 (VLANs 5 and 6), the uplink at br1 behind a patch.
fn host(br0: &[&str], br1: &[&str], fdb: &str) -> Host {
    let mut openflow = rules(br0);
    openflow.bridges.extend(parse_one::<OvsOpenflow>("dump-flows", "br1", &br1.join("\n")).value.bridges);
    let layout = [
        (
            "br0",
            vec![
                port("vnet0", 1, Some(5), None),
                port("vnet1", 2, Some(5), None),
                port("vnet2", 3, Some(6), None),
                port("up", 9, None, Some("down")),
            ],
        ),
        ("br1", vec![port("eth0", 1, None, None), port("down", 2, None, Some("up"))]),
    ];
    let mut ovsdb = Ovsdb::default();
    for (name, ports) in layout {
        let described = ports.iter().map(|p| OfPortDesc {
            number: p.interfaces[0].ofport.unwrap(),
            name: p.name.clone(),
            mac: None,
            config: Vec::new(),
            state: Vec::new(),
        });
        openflow.bridges.get_mut(name).unwrap().ports = described.collect();
        ovsdb.bridges.push(Bridge { name: name.into(), ports, ..Bridge::default() });
    }
    Host { openflow, ovsdb, fdb: parse_one::<OvsFdb>("fdb-show", "br0", fdb).value }
}

fn exits(host: &Host, packet: Packet) -> Result<Vec<String>, Cause> {
    let dumps = Dumps {
        openflow: &host.openflow,
        ovsdb: Some(&host.ovsdb),
        datapath: None,
        fdb: Some(&host.fdb),
        conntrack: None,
    };
    match replay(&dumps, "br0", packet).decision {
        ForwardingDecision::Forwarded(exits) => Ok(exits.into_iter().map(|exit| exit.port).collect()),
        ForwardingDecision::Dropped(end) => Err(end.cause),
        ForwardingDecision::CannotTell { why, .. } => panic!("{why}"),
    }
}

const NORMAL: &[&str] = &["priority=0 actions=NORMAL"];

#[test]
fn switching_keeps_to_the_vlan_and_the_learned_port() {
    let unknown = host(NORMAL, NORMAL, "");
    // Flooded in VLAN 5: the other VM there and, tagged, the uplink behind the patch.
    assert_eq!(exits(&unknown, ping(1, [1; 4])), Ok(vec!["vnet1".into(), "eth0".into()]));
    let learned = host(NORMAL, NORMAL, "    2     5  02:00:00:00:00:02    7\n");
    assert_eq!(exits(&learned, ping(1, [1; 4])), Ok(vec!["vnet1".into()]));
    assert_eq!(exits(&learned, ping(2, [1; 4])), Err(Cause::Switching));
    let tag = Packet::of_frame(Some(OfPort(1)), &tagged(6, &icmp([1; 4], [2; 4], 8)));
    assert_eq!(exits(&learned, tag), Err(Cause::Vlan));
    let mut lldp = icmp([1; 4], [2; 4], 8);
    lldp[..6].copy_from_slice(&[0x01, 0x80, 0xc2, 0, 0, 0x0e]);
    assert_eq!(exits(&learned, Packet::of_frame(Some(OfPort(1)), &lldp)), Err(Cause::Reserved));
}

#[test]
fn a_patch_port_leads_into_the_other_bridge() {
    let drops = host(
        &["priority=1 actions=load:7->NXM_NX_REG0[],output:9"],
        // Registers do not go along.
        &["priority=9,icmp,in_port=2,reg0=0 actions=drop", "priority=1 actions=output:1"],
        "",
    );
    let dumps = Dumps {
        openflow: &drops.openflow,
        ovsdb: Some(&drops.ovsdb),
        datapath: None,
        fdb: None,
        conntrack: None,
    };
    let replay = replay(&dumps, "br0", ping(1, [1; 4]));
    let ForwardingDecision::Dropped(end) = &replay.decision else { panic!("{replay:#?}") };
    assert_eq!((end.bridge.as_str(), end.rule.unwrap().line), ("br1", 1));
    assert_eq!(replay.chain.iter().map(|rule| rule.bridge.as_str()).collect::<Vec<_>>(), ["br0", "br1"]);
}

#[test]
fn a_port_that_is_not_there_takes_nothing() {
    let host = host(&["priority=1 actions=output:77"], NORMAL, "");
    assert_eq!(exits(&host, ping(1, [1; 4])), Err(Cause::NoPort));
}
