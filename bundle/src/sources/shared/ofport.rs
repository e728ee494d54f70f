//! OpenFlow port numbers, which are not datapath port numbers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An OpenFlow port number as OVS keeps it, in 16 bits (`ofp_port_t`, include/openvswitch/ofp-port.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OfPort(pub u16);

impl OfPort {
    /// The bridge's own port, `OFPP_LOCAL`.
    pub const LOCAL: Self = Self(0xfffe);
    /// "No port", `OFPP_NONE`.
    pub(crate) const NONE: Self = Self(0xffff);
}

impl fmt::Display for OfPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::LOCAL => f.write_str("LOCAL"),
            Self(number) => write!(f, "{number}"),
        }
    }
}

/// Text that is not an OpenFlow port number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an OpenFlow port number; write a number below 65536 or LOCAL")]
pub struct NotAPort(pub String);

impl FromStr for OfPort {
    type Err = NotAPort;

    /// Reads `LOCAL`, a 16-bit number, and the 32-bit form of OpenFlow 1.1 (`0xfffffffe` is LOCAL).
    fn from_str(text: &str) -> Result<Self, NotAPort> {
        let bad = || NotAPort(text.to_owned());
        let trimmed = text.trim();
        if trimmed.eq_ignore_ascii_case("local") {
            return Ok(Self::LOCAL);
        }
        let value = super::text::number(trimmed).ok_or_else(bad)?;
        // ofputil_port_from_ofp11: the reserved numbers sit at the top of either range.
        let folded = if (0xffff_ff00..=0xffff_ffff).contains(&value) { value & 0xffff } else { value };
        u16::try_from(folded).map(Self).map_err(|_| bad())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_has_three_spellings() {
        for text in ["LOCAL", "65534", "0xfffffffe", "local"] {
            assert_eq!(text.parse(), Ok(OfPort::LOCAL));
        }
        assert_eq!(OfPort::LOCAL.to_string(), "LOCAL");
        assert!("70000".parse::<OfPort>().is_err());
        assert!("vnet0".parse::<OfPort>().is_err());
    }
}
