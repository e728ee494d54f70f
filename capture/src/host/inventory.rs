//! What is on this host: the sources that the topology is made of, taken once.

use std::collections::{BTreeMap, BTreeSet};

use netcap_bundle::Point;
use netcap_bundle::source::{Outcome, Snapshot, SourceDef};
use netcap_bundle::sources::network::links::Links;
use netcap_bundle::sources::network::linux_bridge::LinuxBridge;
use netcap_bundle::sources::network::neighbours::Neighbours;
use netcap_bundle::sources::ovs::bond::OvsBond;
use netcap_bundle::sources::ovs::datapath::OvsDatapath;
use netcap_bundle::sources::ovs::fdb::OvsFdb;
use netcap_bundle::sources::ovs::ovsdb::Ovsdb;
use netcap_bundle::sources::vm::libvirt::Libvirt;
use netcap_bundle::state::Taken;
use netcap_bundle::topology::{self, Inputs, Port, Topology};
use rust_i18n::t;

use super::available::{Available, SwitchPort};
use super::iface::Iface;
use super::sample::{self, ElementNames, Sampler, snapshot};
use super::services::{Absent, Host, Service};

/// What was found.
pub(crate) struct Inventory {
    /// The samples as they came: part of the run's first round.
    pub taken: Vec<Taken>,
    /// Names that recipes are repeated over.
    pub elements: ElementNames,
    /// Switches, ports, bonds, machines.
    pub topology: Topology,
    /// Every point there could be.
    pub available: Available,
    /// Indexes of the interfaces: one that comes back is another one.
    pub indexes: BTreeMap<String, u32>,
}

/// The sources of the topology; the database first, for it names the bridges.
const SOURCES: [SourceDef; 8] = [
    Ovsdb::DEF,
    Links::DEF,
    LinuxBridge::DEF,
    OvsBond::DEF,
    OvsDatapath::DEF,
    OvsFdb::DEF,
    Neighbours::DEF,
    Libvirt::DEF,
];

impl Inventory {
    /// Looks at the host.
    pub(crate) async fn take(sampler: &dyn Sampler) -> Self {
        let mut taken = Vec::new();
        let mut elements = ElementNames::default();
        for wanted in &SOURCES {
            if let Some(def) = netcap_bundle::sources::by_id(wanted.id) {
                taken.extend(sample::source(sampler, def, &mut elements).await);
            }
        }
        Self::of(taken, elements)
    }

    /// Whether it asks this source.
    pub(crate) fn asks(source: &str) -> bool {
        SOURCES.iter().any(|def| def.id == source)
    }

    /// What these samples of its sources say, together with the kernel's interfaces.
    pub(crate) fn of(taken: Vec<Taken>, elements: ElementNames) -> Self {
        let topology = join(&taken);
        let ifaces = Iface::all();
        let available = available(&topology, &ifaces);
        let indexes = ifaces.into_iter().map(|(name, iface)| (name, iface.index)).collect();
        Self { taken, elements, topology, available, indexes }
    }

    /// Notes in `here` which services of this host could not be asked.
    pub(crate) fn note_unasked(&mut self, host: &Host) {
        let root = nix::unistd::geteuid().is_root();
        let why = |service| unasked(&self.taken, service, host.absent(service).as_ref(), root);
        self.available.unasked =
            [Service::OpenVswitch, Service::Libvirt].into_iter().filter_map(why).collect();
    }

    /// The topology as a table.
    pub(crate) fn table(&self) -> String {
        topology::render_listports(&self.topology)
    }
}

/// Why a source gave nothing, if so: its switches and machines may exist all the same.
fn unasked(taken: &[Taken], service: Service, absent: Option<&Absent>, root: bool) -> Option<String> {
    let id = match service {
        Service::OpenVswitch => Ovsdb::DEF.id,
        Service::Libvirt => Libvirt::DEF.id,
    };
    let mine: Vec<&Taken> = taken.iter().filter(|sample| sample.source == id).collect();
    if mine.iter().any(|sample| sample.outcome == Outcome::Ok) {
        return None;
    }
    let sample = mine.first()?;
    let said = String::from_utf8_lossy(&sample.stderr);
    let said = said.lines().map(str::trim).find(|line| !line.is_empty());
    let why = match (&sample.outcome, said) {
        (Outcome::Failed { why, .. }, _) => absent.map_or_else(|| why.clone(), Absent::words),
        (_, Some(said)) => said.to_owned(),
        (Outcome::Exit { code }, None) => t!("points.status", code = code).into_owned(),
        _ => t!("points.silent").into_owned(),
    };
    let mut text = t!("points.unasked", name = service.name(), why = why).into_owned();
    if !root {
        text.push_str(&t!("points.not_root"));
    }
    Some(text)
}

/// Joins the samples; a source that gave nothing is not asked.
fn join(taken: &[Taken]) -> Topology {
    let ovsdb = snapshot::<Ovsdb>(taken).value;
    let bond = snapshot::<OvsBond>(taken).value;
    let datapath = snapshot::<OvsDatapath>(taken).value;
    let fdb = snapshot::<OvsFdb>(taken).value;
    let links = snapshot::<Links>(taken).value;
    let linux_bridge = snapshot::<LinuxBridge>(taken).value;
    let libvirt = snapshot::<Libvirt>(taken).value;
    let neighbours = snapshot::<Neighbours>(taken).value;
    Topology::build(&Inputs {
        ovsdb: Some(&ovsdb),
        bond: Some(&bond),
        datapath: Some(&datapath),
        fdb: Some(&fdb),
        links: Some(&links),
        linux_bridge: Some(&linux_bridge),
        libvirt: Some(&libvirt),
        neighbours: Some(&neighbours),
    })
}

/// Every point: the ports of the topology that the kernel knows, then interfaces that no source named.
fn available(topology: &Topology, ifaces: &BTreeMap<String, Iface>) -> Available {
    let mut available = Available::default();
    for switch in &topology.switches {
        available.switches.insert(switch.name.clone(), switch.kind);
    }
    let mut seen = BTreeSet::new();
    for (switch, port) in topology.all() {
        let switch = switch.map(|switch| switch.name.clone());
        match ifaces.get(&port.iface) {
            Some(iface) if port.capturable => {
                if seen.insert(port.iface.as_str()) {
                    available.points.push(point(port, switch, iface));
                }
            }
            _ => {
                let port = |switch| SwitchPort { iface: port.iface.clone(), switch };
                available.unrecordable.extend(switch.map(port));
            }
        }
    }
    for (name, iface) in ifaces {
        if !seen.contains(name.as_str()) {
            available.points.push(bare(name, iface));
        }
        if !iface.ethernet {
            available.not_ethernet.insert(name.clone());
        }
    }
    available
}

fn point(port: &Port, vswitch: Option<String>, iface: &Iface) -> Point {
    Point {
        role: port.role.clone(),
        vswitch,
        mac: port.mac.or(iface.mac),
        mtu: port.mtu,
        vlan: port.vlan,
        ..bare(&port.iface, iface)
    }
}

fn bare(name: &str, iface: &Iface) -> Point {
    Point { mac: iface.mac, ..Point::bare(name) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netcap_bundle::Nanos;
    use netcap_bundle::source::Reason;

    fn sample(source: &'static str, outcome: Outcome, stderr: &str) -> Taken {
        let (arg, bytes, stderr) = (String::new(), Vec::new(), stderr.as_bytes().to_vec());
        Taken {
            source,
            item: "x",
            arg,
            at: Nanos::default(),
            took_ns: 0,
            outcome,
            bytes,
            truncated: false,
            stderr,
        }
    }

    #[test]
    fn who_could_not_be_asked_is_said_with_the_reason() {
        rust_i18n::set_locale("en");
        let failed = || Outcome::Failed { reason: Reason::Other, why: "no socket".into() };
        let taken = [
            sample("ovsdb", failed(), ""),
            sample("libvirt", Outcome::Exit { code: 1 }, "\nerror: Permission denied\n"),
        ];
        let text = unasked(&taken, Service::OpenVswitch, None, true).unwrap();
        assert!(
            text.contains("Open vSwitch") && text.contains("no socket") && !text.contains("root"),
            "{text}"
        );
        let text = unasked(&taken, Service::Libvirt, None, false).unwrap();
        assert!(text.contains("Permission denied") && text.contains("root"), "{text}");
        let taken = [sample("ovsdb", failed(), ""), sample("ovsdb", Outcome::Ok, "")];
        assert_eq!(unasked(&taken, Service::OpenVswitch, None, true), None);
        let text = unasked(&taken[..1], Service::OpenVswitch, Some(&Absent::NoDatabase("/x".into())), true);
        assert_eq!(text.unwrap(), "Open vSwitch could not be asked: /x does not exist");
        assert_eq!(unasked(&[], Service::OpenVswitch, None, true), None);
    }
}
