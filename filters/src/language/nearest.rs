//! The known word that was probably meant.

/// The candidate that is fewest edits away, of which a swap of neighbours is one: at most one for short words, two for
/// longer ones. Never so many that nothing of the word is left.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let edits_max = match word.len() {
        2..=4 => 1,
        5..=40 => 2,
        _ => return None,
    };
    let near = candidates.map(|candidate| (strsim::osa_distance(word, candidate), candidate));
    near.filter(|(edits, candidate)| *edits <= edits_max && *edits < candidate.len()).min().map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_found_and_nothing_far() {
        let known = ["icmp", "host", "port", "multicast", "ah"];
        for (typed, meant) in [
            ("imcp", Some("icmp")),
            ("hots", Some("host")),
            ("prot", Some("port")),
            ("multicat", Some("multicast")),
        ] {
            assert_eq!(nearest(typed, known.into_iter()), meant, "{typed}");
        }
        for far in ["h", "xyz", "web1", &"x".repeat(41)] {
            assert_eq!(nearest(far, known.into_iter()), None, "{far}");
        }
    }
}
