//! What a MAC tells by itself.

use netcap_bundle::Mac;

/// Addresses that any number of routers share by design, and move between by design.
pub(crate) fn is_virtual_router(mac: Mac) -> bool {
    match mac.0 {
        // VRRP for IPv4 and IPv6 (RFC 5798 section 7.3); CARP uses the same range.
        [0x00, 0x00, 0x5e, 0x00, 0x01 | 0x02, _]
        // HSRP version 1 (RFC 2281 section 6).
        | [0x00, 0x00, 0x0c, 0x07, 0xac, _]
        // GLBP.
        | [0x00, 0x07, 0xb4, ..] => true,
        // HSRP version 2: 0000.0c9f.fxxx for IPv4, 0005.73a0.0xxx for IPv6.
        [0x00, 0x00, 0x0c, 0x9f, group, _] => group >= 0xf0,
        [0x00, 0x05, 0x73, 0xa0, group, _] => group <= 0x0f,
        _ => false,
    }
}

/// The address as a number, for distances.
pub(crate) fn number(mac: Mac) -> u64 {
    mac.0.iter().fold(0, |n, b| n << 8 | u64::from(*b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_end_where_they_end() {
        for (text, want) in [
            ("00:00:5e:00:01:0a", true),
            ("00:00:5e:00:02:0a", true),
            ("00:00:5e:00:03:0a", false),
            ("00:00:0c:07:ac:01", true),
            ("00:00:0c:9f:f0:01", true),
            ("00:00:0c:9f:e0:01", false),
            ("00:07:b4:00:01:02", true),
            ("0c:da:41:1d:43:79", false),
        ] {
            assert_eq!(is_virtual_router(text.parse().unwrap()), want, "{text}");
        }
    }
}
