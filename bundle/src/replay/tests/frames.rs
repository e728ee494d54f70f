//! Frames made by hand.

const SRC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const DST: [u8; 6] = [2, 0, 0, 0, 0, 2];

fn ethernet(eth_type: u16, body: &[u8]) -> Vec<u8> {
    let mut frame = [DST, SRC].concat();
    frame.extend(eth_type.to_be_bytes());
    frame.extend(body);
    frame
}

fn ip4(src: [u8; 4], dst: [u8; 4], proto: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + body.len()).unwrap().to_be_bytes();
    let mut packet = vec![0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, proto, 0, 0];
    packet.extend(src);
    packet.extend(dst);
    packet.extend(body);
    ethernet(0x0800, &packet)
}

pub(super) fn icmp(src: [u8; 4], dst: [u8; 4], kind: u8) -> Vec<u8> {
    ip4(src, dst, 1, &[kind, 0, 0, 0, 0, 7, 0, 1])
}

pub(super) fn udp(src: [u8; 4], dst: [u8; 4], sport: u16, dport: u16) -> Vec<u8> {
    ip4(src, dst, 17, &[&sport.to_be_bytes()[..], &dport.to_be_bytes(), &[0, 8, 0, 0]].concat())
}

pub(super) fn tcp(src: [u8; 4], dst: [u8; 4], sport: u16, dport: u16, flags: u8) -> Vec<u8> {
    let rest = [0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0, 64, 0, 0, 0, 0];
    ip4(src, dst, 6, &[&sport.to_be_bytes()[..], &dport.to_be_bytes(), &rest].concat())
}

pub(super) fn arp(from: [u8; 4], to: [u8; 4]) -> Vec<u8> {
    let mut body = vec![0, 1, 8, 0, 6, 4, 0, 1];
    body.extend(SRC);
    body.extend(from);
    body.extend([0; 6]);
    body.extend(to);
    ethernet(0x0806, &body)
}

pub(super) fn tagged(vid: u16, frame: &[u8]) -> Vec<u8> {
    let mut out = frame[..12].to_vec();
    out.extend([0x81, 0x00]);
    out.extend(vid.to_be_bytes());
    out.extend(&frame[12..]);
    out
}
