//! The registry of symptoms: what somebody suffers. One line each, alphabetical.
//!
//! A symptom says what did not arrive, where it was last seen, where it should have been seen next, when, and whose it
//! was. It blames nobody: what explains it is a [cause](crate::causes).

/// Loss: packets and pings that did not arrive.
pub(crate) mod loss {
    pub(crate) mod arp_unanswered;
    pub(crate) mod packet_loss;
    pub(crate) mod ping_loss;
}

/// Names: what looks an address up.
pub(crate) mod names {
    pub(crate) mod dns_elsewhere;
}

use crate::deaths::Deaths;
use crate::finding::Finding;
use crate::unit::Unit;
use crate::view::View;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Symptom {
    /// Id, needs and manual page.
    pub unit: Unit,
    /// Finds; the subject of a finding is the place.
    pub run: fn(&View<'_>, &Deaths<'_>, &mut Vec<Finding>),
}

pub(crate) const ALL: &[Symptom] = &[
    loss::arp_unanswered::SYMPTOM,
    names::dns_elsewhere::SYMPTOM,
    loss::packet_loss::SYMPTOM,
    loss::ping_loss::SYMPTOM,
];
