//! Ethernet addresses, written the way the field writes them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A 48-bit Ethernet address; reads `0c:da:41:1d:43:79`, `0c-da-41-1d-43-79` and `0cda411d4379`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// ff:ff:ff:ff:ff:ff.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// The address in the first six bytes of `bytes`, if there are six.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk::<6>().map(|b| Self(*b))
    }

    /// Group bit set: multicast or broadcast (IEEE 802, clause 8.2).
    pub fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// U/L bit set: not assigned by a manufacturer.
    pub fn is_local(self) -> bool {
        self.0[0] & 2 != 0
    }

    /// All zero: "no address" in ARP and LACP.
    pub fn is_zero(self) -> bool {
        self.0 == [0; 6]
    }

    /// The address without separators, as `ovs_dbg_listports` prints it.
    pub(crate) fn compact(self) -> String {
        self.to_string().replace(':', "")
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not an Ethernet address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a MAC address; write it like 0c:da:41:1d:43:79")]
pub struct NotAMac(pub String);

impl FromStr for Mac {
    type Err = NotAMac;

    fn from_str(text: &str) -> Result<Self, NotAMac> {
        let bad = || NotAMac(text.to_owned());
        let digits: String = text.trim().chars().filter(|c| !matches!(c, ':' | '-' | '.')).collect();
        if digits.len() != 12 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(bad());
        }
        let value = u64::from_str_radix(&digits, 16).map_err(|_| bad())?;
        let [_, _, bytes @ ..] = value.to_be_bytes();
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Mac {
    type Error = NotAMac;

    fn try_from(text: String) -> Result<Self, NotAMac> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_three_spellings() {
        let want = Mac([0x0c, 0xda, 0x41, 0x1d, 0x43, 0x79]);
        for text in ["0c:da:41:1d:43:79", "0C-DA-41-1D-43-79", "0cda411d4379"] {
            assert_eq!(text.parse::<Mac>(), Ok(want));
        }
        assert!("0c:da:41:1d:43".parse::<Mac>().is_err());
    }

    proptest! {
        #[test]
        fn round_trips(bytes: [u8; 6]) {
            prop_assert_eq!(Mac(bytes).to_string().parse::<Mac>(), Ok(Mac(bytes)));
        }

        #[test]
        fn any_text_is_answered(text in "\\PC{0,40}") {
            let _ = text.parse::<Mac>();
        }
    }
}
