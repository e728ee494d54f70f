//! Which request it is.

use std::cmp::Ordering;
use std::net::IpAddr;

use crate::engine::FlowKey;

/// What makes a request itself: echo identifier and sequence number, or ports and TCP sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct JourneyKey {
    /// Who asks.
    pub src: IpAddr,
    /// Who is asked.
    pub dst: IpAddr,
    /// IP protocol.
    pub protocol: u8,
    /// Echo identifier, or source and destination port.
    pub id: u32,
    /// Echo sequence number, or TCP sequence number.
    pub seq: u32,
}

/// In the order of the fields. Written out because comparing two addresses that may be of either family, field by field,
/// was a twentieth of the time to read a capture full of connection attempts.
impl Ord for JourneyKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let ends = match (self.ends_v4(), other.ends_v4()) {
            (Some(mine), Some(theirs)) => mine.cmp(&theirs),
            _ => (self.src, self.dst).cmp(&(other.src, other.dst)),
        };
        let numbers = |key: &Self| (key.protocol, u64::from(key.id) << 32 | u64::from(key.seq));
        ends.then_with(|| numbers(self).cmp(&numbers(other)))
    }
}

impl PartialOrd for JourneyKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl JourneyKey {
    /// Whose packets they are.
    pub(crate) fn flow(&self) -> FlowKey {
        FlowKey { src: self.src, dst: self.dst, protocol: self.protocol }
    }

    fn ends_v4(&self) -> Option<u64> {
        match (self.src, self.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                Some(u64::from(src.to_bits()) << 32 | u64::from(dst.to_bits()))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Few addresses, so that all but one field are often the same.
    fn address() -> impl Strategy<Value = IpAddr> {
        (any::<bool>(), 0u32..3).prop_map(|(v4, n)| {
            if v4 {
                IpAddr::from(n.reverse_bits().to_be_bytes())
            } else {
                IpAddr::from(u128::from(n).to_be_bytes())
            }
        })
    }

    fn key() -> impl Strategy<Value = JourneyKey> {
        (address(), address(), 0u8..3, 0u32..3, prop::sample::select(vec![0, 1, u32::MAX]))
            .prop_map(|(src, dst, protocol, id, seq)| JourneyKey { src, dst, protocol, id, seq })
    }

    proptest! {
        #[test]
        fn keys_are_in_the_order_of_their_fields(a in key(), b in key()) {
            let fields = |k: JourneyKey| (k.src, k.dst, k.protocol, k.id, k.seq);
            prop_assert_eq!(a.cmp(&b), fields(a).cmp(&fields(b)));
        }
    }
}
