//! Deaths at a time at which a port was not there: the one they came in by, or the one of the machine they are for.

use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::network::links::Links;
use netcap_bundle::sources::ovs::ovsdb::Ovsdb;
use netcap_bundle::{Nanos, layout};

use super::{Case, Death, Group, LOST_MIN};
use crate::finding::{Confidence, Evidence};
use crate::host::outages::{Gaps, Life, Outage, Outages, Why};
use crate::host::{file_of, said_at};
use crate::tables::hops::Side;
use crate::text::Text;

/// Packets that died, shown of one claim.
const FRAMES_MAX: usize = 2;
/// Ports of a switch shown where one is missing.
const PORTS_MAX: usize = 24;

/// Whose port was missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// The one by which the packets came.
    Source,
    /// The one of the machine that they are for.
    Destination,
}

/// A port that was not there, and what died meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Missing<'c> {
    pub end: End,
    /// The port.
    pub life: &'c Life,
    /// When it was not there, and why.
    pub outage: &'c Outage,
    /// What died at a time at which it may not have been there.
    pub deaths: Vec<Death>,
}

impl<'c> Case<'c, '_> {
    /// When ports were not there.
    pub(crate) fn outages(&self) -> &'c Outages {
        self.deaths.outages.get_or_init(|| {
            let view = self.view;
            let mut gaps = Gaps::new();
            for (point, (id, _)) in view.input.points.iter().zip(view.points.iter()) {
                let known = view.fidelity.point(id).map(|fidelity| fidelity.gaps.clone()).unwrap_or_default();
                gaps.entry(&point.iface).or_default().extend(known);
            }
            Outages::read(&view.host, &view.input.points, &gaps)
        })
    }

    /// The port by which they came, if they entered a switch.
    fn source(&self) -> Option<&'c Life> {
        let from = self.group.place.from;
        let entered = matches!(from.side(&self.view.context), Side::Enter(_));
        let point = self.view.input.points.get(from.point.0 as usize).filter(|_| entered)?;
        self.outages().port(&point.iface)
    }

    /// The ports of the machine that they are for.
    pub(crate) fn destination(&self) -> Option<&'c Life> {
        let dst = self.group.eth.map(|eth| eth.dst).filter(|dst| !dst.is_multicast())?;
        self.outages().machine(dst)
    }

    /// They were delivered at a port of the machine that they are for.
    pub(crate) fn is_delivered(&self) -> bool {
        let from = self.group.place.from;
        let point = self.view.input.points.get(from.point.0 as usize);
        let left = matches!(from.side(&self.view.context), Side::Leave(_));
        let at = point.filter(|_| left).map(|point| point.iface.as_str());
        at.is_some_and(|at| self.destination().is_some_and(|life| life.ifaces.contains(at)))
    }

    /// The outage of that kind in which most of the rest died.
    pub(crate) fn missing(&self, wanted: fn(&Outage) -> bool) -> Option<Missing<'c>> {
        let destination = self.destination().filter(|_| !self.is_delivered());
        let source = self.source().map(|life| (End::Source, life));
        let ends = source.into_iter().chain(destination.map(|life| (End::Destination, life)));
        let all = ends.flat_map(|(end, life)| life.outages.iter().map(move |outage| (end, life, outage)));
        // What was heard at a port proves that its interface was there.
        let likely = |end: End, outage: &Outage| end == End::Destination || outage.why == Why::Unplugged;
        let dead = all.filter(|(end, _, outage)| wanted(outage) && likely(*end, outage));
        let dead = dead.map(|(end, life, outage)| {
            // Whether the port was back already, only a loss that is sure tells.
            let died = |death: &&Death| {
                outage.holds(death.at) || outage.may_hold(death.at) && (death.is_sure() || !death.followed)
            };
            let deaths = self.rest.iter().filter(died).copied().collect();
            Missing { end, life, outage, deaths }
        });
        let dead = dead.filter(|missing: &Missing<'_>| !missing.deaths.is_empty());
        dead.max_by_key(|missing| (missing.deaths.len(), std::cmp::Reverse(missing.end)))
    }
}

impl Missing<'_> {
    /// Proven when the port was certainly not there for several of them.
    pub(crate) fn confidence(&self) -> Confidence {
        let held = self.deaths.iter().filter(|death| self.outage.holds(death.at)).count();
        if held >= LOST_MIN { Confidence::Proven } else { Confidence::Likely }
    }

    /// When the first and the last of them died.
    pub(crate) fn times(&self) -> (Option<Nanos>, Option<Nanos>) {
        let times = || self.deaths.iter().map(|death| death.at);
        (times().min(), times().max())
    }

    /// From when to when the port was not there, as far as it is known.
    pub(crate) fn span(&self, offset_s: i32) -> Text {
        let time = |(after, by): (Nanos, Nanos)| {
            if after == by {
                return Text::verbatim(by.clock(offset_s));
            }
            Text::new("outage.between").with("after", after.clock(offset_s)).with("by", by.clock(offset_s))
        };
        match (self.outage.began.map(time), self.outage.ended.map(time)) {
            (Some(from), Some(to)) => Text::new("outage.from-to").with_text("from", from).with_text("to", to),
            (Some(from), None) => Text::new("outage.from").with_text("from", from),
            (None, Some(to)) => Text::new("outage.to").with_text("to", to),
            (None, None) => Text::new("outage.all"),
        }
    }

    /// What shows that the port was not there, then some of what died.
    pub(crate) fn evidence(&self, case: &Case<'_, '_>) -> Vec<Evidence> {
        let mut out: Vec<Evidence> = self.shown(case).into_iter().chain(self.noticed()).collect();
        let from = case.group.place.from.point;
        let held = self.deaths.iter().filter(|death| self.outage.holds(death.at));
        let others = self.deaths.iter().filter(|death| !self.outage.holds(death.at));
        for death in held.chain(others).take(FRAMES_MAX) {
            let what = Text::new("outage.evidence.frame").with("point", case.view.points.name(from));
            out.push(case.view.frame(Group::sight(death), from, what));
        }
        out
    }

    /// The reading that showed it first.
    fn shown(&self, case: &Case<'_, '_>) -> Option<Evidence> {
        let (source, at) = self.outage.shown?;
        let input = case.view.input;
        let named = |file: Option<String>| Some((file?, source));
        let (file, source) = if source == Ovsdb::DEF.id {
            named(said_at::<Ovsdb>(input, at).and_then(|round| file_of(&round, "dump")))?
        } else if source == Links::DEF.id {
            named(said_at::<Links>(input, at).and_then(|round| file_of(&round, "link")))?
        } else {
            return None;
        };
        let topology = case.view.host.topology_at(at);
        let ports = topology.switch(&self.life.switch).map(|switch| &switch.ports);
        let mut names: Vec<&str> = ports.into_iter().flatten().map(|port| port.iface.as_str()).collect();
        names.truncate(PORTS_MAX);
        let (key, line) = match self.outage.why {
            Why::Down => ("outage.evidence.down", format!("{}: state DOWN", self.outage.port)),
            Why::Unplugged | Why::Gone if source == Ovsdb::DEF.id => {
                ("outage.evidence.ports", format!("{}: {}", self.life.switch, names.join(" ")))
            }
            Why::Unplugged | Why::Gone => ("outage.evidence.links", self.outage.port.clone()),
        };
        let what = Text::new(key).with("port", &self.outage.port).with("switch", &self.life.switch);
        Some(Evidence::Snapshot { file, at: Some(at), line, what })
    }

    /// What the recorder noticed of it.
    fn noticed(&self) -> Option<Evidence> {
        let (from, by) = self.outage.began?;
        (from == by).then(|| Evidence::Snapshot {
            file: layout::CHANGES.to_owned(),
            at: Some(by),
            line: format!("left {}", self.outage.port),
            what: Text::new("outage.evidence.left").with("port", &self.outage.port),
        })
    }
}
