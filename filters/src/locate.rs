//! Finds the word that libpcap's message is about; the message itself says no place.
//!
//! A syntax error is at the first word after which no continuation is valid any more. Whether a prefix can still be
//! continued is found by trying the few continuations that the grammar has. Any other message is about the first
//! prefix that already gives it.

use std::ops::Range;

use crate::lexer::{Kind, Token};
use crate::libpcap::Compiler;
use crate::reason::Reason;

/// What can follow a prefix, from nothing to the rest of a comparison of bytes.
const CONTINUATIONS: [&str; 14] = [
    "",
    " arp",
    " 1",
    " 10.0.0.1",
    " 1-2",
    " port 1",
    " arp or arp",
    "]>0",
    ":1]>0",
    " 1]>0",
    " 1:1]>0",
    ">0",
    " 0>0",
    " 255.0.0.0",
];
/// A place and perhaps what to write there.
pub(crate) struct Found {
    pub(crate) span: Range<usize>,
    pub(crate) message: Reason,
    pub(crate) suggestion: Option<String>,
}

/// The text that libpcap gets for these words.
pub(crate) fn text(tokens: &[Token]) -> String {
    let mut out = String::new();
    for token in tokens.iter().filter(|token| !token.text.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&token.text);
    }
    out
}

/// Finds the place of the message.
pub(crate) fn locate(compiler: &Compiler, tokens: &[Token], message: &str, expression: &str) -> Found {
    let message = message.trim_start_matches("can't parse filter expression: ");
    if message.contains("syntax error") {
        return syntax(compiler, tokens, expression);
    }
    let count = shortest(tokens, |prefix| {
        let closed = format!("{}{}", text(prefix), ")".repeat(open(prefix)));
        compiler.complaint(&closed).is_some_and(|other| other.ends_with(message))
    });
    let count = count.unwrap_or(tokens.len());
    let span =
        count.checked_sub(1).and_then(|last| tokens.get(last)).map_or(0..0, |token| token.span.clone());
    Found { span, message: Reason::of("libpcap", message), suggestion: rewording(tokens, count, message) }
}

fn syntax(compiler: &Compiler, tokens: &[Token], expression: &str) -> Found {
    let end = expression.trim_end().len();
    let bad = shortest(tokens, |prefix| !can_go_on(compiler, prefix)).and_then(|count| count.checked_sub(1));
    match bad.and_then(|at| tokens.get(at).map(|token| (at, token))) {
        Some((at, token)) => {
            let word = expression.get(token.span.clone()).unwrap_or_default();
            let message = Reason::of("here", word);
            Found { span: token.span.clone(), message, suggestion: instead(tokens, at) }
        }
        None if open(tokens) > 0 => {
            let message = Reason::of("parenthesis", "");
            let suggestion = Some(format!("`{}` at the end", ")".repeat(open(tokens))));
            Found { span: end..end, message, suggestion }
        }
        None => Found { span: end..end, message: Reason::of("early", ""), suggestion: None },
    }
}

/// How many words the shortest prefix has that is bad; a prefix of a good one is good, so halving finds it.
fn shortest(tokens: &[Token], bad: impl Fn(&[Token]) -> bool) -> Option<usize> {
    // Words that were replaced by one question stand or fall together.
    let whole = |count: &usize| tokens.get(*count).is_none_or(|next| !next.text.is_empty());
    let counts: Vec<usize> = (1..=tokens.len()).filter(whole).collect();
    let at = counts.partition_point(|count| !bad(tokens.get(..*count).unwrap_or_default()));
    counts.get(at).copied()
}

/// Whether some continuation of the words is a sentence. What it means does not matter here.
fn can_go_on(compiler: &Compiler, prefix: &[Token]) -> bool {
    let words = text(prefix);
    let close = ")".repeat(open(prefix));
    CONTINUATIONS.iter().any(|more| {
        let complaint = compiler.complaint(&format!("{words}{more}{close}"));
        complaint.is_none_or(|message| !message.contains("syntax error"))
    })
}

/// Parentheses that are still open.
fn open(tokens: &[Token]) -> usize {
    let count = |word: &str| tokens.iter().filter(|token| token.is(word)).count();
    count("(").saturating_sub(count(")"))
}

/// What to write instead of a word that is right elsewhere.
fn instead(tokens: &[Token], at: usize) -> Option<String> {
    let token = tokens.get(at)?;
    let before = at.checked_sub(1).and_then(|i| tokens.get(i));
    if before.is_some_and(|before| before.is("proto")) && token.kind == Kind::Keyword {
        return Some(format!("`\\{}`", token.text));
    }
    if token.is_one_of(&["&", "|"]) {
        return Some(if token.is("&") { "`and`" } else { "`or`" }.to_owned());
    }
    let ends_a_term = before.is_some_and(|before| {
        before.kind != Kind::Operator
            && !before.is_one_of(&["and", "or", "not", "host", "port", "net", "proto"])
    });
    let starts_a_term = matches!(token.kind, Kind::Keyword) && !token.is_one_of(&["and", "or"]);
    (ends_a_term && starts_a_term).then(|| format!("`and {}` or `or {}`", token.text, token.text))
}

/// What to write instead of a combination that the language does not have.
fn rewording(tokens: &[Token], count: usize, message: &str) -> Option<String> {
    if message.contains("non-network bits") {
        return network(tokens, count);
    }
    let address = &count.checked_sub(1).and_then(|last| tokens.get(last))?.text;
    let (modifier, object) = message.strip_prefix('\'')?.split_once("' modifier applied to ")?;
    // `icmp host 10.0.0.1` is the most common of them.
    match (modifier, object) {
        ("ip6", "ip host") => Some(format!("`host {address}`")),
        ("ip", "ip6 host") => Some(format!("`ip6 host {address}`")),
        (_, "host" | "ip6 host") => Some(format!("`{modifier} and host {address}`")),
        _ => None,
    }
}

/// `net 10.1.2.3/24` → `10.1.2.0/24`.
fn network(tokens: &[Token], count: usize) -> Option<String> {
    let last = tokens.get(..count)?;
    let [.., address, slash, length] = last else { return None };
    let Kind::Number(bits @ 0..=32) = length.kind else { return None };
    let ip: std::net::Ipv4Addr = address.text.parse().ok().filter(|_| slash.is("/"))?;
    let mask = u32::MAX.checked_shl(u32::BITS - bits).unwrap_or(0);
    Some(format!("`{}/{bits}` or `host {ip}`", std::net::Ipv4Addr::from_bits(ip.to_bits() & mask)))
}
