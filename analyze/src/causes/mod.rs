//! The registry of causes: what explains [symptoms](crate::symptoms). One line each, in the order in which they are
//! asked: whose evidence proves most directly comes first.

/// Links: cables, bonds and what neighbours say on them.
pub(crate) mod links {
    pub(crate) mod lldp_mac_flap;
}

/// The switch: what its rules do to packets.
pub(crate) mod switch {
    pub(crate) mod acl_drop;
}

use crate::finding::Finding;
use crate::unit::Unit;
use crate::view::View;

/// One cause.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cause {
    /// Id, needs and manual page.
    pub unit: Unit,
    /// Says whether it explains any of these symptoms. It may claim what no symptom shows yet.
    pub ask: fn(&View<'_>, &[Finding]) -> Answer,
}

/// What a cause says of the symptoms.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// It is at work; `victims` of a finding say whose packets it stops.
    Claims(Vec<Finding>),
    /// It was looked for and is not at work.
    RuledOut,
    /// Keys of needs without which nobody can tell.
    CannotTell(Vec<&'static str>),
}

impl Answer {
    /// A cause that finds by itself where it is at work.
    pub(crate) fn of(findings: Vec<Finding>) -> Self {
        if findings.is_empty() { Self::RuledOut } else { Self::Claims(findings) }
    }
}

impl Cause {
    /// Asks it; without what it needs, it cannot tell.
    pub(crate) fn answer(&self, view: &View<'_>, symptoms: &[Finding]) -> Answer {
        let missing = self.unit.missing(view);
        if missing.is_empty() { (self.ask)(view, symptoms) } else { Answer::CannotTell(missing) }
    }
}

/// All causes.
pub(crate) const ALL: &[Cause] = &[switch::acl_drop::CAUSE, links::lldp_mac_flap::CAUSE];
