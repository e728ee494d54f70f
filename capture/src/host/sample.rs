//! Taking a source: all its recipes, one after the other, each for every element it is repeated over.

use std::pin::Pin;

use netcap_bundle::source::{Each, Outcome, Parsed, RawItem, Recipe, Snapshot, SourceDef};
use netcap_bundle::sources::ovs::ovsdb::Ovsdb;
use netcap_bundle::sources::vm::libvirt::Libvirt;
use netcap_bundle::state::Taken;

use super::clock;
use super::exec;
use super::services::Host;

/// Carries out recipes: this process, or one that has the privileges.
pub(crate) trait Sampler: Send + Sync {
    /// A sample, whatever becomes of it.
    fn take<'a>(&'a self, source: &'static str, recipe: &'static Recipe, arg: &'a str) -> Later<'a, Taken>;
}

/// What is there when it has been waited for.
pub(crate) type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Sampler for Host {
    fn take<'a>(&'a self, source: &'static str, recipe: &'static Recipe, arg: &'a str) -> Later<'a, Taken> {
        Box::pin(exec::take(self, source, recipe, arg))
    }
}

/// Elements of one kind that are asked for at most: a host has tens of bridges and hundreds of machines.
const ELEMENTS_MAX: usize = 1000;

/// What recipes are repeated over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Elements {
    /// Open vSwitch bridges.
    pub bridges: Vec<String>,
    /// libvirt domains.
    pub domains: Vec<String>,
    /// libvirt network filters.
    pub nwfilters: Vec<String>,
}

impl Elements {
    /// Takes over the names that these samples bring.
    fn learn(&mut self, source: &str, taken: &[Taken]) {
        if source == Ovsdb::DEF.id {
            let names = snapshot::<Ovsdb>(taken).value.bridges.into_iter().map(|bridge| bridge.name);
            self.bridges = names.take(ELEMENTS_MAX).collect();
        } else if source == Libvirt::DEF.id {
            let found = snapshot::<Libvirt>(taken).value;
            self.domains = found.domain_names.into_iter().take(ELEMENTS_MAX).collect();
            self.nwfilters = found.nwfilter_names.into_iter().take(ELEMENTS_MAX).collect();
        }
    }

    fn of(&self, each: Each) -> Vec<String> {
        match each {
            Each::Once => vec![String::new()],
            Each::OvsBridge => self.bridges.clone(),
            Each::Domain => self.domains.clone(),
            Each::Nwfilter => self.nwfilters.clone(),
        }
    }
}

/// Takes every recipe of a source. Once one has timed out, what is repeated over elements is not tried for the others: a
/// daemon that hangs would hang for each of them.
pub(crate) async fn source(
    sampler: &dyn Sampler,
    def: &'static SourceDef,
    elements: &mut Elements,
) -> Vec<Taken> {
    let mut out: Vec<Taken> = Vec::new();
    for recipe in def.recipes {
        if recipe.each != Each::Once {
            elements.learn(def.id, &out);
        }
        for arg in elements.of(recipe.each) {
            let hangs = out.iter().any(|taken| taken.outcome == Outcome::TimedOut);
            let taken = if hangs && recipe.each != Each::Once {
                exec::not_taken(def.id, recipe, clock::now(), "not tried: the one before timed out")
            } else {
                sampler.take(def.id, recipe, &arg).await
            };
            out.push(Taken { arg, ..taken });
        }
    }
    elements.learn(def.id, &out);
    out
}

/// The typed state of the samples of one source.
pub(crate) fn snapshot<T: Snapshot>(taken: &[Taken]) -> Parsed<T> {
    let items: Vec<RawItem<'_>> = taken
        .iter()
        .filter(|taken| taken.source == T::DEF.id)
        .map(|taken| RawItem {
            item: taken.item,
            arg: &taken.arg,
            at: taken.at,
            outcome: &taken.outcome,
            bytes: &taken.bytes,
            truncated: taken.truncated,
        })
        .collect();
    T::parse(&items)
}
