//! What can be wrong at a place of an expression: sentences with a key, so that a program can say them in another language.

use std::fmt;

/// One sentence about one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Which sentence of [`REASONS`].
    pub key: &'static str,
    /// What stands for its `%{word}`; empty where it has none.
    pub word: String,
}

/// All sentences in English by key; `%{word}` is what is there in the expression.
pub const REASONS: &[(&str, &str)] = &[
    ("broadcast", "`ip broadcast` needs a netmask, and a filter has none"),
    ("character", "the character `%{word}` has no meaning in a filter"),
    ("direction", "`%{word}` is not a property of the frame; the direction is recorded with it"),
    ("early", "the filter ends too early"),
    ("ethertype", "`%{word}` is not a known ethertype; write the number, as in `0x88cc`"),
    ("here", "`%{word}` cannot stand here"),
    ("interface", "`%{word}` is not a property of the frame; choose the interfaces instead"),
    ("ipv4", "`%{word}` is not an IPv4 address: each number goes up to 255"),
    ("ipv6", "`%{word}` is neither an IPv6 address nor a MAC address (six pairs of digits)"),
    ("large", "the number `%{word}` does not fit into 32 bits"),
    ("libpcap", "%{word}"),
    ("name", "`%{word}` is a name, and names are not looked up: write the address"),
    ("octal", "the number `%{word}` begins with 0, so it is octal, and octal has no 8 and 9"),
    ("parenthesis", "a closing parenthesis is missing"),
    ("port", "`%{word}` is not a known port name; write the number"),
    ("protochain", "`protochain` needs a loop, and filters in the kernel cannot loop"),
    ("protocol", "`%{word}` is not a known IP protocol; write the number"),
    ("range", "`%{word}` is a range of ports"),
    ("taglist", "a VLAN tag's ethertype cannot stand in a list of others"),
    ("tags", "a frame can be asked for at most three VLAN tags"),
    ("vid", "a VLAN id goes up to 4095"),
    ("word", "`%{word}` is not a word of the filter language"),
];

impl Reason {
    pub(crate) fn of(key: &'static str, word: impl Into<String>) -> Self {
        Self { key, word: word.into() }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = REASONS.iter().find(|(key, _)| *key == self.key).map_or("%{word}", |(_, text)| text);
        f.write_str(&sentence.replace("%{word}", &self.word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_that_is_used_has_its_sentence_and_the_other_way_round() {
        let sources = [
            include_str!("names.rs"),
            include_str!("questions.rs"),
            include_str!("lexer.rs"),
            include_str!("locate.rs"),
        ];
        let used: Vec<&str> = sources
            .iter()
            .flat_map(|text| text.split("Reason::of(\"").skip(1))
            .filter_map(|rest| rest.split('"').next())
            .collect();
        for key in &used {
            assert!(REASONS.iter().any(|(have, _)| have == key), "{key} has no sentence");
        }
        for (key, _) in REASONS {
            assert!(used.contains(key), "nobody says {key}");
        }
        assert!(REASONS.is_sorted());
        assert_eq!(Reason::of("here", "%{word}").to_string(), "`%{word}` cannot stand here");
        assert_eq!(crate::tags::VID_MAX, 4095, "as the sentence about it says");
    }
}
