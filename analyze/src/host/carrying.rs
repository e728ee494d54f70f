//! Whether a bond carried anything at some time.

use netcap_bundle::topology::{Port, Switch};
use netcap_bundle::{Nanos, Role};

use super::timeline::{HostState, HostTimeline};

/// Whether a bond carried anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carries {
    /// A member was in use.
    Yes,
    /// No member was.
    No,
    /// The readings before and after say one thing and the other.
    Perhaps,
}

impl HostTimeline {
    /// Whether a bond carried at that time; `None` when there is no such bond.
    pub(crate) fn carries(&self, bond: &str, at: Nanos) -> Option<Carries> {
        let said: Vec<bool> = self.around(at).filter_map(|state| state.carries(bond)).collect();
        match (said.contains(&true), said.contains(&false)) {
            (true, false) => Some(Carries::Yes),
            (false, true) => Some(Carries::No),
            (true, true) => Some(Carries::Perhaps),
            (false, false) => None,
        }
    }
}

impl HostState {
    /// Members of a bond, with their switch.
    pub(crate) fn members<'s>(&'s self, bond: &str) -> impl Iterator<Item = (Option<&'s Switch>, &'s Port)> {
        self.topology
            .all()
            .filter(move |(_, port)| matches!(&port.role, Role::Uplink { bond: Some(name) } if name == bond))
    }

    /// A member of the bond was in use; `None` when there is no such bond.
    pub(crate) fn carries(&self, bond: &str) -> Option<bool> {
        let mut members = self.members(bond).map(|(_, port)| port).peekable();
        members.peek()?;
        Some(members.any(is_used))
    }

    /// A member of the bond has a carrier, or nobody says that it has none.
    pub(crate) fn is_plugged(&self, bond: &str) -> bool {
        self.members(bond).any(|(_, port)| is_up(port))
    }
}

fn is_up(port: &Port) -> bool {
    port.carrier != Some(false) && port.admin_up != Some(false)
}

fn is_used(port: &Port) -> bool {
    port.enabled != Some(false) && is_up(port)
}
