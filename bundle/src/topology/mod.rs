//! The host's network in one picture: virtual switches, their ports, and what is behind each port.
//!
//! Joins what the sources say apart: OVSDB knows ports and VLANs, the daemon knows active members and port numbers, the
//! kernel knows addresses, libvirt knows machines. Any of them may be missing; what is not known is absent, not guessed.
//! Pure: no host is touched here.

mod known;
mod linux;
mod locate;
mod model;
mod ovs;
mod port;
mod render;

#[cfg(test)]
mod tests;

pub use model::{BondInfo, Inputs, Learned, MacLocation, Port, Switch, SwitchKind, Topology};
pub use render::render_listports;

impl Topology {
    /// Joins the sources.
    pub fn build(inputs: &Inputs<'_>) -> Self {
        let known = known::Known::new(inputs);
        let mut switches = ovs::switches(&known);
        switches.extend(linux::switches(&known, &switches));
        for switch in &mut switches {
            switch.ports.sort_by(port::order);
            for bond in &mut switch.bonds {
                bond.members.sort_by(|a, b| crate::sources::shared::text::natural(a, b));
            }
        }
        let others = linux::others(&known, &switches);
        let learned = locate::learned(inputs, &switches);
        Self { switches, others, learned }
    }
}
