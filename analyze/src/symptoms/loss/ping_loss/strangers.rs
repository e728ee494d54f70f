//! What came back to those who pinged, and not from whom they pinged.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netcap_words::wire::ip_protocol::TCP;

use crate::deaths::WAIT_NS;
use crate::tables::journeys::Event;
use crate::view::View;

/// Who asked, with which numbers.
type Numbers = (IpAddr, u32, u32);

/// What came back to those who pinged, and not from whom they pinged.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    events: BTreeMap<Numbers, Vec<Event>>,
}

/// What came back to one who pinged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elsewhere {
    pub request: Event,
    pub back: Event,
}

impl Strangers {
    pub(super) fn read(view: &View<'_>) -> Self {
        let table = &view.tables.journeys;
        let returned = table.journeys.iter().filter(|journey| journey.key.src == journey.key.dst);
        let returned = returned.filter_map(|journey| table.requests(journey).first().copied());
        let mut strangers = Self::default();
        for event in table.strays().chain(returned).filter(|event| event.key.protocol != TCP) {
            let key = event.key;
            strangers.events.entry((key.src, key.id, key.seq)).or_default().push(event);
        }
        strangers
    }

    /// What came back of a request, at the same point.
    pub(super) fn of(&self, request: &Event) -> Option<Elsewhere> {
        let key = request.key;
        let mine = self.events.get(&(key.src, key.id, key.seq))?;
        let back = mine.iter().find(|back| {
            let after = back.at.since(request.at);
            back.point == request.point && back.key.dst != key.dst && (0..=WAIT_NS).contains(&after)
        })?;
        Some(Elsewhere { request: *request, back: *back })
    }
}
