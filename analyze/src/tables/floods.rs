//! Frames to all that a host sent or heard: two hosts that heard the same ones can compare their clocks by them, when
//! nothing else gets from one to the other.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use netcap_bundle::Role;
use netcap_bundle::packets::Direction;
use netcap_words::wire::ip_protocol::{ICMP, ICMPV6, TCP, UDP};
use netcap_words::wire::{TAG_BYTES, ether_type, is_tag};

use crate::clocks::floods::{Floods, Heard};
use crate::engine::points::FoldContext;
use crate::engine::{Fold, PacketView};

/// Sightings kept of one host; about 1 MiB.
const HEARD_MAX: usize = 65_536;
/// Octets behind the addresses and tags that make a frame itself.
const CONTENT_BYTES: usize = 64;
/// Behind three tags; more of them occur in attacks only.
const TAGS_END: usize = 12 + 3 * TAG_BYTES;
/// One frame is heard at all members of a bond within this.
const ONCE_NS: i64 = 50_000_000;

/// The fold; when it is full, it keeps the contents whose hash ends in one more zero, the same at every host.
#[derive(Debug)]
pub(crate) struct FloodsFold {
    context: Arc<FoldContext>,
    heard: HashMap<u64, Vec<Heard>>,
    kept: usize,
    zeros: u32,
}

impl Fold for FloodsFold {
    fn start(context: &Arc<FoldContext>) -> Self {
        Self { context: Arc::clone(context), heard: HashMap::new(), kept: 0, zeros: 0 }
    }

    fn packet(&mut self, packet: &PacketView<'_>) {
        if packet.copy.is_some() || packet.eth.is_none_or(|eth| !eth.dst.is_multicast()) {
            return;
        }
        // What reaches a machine of the host came by an uplink before, or from a machine beside it.
        if matches!(self.context.role(packet.point), Some(Role::Vnet { .. } | Role::Internal)) {
            return;
        }
        let Some(content) = content(packet.bytes) else { return };
        self.add(content, Heard { at: packet.at, left: packet.direction == Direction::Out });
    }

    fn merge(&mut self, later: Self) {
        self.narrow(later.zeros);
        let later: BTreeMap<u64, Vec<Heard>> = later.heard.into_iter().collect();
        for (content, heard) in later {
            for one in heard {
                self.add(content, one);
            }
        }
    }
}

impl FloodsFold {
    fn add(&mut self, content: u64, heard: Heard) {
        if content.trailing_zeros() < self.zeros {
            return;
        }
        self.heard.entry(content).or_default().push(heard);
        self.kept += 1;
        while self.kept > HEARD_MAX && self.zeros < u64::BITS {
            self.narrow(self.zeros + 1);
        }
    }

    fn narrow(&mut self, zeros: u32) {
        if zeros > self.zeros {
            self.zeros = zeros;
            self.heard.retain(|content, _| content.trailing_zeros() >= zeros);
            self.kept = self.heard.values().map(Vec::len).sum();
        }
    }

    /// Each frame once, whichever interfaces heard it; one that the host sent and heard again it sent.
    pub(crate) fn finish(self) -> Floods {
        let once = |(content, mut heard): (u64, Vec<Heard>)| {
            heard.sort_unstable();
            let mut out: Vec<Heard> = Vec::new();
            for one in heard {
                match out.last() {
                    Some(before) if one.at.since(before.at) <= ONCE_NS => {}
                    _ => out.push(one),
                }
            }
            (content, out)
        };
        self.heard.into_iter().map(once).collect()
    }
}

/// What stays the same of a frame to all wherever it is heard: addresses and the first octets, without tags, checksums
/// that a card completes, and what fills a short frame up.
fn content(frame: &[u8]) -> Option<u64> {
    let mut at = 12;
    let kind = loop {
        match frame.get(at..)?.first_chunk::<2>().map(|bytes| u16::from_be_bytes(*bytes))? {
            tag if is_tag(tag) && at < TAGS_END => at += TAG_BYTES,
            kind => break kind,
        }
    };
    let payload = frame.get(at + 2..)?;
    let mut hasher = DefaultHasher::new();
    frame.get(..12)?.hash(&mut hasher);
    kind.hash(&mut hasher);
    match kind {
        ether_type::IPV4 => {
            let header = usize::from(payload.first()? & 0xf) * 4;
            let whole = usize::from(u16::from_be_bytes(*payload.get(2..)?.first_chunk::<2>()?));
            payload.get(4..6)?.hash(&mut hasher);
            payload.get(12..20)?.hash(&mut hasher);
            layer(payload.get(header..)?, whole.checked_sub(header)?, *payload.get(9)?, &mut hasher);
        }
        ether_type::IPV6 => {
            let whole = usize::from(u16::from_be_bytes(*payload.get(4..)?.first_chunk::<2>()?));
            payload.get(8..40)?.hash(&mut hasher);
            layer(payload.get(40..)?, whole, *payload.get(6)?, &mut hasher);
        }
        _ => {
            let first = payload.get(..CONTENT_BYTES).unwrap_or(payload);
            let end = first.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            first.get(..end)?.hash(&mut hasher);
        }
    }
    Some(hasher.finish())
}

fn layer(bytes: &[u8], whole: usize, protocol: u8, hasher: &mut DefaultHasher) {
    let checksum = match protocol {
        UDP => 6,
        TCP => 16,
        ICMP | ICMPV6 => 2,
        _ => CONTENT_BYTES,
    };
    protocol.hash(hasher);
    for (at, byte) in bytes.iter().take(whole.min(CONTENT_BYTES)).enumerate() {
        if at != checksum && at != checksum + 1 {
            byte.hash(hasher);
        }
    }
}
