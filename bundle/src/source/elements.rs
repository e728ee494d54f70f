//! What recipes are repeated over: bridges, machines, interfaces.
//!
//! A source that lists things of a kind says so with a constant of its own ([`Elements`]); a recipe of any source names
//! that constant in its [`Each`]. Who records, in which order, and what the privileged helper accepts follow from that.

use super::sample::RawItem;

/// A kind of things that recipes are repeated over.
#[derive(Debug)]
pub struct Elements {
    /// Name of the kind (`bridge`).
    pub id: &'static str,
    /// Id of the source that lists them.
    pub listed_by: &'static str,
    /// Their names, from samples of that source.
    pub names: fn(&[RawItem<'_>]) -> Vec<String>,
    /// Whether a text is such a name, and may be handed to a command or put into a path by a process with privileges: no
    /// option, no other way to reach a server, nothing that leaves a folder.
    pub is_name: fn(&str) -> bool,
}

/// What a recipe is repeated over.
#[derive(Debug, Clone, Copy)]
pub enum Each {
    /// Nothing: it is carried out once.
    Once,
    /// Each thing of a kind. Every one costs a command or a file each time.
    Of(&'static Elements),
}

impl Each {
    /// The kind, if it is repeated.
    pub fn elements(self) -> Option<&'static Elements> {
        match self {
            Self::Once => None,
            Self::Of(elements) => Some(elements),
        }
    }

    /// Whether a recipe may be carried out for this argument, whoever gives it.
    pub fn admits(self, arg: &str) -> bool {
        self.elements().map_or(arg.is_empty(), |elements| (elements.is_name)(arg))
    }
}
