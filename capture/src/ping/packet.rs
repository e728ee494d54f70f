//! Echo packets: making requests, reading what comes back (RFC 792, RFC 4443).

use std::net::IpAddr;

use pnet::packet::Packet;
use pnet::packet::icmp::{
    self, IcmpTypes, echo_reply::EchoReplyPacket, echo_request::MutableEchoRequestPacket,
};
use pnet::packet::icmpv6::{Icmpv6Types, echo_request::MutableEchoRequestPacket as MutableEchoRequestV6};

/// ICMP header and 56 bytes, as ping(8) sends by default.
pub(super) const LENGTH: usize = 64;

/// What one received packet says about our requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Received {
    /// An answer to this request.
    Reply(u16),
    /// An error about this request, in words.
    Error(u16, String),
}

/// An echo request. The kernel fills in the checksum of ICMPv6, which needs the source address.
pub(super) fn request(address: IpAddr, id: u16, seq: u64) -> Option<Vec<u8>> {
    let mut bytes: Vec<u8> = (0..LENGTH).map(|i| u8::try_from(i & 0xff).unwrap_or(0)).collect();
    // The wire has 16 bits of the number.
    let seq = u16::try_from(seq & 0xffff).ok()?;
    if address.is_ipv4() {
        let mut packet = MutableEchoRequestPacket::new(&mut bytes)?;
        packet.set_icmp_type(IcmpTypes::EchoRequest);
        packet.set_icmp_code(icmp::IcmpCode::new(0));
        packet.set_identifier(id);
        packet.set_sequence_number(seq);
        packet.set_checksum(0);
        let sum = icmp::checksum(&icmp::IcmpPacket::new(packet.packet())?);
        packet.set_checksum(sum);
    } else {
        let mut packet = MutableEchoRequestV6::new(&mut bytes)?;
        packet.set_icmpv6_type(Icmpv6Types::EchoRequest);
        packet.set_icmpv6_code(pnet::packet::icmpv6::Icmpv6Code::new(0));
        packet.set_identifier(id);
        packet.set_sequence_number(seq);
        packet.set_checksum(0);
    }
    Some(bytes)
}

/// The request inside a copy of a sent frame, whatever headers precede it: the kernel gives it back with its stamp.
pub(super) fn sequence_of_sent(frame: &[u8], id: u16) -> Option<u16> {
    let start = frame.len().checked_sub(LENGTH)?;
    let request = frame.get(start..)?;
    let field = |at: usize| request.get(at..)?.first_chunk::<2>().map(|b| u16::from_be_bytes(*b));
    (field(4)? == id).then(|| field(6)).flatten()
}

/// Reads a packet from a raw ICMP socket, which gives the IPv4 header as well.
pub(super) fn read_v4(bytes: &[u8], id: u16) -> Option<(Received, u8)> {
    let ip = pnet::packet::ipv4::Ipv4Packet::new(bytes)?;
    let header = usize::from(ip.get_header_length()) * 4;
    let icmp = bytes.get(header..)?;
    let (kind, code) = (*icmp.first()?, *icmp.get(1)?);
    let said = if kind == IcmpTypes::EchoReply.0 {
        let reply = EchoReplyPacket::new(icmp)?;
        (reply.get_identifier() == id).then(|| Received::Reply(reply.get_sequence_number()))?
    } else {
        let inner = icmp.get(8..)?;
        let length = usize::from(inner.first()? & 0x0f) * 4;
        let seq = quoted(inner.get(length..)?, IcmpTypes::EchoRequest.0, id)?;
        Received::Error(seq, format!("{} (from {})", words_v4(kind, code), ip.get_source()))
    };
    Some((said, ip.get_ttl()))
}

/// Reads a packet from a raw ICMPv6 socket, which begins with the ICMPv6 header.
pub(super) fn read_v6(bytes: &[u8], id: u16) -> Option<Received> {
    let (kind, code) = (*bytes.first()?, *bytes.get(1)?);
    if kind == Icmpv6Types::EchoReply.0 {
        return quoted(bytes, kind, id).map(Received::Reply);
    }
    // 8 bytes of ICMPv6, 40 of the IPv6 header it quotes.
    let seq = quoted(bytes.get(48..)?, Icmpv6Types::EchoRequest.0, id)?;
    Some(Received::Error(seq, words_v6(kind, code)))
}

/// Sequence number of an echo header of that type and identifier.
fn quoted(icmp: &[u8], kind: u8, id: u16) -> Option<u16> {
    let field = |at: usize| icmp.get(at..)?.first_chunk::<2>().map(|b| u16::from_be_bytes(*b));
    (*icmp.first()? == kind && field(4)? == id).then(|| field(6)).flatten()
}

/// RFC 792 and RFC 1812, section 5.2.7.1, in the words of ping(8).
fn words_v4(kind: u8, code: u8) -> String {
    let words = match (kind, code) {
        (3, 0) => "Destination Net Unreachable",
        (3, 1) => "Destination Host Unreachable",
        (3, 2) => "Destination Protocol Unreachable",
        (3, 3) => "Destination Port Unreachable",
        (3, 4) => "Frag needed and DF set",
        (3, 9 | 10 | 13) => "Packet filtered",
        (11, 0) => "Time to live exceeded",
        _ => return format!("ICMP type {kind} code {code}"),
    };
    words.to_owned()
}

/// RFC 4443, section 3.
fn words_v6(kind: u8, code: u8) -> String {
    let words = match (kind, code) {
        (1, 0) => "Destination unreachable: No route",
        (1, 1) => "Destination unreachable: Administratively prohibited",
        (1, 3) => "Destination unreachable: Address unreachable",
        (1, 4) => "Destination unreachable: Port unreachable",
        (2, _) => "Packet too big",
        (3, 0) => "Time exceeded: Hop limit",
        _ => return format!("ICMPv6 type {kind} code {code}"),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v4(icmp: &[u8]) -> Vec<u8> {
        let mut out = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 61, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        out.extend_from_slice(icmp);
        out
    }

    #[test]
    fn requests_answers_and_errors_are_told_apart() {
        let request = request("10.0.0.1".parse().unwrap(), 7, 70_000).unwrap();
        assert_eq!(
            (request.len(), icmp::checksum(&icmp::IcmpPacket::new(&request).unwrap())),
            (64, { u16::from_be_bytes([request[2], request[3]]) })
        );
        assert_eq!(sequence_of_sent(&v4(&request), 7), Some(4464));
        let mut reply = request.clone();
        reply[0] = 0;
        assert_eq!(read_v4(&v4(&reply), 7), Some((Received::Reply(4464), 61)));
        assert_eq!(read_v4(&v4(&reply), 8), None);
        let mut error = vec![3, 1, 0, 0, 0, 0, 0, 0];
        error.extend_from_slice(&v4(&request[..8]));
        let Some((Received::Error(4464, why), _)) = read_v4(&v4(&error), 7) else { panic!("not an error") };
        assert_eq!(why, "Destination Host Unreachable (from 10.0.0.1)");
    }

    #[test]
    fn six() {
        let mut packet = request("::1".parse().unwrap(), 9, 5).unwrap();
        packet[0] = 129;
        assert_eq!(read_v6(&packet, 9), Some(Received::Reply(5)));
        packet[0] = 128;
        let mut error = vec![1, 3, 0, 0, 0, 0, 0, 0];
        error.extend_from_slice(&[0; 40]);
        error.extend_from_slice(&packet);
        let why = "Destination unreachable: Address unreachable".to_owned();
        assert_eq!(read_v6(&error, 9), Some(Received::Error(5, why)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = (read_v4(&bytes, 7), read_v6(&bytes, 7), sequence_of_sent(&bytes, 7));
        }
    }
}
