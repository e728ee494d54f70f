//! A packet in a pipeline: every field a rule can ask for, each known, partly known or not.

use netcap_words::wire::ether_type;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bits::Bits;
use super::field::{Field, Need, SLOTS, Slot, TAGGED};
use crate::sources::shared::{OfPort, Ternary};

/// A packet with its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    slots: [Bits; SLOTS],
}

impl Packet {
    /// Of which nothing is known but that it has just come in: metadata is zero, and conntrack has not seen it.
    pub(super) fn blank() -> Self {
        let mut packet = Self { slots: [Bits::UNKNOWN; SLOTS] };
        for slot in [
            Slot::Metadata,
            Slot::PktMark,
            Slot::TunId,
            Slot::Tunnel,
            Slot::ConjId,
            Slot::RecircId,
            Slot::Wide0,
            Slot::Wide1,
            Slot::Wide2,
            Slot::Wide3,
        ] {
            packet.set(slot, 0);
        }
        packet.forget_tracking();
        packet
    }

    pub(super) fn get(&self, slot: Slot) -> Bits {
        self.slots.get(slot as usize).copied().unwrap_or(Bits::UNKNOWN)
    }

    pub(super) fn put(&mut self, slot: Slot, bits: Bits) {
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = bits;
        }
    }

    pub(super) fn set(&mut self, slot: Slot, value: u128) {
        self.put(slot, Bits::known(value));
    }

    pub(super) fn read(&self, field: &Field) -> Bits {
        self.get(field.slot).part(field.first, field.width)
    }

    pub(super) fn write(&mut self, field: &Field, bits: Bits) {
        let mut whole = self.get(field.slot);
        whole.put(field.first, field.width, bits);
        self.put(field.slot, whole);
    }

    /// The port it came in at.
    pub(super) fn in_port(&self) -> Option<OfPort> {
        self.get(Slot::InPort).exact_low(16).and_then(|port| u16::try_from(port).ok()).map(OfPort)
    }

    pub(super) fn is_eth_type(&self, wanted: &[u16]) -> Ternary {
        let known = self.get(Slot::EthType).exact_low(16);
        Ternary::of(known.map(|known| wanted.iter().any(|eth_type| u128::from(*eth_type) == known)))
    }

    pub(super) fn has(&self, need: Need) -> Ternary {
        let proto = |number: u8| self.get(Slot::Proto).agrees(u128::from(number), 0xff);
        match need {
            Need::Nothing => Ternary::Yes,
            Need::Vlan => self.get(Slot::Tci).agrees(TAGGED, TAGGED),
            Need::Arp => self.is_eth_type(&[ether_type::ARP, ether_type::RARP]),
            Need::Ip4 => self.is_eth_type(&[ether_type::IPV4]),
            Need::Ip6 => self.is_eth_type(&[ether_type::IPV6]),
            Need::Ip => self.is_eth_type(&[ether_type::IPV4, ether_type::IPV6]),
            Need::Proto(number) => self.is_eth_type(&[ether_type::IPV4, ether_type::IPV6]).and(proto(number)),
            Need::Icmp(1) => self.is_eth_type(&[ether_type::IPV4]).and(proto(1)),
            Need::Icmp(number) => self.is_eth_type(&[ether_type::IPV6]).and(proto(number)),
        }
    }

    /// Untracked, as a packet comes in and as `ct()` leaves the copy that goes on (`flow_clear_conntrack`, lib/flow.c).
    pub(super) fn forget_tracking(&mut self) {
        for slot in [Slot::CtState, Slot::CtZone, Slot::CtMark, Slot::CtLabel, Slot::CtTuple] {
            self.set(slot, 0);
        }
    }

    /// What it loses on its way through a patch port (`patch_port_output`, ofproto/ofproto-dpif-xlate.c).
    pub(super) fn forget_metadata(&mut self) {
        for slot in
            [Slot::Metadata, Slot::TunId, Slot::Tunnel, Slot::Wide0, Slot::Wide1, Slot::Wide2, Slot::Wide3]
        {
            self.set(slot, 0);
        }
        self.forget_tracking();
    }

    /// The VLAN it is in, when that is known; 0 without a tag.
    pub(super) fn vid(&self) -> Option<u16> {
        u16::try_from(self.get(Slot::Tci).exact_low(12)?).ok()
    }

    /// Addresses of an IP packet, when known.
    pub(super) fn addresses(&self) -> Option<(IpAddr, IpAddr)> {
        let four =
            |slot| Some(Ipv4Addr::from_bits(u32::try_from(self.get(slot).exact_low(32)?).ok()?).into());
        let six = |slot| Some(Ipv6Addr::from_bits(self.get(slot).exact()?).into());
        match self.get(Slot::EthType).exact_low(16)? {
            v if v == u128::from(ether_type::IPV4) => Some((four(Slot::Ip4Src)?, four(Slot::Ip4Dst)?)),
            v if v == u128::from(ether_type::IPV6) => Some((six(Slot::Ip6Src)?, six(Slot::Ip6Dst)?)),
            _ => None,
        }
    }

    /// Replaces source (or destination) by an address of the same family.
    pub(super) fn set_address(&mut self, source: bool, ip: IpAddr) {
        match (ip, source) {
            (IpAddr::V4(ip), true) => self.set(Slot::Ip4Src, u128::from(ip.to_bits())),
            (IpAddr::V4(ip), false) => self.set(Slot::Ip4Dst, u128::from(ip.to_bits())),
            (IpAddr::V6(ip), true) => self.set(Slot::Ip6Src, ip.to_bits()),
            (IpAddr::V6(ip), false) => self.set(Slot::Ip6Dst, ip.to_bits()),
        }
    }

    /// A number of up to 16 bits.
    pub(super) fn small(&self, slot: Slot) -> Option<u16> {
        u16::try_from(self.get(slot).exact_low(16)?).ok()
    }
}
