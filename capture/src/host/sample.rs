//! Taking a source: all its recipes, one after the other, each for every element it is repeated over.

use std::collections::BTreeMap;
use std::pin::Pin;

use netcap_bundle::source::{Each, Outcome, Parsed, RawItem, Reason, Recipe, Snapshot, SourceDef};
use netcap_bundle::sources;
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

/// What there is of each kind that recipes are repeated over, as the sources said last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ElementNames {
    /// Names by kind ([`Elements::id`](netcap_bundle::source::Elements::id)).
    names: BTreeMap<&'static str, Vec<String>>,
}

impl ElementNames {
    /// Takes over the names that these samples of a source bring.
    fn learn(&mut self, source: &str, taken: &[Taken]) {
        let items = items(source, taken);
        for kind in sources::listed_by(source) {
            let names = (kind.names)(&items).into_iter().take(ELEMENTS_MAX).collect();
            self.names.insert(kind.id, names);
        }
    }

    fn of(&self, each: Each) -> Vec<String> {
        match each.elements() {
            None => vec![String::new()],
            Some(kind) => self.names.get(kind.id).cloned().unwrap_or_default(),
        }
    }
}

/// Takes every recipe of a source. Once one has timed out, what is repeated over elements is not tried for the others: a
/// daemon that hangs would hang for each of them.
pub(crate) async fn source(
    sampler: &dyn Sampler,
    def: &'static SourceDef,
    elements: &mut ElementNames,
) -> Vec<Taken> {
    let mut out: Vec<Taken> = Vec::new();
    for recipe in def.recipes {
        let repeated = recipe.each.elements().is_some();
        if repeated {
            elements.learn(def.id, &out);
        }
        for arg in elements.of(recipe.each) {
            let hangs = out.iter().any(|taken| taken.outcome == Outcome::TimedOut);
            let taken = if hangs && repeated {
                let why = "not tried: the one before timed out";
                exec::not_taken(def.id, recipe, clock::now(), Reason::NotTried, why)
            } else if !recipe.each.admits(&arg) {
                let why = "not tried: a command could take its name for something else";
                exec::not_taken(def.id, recipe, clock::now(), Reason::BadName, why)
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
    T::parse(&items(T::DEF.id, taken))
}

/// The samples of one source as its parser takes them.
pub(crate) fn items<'a>(source: &str, taken: &'a [Taken]) -> Vec<RawItem<'a>> {
    let mine = taken.iter().filter(|taken| taken.source == source);
    mine.map(|taken| RawItem {
        item: taken.item,
        arg: &taken.arg,
        at: taken.at,
        outcome: &taken.outcome,
        bytes: &taken.bytes,
        truncated: taken.truncated,
    })
    .collect()
}
