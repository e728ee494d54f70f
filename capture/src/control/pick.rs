//! Which run was meant: by its name, its directory, or a part of the name that only one has.

use std::path::Path;

use netcap_bundle::layout;

/// How well a word names a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picked {
    /// The run of this index.
    One(usize),
    /// None has that name.
    None,
    /// Several contain it.
    Several,
}

/// The run's name in what was typed: people paste paths of directories and bundles.
pub fn name(word: &str) -> &str {
    let last = Path::new(word).file_name().and_then(|name| name.to_str()).unwrap_or(word);
    last.strip_suffix(layout::BUNDLE_END).unwrap_or(last)
}

/// The run that `word` means among these.
pub fn pick<'a>(names: impl Iterator<Item = &'a str> + Clone, word: &str) -> Picked {
    let word = name(word);
    if let Some(exact) = names.clone().position(|name| name == word) {
        return Picked::One(exact);
    }
    let mut like = names.enumerate().filter(|(_, name)| !word.is_empty() && name.contains(word));
    match (like.next(), like.next()) {
        (Some((index, _)), None) => Picked::One(index),
        (Some(_), Some(_)) => Picked::Several,
        (None, _) => Picked::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_or_the_only_one_like_it() {
        let names = ["h-20261121040000", "h-20261121040000-2", "h-20261121050000"];
        let of = |word| pick(names.iter().copied(), word);
        assert_eq!(of("h-20261121040000"), Picked::One(0));
        assert_eq!(of("/var/lib/netcap/h-20261121040000/"), Picked::One(0));
        assert_eq!(of("h-20261121040000-2.tar"), Picked::One(1));
        assert_eq!(of("0500"), Picked::One(2));
        assert_eq!((of("h-"), of("x"), of("")), (Picked::Several, Picked::None, Picked::None));
    }
}
