//! What is wrong at a place of an expression, and what to write instead. The sentences about it are in `filter/english.rs`.

use std::ops::Range;

use netcap_words::columns::width;
use netcap_words::foreign::clean;
use unicode_width::UnicodeWidthChar;

/// What is wrong, with the word or character that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// `ip broadcast`, for which libpcap would need a netmask.
    NoNetmask,
    /// A character that no filter contains.
    Character(String),
    /// A word about the direction of a frame.
    Direction(String),
    /// The expression stops where something has to follow.
    EndsEarly,
    /// The name of an ethertype that nobody knows.
    UnknownEtherType(String),
    /// A word that is right elsewhere.
    Misplaced(String),
    /// A word about the interface.
    Interface(String),
    /// Four numbers with dots that are no address.
    BadIpv4(String),
    /// Groups with colons that are neither an IPv6 address nor a MAC address.
    BadIpv6OrMac(String),
    /// A number beyond 32 bits.
    NumberTooLarge(String),
    /// What libpcap says, in its own words.
    Libpcap(String),
    /// The name of a host: nothing is looked up, or a filter would mean something else tomorrow.
    HostName(String),
    /// A number that begins with 0 and has an 8 or 9.
    BadOctal(String),
    /// A parenthesis that nothing closes.
    OpenParenthesis,
    /// The name of a port that nobody knows.
    UnknownPort(String),
    /// `protochain`, whose loops the kernel does not take.
    Protochain,
    /// The name of an IP protocol that nobody knows.
    UnknownProtocol(String),
    /// Two ports where one is due.
    PortRange(String),
    /// The ethertype of a tag after `or`.
    TagInList,
    /// A chain of more tags than can be asked for.
    TooManyTags,
    /// A VLAN id beyond 12 bits.
    VlanIdTooLarge,
    /// A word that the language does not have.
    UnknownWord(String),
}

/// What to write instead. The texts are of the filter language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suggestion {
    /// This instead of what is at the place.
    Write(String),
    /// One or the other: they mean different things.
    Either(String, String),
    /// This at the end.
    AtEnd(String),
    /// The preset of this name.
    Preset(String),
    /// A plain space.
    Space,
    /// The same without quotes.
    NoQuotes,
}

/// Something wrong in words that are being read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) span: Range<usize>,
    pub(crate) reason: Reason,
    pub(crate) suggestion: Option<Suggestion>,
}

/// A place in the expression and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The expression as it was given.
    pub expression: String,
    /// The bytes of it that are wrong; empty at the end when something is missing.
    pub span: Range<usize>,
    /// What is wrong.
    pub reason: Reason,
    /// What to write instead.
    pub suggestion: Option<Suggestion>,
}

impl Mistake {
    pub(crate) fn in_expression(self, expression: &str) -> Diagnosis {
        let Self { span, reason, suggestion } = self;
        Diagnosis { expression: expression.to_owned(), span, reason, suggestion }
    }
}

/// Columns of the expression that are shown at most on each side of the place, and of the place itself.
const COLUMNS_MAX: usize = 50;

/// A line of the expression around the place.
struct Shown {
    before: String,
    wrong: String,
    after: String,
}

impl Diagnosis {
    /// Two lines: the expression, and marks under the place.
    pub fn pointed(&self) -> String {
        let Shown { before, wrong, after } = self.shown();
        let (indent, carets) = (width(&before), width(&wrong).max(1));
        format!("  {before}{wrong}{after}\n  {:indent$}{:^<carets$}", "", "")
    }

    /// The expression before, at and after the place, on one line and cut to a screen's width.
    fn shown(&self) -> Shown {
        let end = self.span.end.min(self.expression.len());
        let start = self.span.start.min(end);
        let part = |range: Range<usize>| clean(self.expression.get(range).unwrap_or_default());
        let (before, after) = (part(0..start), part(end..self.expression.len()));
        let kept = fitting(before.chars().rev()).chars().rev().collect::<String>();
        Shown {
            before: if kept.len() < before.len() { format!("…{kept}") } else { before },
            wrong: fitting(part(start..end).chars()),
            after: match fitting(after.chars()) {
                kept if kept.len() < after.len() => format!("{kept}…"),
                _ => after,
            },
        }
    }
}

/// The first characters, as many as fit.
fn fitting(characters: impl Iterator<Item = char>) -> String {
    let mut columns = 0;
    let fits = |character: &char| {
        columns += character.width().unwrap_or(0);
        columns <= COLUMNS_MAX
    };
    characters.take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(expression: &str, span: Range<usize>) -> String {
        let suggestion = Some(Suggestion::Write("icmp".to_owned()));
        let mistake = Mistake { span, reason: Reason::Libpcap("wrong".to_owned()), suggestion };
        mistake.in_expression(expression).to_string()
    }

    #[test]
    fn the_caret_stands_under_the_word() {
        assert_eq!(
            at("tcp or Icmp and x", 7..11),
            "wrong\n  tcp or Icmp and x\n         ^^^^\n  did you mean `icmp`?"
        );
        assert_eq!(at("（arp", 0..3), "wrong\n  （arp\n  ^^\n  did you mean `icmp`?");
        assert_eq!(at("tcp and", 7..7), "wrong\n  tcp and\n         ^\n  did you mean `icmp`?");
        // A combining accent takes no column of its own.
        assert_eq!(at("e\u{301} x", 4..5), "wrong\n  e\u{301} x\n    ^\n  did you mean `icmp`?");
    }

    #[test]
    fn long_expressions_are_cut_and_odd_spans_do_not_panic() {
        for (long, span) in [("host 10.0.0.1 or ".repeat(100), 850..854), ("主机".repeat(300), 900..906)] {
            let text = at(&long, span);
            assert!(text.lines().all(|line| width(line) < 170), "{text}");
            assert!(text.matches('…').count() == 2, "{text}");
        }
        at("é", 1..1);
        at("", 5..9);
    }

    #[test]
    fn nothing_in_an_expression_steers_the_terminal() {
        assert!(!at("a\x1b[31m b\u{202e}", 0..1).contains(['\x1b', '\u{202e}']));
    }
}
