//! The ways out of a bridge: ports, groups, the bridge's own switching, and patch ports into other bridges.

use super::action::Target;
use super::field::Slot;
use super::machine::{Machine, SOMEWHERE, Way};
use super::model::Cause;
use super::ports::Ports;
use super::switching::{self, Switched};
use crate::sources::ovs::openflow::{Flow, Group, GroupKind};
use crate::sources::shared::OfPort;

impl<'a> Machine<'a> {
    pub(super) fn group(&mut self, way: &mut Way<'a>, id: u32, rule: Option<&'a Flow>) {
        let bridge = self.dumps.openflow.bridges.get(way.bridge);
        let Some(group) = bridge.and_then(|bridge| bridge.groups.as_ref()?.iter().find(|g| g.id == id))
        else {
            return self.not_known(&format!("group {id}, which was not dumped"));
        };
        match group.kind {
            GroupKind::All | GroupKind::Indirect => {
                for bucket in &group.buckets {
                    self.bucket(way, bucket, rule);
                }
            }
            GroupKind::Other => self.choice(way, group, rule),
        }
    }

    /// One bucket is chosen by something that is not recorded: known only when all of them drop or all of them send.
    fn choice(&mut self, way: &Way<'a>, group: &'a Group, rule: Option<&'a Flow>) {
        let before = self.exits.len();
        let mut sending = 0;
        for bucket in &group.buckets {
            let had = self.exits.len();
            self.bucket(way, bucket, rule);
            sending += usize::from(self.exits.len() > had);
        }
        if sending != 0 && sending != group.buckets.len() {
            self.exits.truncate(before);
            self.not_known(&format!("group {} chooses among buckets that differ", group.id));
        }
    }

    pub(super) fn output(&mut self, way: &mut Way<'a>, target: &Target, rule: Option<&'a Flow>) {
        match target {
            Target::Controller => self.sent(way.bridge, "CONTROLLER"),
            Target::Normal => self.normal(way, rule),
            Target::Flood | Target::All => self.everywhere(way, *target == Target::Flood, rule),
            Target::InPort => match way.packet.in_port() {
                Some(port) => self.leave(way, port, rule),
                None => self.not_known("the port it came in at is not known"),
            },
            target => match self.number(way, target) {
                // Back by the port it came in at is refused unless it says IN_PORT (OpenFlow 1.3.5, section 5.12).
                Some(port) if way.packet.in_port() == Some(port) => self.refused(way, rule, Cause::InputPort),
                Some(OfPort::NONE) => self.refused(way, rule, Cause::NoPort),
                // Reserved numbers that come out of a register (openflow-1.0.h, `OFPP_*`).
                Some(OfPort(0xfff8)) => self.output(way, &Target::InPort, rule),
                Some(OfPort(0xfffa)) => self.normal(way, rule),
                Some(OfPort(0xfffb)) => self.everywhere(way, true, rule),
                Some(OfPort(0xfffc)) => self.everywhere(way, false, rule),
                Some(OfPort(0xfffd)) => self.sent(way.bridge, "CONTROLLER"),
                Some(port) => self.leave(way, port, rule),
                None => self.not_known("the port it is sent to is not known"),
            },
        }
    }

    pub(super) fn refused(&mut self, way: &Way<'a>, rule: Option<&'a Flow>, cause: Cause) {
        self.ends(way.bridge, way.table, rule, cause);
    }

    fn everywhere(&mut self, way: &mut Way<'a>, flood: bool, rule: Option<&'a Flow>) {
        let in_port = way.packet.in_port();
        let Some(all) = Ports::of(self.dumps, way.bridge).and_then(|ports| ports.all()) else {
            return self.sent(way.bridge, SOMEWHERE);
        };
        for port in all.iter().filter(|port| Some(port.number) != in_port) {
            if !(flood && port.config.iter().any(|flag| flag == "NO_FLOOD")) {
                self.leave(way, port.number, rule);
            }
        }
    }

    fn normal(&mut self, way: &mut Way<'a>, rule: Option<&'a Flow>) {
        let Some(ports) = Ports::of(self.dumps, way.bridge) else { return self.sent(way.bridge, SOMEWHERE) };
        match switching::switch(&ports, self.dumps.fdb, way.bridge, &way.packet) {
            Switched::Somewhere => self.sent(way.bridge, SOMEWHERE),
            Switched::Ends(cause) => self.ends(way.bridge, way.table, rule, cause),
            Switched::To(list, vlan) => {
                for port in list {
                    let mut copy = way.clone();
                    switching::retag(&mut copy.packet, port, vlan);
                    match port.interfaces.as_slice() {
                        [one] => match one.ofport {
                            Some(number) => self.leave(&copy, number, rule),
                            None => self.refused(&copy, rule, Cause::NoPort),
                        },
                        _ => self.sent(way.bridge, &port.name),
                    }
                }
            }
        }
    }

    /// Through a port; a patch port leads into another bridge.
    fn leave(&mut self, way: &Way<'a>, port: OfPort, rule: Option<&'a Flow>) {
        let Some(ports) = Ports::of(self.dumps, way.bridge) else {
            return self.sent(way.bridge, &port.to_string());
        };
        let Some(desc) = ports.by_number(port) else {
            return match ports.all() {
                Some(_) => self.refused(way, rule, Cause::NoPort),
                None => self.sent(way.bridge, &port.to_string()),
            };
        };
        if desc.config.iter().any(|flag| flag == "NO_FWD") {
            return self.refused(way, rule, Cause::NoPort);
        }
        let Some(peer) = ports.peer(&desc.name) else {
            let name = ports.config(&desc.name).map_or(desc.name.as_str(), |config| config.name.as_str());
            return self.sent(way.bridge, name);
        };
        let Some((bridge, number)) = ports.home(peer) else {
            return self.sent(way.bridge, &desc.name);
        };
        let mut packet = way.packet.clone();
        packet.forget_metadata();
        packet.set(Slot::InPort, u128::from(number.0));
        let depth = way.depth + 1;
        self.enter(Way {
            bridge,
            packet,
            table: 0,
            depth,
            set: Vec::new(),
            stack: way.stack.clone(),
            exit: false,
        });
    }
}
