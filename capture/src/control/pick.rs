//! Which run was meant: by its name, its directory, or a part of the name that only one has.

use std::path::Path;

use netcap_bundle::layout;

/// How well a word names a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Picked {
    /// The run of this index.
    One(usize),
    /// None has that name.
    None,
    /// Several contain it.
    Several,
}

/// The run's name in what was typed: people paste paths of directories and bundles.
pub(crate) fn name(word: &str) -> &str {
    let last = Path::new(word).file_name().and_then(|name| name.to_str()).unwrap_or(word);
    last.strip_suffix(layout::BUNDLE_END).unwrap_or(last)
}

/// The run that `word` means among these, each with its directory if that is known. Runs in different network
/// namespaces may bear one name, so a path means that very directory.
pub(crate) fn pick<'a>(
    runs: impl Iterator<Item = (&'a str, Option<&'a Path>)> + Clone,
    word: &str,
) -> Picked {
    let (asked, word) = (word, name(word));
    if asked.contains('/') {
        let dir = Path::new(asked).with_file_name(word);
        let dir = std::path::absolute(&dir).unwrap_or(dir);
        let there = runs.clone().enumerate().filter(|(_, (_, at))| at.is_some_and(|at| same(at, &dir)));
        // One that does not say where it is may be meant where no other is.
        return match only(there) {
            Picked::None => only(runs.enumerate().filter(|(_, (name, at))| at.is_none() && *name == word)),
            there => there,
        };
    }
    match only(runs.clone().enumerate().filter(|(_, (name, _))| *name == word)) {
        Picked::None => {
            only(runs.enumerate().filter(|(_, (name, _))| !word.is_empty() && name.contains(word)))
        }
        exact => exact,
    }
}

/// Whether two paths are one directory.
pub(crate) fn same(at: &Path, dir: &Path) -> bool {
    at == dir || at.canonicalize().is_ok_and(|at| dir.canonicalize().is_ok_and(|dir| at == dir))
}

fn only<T>(mut like: impl Iterator<Item = (usize, T)>) -> Picked {
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
        let of = |word| pick(names.iter().map(|name| (*name, None)), word);
        assert_eq!(of("h-20261121040000"), Picked::One(0));
        assert_eq!(of("/var/lib/netcap/h-20261121040000/"), Picked::One(0));
        assert_eq!(of("h-20261121040000-2.tar"), Picked::One(1));
        assert_eq!(of("0500"), Picked::One(2));
        assert_eq!((of("h-"), of("x"), of("")), (Picked::Several, Picked::None, Picked::None));
    }

    #[test]
    fn a_path_is_that_directory_and_no_other_of_its_name() {
        let runs = [("h-1", Some(Path::new("/a/h-1"))), ("h-1", Some(Path::new("/b/h-1")))];
        let of = |word| pick(runs.into_iter(), word);
        assert_eq!(
            (of("h-1"), of("/b/h-1"), of("/a/h-1.tar")),
            (Picked::Several, Picked::One(1), Picked::One(0))
        );
        assert_eq!(of("/c/h-1"), Picked::None);
        let with_silent = [("h-1", Some(Path::new("/a/h-1"))), ("h-1", None)];
        let of = |word| pick(with_silent.into_iter(), word);
        assert_eq!(
            (of("/a/h-1"), of("/b/h-1")),
            (Picked::One(0), Picked::One(1)),
            "a silent one is the last guess"
        );
    }
}
