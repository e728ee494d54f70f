//! When ports were not there: taken out of their switch, set down, or gone with their machine.

use std::collections::{BTreeMap, BTreeSet};

use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::network::links::Links;
use netcap_bundle::sources::vm::libvirt::Libvirt;
use netcap_bundle::topology::{Port, Topology};
use netcap_bundle::{Mac, Nanos, Point, Role};

use super::Host;
use super::timeline::{Era, HostState};
use crate::engine::PointId;

/// Outages kept of one port: one that flaps is one fault.
const OUTAGES_MAX: usize = 64;
/// A machine that starts is called running so long before its card is in the switch.
const STARTING_NS: i64 = 2_000_000_000;

/// Why a port was not there; what is worse comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// It was set down on the host.
    Down,
    /// The interface was there and belonged to its switch no longer.
    Unplugged,
    /// The interface was not there: the machine was off, or lost its card.
    Gone,
}

/// A time in which a port was not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outage {
    pub why: Why,
    /// The port, as it was called before.
    pub port: String,
    /// It began after the first and not later than the second; `None`: it was so from the start.
    pub began: Option<(Nanos, Nanos)>,
    /// It ended after the first and not later than the second; `None`: it was so to the end.
    pub ended: Option<(Nanos, Nanos)>,
    /// The port that is there afterwards.
    pub after: Option<String>,
    /// The source that showed it first, and when; `None`: the recorder noticed it.
    pub shown: Option<(&'static str, Nanos)>,
    /// Its machine was seen running in between.
    pub running: bool,
}

impl Outage {
    fn era(&self) -> Era<()> {
        Era { value: (), began: self.began, ended: self.ended }
    }

    /// It may have lasted at that time.
    pub(crate) fn may_hold(&self, at: Nanos) -> bool {
        self.era().may_hold(at)
    }

    /// It lasted at that time.
    pub(crate) fn holds(&self, at: Nanos) -> bool {
        self.era().holds(at)
    }
}

/// A port of a switch over time, or the ports of a machine's card: a new start may give it another one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Life {
    pub switch: String,
    /// Its interfaces.
    pub ifaces: BTreeSet<String>,
    /// Its machine.
    pub vm: Option<String>,
    /// When it was not there.
    pub outages: Vec<Outage>,
}

/// When interfaces could not be captured at, although they were recorded before and after.
pub(crate) type Gaps<'a> = BTreeMap<&'a str, Vec<(Nanos, Nanos)>>;

/// The lives of ports.
#[derive(Debug, Default)]
pub(crate) struct Outages {
    machines: BTreeMap<Mac, Life>,
    ports: BTreeMap<String, Life>,
}

/// What a state says of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    There,
    Not(Why),
    /// The state does not know its switch.
    Unknown,
}

impl Outages {
    /// Of all recorded ports and of all machines.
    pub(crate) fn read(host: &Host, points: &[Point], gaps: &Gaps<'_>) -> Self {
        let mut machines: BTreeMap<Mac, Life> = BTreeMap::new();
        let mut ports: BTreeMap<String, Life> = BTreeMap::new();
        let mut add = |mac: Option<Mac>, switch: &str, iface: &str, vm: Option<&String>| {
            let machine = mac.map(|mac| machines.entry(mac).or_default());
            for life in machine.into_iter().chain([ports.entry(iface.to_owned()).or_default()]) {
                if life.switch.is_empty() {
                    switch.clone_into(&mut life.switch);
                }
                life.ifaces.insert(iface.to_owned());
                life.vm = life.vm.take().or_else(|| vm.cloned());
            }
        };
        for point in points {
            let (mac, vm) = match &point.role {
                Role::Vnet { vm, guest_mac } => (*guest_mac, vm.as_ref()),
                _ => (None, None),
            };
            if let Some(switch) = &point.vswitch {
                add(mac, switch, &point.iface, vm);
            }
        }
        for state in host.timeline.states() {
            for (switch, port) in state.topology.all() {
                if let (Some(switch), Role::Vnet { .. }) = (switch, &port.role) {
                    add(port.guest_mac, &switch.name, &port.iface, port.vm.as_ref());
                }
            }
        }
        let indexes: Vec<Index<'_>> = host.timeline.states().iter().map(Index::of).collect();
        let look = Look { host, points, gaps, indexes };
        for (mac, life) in &mut machines {
            life.outages = look.outages(life, Some(*mac));
        }
        for life in ports.values_mut() {
            life.outages = look.outages(life, None);
        }
        Self { machines, ports }
    }

    /// The ports of the machine with that address.
    pub(crate) fn machine(&self, mac: Mac) -> Option<&Life> {
        self.machines.get(&mac)
    }

    /// A port by the name of its interface.
    pub(crate) fn port(&self, iface: &str) -> Option<&Life> {
        self.ports.get(iface)
    }
}

/// A state by interface and by guest.
struct Index<'a> {
    ifaces: BTreeMap<&'a str, (Option<&'a str>, &'a Port)>,
    guests: BTreeMap<Mac, Vec<(&'a str, &'a Port)>>,
    topology: &'a Topology,
}

impl<'a> Index<'a> {
    fn of(state: &'a HostState) -> Self {
        let (mut ifaces, mut guests) = (BTreeMap::new(), BTreeMap::<Mac, Vec<_>>::new());
        for (switch, port) in state.topology.all() {
            let switch = switch.map(|switch| switch.name.as_str());
            ifaces.entry(port.iface.as_str()).or_insert((switch, port));
            if let (Some(mac), Some(switch)) = (port.guest_mac, switch) {
                guests.entry(mac).or_default().push((switch, port));
            }
        }
        Self { ifaces, guests, topology: &state.topology }
    }

    fn standing(&self, life: &Life, mac: Option<Mac>, links: bool) -> Standing {
        if self.topology.switch(&life.switch).is_none() {
            return Standing::Unknown;
        }
        let named = life.ifaces.iter().filter_map(|iface| self.ifaces.get(iface.as_str()));
        let here = |switch: Option<&str>| switch == Some(life.switch.as_str());
        let guests = mac.and_then(|mac| self.guests.get(&mac)).into_iter().flatten();
        let guests = guests.filter(|(switch, _)| here(Some(switch))).map(|(_, port)| *port);
        let mut mine = named.clone().filter(|(switch, _)| here(*switch)).map(|(_, port)| *port).chain(guests);
        let Some(first) = mine.next() else {
            return Standing::Not(if named.count() > 0 || !links { Why::Unplugged } else { Why::Gone });
        };
        let states = [first].into_iter().chain(mine).map(of_port);
        states.min().flatten().map_or(Standing::There, Standing::Not)
    }
}

/// What a port of the switch says of itself: `None` sorts first, and one that is there is enough.
fn of_port(port: &Port) -> Option<Why> {
    let error = port.error.as_deref().unwrap_or_default();
    if error.contains("No such device") {
        Some(Why::Gone)
    } else if port.admin_up == Some(false) {
        Some(Why::Down)
    } else {
        None
    }
}

/// Everything that tells of ports.
struct Look<'a> {
    host: &'a Host,
    points: &'a [Point],
    gaps: &'a Gaps<'a>,
    indexes: Vec<Index<'a>>,
}

impl Look<'_> {
    fn outages(&self, life: &Life, mac: Option<Mac>) -> Vec<Outage> {
        let links = self.host.timeline.was_read(Links::DEF.id);
        let eras = self.host.timeline.history_by(|number, _| {
            self.indexes.get(number).map_or(Standing::Unknown, |index| index.standing(life, mac, links))
        });
        let was_there = eras.iter().any(|era| era.value == Standing::There);
        let mut out: Vec<Outage> = Vec::new();
        // What is worse and follows at once is the same outage.
        let mut open: Option<Outage> = None;
        for era in eras {
            match (era.value, &mut open) {
                (Standing::Not(why), Some(outage)) => {
                    outage.why = outage.why.max(why);
                    outage.ended = era.ended;
                }
                (Standing::Not(why), None) => {
                    open = Some(Outage {
                        why,
                        port: life.ifaces.iter().next().cloned().unwrap_or_default(),
                        began: era.began,
                        ended: era.ended,
                        after: None,
                        shown: era.began.and_then(|(_, by)| self.host.timeline.source_at(by)),
                        running: false,
                    });
                }
                (_, closed) => out.extend(closed.take()),
            }
        }
        out.extend(open);
        out.truncate(OUTAGES_MAX);
        // What was never there is no port that went away.
        let mut out = if was_there { out } else { Vec::new() };
        self.noticed(life, mac, &mut out);
        for outage in &mut out {
            self.narrow(outage);
            outage.running = life.vm.as_deref().is_some_and(|vm| self.ran(vm, outage));
        }
        out
    }

    /// What the recorder noticed itself is finer: when points left and joined.
    fn noticed(&self, life: &Life, mac: Option<Mac>, out: &mut Vec<Outage>) {
        let Some(mac) = mac else { return };
        let mine = (0u32..).zip(self.points).filter(|(_, point)| {
            point.vswitch.as_deref() == Some(life.switch.as_str())
                && matches!(&point.role, Role::Vnet { guest_mac: Some(guest), .. } if *guest == mac)
        });
        let stays: Vec<_> =
            mine.map(|(id, point)| (self.host.presence.of(PointId(id)), point.iface.as_str())).collect();
        for (stay, name) in &stays {
            let Some(left) = stay.left else { continue };
            let back = stays.iter().filter_map(|(other, name)| Some((other.joined?, *name)));
            let back = back.filter(|(joined, _)| *joined > left).min();
            let exact = back.map(|(joined, _)| (joined, joined));
            let after = back.map(|(_, name)| name.to_owned());
            let around =
                |outage: &&mut Outage| outage.began.is_some_and(|(from, by)| from <= left && left <= by);
            let port = (*name).to_owned();
            if let Some(outage) = out.iter_mut().find(around) {
                outage.began = Some((left, left));
                outage.ended = exact.or(outage.ended);
                (outage.port, outage.after) = (port, after);
                outage.why = Why::Gone;
            } else {
                out.push(Outage {
                    why: Why::Gone,
                    port,
                    began: Some((left, left)),
                    ended: exact,
                    after,
                    shown: None,
                    running: false,
                });
            }
        }
        out.sort_by_key(|outage| outage.began);
        out.truncate(OUTAGES_MAX);
    }

    /// An interface that is down or gone cannot be captured at: what the capture says of it is finer than the readings.
    fn narrow(&self, outage: &mut Outage) {
        if outage.why == Why::Unplugged {
            return;
        }
        let within = |bounds: (Nanos, Nanos), at: Nanos| bounds.0 <= at && at <= bounds.1;
        for (from, to) in self.gaps.get(outage.port.as_str()).into_iter().flatten() {
            if let Some(bounds) = outage.began.as_mut().filter(|bounds| within(**bounds, *from)) {
                bounds.1 = *from;
                if let Some(bounds) = outage.ended.as_mut().filter(|bounds| within(**bounds, *to)) {
                    bounds.1 = *to;
                }
            }
        }
    }

    /// All readings inside of the outage say that the machine runs. One that is starting runs before its card is there.
    fn ran(&self, vm: &str, outage: &Outage) -> bool {
        let start = |at: Nanos| outage.ended.is_none_or(|(after, _)| at.plus(STARTING_NS) < after);
        let inside = |at: &&Nanos| outage.began.is_some_and(|(_, by)| by < **at) && start(**at);
        let says =
            |at: &Nanos| self.host.timeline.at(*at).and_then(|state| state.machines.get(vm)) == Some(&true);
        let readings = self.host.timeline.readings_of(Libvirt::DEF.id).iter().filter(inside);
        let said: Vec<bool> = readings.map(says).collect();
        !said.is_empty() && said.into_iter().all(|runs| runs)
    }
}
