//! Splits an expression into the words that libpcap's scanner sees, each with its place.
//!
//! Follows `scanner.l` of libpcap 1.10: the longest match wins, and a word may contain `-`, `_` and `.` but not end
//! with `-` or `_`.

use std::net::Ipv6Addr;
use std::ops::Range;

use super::diagnosis::{Mistake, Reason, Suggestion};
use super::tables;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A word of the language, or the name of a value.
    Keyword,
    /// A word that is none; libpcap would look it up.
    Name,
    /// A name with a backslash before it, so that it is not a keyword.
    Escaped,
    /// A number below 2^32.
    Number(u32),
    /// An IPv4, IPv6 or MAC address, or a part of an IPv4 network.
    Address,
    /// An operator or parenthesis.
    Operator,
}

/// A word of the expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// Its bytes in the expression.
    pub(crate) span: Range<usize>,
    pub(crate) kind: Kind,
    /// What libpcap gets to see instead of it.
    pub(crate) text: String,
}

impl Token {
    pub(crate) fn is(&self, word: &str) -> bool {
        matches!(self.kind, Kind::Keyword | Kind::Operator) && self.text == word
    }

    pub(crate) fn is_one_of(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    /// What is wrong with it.
    pub(crate) fn mistake(&self, reason: Reason, suggestion: Option<Suggestion>) -> Mistake {
        Mistake { span: self.span.clone(), reason, suggestion }
    }
}

/// The text that libpcap gets for these words.
pub(crate) fn text(tokens: &[Token]) -> String {
    let words: Vec<&str> =
        tokens.iter().map(|token| token.text.as_str()).filter(|text| !text.is_empty()).collect();
    words.join(" ")
}

const OPERATORS_OF_TWO: [&str; 8] = [">=", "<=", "!=", "==", "<<", ">>", "&&", "||"];
const OPERATORS: &str = "+-*/%:[]!<>()&|^=";

/// Splits the expression.
pub(crate) fn tokens(expression: &str) -> Result<Vec<Token>, Mistake> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(rest) = expression.get(at..) {
        let Some(first) = rest.chars().next() else { break };
        if matches!(first, ' ' | '\t' | '\r' | '\n') {
            at += 1;
            continue;
        }
        let (kind, len) = scan(rest, at)?;
        let span = at..at + len;
        let text = rest.get(..len).unwrap_or_default().to_owned();
        out.push(Token { span, kind, text });
        at += len;
    }
    Ok(out)
}

/// The kind and length of the token at the start of `rest`, which is not empty and begins with no blank.
fn scan(rest: &str, at: usize) -> Result<(Kind, usize), Mistake> {
    if let Some(len) = address(rest) {
        return Ok((Kind::Address, len));
    }
    let len = word(rest);
    if len > 0 {
        let text = rest.get(..len).unwrap_or_default();
        return Ok((classify(text, at)?, len));
    }
    if let Some(escaped) = rest.strip_prefix('\\') {
        let len = escaped.find([' ', '!', '(', ')', '\n', '\t']).unwrap_or(escaped.len());
        if len > 0 {
            return Ok((Kind::Escaped, len + 1));
        }
    }
    if OPERATORS_OF_TWO.iter().any(|operator| rest.starts_with(operator)) {
        return Ok((Kind::Operator, 2));
    }
    let first = rest.chars().next().unwrap_or_default();
    if OPERATORS.contains(first) {
        return Ok((Kind::Operator, 1));
    }
    let span = at..at + first.len_utf8();
    let shown = if first.is_control() { first.escape_default().to_string() } else { first.to_string() };
    Err(Mistake { span, reason: Reason::Character(shown), suggestion: ascii_for(first) })
}

/// What was probably meant by a character that an input method or a word processor made.
fn ascii_for(character: char) -> Option<Suggestion> {
    let write = |text: &str| Some(Suggestion::Write(text.to_owned()));
    let code = u32::from(character);
    match character {
        '\u{3000}' | '\u{a0}' => Some(Suggestion::Space),
        '“' | '”' | '‘' | '’' | '"' | '\'' => Some(Suggestion::NoQuotes),
        '–' | '—' => write("-"),
        '，' | ',' => Some(Suggestion::Either("and".to_owned(), "or".to_owned())),
        '{' => write("("),
        '}' => write(")"),
        // Full-width forms lie at a fixed distance from ASCII (Unicode block FF00).
        _ if (0xff01..=0xff5e).contains(&code) => write(&char::from_u32(code - 0xfee0)?.to_string()),
        _ => None,
    }
}

/// Length of the word at the start.
fn word(rest: &str) -> usize {
    if !rest.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return 0;
    }
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let run = rest.find(|c| !inside(c)).unwrap_or(rest.len());
    rest.get(..run).unwrap_or_default().trim_end_matches(['-', '_']).len()
}

/// Length of the MAC or IPv6 address at the start: a run with at least two colons.
fn address(rest: &str) -> Option<usize> {
    let run = rest.find(|c: char| !(c.is_ascii_hexdigit() || matches!(c, ':' | '.'))).unwrap_or(rest.len());
    let text = rest.get(..run)?;
    let colons = text.matches(':').count();
    let starts = text.starts_with(|c: char| c.is_ascii_hexdigit()) || text.starts_with("::");
    (colons >= 2 && starts).then_some(run)
}

fn classify(text: &str, at: usize) -> Result<Kind, Mistake> {
    if tables::is_keyword(text) {
        return Ok(Kind::Keyword);
    }
    if is_mac(text) || is_dotted(text) {
        return Ok(Kind::Address);
    }
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (digits, radix) = match hex {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit()) => (digits, 16),
        _ if !text.bytes().all(|b| b.is_ascii_digit()) => return Ok(Kind::Name),
        _ if text.len() > 1 && text.starts_with('0') => (text, 8),
        _ => (text, 10),
    };
    let span = at..at + text.len();
    if radix == 8 && digits.contains(['8', '9']) {
        let decimal = Suggestion::Write(digits.trim_start_matches('0').to_owned());
        return Err(Mistake { span, reason: Reason::BadOctal(text.to_owned()), suggestion: Some(decimal) });
    }
    let large = |_| Mistake { span, reason: Reason::NumberTooLarge(text.to_owned()), suggestion: None };
    u32::from_str_radix(digits, radix).map(Kind::Number).map_err(large)
}

/// MAC addresses without colons: `aa-bb-cc-dd-ee-ff`, `aa.bb.cc.dd.ee.ff`, `aabb.ccdd.eeff`, `aabbccddeeff`.
fn is_mac(text: &str) -> bool {
    let hex = |group: &str, len: Range<usize>| len.contains(&group.len()) && is_hex(group);
    let groups_of = |separator: char, count: usize, len: Range<usize>| {
        text.split(separator).count() == count && text.split(separator).all(|group| hex(group, len.clone()))
    };
    groups_of('-', 6, 1..3) || groups_of('.', 6, 1..3) || groups_of('.', 3, 4..5) || hex(text, 12..13)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Two to four decimal numbers with dots: an address or the beginning of one.
fn is_dotted(text: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    (2..=4).contains(&text.split('.').count()) && text.split('.').all(number)
}

/// What is wrong with an address token, if anything.
pub(crate) fn address_defect(text: &str) -> Option<Reason> {
    if text.contains(':') {
        let mac = text.split(':').all(|group| (1..=2).contains(&group.len()) && is_hex(group));
        let mac = mac && text.split(':').count() == 6;
        return (!mac && text.parse::<Ipv6Addr>().is_err()).then(|| Reason::BadIpv6OrMac(text.to_owned()));
    }
    let out_of_range = |part: &str| part.parse::<u32>().is_ok_and(|n| n > 255) || part.len() > 3;
    (is_dotted(text) && text.split('.').any(out_of_range)).then(|| Reason::BadIpv4(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(expression: &str) -> Vec<(String, Kind)> {
        tokens(expression).unwrap().into_iter().map(|t| (t.text, t.kind)).collect()
    }

    fn kind(word: &str) -> Kind {
        let all = kinds(word);
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].1
    }

    #[test]
    fn words_are_what_libpcap_takes_them_for() {
        assert_eq!(kind("icmp"), Kind::Keyword);
        assert_eq!(kind("Icmp"), Kind::Name);
        assert_eq!(kind("tcp-syn"), Kind::Keyword);
        assert_eq!(kind("6000-6008"), Kind::Name);
        assert_eq!(kind("0x88cc"), Kind::Number(0x88cc));
        assert_eq!(kind("010"), Kind::Number(8));
        assert_eq!(kind("10.1"), Kind::Address);
        assert_eq!(kind("10.1.2.3.4"), Kind::Name);
        for mac in ["0c:da:41:1d:10:2e", "c-da-41-1d-10-2e", "0cda.411d.102e", "0cda411d102e"] {
            assert_eq!(kind(mac), Kind::Address, "{mac}");
        }
        for ip in ["::1", "fe80::1", "::", "2001:db8::10.0.0.1"] {
            assert_eq!(kind(ip), Kind::Address, "{ip}");
        }
        assert_eq!(kind("\\icmp"), Kind::Escaped);
    }

    #[test]
    fn a_slice_is_not_an_address() {
        let words: Vec<String> = kinds("tcp[0:2]!=ip[2:1]-1").into_iter().map(|(text, _)| text).collect();
        assert_eq!(words, ["tcp", "[", "0", ":", "2", "]", "!=", "ip", "[", "2", ":", "1", "]", "-", "1"]);
    }

    #[test]
    fn spans_are_places_in_the_expression() {
        let expression = "host  10.0.0.1 && !arp";
        for token in tokens(expression).unwrap() {
            assert_eq!(expression[token.span.clone()], token.text);
        }
    }

    #[test]
    fn strange_characters_come_with_what_was_meant() {
        let write = |text: &str| Some(Suggestion::Write(text.to_owned()));
        let mistake = tokens("（icmp)").unwrap_err();
        assert_eq!((mistake.span, mistake.suggestion), (0..3, write("(")));
        assert_eq!(tokens("port 099").unwrap_err().suggestion, write("99"));
        assert_eq!(tokens("port 4294967296").unwrap_err().span, 5..15);
        assert_eq!(tokens("a\0b").unwrap_err().span, 1..2);
    }

    #[test]
    fn bad_addresses_are_distinguished() {
        assert!(address_defect("aa:bb:cc:dd:ee").is_some());
        assert!(address_defect("10.0.0.256").is_some());
        for good in ["aa:b:cc:dd:ee:ff", "::1", "10.1", "255.255.255.255"] {
            assert_eq!(address_defect(good), None, "{good}");
        }
    }
}
