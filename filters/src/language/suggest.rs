//! What to write instead of a word that the language does not have.

use super::diagnosis::Suggestion;
use super::nearest::nearest;
use super::{presets, tables};

/// What to write instead of an unknown word, if something is near.
pub(crate) fn for_word(word: &str) -> Option<Suggestion> {
    let lower = word.to_ascii_lowercase();
    if tables::is_keyword(&lower) {
        return Some(Suggestion::Write(lower));
    }
    if tables::service(&lower).is_some() {
        return Some(Suggestion::Write(format!("port {lower}")));
    }
    if tables::protocol(&lower).is_some() {
        return Some(Suggestion::Write(format!("ip proto \\{lower}")));
    }
    if presets::list().iter().any(|preset| preset.name == lower) {
        return Some(Suggestion::Preset(lower));
    }
    if let Some(apart) = split_keyword(&lower) {
        return Some(Suggestion::Write(apart));
    }
    let keywords = tables::KEYWORDS.iter().chain(tables::VALUES).copied();
    nearest(&lower, keywords).map(|near| Suggestion::Write(near.to_owned()))
}

/// What to write instead of an unknown port name.
pub(crate) fn for_service(word: &str) -> Option<Suggestion> {
    let names = tables::SERVICES.iter().map(|(name, _)| *name);
    nearest(&word.to_ascii_lowercase(), names).map(|near| Suggestion::Write(near.to_owned()))
}

/// What to write instead of an unknown protocol name.
pub(crate) fn for_protocol(word: &str) -> Option<Suggestion> {
    let names = tables::PROTOCOLS.iter().map(|(name, _)| *name);
    nearest(&word.to_ascii_lowercase(), names).map(|near| Suggestion::Write(format!("\\{near}")))
}

/// `port53` → `port 53`.
fn split_keyword(word: &str) -> Option<String> {
    let digits = word.find(|c: char| c.is_ascii_digit())?;
    let (keyword, number) = word.split_at(digits);
    let takes_number = matches!(keyword, "port" | "host" | "net" | "vlan" | "portrange" | "less" | "greater");
    takes_number.then(|| format!("{keyword} {number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(for_word(typed).unwrap().to_string(), meant, "{typed}");
        }
        assert_eq!(for_word("www.example.com"), None);
        assert_eq!(for_service("doman"), Some(Suggestion::Write("domain".to_owned())));
    }
}
