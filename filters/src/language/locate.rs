//! Finds the word that libpcap's message is about; the message itself says no place.
//!
//! A syntax error is at the first word after which no continuation is valid any more. Whether a prefix can still be
//! continued is found by trying the few continuations that the grammar has. Any other message is about the first
//! prefix that already gives it.

use super::diagnosis::{Mistake, Reason, Suggestion};
use super::lexer::{Kind, Token, text};
use crate::program::libpcap::{Compiler, Complaint, ComplaintKind};

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

/// Finds the place that libpcap complains about.
pub(crate) fn locate(
    compiler: &Compiler,
    tokens: &[Token],
    complaint: &Complaint,
    expression: &str,
) -> Mistake {
    if complaint.kind == ComplaintKind::Syntax {
        return syntax(compiler, tokens, expression);
    }
    let count = shortest(tokens, |prefix| {
        let closed = format!("{}{}", text(prefix), ")".repeat(open(prefix)));
        compiler.complaint(&closed).as_ref() == Some(complaint)
    });
    let read = tokens.get(..count.unwrap_or(tokens.len())).unwrap_or_default();
    Mistake {
        span: read.last().map_or(0..0, |token| token.span.clone()),
        reason: Reason::Libpcap(complaint.text.clone()),
        suggestion: rewording(read, &complaint.kind),
    }
}

fn syntax(compiler: &Compiler, tokens: &[Token], expression: &str) -> Mistake {
    let end = expression.trim_end().len();
    let bad = shortest(tokens, |prefix| !can_go_on(compiler, prefix)).and_then(|count| count.checked_sub(1));
    match bad.and_then(|at| tokens.get(at).map(|token| (at, token))) {
        Some((at, token)) => {
            let word = expression.get(token.span.clone()).unwrap_or_default();
            token.mistake(Reason::Misplaced(word.to_owned()), instead(tokens, at))
        }
        None if open(tokens) > 0 => {
            let missing = Suggestion::AtEnd(")".repeat(open(tokens)));
            Mistake { span: end..end, reason: Reason::OpenParenthesis, suggestion: Some(missing) }
        }
        None => Mistake { span: end..end, reason: Reason::EndsEarly, suggestion: None },
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
        complaint.is_none_or(|complaint| complaint.kind != ComplaintKind::Syntax)
    })
}

/// Parentheses that are still open.
fn open(tokens: &[Token]) -> usize {
    let count = |word: &str| tokens.iter().filter(|token| token.is(word)).count();
    count("(").saturating_sub(count(")"))
}

/// What to write instead of a word that is right elsewhere.
fn instead(tokens: &[Token], at: usize) -> Option<Suggestion> {
    let token = tokens.get(at)?;
    let before = at.checked_sub(1).and_then(|i| tokens.get(i));
    if before.is_some_and(|before| before.is("proto")) && token.kind == Kind::Keyword {
        return Some(Suggestion::Write(format!("\\{}", token.text)));
    }
    if token.is_one_of(&["&", "|"]) {
        return Some(Suggestion::Write(if token.is("&") { "and" } else { "or" }.to_owned()));
    }
    let ends_a_term = before.is_some_and(|before| {
        before.kind != Kind::Operator
            && !before.is_one_of(&["and", "or", "not", "host", "port", "net", "proto"])
    });
    let starts_a_term = matches!(token.kind, Kind::Keyword) && !token.is_one_of(&["and", "or"]);
    let joined = |word| format!("{word} {}", token.text);
    (ends_a_term && starts_a_term).then(|| Suggestion::Either(joined("and"), joined("or")))
}

/// What to write instead of a combination that the language does not have. The last word is what libpcap complains
/// about.
fn rewording(tokens: &[Token], complaint: &ComplaintKind) -> Option<Suggestion> {
    let address = &tokens.last()?.text;
    let ComplaintKind::Qualifier { qualifier, object } = complaint else {
        return network(tokens).filter(|_| *complaint == ComplaintKind::HostBits);
    };
    // `icmp host 10.0.0.1` is the most common of them.
    match (qualifier.as_str(), object.as_str()) {
        ("ip6", "ip host") => Some(Suggestion::Write(format!("host {address}"))),
        ("ip", "ip6 host") => Some(Suggestion::Write(format!("ip6 host {address}"))),
        (_, "host" | "ip6 host") => Some(Suggestion::Write(format!("{qualifier} and host {address}"))),
        _ => None,
    }
}

/// `net 10.1.2.3/24` → `10.1.2.0/24`.
fn network(tokens: &[Token]) -> Option<Suggestion> {
    let [.., address, slash, length] = tokens else { return None };
    let Kind::Number(bits @ 0..=32) = length.kind else { return None };
    let ip: std::net::Ipv4Addr = address.text.parse().ok().filter(|_| slash.is("/"))?;
    let mask = u32::MAX.checked_shl(u32::BITS - bits).unwrap_or(0);
    let network = std::net::Ipv4Addr::from_bits(ip.to_bits() & mask);
    Some(Suggestion::Either(format!("{network}/{bits}"), format!("host {ip}")))
}
