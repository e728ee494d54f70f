//! Bonds of the host over time: members, mode, and who was active when.

use std::collections::{BTreeMap, BTreeSet};

use netcap_bundle::input::{Input, ListedPort, Listing};
use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::network::links::Links;
use netcap_bundle::sources::ovs::bond::{BondMode, LacpStatus, OvsBond};
use netcap_bundle::{Nanos, Role};

use super::file_of;

/// Bonds of a host; one takes two interfaces at least.
const BONDS_MAX: usize = 1_024;
/// States kept of one bond.
const STATES_MAX: usize = 100_000;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BondTimeline {
    pub name: String,
    /// Its members in every state.
    pub members: BTreeSet<String>,
    /// It never was anything but active-backup without LACP.
    pub active_backup: bool,
    /// Only a listing of the old script names the active member: it names neither the mode nor the time.
    pub listed: bool,
    /// Who was active, from when on; a new entry only when it changed.
    pub states: Vec<BondState>,
}

/// Who was active from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BondState {
    /// When it was read.
    pub at: Nanos,
    /// When the state before it was read for the last time: since then nobody knows.
    pub unsure_from: Nanos,
    /// The active member.
    pub active: Option<String>,
    /// The file that says so.
    pub file: String,
    /// The line that says so.
    pub line: String,
}

/// All bonds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bonds {
    /// By name.
    pub bonds: Vec<BondTimeline>,
    /// Changes of the active member that were not kept.
    pub overflow: u64,
}

struct BondSample {
    name: String,
    members: Vec<String>,
    active_backup: bool,
    state: BondState,
}

impl Bonds {
    /// Reads every recorded state of Open vSwitch's and the kernel's bonds.
    pub(crate) fn read(input: &Input) -> Self {
        let mut bonds = Self::default();
        let before = readings(input, OvsBond::DEF.id);
        input.state.visit::<OvsBond>(&input.files, |round| {
            let file = file_of(&round, "bond-show").unwrap_or_default();
            for bond in &round.parsed.value.bonds {
                let active = bond.active.clone();
                let mac = bond.active_mac.map(|m| m.to_string()).unwrap_or_default();
                let line = format!("active member mac: {mac}({})", active.as_deref().unwrap_or("none"));
                bonds.add(BondSample {
                    name: bond.name.clone(),
                    members: bond.members.iter().map(|m| m.name.clone()).collect(),
                    active_backup: bond.mode == BondMode::ActiveBackup
                        && !matches!(bond.lacp_status, LacpStatus::Negotiated),
                    state: BondState {
                        at: round.at,
                        unsure_from: before(round.at),
                        active,
                        file: file.clone(),
                        line,
                    },
                });
            }
            true
        });
        let before = readings(input, Links::DEF.id);
        input.state.visit::<Links>(&input.files, |round| {
            let file = file_of(&round, "link").unwrap_or_default();
            let links = &round.parsed.value.links;
            for link in links {
                let Some(bond) = &link.bond else { continue };
                let members = links.iter().filter(|l| l.master.as_deref() == Some(&link.name));
                let line = format!(
                    "{}: mode {} active_slave {}",
                    link.name,
                    bond.mode,
                    bond.active.as_deref().unwrap_or("none")
                );
                bonds.add(BondSample {
                    name: link.name.clone(),
                    members: members.map(|m| m.name.clone()).collect(),
                    active_backup: bond.mode == "active-backup",
                    state: BondState {
                        at: round.at,
                        unsure_from: before(round.at),
                        active: bond.active.clone(),
                        file: file.clone(),
                        line,
                    },
                });
            }
            true
        });
        bonds.listed(&input.listing);
        bonds.bonds.sort_by(|a, b| a.name.cmp(&b.name));
        bonds
    }

    /// Bonds of a listing of which one member is marked as the active one.
    fn listed(&mut self, listing: &Listing) {
        let mut members: BTreeMap<&str, Vec<&ListedPort>> = BTreeMap::new();
        for port in &listing.ports {
            if let Role::Uplink { bond: Some(bond) } = &port.role {
                members.entry(bond).or_default().push(port);
            }
        }
        for (name, members) in members {
            let mut marked = members.iter().filter(|port| port.active);
            let (Some(active), None) = (marked.next(), marked.next()) else { continue };
            self.add(BondSample {
                name: name.to_owned(),
                members: members.iter().map(|port| port.iface.clone()).collect(),
                active_backup: true,
                state: BondState {
                    at: Nanos(i64::MIN),
                    unsure_from: Nanos(i64::MIN),
                    active: Some(active.iface.clone()),
                    file: listing.file.clone(),
                    line: active.line.clone(),
                },
            });
            if let Some(bond) = self.bonds.iter_mut().find(|bond| bond.name == name) {
                bond.listed = true;
            }
        }
    }

    fn add(&mut self, sample: BondSample) {
        if !self.bonds.iter().any(|b| b.name == sample.name) {
            if self.bonds.len() >= BONDS_MAX {
                self.overflow += 1;
                return;
            }
            let name = sample.name.clone();
            self.bonds.push(BondTimeline { name, active_backup: true, ..BondTimeline::default() });
        }
        let Some(bond) = self.bonds.iter_mut().find(|b| b.name == sample.name) else { return };
        bond.members.extend(sample.members);
        bond.active_backup &= sample.active_backup;
        let changed = bond.states.last().is_none_or(|s| s.active != sample.state.active);
        if changed && bond.states.len() < STATES_MAX {
            bond.states.push(sample.state);
        } else {
            self.overflow += u64::from(changed);
        }
    }

    /// The active member, at the end, of the active-backup bond that has that member.
    pub(crate) fn active_instead_of(&self, member: &str) -> Option<&str> {
        let bond = self.bonds.iter().find(|b| b.is_active_backup() && b.members.contains(member))?;
        bond.states.last()?.active.as_deref()
    }

    /// Members of any bond, at any time.
    pub(crate) fn member_names(&self) -> BTreeSet<String> {
        self.bonds.iter().flat_map(|b| b.members.iter().cloned()).collect()
    }

    /// An active-backup bond with two members or more is known.
    pub(crate) fn any_active_backup(&self) -> bool {
        self.bonds.iter().any(BondTimeline::is_active_backup)
    }
}

/// When a source was read last before a time, changed or not; that time itself where it was not.
fn readings(input: &Input, source: &str) -> impl Fn(Nanos) -> Nanos {
    let times: BTreeSet<Nanos> = input.state.lines().filter(|l| l.source == source).map(|l| l.at).collect();
    move |at| times.range(..at).next_back().copied().unwrap_or(at)
}

impl BondTimeline {
    /// One member carries all, and the switch knows nothing of the bond.
    pub(crate) fn is_active_backup(&self) -> bool {
        self.active_backup && self.members.len() >= 2 && self.states.iter().any(|s| s.active.is_some())
    }

    /// Who was active at that time; `None` when it is not known, which includes the time between the two samples of which
    /// the second one shows another member, and `margin_ns` before that: when it took over is not recorded.
    pub(crate) fn active_at(&self, at: Nanos, margin_ns: i64) -> Option<&str> {
        let next = self.states.iter().position(|s| s.at > at).unwrap_or(self.states.len());
        let state = self.states.get(next.saturating_sub(1))?;
        let after = self.states.get(next);
        let near_next = next > 0 && after.is_some_and(|s| at > s.unsure_from || s.at.since(at) <= margin_ns);
        if near_next { None } else { state.active.as_deref() }
    }

    /// The state that says who was active at that time.
    pub(crate) fn state_at(&self, at: Nanos) -> Option<&BondState> {
        let next = self.states.iter().position(|s| s.at > at).unwrap_or(self.states.len());
        self.states.get(next.saturating_sub(1))
    }
}
