//! What connection tracking says of a packet, from the dumped table.
//!
//! A reply is established; the original direction is new until an answer was seen. What the dump does not show (the
//! status of connections without a state, reopened connections, errors about other packets) stays unknown.

use netcap_words::wire::ip_protocol;
use std::net::IpAddr;

use super::bits::Bits;
use super::field::{CT_DNAT, CT_EST, CT_INV, CT_NEW, CT_REL, CT_RPL, CT_SNAT, CT_TRK, Slot};
use super::packet::Packet;
use crate::sources::ovs::conntrack::{CtEntry, CtTuple, OvsConntrack};
use crate::sources::shared::Ternary;

const FIN: u128 = 0x01;
const SYN: u128 = 0x02;
const RST: u128 = 0x04;
const ACK: u128 = 0x10;

/// What a lookup in one zone gives.
#[derive(Debug, Clone)]
pub(super) struct Tracked<'a> {
    pub(super) state: Bits,
    pub(super) entry: Option<&'a CtEntry>,
    /// The packet goes the way of the connection's answers.
    pub(super) is_reply: bool,
}

fn state(value: u128) -> Bits {
    Bits::known(value | CT_TRK)
}

/// Tracked, and nothing else is known.
fn open() -> Bits {
    Bits::partly(CT_TRK, CT_TRK)
}

/// Tracked, of the original direction, valid; whether answered is not known.
fn new_or_established() -> Bits {
    Bits::partly(CT_TRK, !(CT_NEW | CT_EST))
}

/// Looks a packet up.
pub(super) fn lookup<'a>(table: Option<&'a OvsConntrack>, packet: &Packet, zone: Option<u16>) -> Tracked<'a> {
    let nothing = |state| Tracked { state, entry: None, is_reply: false };
    if packet.has(super::field::Need::Ip) == Ternary::No {
        return nothing(state(CT_INV));
    }
    let tuple = tuple(packet);
    let (Some(table), Some(zone), Some((proto, wanted))) = (table, zone, tuple) else {
        return nothing(open());
    };
    let of_zone = || table.entries.iter().filter(|entry| entry.zone == zone && is_proto(entry, proto));
    if let Some(entry) = of_zone().find(|entry| same(&entry.orig, &wanted)) {
        let is_syn =
            proto == ip_protocol::TCP && packet.get(Slot::TcpFlags).agrees(SYN, SYN | ACK) != Ternary::No;
        return Tracked { state: original(entry, is_syn), entry: Some(entry), is_reply: false };
    }
    if let Some(entry) = of_zone().find(|entry| same_reply(&entry.reply, &wanted)) {
        return Tracked { state: state(CT_EST | CT_RPL), entry: Some(entry), is_reply: true };
    }
    if table.complete { nothing(unseen(packet, proto)) } else { nothing(open()) }
}

/// The state of a packet in the direction of a connection's first.
fn original(entry: &CtEntry, is_syn: bool) -> Bits {
    if entry.is_half_open() {
        return state(CT_NEW);
    }
    match entry.state.as_str() {
        // A connection attempt on one that is ending opens it anew, or not.
        "" if entry.status.is_empty() => new_or_established(),
        "ESTABLISHED" | "" => state(CT_EST),
        _ if is_syn => new_or_established(),
        _ => state(CT_EST),
    }
}

/// The state of a packet of no known connection.
fn unseen(packet: &Packet, proto: u8) -> Bits {
    let flag = |mask: u128| packet.get(Slot::TcpFlags).agrees(mask, mask);
    match proto {
        ip_protocol::UDP => state(CT_NEW),
        ip_protocol::TCP => match (flag(SYN), flag(ACK), flag(RST), flag(FIN)) {
            // Neither datapath opens a connection for the second step of a handshake.
            (Ternary::Yes, Ternary::Yes, ..) => state(CT_INV),
            // A first step, or picked up in the middle (`nf_conntrack_tcp_loose`, and always in lib/conntrack-tcp.c).
            (Ternary::Yes, Ternary::No, Ternary::No, Ternary::No)
            | (Ternary::No, Ternary::Yes, Ternary::No, Ternary::No) => state(CT_NEW),
            _ => open(),
        },
        ip_protocol::ICMP => match packet.small(Slot::TpSrc) {
            // Echo, timestamp and information requests (nf_conntrack_proto_icmp.c, lib/conntrack-icmp.c).
            Some(8 | 13 | 15 | 17) => state(CT_NEW),
            Some(0 | 14 | 16 | 18) => state(CT_INV),
            _ => open(),
        },
        ip_protocol::ICMPV6 => match packet.small(Slot::TpSrc) {
            Some(128) => state(CT_NEW),
            Some(129) => state(CT_INV),
            _ => open(),
        },
        _ => open(),
    }
}

/// Protocol, and the tuple of a packet that is no fragment and no error message.
fn tuple(packet: &Packet) -> Option<(u8, CtTuple)> {
    if packet.get(Slot::Frag).agrees(0, 3) != Ternary::Yes {
        return None;
    }
    let (src, dst) = packet.addresses()?;
    let proto = u8::try_from(packet.get(Slot::Proto).exact_low(8)?).ok()?;
    let (low, high) = (packet.small(Slot::TpSrc)?, packet.small(Slot::TpDst)?);
    let mut tuple = CtTuple { src: Some(src), dst: Some(dst), ..CtTuple::default() };
    match proto {
        ip_protocol::ICMP | ip_protocol::ICMPV6 => tuple.icmp_type = u8::try_from(low).ok(),
        _ => (tuple.sport, tuple.dport) = (Some(low), Some(high)),
    }
    Some((proto, tuple))
}

fn is_proto(entry: &CtEntry, proto: u8) -> bool {
    let named = match entry.proto.as_str() {
        "icmp" => 1,
        "tcp" => 6,
        "udp" => 17,
        "icmpv6" => 58,
        "sctp" => 132,
        other => return other.parse() == Ok(proto),
    };
    named == proto
}

/// The identifier of an echo is no field of a flow, so any connection of these hosts and that type is taken.
fn same(entry: &CtTuple, packet: &CtTuple) -> bool {
    (entry.src, entry.dst, entry.icmp_type) == (packet.src, packet.dst, packet.icmp_type)
        && (entry.sport, entry.dport) == (ports(entry, packet))
}

fn same_reply(entry: &CtTuple, packet: &CtTuple) -> bool {
    same(entry, packet)
}

/// A tuple without ports (a protocol that has none) is compared without.
fn ports(entry: &CtTuple, packet: &CtTuple) -> (Option<u16>, Option<u16>) {
    if entry.sport.is_none() && entry.dport.is_none() { (None, None) } else { (packet.sport, packet.dport) }
}

/// Translates the packet as `ct(nat)` does for a connection that is in the table, or leaves unknown what a new one
/// would be given.
pub(super) fn translate(packet: &mut Packet, tracked: &Tracked<'_>, nat: &str) -> Bits {
    if let Some(entry) = tracked.entry {
        return by_entry(packet, entry, tracked);
    }
    if tracked.state.agrees(CT_NEW, CT_NEW) != Ternary::No && !nat.is_empty() {
        by_range(packet, nat);
    }
    tracked.state
}

fn by_entry(packet: &mut Packet, entry: &CtEntry, tracked: &Tracked<'_>) -> Bits {
    // The other direction's tuple, turned round, is what the packet becomes.
    let other = if tracked.is_reply { &entry.orig } else { &entry.reply };
    let (snat, dnat) = (entry.reply.dst != entry.orig.src, entry.reply.src != entry.orig.dst);
    let ports = (entry.reply.dport != entry.orig.sport, entry.reply.sport != entry.orig.dport);
    if let (Some(src), Some(dst)) = (other.dst, other.src) {
        packet.set_address(true, src);
        packet.set_address(false, dst);
    }
    if let (Some(src), Some(dst)) = (other.dport, other.sport) {
        packet.set(Slot::TpSrc, u128::from(src));
        packet.set(Slot::TpDst, u128::from(dst));
    }
    let mut flags = 0;
    if snat || ports.0 {
        flags |= CT_SNAT;
    }
    if dnat || ports.1 {
        flags |= CT_DNAT;
    }
    let mut state = tracked.state;
    state.put_masked(flags, CT_SNAT | CT_DNAT);
    state
}

/// `src=10.0.0.1`, `dst=10.0.0.1-10.0.0.9:1000-2000,random`: one address is certain, a choice is not.
fn by_range(packet: &mut Packet, nat: &str) {
    for piece in nat.split(',') {
        let Some((side, range)) = piece.trim().split_once('=') else { continue };
        let source = side == "src";
        if let Ok(ip) = range.parse::<IpAddr>() {
            packet.set_address(source, ip);
        } else {
            for slot in if source { [Slot::Ip4Src, Slot::Ip6Src] } else { [Slot::Ip4Dst, Slot::Ip6Dst] } {
                packet.put(slot, Bits::UNKNOWN);
            }
            packet.put(if source { Slot::TpSrc } else { Slot::TpDst }, Bits::UNKNOWN);
        }
        if source {
            // A port that is taken is replaced.
            packet.put(Slot::TpSrc, Bits::UNKNOWN);
        }
    }
}

/// `+trk+new`, with the flags that are not known left out.
pub(super) fn words(state: Bits) -> String {
    let names = [
        (CT_TRK, "trk"),
        (CT_NEW, "new"),
        (CT_EST, "est"),
        (CT_REL, "rel"),
        (CT_RPL, "rpl"),
        (CT_INV, "inv"),
    ];
    let set = names.iter().filter(|(flag, _)| state.agrees(*flag, *flag) == Ternary::Yes);
    set.flat_map(|(_, name)| ["+", name]).collect()
}
