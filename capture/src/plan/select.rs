//! From what the user named to the points that are recorded.
//!
//! [`Available`] is every point this host could have; a plan only selects. So a name that matches nothing can always be
//! answered with what exists.

use std::collections::BTreeSet;

use netcap_bundle::run::safe_name;
use netcap_bundle::{Mac, Point, Role};
use netcap_words::foreign::clean;
use rust_i18n::t;
use serde::{Deserialize, Serialize};

use crate::error::PlanError;
use crate::host::available::Available;

/// What the user named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Selection {
    /// Switches.
    pub vswitches: Vec<String>,
    /// Interfaces.
    pub ifaces: Vec<String>,
    /// Guest MACs.
    pub macs: Vec<String>,
    /// Virtual machines.
    pub vms: Vec<String>,
}

/// The points of everything that was named, each once, in the order of naming.
pub(crate) fn select(available: &Available, wanted: &Selection) -> Result<Vec<Point>, PlanError> {
    let mut out: Vec<Point> = Vec::new();
    let mut add = |points: Vec<&Point>| {
        for point in points {
            if out.iter().all(|have| have.iface != point.iface) {
                out.push(point.clone());
            }
        }
    };
    for name in names(&wanted.vswitches) {
        add(of_switch(available, name)?);
    }
    for name in names(&wanted.ifaces) {
        add(of_iface(available, name)?);
    }
    for text in names(&wanted.macs) {
        add(of_mac(available, text)?);
    }
    for name in names(&wanted.vms) {
        add(of_vm(available, name)?);
    }
    if let Some(point) = out.iter().find(|point| available.not_ethernet.contains(&point.iface)) {
        return Err(sentence(&t!("plan.foreign", iface = point.iface)));
    }
    name_apart(&mut out);
    Ok(out)
}

/// The points that belong to a run that is under way: what [`select`] would choose now, and of the recorded switches
/// also the ports that are new. Who is not there is no mistake here.
///
/// At the start a switch means its own port and its uplinks, and machines are chosen by name: a host has hundreds. A
/// port that comes later is news, and what it does to the others is what one records a switch for.
pub(crate) fn follow(available: &Available, wanted: &Selection, is_new: impl Fn(&str) -> bool) -> Vec<Point> {
    let switches: Vec<&str> = names(&wanted.vswitches).collect();
    let new = available.points.iter().filter(|point| {
        is_new(&point.iface) && point.vswitch.as_deref().is_some_and(|switch| switches.contains(&switch))
    });
    let chosen = names(&wanted.vswitches).filter_map(|name| of_switch(available, name).ok());
    let chosen = chosen.chain(names(&wanted.macs).filter_map(|mac| of_mac(available, mac).ok()));
    let chosen = chosen.chain(names(&wanted.vms).filter_map(|name| of_vm(available, name).ok()));
    let mut out: Vec<Point> = Vec::new();
    for point in chosen.flatten().chain(new) {
        if !available.not_ethernet.contains(&point.iface) && out.iter().all(|have| have.iface != point.iface)
        {
            out.push(point.clone());
        }
    }
    out
}

/// An id that none of these points has.
pub(crate) fn fresh_id<'a>(iface: &str, used: impl Iterator<Item = &'a str>) -> String {
    let used: BTreeSet<&str> = used.collect();
    let base = safe_name(iface);
    let numbered = (2_u32..).map(|n| format!("{base}-{n}"));
    std::iter::once(base.clone()).chain(numbered).find(|id| !used.contains(id.as_str())).unwrap_or(base)
}

impl Selection {
    /// Whether anything can join: a switch or a machine was named, or a MAC, which may move.
    pub(crate) fn can_grow(&self) -> bool {
        !(self.vswitches.is_empty() && self.macs.is_empty() && self.vms.is_empty())
    }

    /// Whether the point is waited for when its interface goes: it was named by it, or belongs to the host. Another
    /// machine may get a port of the same name, so the port of a machine is not waited for.
    pub(crate) fn waits_for(&self, point: &Point) -> bool {
        !matches!(point.role, Role::Vnet { .. }) || names(&self.ifaces).any(|name| name == point.iface)
    }
}

fn names(list: &[String]) -> impl Iterator<Item = &str> {
    list.iter().map(|name| name.trim()).filter(|name| !name.is_empty())
}

fn of_switch<'a>(available: &'a Available, name: &str) -> Result<Vec<&'a Point>, PlanError> {
    if !available.switches.contains_key(name) {
        let known = available.switches.keys().map(String::as_str);
        let list =
            available.switches.keys().map(|switch| available.describe(switch)).collect::<Vec<_>>().join(", ");
        return Err(doubt(available, unknown("plan.vswitch", name, known, &list)));
    }
    let mine = |point: &&Point| {
        point.vswitch.as_deref() == Some(name)
            && match point.role {
                Role::Internal => point.iface == name,
                Role::Uplink { .. } => true,
                _ => false,
            }
    };
    let points: Vec<_> = available.points.iter().filter(mine).collect();
    if points.is_empty() {
        return Err(sentence(&t!("plan.unheard_switch", name = name)));
    }
    Ok(points)
}

fn of_iface<'a>(available: &'a Available, name: &str) -> Result<Vec<&'a Point>, PlanError> {
    if let Some(point) = available.points.iter().find(|point| point.iface == name) {
        return Ok(vec![point]);
    }
    if let Some(port) = available.unrecordable.iter().find(|port| port.iface == name) {
        return Err(sentence(&t!("plan.unheard", iface = name, switch = port.switch)));
    }
    let known = || available.points.iter().map(|point| point.iface.as_str());
    Err(unknown("plan.iface", name, known(), &listed(known())))
}

/// By the guest's MAC; else by the interface's own.
fn of_mac<'a>(available: &'a Available, text: &str) -> Result<Vec<&'a Point>, PlanError> {
    let mac: Mac = text.parse().map_err(|e: netcap_bundle::run::NotAMac| PlanError(e.to_string()))?;
    let guest =
        |point: &&Point| matches!(point.role, Role::Vnet { guest_mac: Some(have), .. } if have == mac);
    let mut points: Vec<_> = available.points.iter().filter(guest).collect();
    if points.is_empty() {
        points = available.points.iter().filter(|point| point.mac == Some(mac)).collect();
    }
    if points.is_empty() {
        let guests = available.points.iter().filter_map(|point| match point.role {
            Role::Vnet { guest_mac: Some(mac), .. } => Some(format!("{mac} ({})", point.iface)),
            _ => None,
        });
        let list: Vec<String> = guests.collect();
        let list = listed(list.iter().map(String::as_str));
        return Err(doubt(available, unknown("plan.mac", text, std::iter::empty(), &list)));
    }
    Ok(points)
}

fn of_vm<'a>(available: &'a Available, name: &str) -> Result<Vec<&'a Point>, PlanError> {
    let vm_of = |point: &'a Point| match &point.role {
        Role::Vnet { vm: Some(vm), .. } => Some(vm.as_str()),
        _ => None,
    };
    let points: Vec<_> = available.points.iter().filter(|point| vm_of(point) == Some(name)).collect();
    if points.is_empty() {
        let known: BTreeSet<&str> = available.points.iter().filter_map(vm_of).collect();
        let error = unknown("plan.vm", name, known.iter().copied(), &listed(known.iter().copied()));
        return Err(doubt(available, error));
    }
    Ok(points)
}

/// `no vswitch 'vswitch9' here; there are: …; did you mean 'vswitch0'?`
fn unknown<'a>(key: &str, name: &str, known: impl Iterator<Item = &'a str>, list: &str) -> PlanError {
    let list = if list.is_empty() { t!("plan.none").into_owned() } else { list.to_owned() };
    let mut text = t!(key, name = name, list = list).into_owned();
    let near = known
        .map(|have| (strsim::levenshtein(name, have), have))
        .min()
        .filter(|(far, _)| *far <= name.len() / 3 + 1);
    if let Some((_, near)) = near {
        text.push_str("; ");
        text.push_str(&t!("plan.near", name = near));
    }
    sentence(&text)
}

/// In one line, whatever the names in it are: those of machines may have several.
fn sentence(text: &str) -> PlanError {
    PlanError(clean(text))
}

/// Names shown of a long list.
const LISTED_MAX: usize = 40;

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut list: Vec<&str> = names.collect();
    let more = list.len().saturating_sub(LISTED_MAX);
    list.truncate(LISTED_MAX);
    let end = if more > 0 { format!(" … (+{more})") } else { String::new() };
    list.join(", ") + &end
}

/// Two interfaces whose names become the same file name get different ones.
pub(super) fn name_apart(points: &mut [Point]) {
    let mut used: BTreeSet<String> = BTreeSet::new();
    for point in points {
        point.id = fresh_id(&point.iface, used.iter().map(String::as_str));
        used.insert(point.id.clone());
    }
}

/// A name that was not found may be one that nobody could be asked about.
fn doubt(available: &Available, PlanError(mut text): PlanError) -> PlanError {
    for sentence in &available.unasked {
        text.push('\n');
        text.push_str(sentence);
    }
    PlanError(text)
}
