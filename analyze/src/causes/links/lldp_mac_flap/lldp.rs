//! Who sent an LLDP frame: the first TLVs of IEEE 802.1AB, clause 8.5.

use netcap_words::foreign::clean;
use netcap_words::wire::{TAG_BYTES, ether_type, is_tag};

const END: u8 = 0;
const PORT_ID: u8 = 2;
const SYSTEM_NAME: u8 = 5;
const SYSTEM_DESCRIPTION: u8 = 6;
/// Subtypes of a port id that are text: alias, component, interface name, local (table 8-3).
const TEXT_SUBTYPES: [u8; 4] = [1, 2, 5, 7];
/// Characters kept of one text.
const TEXT_MAX: usize = 60;

/// What an LLDP frame says of its sender.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sender {
    pub system: Option<String>,
    pub description: Option<String>,
    pub port: Option<String>,
}

impl Sender {
    /// Reads the TLVs of a frame, tags included.
    pub(super) fn of_frame(frame: &[u8]) -> Self {
        let mut sender = Self::default();
        let mut rest = payload(frame).unwrap_or_default();
        while let [high, low, tail @ ..] = rest {
            // Seven bits of type, nine of length.
            let (kind, length) = (high >> 1, usize::from(high & 1) << 8 | usize::from(*low));
            let Some((value, after)) = tail.split_at_checked(length) else { break };
            match (kind, value) {
                (END, _) => break,
                (PORT_ID, [subtype, id @ ..]) if TEXT_SUBTYPES.contains(subtype) => sender.port = text(id),
                (SYSTEM_NAME, name) => sender.system = text(name),
                (SYSTEM_DESCRIPTION, words) => sender.description = text(words),
                _ => {}
            }
            rest = after;
        }
        sender
    }
}

/// Behind the ethertype, and behind VLAN tags if there are any.
fn payload(frame: &[u8]) -> Option<&[u8]> {
    let mut at = 12;
    loop {
        let ethertype = frame.get(at..)?.first_chunk::<2>().map(|b| u16::from_be_bytes(*b))?;
        at += match ethertype {
            tag if is_tag(tag) => TAG_BYTES,
            ether_type::LLDP => return frame.get(at + 2..),
            _ => return None,
        };
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let text: String = clean(text.trim_matches(char::is_control).trim()).chars().take(TEXT_MAX).collect();
    (!text.trim().is_empty()).then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_the_sender() {
        let mut frame = [[0x01, 0x80, 0xc2, 0, 0, 0x0e], [2, 0, 0, 0, 0, 1]].concat();
        frame.extend([0x88, 0xcc, 2, 7, 4, 2, 0, 0, 0, 0, 1]);
        frame.extend([4, 5, 5, b'e', b't', b'h', b'2', 6, 2, 0, 120, 10, 4, b'h', b'o', b's', b't', 0, 0]);
        let sender = Sender::of_frame(&frame);
        assert_eq!((sender.port.as_deref(), sender.system.as_deref()), (Some("eth2"), Some("host")));
        assert_eq!(sender.description, None);
        for tpid in netcap_words::wire::TPIDS {
            let tag = [tpid.to_be_bytes(), [0, 5]].concat();
            assert_eq!(Sender::of_frame(&[&frame[..12], &tag, &frame[12..]].concat()), sender, "{tpid:x}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut frame = vec![0; 12];
            frame.extend([0x88, 0xcc]);
            frame.extend(&bytes);
            let _ = Sender::of_frame(&frame);
            let _ = Sender::of_frame(&bytes);
        }
    }
}
