//! ARP requests for somebody else's address, every place where each was seen, and the replies: whether who asks was answered,
//! and how far the request came. Only of points at a switch, for elsewhere nobody knows where a reply has to pass.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;

use netcap_bundle::packets::Direction;
use netcap_bundle::{Mac, Nanos};

use super::TableFold;
use crate::engine::points::FoldContext;
use crate::engine::{Arp, Eth, Facts, Fold, FrameRef, Net, PacketView, PointId};
use crate::tables::cap::Cap;

/// ARP operations (RFC 826).
const REQUEST: u16 = 1;
const REPLY: u16 = 2;

/// Sightings kept of all questions: 18 hours of one machine that asks every second, seen at two points.
const SIGHTS_MAX: usize = 131_072;
/// Sightings kept of one question and of its replies.
const SIGHTS_OF_ONE_MAX: usize = 4_096;
/// Sample frames kept, and octets of each: with its tags an ARP packet is shorter.
const SAMPLES_MAX: usize = 4_096;
const SAMPLE_BYTES: usize = 64;

/// Who asks for whom. Tenants' addresses overlap, so the MAC of who asks is a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct QuestionKey {
    pub mac: Mac,
    pub asker: Ipv4Addr,
    pub target: Ipv4Addr,
}

/// Where a request or a reply was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ArpSight {
    pub at: Nanos,
    pub frame: FrameRef,
    pub point: PointId,
    pub direction: Direction,
    pub eth: Eth,
    pub facts: Facts,
}

/// A request as it was seen at one point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ArpSample {
    pub point: PointId,
    pub direction: Direction,
    pub bytes: Vec<u8>,
    pub wire_len: u32,
}

/// All questions of one for another.
#[derive(Debug, Clone, Default)]
pub(crate) struct Questions {
    /// Requests, in order of time.
    pub requests: Vec<ArpSight>,
    /// Replies, in order of time.
    pub replies: Vec<ArpSight>,
    /// One request of each place.
    pub samples: Vec<ArpSample>,
}

#[derive(Debug)]
pub(crate) struct QuestionsFold {
    context: Arc<FoldContext>,
    map: HashMap<QuestionKey, Questions>,
    order: Vec<QuestionKey>,
    kept: usize,
    most: usize,
    sampled: usize,
    overflow: u64,
}

/// The finished table.
#[derive(Debug, Default)]
pub(crate) struct QuestionsTable {
    pub pairs: BTreeMap<QuestionKey, Questions>,
    /// Sightings not kept.
    pub overflow: u64,
}

impl Fold for QuestionsFold {
    fn start(context: &Arc<FoldContext>) -> Self {
        let most = SIGHTS_MAX / context.sharers();
        let context = Arc::clone(context);
        Self { context, map: HashMap::new(), order: Vec::new(), kept: 0, most, sampled: 0, overflow: 0 }
    }

    fn packet(&mut self, packet: &PacketView<'_>) {
        let (Net::Arp(arp), Some(eth)) = (packet.net, packet.eth) else { return };
        if packet.copy.is_some() || !self.context.has_switch(packet.point) {
            return;
        }
        let Some((key, is_reply)) = of(&arp) else { return };
        let sight = ArpSight {
            at: packet.at,
            frame: packet.frame,
            point: packet.point,
            direction: packet.direction,
            eth,
            facts: Facts::of(packet),
        };
        let is_kept = self.add(key, is_reply, sight);
        if is_kept && !is_reply {
            self.sample(key, packet);
        }
    }

    fn merge(&mut self, mut later: Self) {
        self.most = SIGHTS_MAX;
        self.overflow = self.overflow.saturating_add(later.overflow);
        for key in std::mem::take(&mut later.order) {
            let Some(questions) = later.map.remove(&key) else { continue };
            for sight in questions.requests {
                self.add(key, false, sight);
            }
            for sight in questions.replies {
                self.add(key, true, sight);
            }
            for sample in questions.samples {
                self.keep(key, sample.point, sample.direction, || sample.clone());
            }
        }
    }
}

impl TableFold for QuestionsFold {
    type Table = QuestionsTable;

    fn finish(self) -> QuestionsTable {
        let mut pairs: BTreeMap<QuestionKey, Questions> = self.map.into_iter().collect();
        for questions in pairs.values_mut() {
            for sights in [&mut questions.requests, &mut questions.replies] {
                sights.sort_unstable_by_key(|sight| (sight.at, sight.frame));
            }
        }
        QuestionsTable { pairs, overflow: self.overflow }
    }

    fn given_up(table: &QuestionsTable) -> Vec<(Cap, u64)> {
        vec![(Cap::ArpSights, table.overflow)]
    }
}

impl QuestionsFold {
    fn sample(&mut self, key: QuestionKey, packet: &PacketView<'_>) {
        self.keep(key, packet.point, packet.direction, || ArpSample {
            point: packet.point,
            direction: packet.direction,
            bytes: packet.bytes.get(..SAMPLE_BYTES.min(packet.bytes.len())).unwrap_or_default().to_vec(),
            wire_len: packet.wire_len,
        });
    }

    fn keep(
        &mut self,
        key: QuestionKey,
        point: PointId,
        direction: Direction,
        sample: impl FnOnce() -> ArpSample,
    ) {
        let Some(questions) = self.map.get_mut(&key).filter(|_| self.sampled < SAMPLES_MAX) else { return };
        if questions.samples.iter().all(|had| (had.point, had.direction) != (point, direction)) {
            questions.samples.push(sample());
            self.sampled += 1;
        }
    }

    fn add(&mut self, key: QuestionKey, is_reply: bool, sight: ArpSight) -> bool {
        if self.kept >= self.most {
            self.overflow = self.overflow.saturating_add(1);
            return false;
        }
        let questions = self.map.entry(key).or_insert_with(|| {
            self.order.push(key);
            Questions::default()
        });
        let sights = if is_reply { &mut questions.replies } else { &mut questions.requests };
        if sights.len() >= SIGHTS_OF_ONE_MAX {
            self.overflow = self.overflow.saturating_add(1);
            return false;
        }
        sights.push(sight);
        self.kept += 1;
        true
    }
}

/// A question for another's address, or a reply to one; a probe and an announcement ask for one's own (RFC 5227).
fn of(arp: &Arp) -> Option<(QuestionKey, bool)> {
    let (key, is_reply) = match arp.op {
        REQUEST => (QuestionKey { mac: arp.sha, asker: arp.spa, target: arp.tpa }, false),
        REPLY => (QuestionKey { mac: arp.tha, asker: arp.tpa, target: arp.spa }, true),
        _ => return None,
    };
    let named = !key.asker.is_unspecified() && !key.target.is_unspecified();
    (named && key.asker != key.target).then_some((key, is_reply))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arp(op: u16, spa: [u8; 4], tpa: [u8; 4]) -> Arp {
        Arp { op, sha: Mac([2; 6]), spa: spa.into(), tha: Mac([4; 6]), tpa: tpa.into() }
    }

    #[test]
    fn a_reply_belongs_to_the_question_it_answers() {
        let key = QuestionKey { mac: Mac([2; 6]), asker: [10, 0, 0, 1].into(), target: [10, 0, 0, 2].into() };
        assert_eq!(of(&arp(REQUEST, [10, 0, 0, 1], [10, 0, 0, 2])), Some((key, false)));
        let reply = Arp { tha: Mac([2; 6]), ..arp(REPLY, [10, 0, 0, 2], [10, 0, 0, 1]) };
        assert_eq!(of(&reply), Some((key, true)));
    }

    #[test]
    fn probes_and_announcements_are_no_questions_for_others() {
        assert_eq!(of(&arp(REQUEST, [0; 4], [10, 0, 0, 2])), None);
        assert_eq!(of(&arp(REQUEST, [10, 0, 0, 2], [10, 0, 0, 2])), None);
    }
}
