//! `NORMAL`: a bridge's own switching by VLAN and learned address (`xlate_normal`, ofproto/ofproto-dpif-xlate.c).

use super::field::{Slot, TAGGED};
use super::model::Cause;
use super::packet::Packet;
use super::ports::Ports;
use crate::Mac;
use crate::sources::ovs::fdb::OvsFdb;
use crate::sources::ovs::ovsdb::Port;
use crate::sources::shared::OfPort;

/// What becomes of a packet.
#[derive(Debug)]
pub(super) enum Switched<'a> {
    /// It leaves by these ports, and is in this VLAN.
    To(Vec<&'a Port>, u16),
    /// It ends here.
    Ends(Cause),
    /// It is switched, and nothing says where to.
    Somewhere,
}

/// Switches a packet.
pub(super) fn switch<'a>(
    ports: &Ports<'a>,
    fdb: Option<&OvsFdb>,
    bridge: &str,
    packet: &Packet,
) -> Switched<'a> {
    let Some(dst) = packet.get(Slot::EthDst).exact_low(48) else { return Switched::Somewhere };
    let (Some(configs), Some(in_port)) = (ports.configs(), packet.in_port()) else {
        return Switched::Somewhere;
    };
    let Some(input) = ports.by_number(in_port).and_then(|desc| ports.config(&desc.name)) else {
        return Switched::Somewhere;
    };
    let Some(tag) = packet.vid() else { return Switched::Somewhere };
    if is_odd(input) {
        return Switched::Somewhere;
    }
    let Some(vlan) = enters(input, tag) else { return Switched::Ends(Cause::Vlan) };
    if is_reserved(dst) && !ports.forwards_reserved() {
        return Switched::Ends(Cause::Reserved);
    }
    if ports.switches_oddly() || configs.iter().any(is_odd) {
        return Switched::Somewhere;
    }
    let multicast = dst >> 40 & 1 == 1;
    let Some(fdb) = fdb.filter(|_| input.bond_mode.is_none() || input.interfaces.len() < 2) else {
        return Switched::Somewhere;
    };
    let learned = fdb
        .entries
        .iter()
        .find(|entry| entry.bridge == bridge && entry.vlan == vlan && number(entry.mac) == dst && !multicast);
    match learned {
        Some(entry) => match by_number(ports, entry.port) {
            Some(port) if port.name == input.name => Switched::Ends(Cause::Switching),
            Some(port) => Switched::To(vec![port], vlan),
            None => Switched::Somewhere,
        },
        None => flood(ports, configs, input, vlan),
    }
}

fn flood<'a>(ports: &Ports<'a>, configs: &'a [Port], input: &Port, vlan: u16) -> Switched<'a> {
    let floodable = |port: &Port| {
        let flags = port.interfaces.iter().filter_map(|i| i.ofport).filter_map(|n| ports.by_number(n));
        !flags.flat_map(|desc| &desc.config).any(|flag| flag == "NO_FLOOD")
    };
    let to: Vec<&Port> = configs
        .iter()
        .filter(|port| port.name != input.name && carries(port, vlan) && floodable(port))
        .filter(|port| port.interfaces.iter().any(|i| i.ofport.is_some_and(|n| ports.by_number(n).is_some())))
        .collect();
    if to.is_empty() { Switched::Ends(Cause::Switching) } else { Switched::To(to, vlan) }
}

fn by_number<'a>(ports: &Ports<'a>, number: OfPort) -> Option<&'a Port> {
    ports.config(&ports.by_number(number)?.name)
}

fn number(mac: Mac) -> u128 {
    super::field::mac(mac)
}

/// 01:80:c2:00:00:00 to :0f, and the addresses of Cisco and Extreme that OVS holds for reserved as well
/// (`eth_addr_is_reserved`, lib/packets.c).
fn is_reserved(dst: u128) -> bool {
    const CISCO: [u128; 4] = [0x0100_0ccc_cccc, 0x0100_0ccc_cccd, 0x0100_0ccd_cdcd, 0x0100_0c00_0000];
    const EXTREME: [u128; 4] = [0x00e0_2b00_0000, 0x00e0_2b00_0004, 0x00e0_2b00_0006, 0x00e0_2b00_0001];
    dst >> 4 == 0x0180_c200_0000 >> 4 || CISCO.contains(&dst) || EXTREME.contains(&dst)
}

/// Switching of such a port is more than is followed here.
fn is_odd(port: &Port) -> bool {
    port.vlan_mode.as_deref() == Some("dot1q-tunnel")
        || port.other_config.get("protected").is_some_and(|v| v == "true")
}

/// How a port treats VLANs (vswitchd.conf.db(5), Port table).
enum Mode {
    Access,
    Trunk,
    Native { untagged: bool },
}

fn mode(port: &Port) -> Mode {
    match (port.vlan_mode.as_deref(), port.tag) {
        (Some("trunk"), _) | (None, None) => Mode::Trunk,
        (Some("native-tagged"), _) => Mode::Native { untagged: false },
        (Some("native-untagged"), _) => Mode::Native { untagged: true },
        _ => Mode::Access,
    }
}

fn trunks(port: &Port, vlan: u16) -> bool {
    port.trunks.is_empty() || port.trunks.contains(&vlan)
}

/// The VLAN of a packet with that tag (0: none) at the port it comes in at; `None` when it is refused
/// (`input_vid_is_valid`).
fn enters(port: &Port, tag: u16) -> Option<u16> {
    match mode(port) {
        Mode::Access => (tag == 0).then_some(port.tag.unwrap_or(0)),
        Mode::Native { .. } if tag == 0 => Some(port.tag.unwrap_or(0)),
        Mode::Native { .. } => (Some(tag) == port.tag || trunks(port, tag)).then_some(tag),
        Mode::Trunk => trunks(port, tag).then_some(tag),
    }
}

/// `xbundle_includes_vlan`; a native VLAN takes the place of VLAN 0 (`bundle_set`, ofproto/ofproto-dpif.c).
fn carries(port: &Port, vlan: u16) -> bool {
    match mode(port) {
        Mode::Access => port.tag.unwrap_or(0) == vlan,
        Mode::Native { .. } => match port.tag.unwrap_or(0) {
            0 => trunks(port, vlan),
            native => vlan == native || (vlan != 0 && trunks(port, vlan)),
        },
        Mode::Trunk => trunks(port, vlan),
    }
}

/// The tag with which a packet of that VLAN leaves (`output_normal`).
pub(super) fn retag(packet: &mut Packet, port: &Port, vlan: u16) {
    let bare = match mode(port) {
        Mode::Access => true,
        Mode::Native { untagged } => untagged && port.tag == Some(vlan),
        Mode::Trunk => false,
    };
    if bare || vlan == 0 {
        packet.set(Slot::Tci, 0);
    } else {
        let mut tci = packet.get(Slot::Tci);
        tci.put_masked(u128::from(vlan) | TAGGED, 0x1fff);
        packet.put(Slot::Tci, tci);
    }
}
