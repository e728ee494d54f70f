//! The nearest word of the language to one that is none.

use crate::tables;

/// What to write instead of an unknown word, if something is near.
pub(crate) fn for_word(word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    if tables::is_keyword(&lower) {
        return Some(format!("`{lower}`"));
    }
    if tables::service(&lower).is_some() {
        return Some(format!("`port {lower}`"));
    }
    if tables::protocol(&lower).is_some() {
        return Some(format!("`ip proto \\{lower}`"));
    }
    if crate::presets::list().iter().any(|preset| preset.name == lower) {
        return Some(format!("the preset `{lower}`"));
    }
    if let Some(joined) = split_keyword(&lower) {
        return Some(format!("`{joined}`"));
    }
    let keywords = tables::KEYWORDS.iter().chain(tables::VALUES).copied();
    nearest(&lower, keywords).map(|near| format!("`{near}`"))
}

/// What to write instead of an unknown port name.
pub(crate) fn for_service(word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    nearest(&lower, tables::SERVICES.iter().map(|(name, _)| *name)).map(|near| format!("`{near}`"))
}

/// What to write instead of an unknown protocol name.
pub(crate) fn for_protocol(word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    nearest(&lower, tables::PROTOCOLS.iter().map(|(name, _)| *name)).map(|near| format!("`\\{near}`"))
}

/// `port53` → `port 53`.
fn split_keyword(word: &str) -> Option<String> {
    let digits = word.find(|c: char| c.is_ascii_digit())?;
    let (keyword, number) = word.split_at(digits);
    let takes_number = matches!(keyword, "port" | "host" | "net" | "vlan" | "portrange" | "less" | "greater");
    takes_number.then(|| format!("{keyword} {number}"))
}

/// The candidate that is fewest edits away: at most one for short words, two for longer ones.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let edits_max = match word.len() {
        2..=4 => 1,
        5..=40 => 2,
        _ => return None,
    };
    let near = candidates.map(|candidate| (edits(word, candidate), candidate));
    near.filter(|(count, candidate)| *count <= edits_max && *count < candidate.len()).min().map(|(_, c)| c)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
fn edits(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(x != y);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_count_swaps_as_one() {
        assert_eq!(edits("icmp", "icmp"), 0);
        assert_eq!(edits("imcp", "icmp"), 1);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("hots", "host"), 1);
        assert_eq!(edits("prot", "port"), 1);
    }

    #[test]
    fn the_obvious_is_found() {
        for (typed, meant) in [
            ("Icmp", "`icmp`"),
            ("ICMP6", "`icmp6`"),
            ("hots", "`host`"),
            ("https", "`port https`"),
            ("gre", "`ip proto \\gre`"),
            ("lldp", "the preset `lldp`"),
            ("port53", "`port 53`"),
            ("multicat", "`multicast`"),
        ] {
            assert_eq!(for_word(typed).as_deref(), Some(meant), "{typed}");
        }
        assert_eq!(for_word("www.example.com"), None);
        assert_eq!(for_service("doman").as_deref(), Some("`domain`"));
    }
}
