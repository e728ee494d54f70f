//! Values with masks as OVS and libvirt print them: `22`, `0x16/0xfffe`, `10.0.0.0/8`, `10.0.0.0/255.0.0.0`,
//! `01:00:00:00:00:00/01:00:00:00:00:00`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::text::number;
use crate::Mac;

/// A number of which only the bits in `mask` count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Masked {
    /// Wanted bits; those outside the mask mean nothing.
    pub value: u64,
    /// The bits that count; all ones when no mask was given.
    pub mask: u64,
}

impl Masked {
    /// Reads `value` or `value/mask`, decimal or hexadecimal.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('/') {
            None => Some(Self { value: number(text)?, mask: u64::MAX }),
            Some((value, mask)) => Some(Self { value: number(value)?, mask: number(mask)? }),
        }
    }

    /// True when `value` agrees in every bit that counts.
    pub fn matches(self, value: u64) -> bool {
        (value ^ self.value) & self.mask == 0
    }

    /// The value when every bit of a field of `bits` bits counts.
    pub fn exact(self, bits: u32) -> Option<u64> {
        let field = u64::MAX.checked_shr(64_u32.saturating_sub(bits)).unwrap_or(0);
        (self.mask & field == field).then_some(self.value & field)
    }
}

/// An Ethernet address of which only the bits in `mask` count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaskedMac {
    /// The address.
    pub value: Mac,
    /// The bits that count.
    pub mask: Mac,
}

impl MaskedMac {
    /// Reads `mac` or `mac/mask`.
    pub fn parse(text: &str) -> Option<Self> {
        let (value, mask) = text.split_once('/').unwrap_or((text, "ff:ff:ff:ff:ff:ff"));
        Some(Self { value: value.parse().ok()?, mask: mask.parse().ok()? })
    }

    /// True when `mac` agrees in every bit that counts.
    pub fn matches(self, mac: Mac) -> bool {
        self.value
            .0
            .iter()
            .zip(self.mask.0)
            .zip(mac.0)
            .all(|((value, mask), byte)| (value ^ byte) & mask == 0)
    }

    /// The address when every bit counts.
    pub fn exact(self) -> Option<Mac> {
        (self.mask == Mac::BROADCAST).then_some(self.value)
    }
}

/// An IP address of which only the bits in `mask` count; both are of the same family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaskedIp {
    /// The address.
    pub value: IpAddr,
    /// The bits that count.
    pub mask: IpAddr,
}

impl MaskedIp {
    /// Reads `address`, `address/length` or `address/mask`.
    pub fn parse(text: &str) -> Option<Self> {
        let (value, mask) = text.split_once('/').map_or((text, None), |(value, mask)| (value, Some(mask)));
        Self::of(value.trim().parse().ok()?, mask)
    }

    /// An address and its mask as two texts; no mask means all bits.
    pub fn of(value: IpAddr, mask: Option<&str>) -> Option<Self> {
        let bits = if value.is_ipv4() { 32 } else { 128 };
        let mask = match mask.map(str::trim) {
            None => prefix_mask(value, bits),
            Some(text) => match text.parse::<u32>() {
                Ok(length) if length <= bits => prefix_mask(value, length),
                Ok(_) => return None,
                Err(_) => text.parse().ok().filter(|mask: &IpAddr| mask.is_ipv4() == value.is_ipv4())?,
            },
        };
        Some(Self { value, mask })
    }

    /// True when `ip` is of the same family and agrees in every bit that counts.
    pub fn matches(self, ip: IpAddr) -> bool {
        match (self.value, self.mask, ip) {
            (IpAddr::V4(value), IpAddr::V4(mask), IpAddr::V4(ip)) => {
                (value.to_bits() ^ ip.to_bits()) & mask.to_bits() == 0
            }
            (IpAddr::V6(value), IpAddr::V6(mask), IpAddr::V6(ip)) => {
                (value.to_bits() ^ ip.to_bits()) & mask.to_bits() == 0
            }
            _ => false,
        }
    }

    /// The address when every bit counts.
    pub fn exact(self) -> Option<IpAddr> {
        let bits = if self.value.is_ipv4() { 32 } else { 128 };
        (self.mask == prefix_mask(self.value, bits)).then_some(self.value)
    }

    /// True when no bit counts: every address of the family matches.
    pub(crate) fn is_any(self) -> bool {
        self.mask.is_unspecified()
    }
}

fn prefix_mask(family: IpAddr, length: u32) -> IpAddr {
    match family {
        IpAddr::V4(_) => {
            Ipv4Addr::from_bits(u32::MAX.checked_shl(32_u32.saturating_sub(length)).unwrap_or(0)).into()
        }
        IpAddr::V6(_) => {
            Ipv6Addr::from_bits(u128::MAX.checked_shl(128_u32.saturating_sub(length)).unwrap_or(0)).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_of_all_spellings() {
        let odd = Masked::parse("0x16/0xfffe").unwrap();
        assert!(odd.matches(22) && odd.matches(23) && !odd.matches(24));
        assert_eq!((odd.exact(16), Masked::parse("22").unwrap().exact(16)), (None, Some(22)));
        let group = MaskedMac::parse("01:00:00:00:00:00/01:00:00:00:00:00").unwrap();
        assert!(group.matches(Mac::BROADCAST) && !group.matches(Mac([2, 0, 0, 0, 0, 1])));
        for text in ["10.0.0.0/8", "10.0.0.0/255.0.0.0"] {
            let net = MaskedIp::parse(text).unwrap();
            assert!(net.matches([10, 1, 2, 3].into()) && !net.matches([11, 0, 0, 0].into()));
        }
        assert!(MaskedIp::parse("0.0.0.0/0").unwrap().is_any());
        assert!(MaskedIp::parse("::/0").unwrap().matches("fe80::1".parse().unwrap()));
        assert_eq!(MaskedIp::parse("10.0.0.0/33"), None);
        assert_eq!(MaskedIp::parse("10.0.0.0/ffff::"), None);
    }
}
