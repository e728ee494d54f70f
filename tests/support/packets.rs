//! Packets of hand-made bundles.

#![allow(missing_docs, clippy::unwrap_used)] // names say what they are, and a test that cannot go on panics

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::PacketBuilder;
use netcap_bundle::Mac;

pub fn mac(text: &str) -> Mac {
    text.parse().unwrap()
}

pub fn ethernet(dst: Mac, src: Mac, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [dst.0, src.0].concat();
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
    frame.resize(frame.len().max(60), 0);
    frame
}

/// Puts a VLAN tag behind the addresses.
pub fn tagged(vid: u16, frame: &[u8]) -> Vec<u8> {
    let mut out = frame[..12].to_vec();
    out.extend([0x81, 0x00]);
    out.extend(vid.to_be_bytes());
    out.extend(&frame[12..]);
    out
}

pub fn arp(op: u16, dst: Mac, src: Mac, sha: Mac, spa: Ipv4Addr, tha: Mac, tpa: Ipv4Addr) -> Vec<u8> {
    let mut body = vec![0, 1, 8, 0, 6, 4];
    body.extend(op.to_be_bytes());
    body.extend(sha.0);
    body.extend(spa.octets());
    body.extend(tha.0);
    body.extend(tpa.octets());
    ethernet(dst, src, 0x0806, &body)
}

pub fn arp_probe(who: Mac, ip: Ipv4Addr) -> Vec<u8> {
    arp(1, Mac::BROADCAST, who, who, Ipv4Addr::UNSPECIFIED, Mac::default(), ip)
}

pub fn arp_announce(who: Mac, ip: Ipv4Addr) -> Vec<u8> {
    arp(1, Mac::BROADCAST, who, who, ip, Mac::default(), ip)
}

pub fn arp_reply(who: Mac, ip: Ipv4Addr, to: Mac, to_ip: Ipv4Addr) -> Vec<u8> {
    arp(2, to, who, who, ip, to, to_ip)
}

pub fn arp_request(who: Mac, ip: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    arp(1, Mac::BROADCAST, who, who, ip, Mac::default(), target)
}

/// A neighbor advertisement for `ip`; `flags`: 0x40 solicited, 0x20 override.
pub fn nd_advertisement(who: Mac, ip: Ipv6Addr, flags: u8) -> Vec<u8> {
    let mut body = vec![flags, 0, 0, 0];
    body.extend(ip.octets());
    body.extend([2, 1]);
    body.extend(who.0);
    icmp6(who, ip, "ff02::1".parse().unwrap(), 136, &body)
}

/// Duplicate address detection for `ip`.
pub fn nd_probe(who: Mac, ip: Ipv6Addr) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(ip.octets());
    icmp6(who, Ipv6Addr::UNSPECIFIED, "ff02::1:ff00:1".parse().unwrap(), 135, &body)
}

fn icmp6(src: Mac, from: Ipv6Addr, to: Ipv6Addr, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut icmp = vec![kind, 0, 0, 0];
    icmp.extend(body);
    let mut ip = vec![0x60, 0, 0, 0];
    ip.extend(u16::try_from(icmp.len()).unwrap().to_be_bytes());
    ip.extend([58, 255]);
    ip.extend(from.octets());
    ip.extend(to.octets());
    ip.extend(icmp);
    ethernet(mac("33:33:00:00:00:01"), src, 0x86dd, &ip)
}

pub fn echo(reply: bool, src: Mac, dst: Mac, from: Ipv4Addr, to: Ipv4Addr, seq: u16) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(src.0, dst.0).ipv4(from.octets(), to.octets(), 64);
    let builder = if reply { builder.icmpv4_echo_reply(7, seq) } else { builder.icmpv4_echo_request(7, seq) };
    let mut out = Vec::new();
    builder.write(&mut out, &[0; 32]).unwrap();
    out
}

pub fn syn(src: Mac, dst: Mac, from: Ipv4Addr, to: Ipv4Addr, sport: u16, dport: u16) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(src.0, dst.0).ipv4(from.octets(), to.octets(), 64);
    let mut out = Vec::new();
    builder.tcp(sport, dport, 1000, 64_240).syn().write(&mut out, &[]).unwrap();
    out
}

/// A TCP segment with that sequence number and length, and that IP identification.
pub fn segment(way: (Mac, Mac), pair: (Ipv4Addr, Ipv4Addr), seq: u32, length: usize, ident: u16) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(way.0.0, way.1.0).ipv4(pair.0.octets(), pair.1.octets(), 64);
    let mut out = Vec::new();
    builder.tcp(40_000, 80, seq, 64_240).ack(1).write(&mut out, &vec![b'x'; length]).unwrap();
    out[18..20].copy_from_slice(&ident.to_be_bytes());
    out
}

/// A UDP datagram with that IP identification.
pub fn datagram(way: (Mac, Mac), pair: (Ipv4Addr, Ipv4Addr), payload: &[u8], ident: u16) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(way.0.0, way.1.0).ipv4(pair.0.octets(), pair.1.octets(), 64);
    let mut out = Vec::new();
    builder.udp(40_000, 53).write(&mut out, payload).unwrap();
    out[18..20].copy_from_slice(&ident.to_be_bytes());
    out
}

pub fn udp(src: Mac, dst: Mac, from: Ipv4Addr, to: Ipv4Addr, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(src.0, dst.0).ipv4(from.octets(), to.octets(), 64);
    let mut out = Vec::new();
    builder.udp(ports.0, ports.1).write(&mut out, payload).unwrap();
    out
}

/// A VRRP advertisement of version 2 for one address, as keepalived sends it without a MAC of its own.
pub fn vrrp(src: Mac, group: u8, priority: u8) -> Vec<u8> {
    let to = [224, 0, 0, 18];
    let builder =
        PacketBuilder::ethernet2(src.0, [0x01, 0, 0x5e, 0, 0, 0x12]).ipv4([172, 16, 51, 2], to, 255);
    let body = [&[0x21, group, priority, 1, 0, 1, 0, 0, 172, 16, 51, 23][..], &[0; 8]].concat();
    let mut out = Vec::new();
    builder.write(&mut out, 112.into(), &body).unwrap();
    out
}

/// LLDP as lldpd sends it: chassis, port, time to live, system name.
pub fn lldp(src: Mac, port: &str, system: &str) -> Vec<u8> {
    let mut body = vec![2, 7, 4];
    body.extend(src.0);
    body.extend([4, u8::try_from(port.len() + 1).unwrap(), 5]);
    body.extend(port.as_bytes());
    body.extend([6, 2, 0, 120, 10, u8::try_from(system.len()).unwrap()]);
    body.extend(system.as_bytes());
    body.extend([0, 0]);
    ethernet(mac("01:80:c2:00:00:0e"), src, 0x88cc, &body)
}
