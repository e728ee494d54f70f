//! Who talks to whom: by addresses, and by ports too.

use std::net::IpAddr;

use netcap_words::wire::ip_protocol::{ICMP, ICMPV6};
use netcap_words::wire::ip_protocol_name;

use super::hash::mix;

/// Protocol number of [`FiveTuple`] for ARP, which has none; 255 is reserved by IANA.
pub(crate) const PROTOCOL_ARP: u8 = 255;

/// The name of a tuple's protocol: `icmp`, `tcp`, `arp`; `ip/47` for one that tools name by its number.
pub(crate) fn protocol_name(number: u8) -> String {
    match ip_protocol_name(number) {
        Some(name) => name.to_owned(),
        None if number == PROTOCOL_ARP => "arp".to_owned(),
        None => format!("ip/{number}"),
    }
}

/// Packets of one protocol from one address to another, whatever their ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FlowKey {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// IP protocol, or [`PROTOCOL_ARP`].
    pub protocol: u8,
}

/// One direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FiveTuple {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// IP protocol, or [`PROTOCOL_ARP`].
    pub protocol: u8,
    /// Source port, or the identifier of an echo.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
}

impl FiveTuple {
    /// The other direction; an echo keeps its identifier.
    #[must_use]
    pub(crate) fn reversed(self) -> Self {
        let echo = matches!(self.protocol, ICMP | ICMPV6);
        let (sport, dport) = if echo { (self.sport, self.dport) } else { (self.dport, self.sport) };
        Self { src: self.dst, dst: self.src, protocol: self.protocol, sport, dport }
    }

    /// Without the ports.
    pub(crate) fn flow(&self) -> FlowKey {
        FlowKey { src: self.src, dst: self.dst, protocol: self.protocol }
    }

    /// A number that stands for it.
    pub(crate) fn hash(&self) -> u64 {
        let bits = |ip: IpAddr| match ip {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let (src, dst) = (bits(self.src), bits(self.dst));
        let ports = u64::from(self.sport) << 16 | u64::from(self.dport) | u64::from(self.protocol) << 32;
        #[allow(clippy::cast_possible_truncation)] // halves of 128 bits
        let halves = [src as u64, (src >> 64) as u64, dst as u64, (dst >> 64) as u64];
        halves.into_iter().fold(mix(ports, 1), mix)
    }
}
