//! What the helper itself has seen of the host while it took samples: the names there are, and who belongs to which switch.
//!
//! A recording that was taken over may say anything. So what a recipe is repeated over must be a name that the host itself
//! gave, and an interface joins only when it belongs to the run by samples that the helper took a moment ago.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use netcap_bundle::source::{Elements, Recipe};
use netcap_bundle::sources;
use netcap_bundle::state::Taken;

use super::limits::Limits;
use crate::host::inventory::Inventory;
use crate::host::sample::{ElementNames, items};
use crate::plan;

/// Age of a sample that still says who belongs to a run: a look takes seconds on a large host.
const FRESH: Duration = Duration::from_mins(1);
/// How long a name is known after it was listed last: a round of many samples takes its time.
const REMEMBERED: Duration = Duration::from_mins(10);
/// Bytes of samples that are kept; beyond that all of them are forgotten, and the next look brings them again.
const SAMPLES_BYTES_MAX: usize = 48 << 20;
/// Names of one kind, and samples whose rate is watched.
const NAMES_MAX: usize = 8192;

/// A recipe and what it is repeated over.
type Key = (&'static str, &'static str, String);

#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The latest of each kind, and when each was taken.
    samples: Vec<Taken>,
    times: Vec<Instant>,
    /// Sources whose names were not read since their last sample.
    unread: BTreeSet<&'static str>,
    names: BTreeMap<&'static str, BTreeMap<String, Instant>>,
    due: BTreeMap<Key, Option<Instant>>,
}

impl Seen {
    /// Keeps a sample that lists something or says who joins.
    pub(super) fn note(&mut self, taken: &Taken) {
        let lists = sources::listed_by(taken.source).next().is_some();
        if !lists && !Inventory::asks(taken.source) {
            return;
        }
        let key =
            |have: &Taken| have.source == taken.source && have.item == taken.item && have.arg == taken.arg;
        let held: usize = self.samples.iter().filter(|have| !key(have)).map(|have| have.bytes.len()).sum();
        if held.saturating_add(taken.bytes.len()) > SAMPLES_BYTES_MAX {
            self.read_names();
            (self.samples, self.times) = (Vec::new(), Vec::new());
        }
        if let Some(at) = self.samples.iter().position(key) {
            self.samples.remove(at);
            self.times.remove(at);
        }
        self.samples.push(taken.clone());
        self.times.push(Instant::now());
        // What is repeated over names brings none.
        if lists && taken.arg.is_empty() {
            self.unread.insert(taken.source);
        }
    }

    /// Whether a sample may be taken now: over a name that the host gave, and not too often.
    pub(super) fn admits(
        &mut self,
        limits: &Limits,
        source: &'static str,
        recipe: &'static Recipe,
        arg: &str,
    ) -> bool {
        if recipe.each.elements().is_some_and(|kind| !self.knows(kind, arg)) {
            return false;
        }
        let now = Instant::now();
        if self.due.len() >= NAMES_MAX {
            self.due.retain(|_, due| due.is_some_and(|due| due > now));
        }
        let due = self.due.entry((source, recipe.item, arg.to_owned())).or_default();
        limits.samples(Inventory::asks(source)).admits(due, now)
    }

    fn knows(&mut self, kind: &'static Elements, name: &str) -> bool {
        self.read_names();
        self.names.get(kind.id).is_some_and(|names| names.contains_key(name))
    }

    fn read_names(&mut self) {
        let now = Instant::now();
        for source in std::mem::take(&mut self.unread) {
            let items = items(source, &self.samples);
            for kind in sources::listed_by(source) {
                let names = self.names.entry(kind.id).or_default();
                names.extend((kind.names)(&items).into_iter().take(NAMES_MAX).map(|name| (name, now)));
                names.retain(|_, listed| now.duration_since(*listed) < REMEMBERED);
            }
        }
    }

    /// Whether that interface belongs to the run by now, as samples of the last minute say.
    pub(super) fn joins(&self, limits: &Limits, iface: &str) -> bool {
        let Some(wanted) = &limits.follow else { return false };
        let both = self.samples.iter().zip(&self.times);
        let fresh = both.filter(|(taken, at)| at.elapsed() < FRESH && Inventory::asks(taken.source));
        let taken = fresh.map(|(taken, _)| taken.clone()).collect();
        let Inventory { available, indexes, .. } = Inventory::of(taken, ElementNames::default());
        let is_new = |iface: &str| indexes.get(iface).is_some_and(|index| !limits.old.contains(index));
        plan::follow(&available, wanted, is_new).iter().any(|point| point.iface == iface)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netcap_bundle::Nanos;
    use netcap_bundle::source::Outcome;

    /// A sample of the machines, as `virsh list --name` lists them.
    fn machines(names: &[&str]) -> Taken {
        Taken {
            source: "libvirt",
            item: "domains",
            arg: String::new(),
            at: Nanos::default(),
            took_ns: 0,
            outcome: Outcome::Ok,
            bytes: names.join("\n").into_bytes(),
            truncated: false,
            stderr: Vec::new(),
        }
    }

    /// The recipe that is repeated over machines.
    fn definition() -> &'static Recipe {
        let recipes = sources::by_id("libvirt").unwrap().recipes;
        recipes.iter().find(|recipe| recipe.each.elements().is_some_and(|kind| kind.id == "domain")).unwrap()
    }

    #[test]
    fn only_names_that_the_host_gave_are_asked_about() {
        let (source, recipe) = ("libvirt", definition());
        let limits = Limits { state_interval_ms: 60_000, ..Limits::default() };
        let mut seen = Seen::default();
        assert!(!seen.admits(&limits, source, recipe, "web1"), "nothing was listed yet");
        seen.note(&machines(&["web1"]));
        assert!(seen.admits(&limits, source, recipe, "web1"));
        assert!(!seen.admits(&limits, source, recipe, "web9"));
        seen.note(&machines(&["web9"]));
        assert!(seen.admits(&limits, source, recipe, "web9"), "and it changes");
        assert!(seen.admits(&limits, source, recipe, "web1"), "a round that is under way is not cut short");
        assert_eq!(seen.samples.len(), 1, "the latest of each kind");
    }

    #[test]
    fn samples_without_end_are_refused() {
        let def = sources::by_id("ovsdb").unwrap();
        let limits = Limits { state_interval_ms: 1000, ..Limits::default() };
        let mut seen = Seen::default();
        let granted = (0..1000).filter(|_| seen.admits(&limits, def.id, &def.recipes[0], "")).count();
        assert!((10..100).contains(&granted), "{granted}");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut seen = Seen::default();
        for n in 0..20 {
            let arg = format!("br{n}");
            let bytes = vec![b'x'; 5 << 20];
            seen.note(&Taken { source: "ovs-fdb", arg, bytes, ..machines(&[]) });
        }
        let held: usize = seen.samples.iter().map(|taken| taken.bytes.len()).sum();
        assert!(held <= SAMPLES_BYTES_MAX, "{held}");
    }

    #[test]
    fn nobody_joins_a_run_that_follows_nothing() {
        let mut seen = Seen::default();
        seen.note(&machines(&[]));
        assert!(!seen.joins(&Limits::default(), "lo"));
        let follow = plan::Selection { vswitches: vec!["vswitch0".into()], ..plan::Selection::default() };
        let limits = Limits { follow: Some(follow), ..Limits::default() };
        assert!(!seen.joins(&limits, "lo"), "it is in no switch");
    }
}
