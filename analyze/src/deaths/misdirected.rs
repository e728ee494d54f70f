//! Groups that a rule sends elsewhere than where their destination is.

use netcap_bundle::Role;
use netcap_bundle::topology::Port;

use super::flows::{Sent, SentTo};
use super::{Case, Way};

/// Packets that did get there between those that died, in percent, above which something else is going on.
const PASSED_PERCENT_MAX: u64 = 10;

/// Where the rules lead the packets of a group, and it is not to their destination.
#[derive(Debug, Clone)]
pub(crate) struct Misdirected<'c> {
    pub sent: &'c Sent,
    /// The ports behind which their destination is.
    pub wanted: Vec<String>,
    /// The datapath was seen doing it while they died.
    pub seen: bool,
}

impl<'c> Case<'c, '_> {
    /// The rules send the rest of the group to a port behind which their destination is not, back where it came in, or to a
    /// table without a rule; nothing that the datapath did meanwhile contradicts that.
    pub(crate) fn misdirected(&self) -> Option<Misdirected<'c>> {
        let (view, group, flows) = (self.view, self.group, self.flows());
        let sent = flows.sent.as_ref().filter(|_| flows.rule.is_none())?;
        if !matches!(group.place.way, Way::Switch | Way::Learned)
            || group.beside.between * 100 > self.rest.len() as u64 * PASSED_PERCENT_MAX
        {
            return None;
        }
        let dst = group.eth.map(|eth| eth.dst).filter(|dst| !dst.is_multicast())?;
        let at = self.span().0;
        let topology = view.host.topology_at(at);
        // Where somebody is of whom nothing was learned, no rule can be wrong about.
        if matches!(sent.way, SentTo::Ports(_)) {
            topology.locate(dst)?;
        }
        let exits = &group.place.exits;
        let points = exits.points.iter().chain(&exits.gone).map(|point| view.points.name(*point));
        let names: Vec<&str> = points.chain(exits.unrecorded.iter().map(String::as_str)).collect();
        let ports: Vec<&Port> =
            names.iter().filter_map(|name| topology.by_iface(name)).map(|(_, port)| port).collect();
        let leads = |name: &String| ports.iter().any(|port| is_called(port, name));
        if names.is_empty() || ports.len() < names.len() {
            return None;
        }
        let datapath = flows.forward.as_ref();
        let seen = match &sent.way {
            SentTo::Ports(to) => match datapath {
                Some(forward) if forward.ports.iter().any(leads) => return None,
                // One of several that a group chooses from: which one it was, only the datapath tells.
                None if to.iter().any(leads) => return None,
                forward => forward.is_some(),
            },
            SentTo::Back | SentTo::NoRule(_) => {
                if datapath.is_some() {
                    return None;
                }
                flows.drop.as_ref().is_some_and(|drop| drop.certain)
            }
        };
        let wanted = names.into_iter().map(ToOwned::to_owned).collect();
        Some(Misdirected { sent, wanted, seen })
    }
}

/// By its interface, its bond, or the datapath's number.
fn is_called(port: &Port, name: &str) -> bool {
    let bond = matches!(&port.role, Role::Uplink { bond: Some(bond) } if bond == name);
    bond || port.iface == name || port.dp_port.is_some_and(|number| number.to_string() == name)
}
