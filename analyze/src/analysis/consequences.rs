//! What died of a fault, one line for each kind of packets between two addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::deaths::{Death, Deaths, Group};
use crate::engine::PacketKind;
use crate::engine::flow::protocol_name;
use crate::text::Text;

/// Lines shown; the rest is summed up.
const LINES_MAX: usize = 8;

/// Packets of one kind between two addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct DeadPackets {
    kind: PacketKind,
    protocol: u8,
    src: IpAddr,
    dst: IpAddr,
}

/// By number of the finding that explains them, the most deaths first.
pub(super) fn consequences(
    deaths: &Deaths<'_>,
    explains: impl Fn(&Death) -> Option<usize>,
) -> BTreeMap<usize, Vec<Text>> {
    let mut sums: BTreeMap<usize, BTreeMap<DeadPackets, u64>> = BTreeMap::new();
    for group in &deaths.groups {
        let Group { kind, protocol, src, dst, .. } = *group;
        for death in group.deaths.iter().filter(|death| death.packets > 0) {
            if let Some(number) = explains(death) {
                let of = sums.entry(number).or_default();
                *of.entry(DeadPackets { kind, protocol, src, dst }).or_default() += death.packets;
            }
        }
    }
    sums.into_iter().map(|(number, sums)| (number, lines(sums))).collect()
}

fn lines(sums: BTreeMap<DeadPackets, u64>) -> Vec<Text> {
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, packets)| std::cmp::Reverse(*packets));
    let rest = sums.split_off(LINES_MAX.min(sums.len()));
    let mut out: Vec<Text> = sums.into_iter().map(|(of, packets)| line(of, packets)).collect();
    if !rest.is_empty() {
        let packets: u64 = rest.iter().map(|(_, packets)| packets).sum();
        out.push(Text::new("consequence.more").with("count", packets).with("pairs", rest.len()));
    }
    out
}

fn line(of: DeadPackets, packets: u64) -> Text {
    let DeadPackets { kind, protocol, src, dst } = of;
    let one = packets == 1;
    let key = match kind {
        PacketKind::EchoRequest if one => "consequence.ping-one",
        PacketKind::EchoRequest => "consequence.ping",
        PacketKind::EchoReply if one => "consequence.pong-one",
        PacketKind::EchoReply => "consequence.pong",
        PacketKind::Syn if one => "consequence.syn-one",
        PacketKind::Syn => "consequence.syn",
        PacketKind::SynAck if one => "consequence.syn-ack-one",
        PacketKind::SynAck => "consequence.syn-ack",
        PacketKind::ArpRequest if one => "consequence.arp-one",
        PacketKind::ArpRequest => "consequence.arp",
        PacketKind::ArpReply if one => "consequence.arp-reply-one",
        PacketKind::ArpReply => "consequence.arp-reply",
        PacketKind::Other if one => "consequence.other-one",
        PacketKind::Other => "consequence.other",
    };
    Text::new(key)
        .with("count", packets)
        .with("src", src)
        .with("dst", dst)
        .with("protocol", protocol_name(protocol))
}
