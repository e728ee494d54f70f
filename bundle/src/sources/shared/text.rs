//! Reading recorded text line by line, defensively: a dump may be cut, foreign or hostile.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::source::{Outcome, Parsed, RawItem};

/// Entries kept of one list of one source. A busy host has a few ten thousand datapath flows (the flow limit of
/// ovs-vswitchd is 200,000, ofproto/ofproto.h `OFPROTO_FLOW_LIMIT_DEFAULT`); more is a hostile file.
pub(crate) const ENTRIES_MAX: usize = 200_000;

/// The item's text as far as it is whole, with a defect (line 0) for everything that went wrong while recording it.
///
/// A cut or timed-out item loses its last, incomplete line: half a number is a wrong number.
pub(crate) fn usable<'a, T>(item: &RawItem<'a>, parsed: &mut Parsed<T>) -> Cow<'a, str> {
    match item.outcome {
        Outcome::Ok => {}
        Outcome::Exit { code } => parsed.defect(item, 0, format!("the command exited with status {code}")),
        Outcome::TimedOut => parsed.defect(item, 0, "the command was stopped at its time limit"),
        Outcome::Failed { why, .. } => parsed.defect(item, 0, format!("not recorded: {why}")),
    }
    if item.truncated {
        parsed.defect(item, 0, format!("cut after {} bytes", item.bytes.len()));
    }
    let bytes = if item.truncated || *item.outcome == Outcome::TimedOut {
        let whole = item.bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        item.bytes.get(..whole).unwrap_or_default()
    } else {
        item.bytes
    };
    String::from_utf8_lossy(bytes)
}

/// Non-empty lines with their number, counted from 1.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line.trim_end()))
        .filter(|(_, line)| !line.trim().is_empty())
}

/// Pushes unless the list is full; says so once, as a defect, when it becomes full.
pub(crate) fn push_capped<T, E>(
    list: &mut Vec<E>,
    entry: E,
    item: &RawItem<'_>,
    parsed: &mut Parsed<T>,
) -> bool {
    if list.len() >= ENTRIES_MAX {
        parsed.give_up(item, format!("more than {ENTRIES_MAX} entries; the rest is ignored"));
        return false;
    }
    list.push(entry);
    true
}

/// A number as OVS prints it: decimal or `0x…`.
pub(crate) fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Seconds with a fraction (`6.763s`, `20.866s`, `0.5`) in milliseconds.
pub(crate) fn seconds_as_ms(text: &str) -> Option<u64> {
    let text = text.trim().trim_end_matches('s');
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: u64 = whole.parse().ok()?;
    let mut ms = 0_u64;
    for (digit, weight) in fraction.bytes().zip([100, 10, 1]) {
        ms += u64::from(char::from(digit).to_digit(10)?) * weight;
    }
    whole.checked_mul(1000)?.checked_add(ms)
}

/// Splits at `separator` outside of parentheses, brackets and braces; pieces are trimmed, empty ones dropped.
pub(crate) fn split_top(text: &str, separator: char) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ if c == separator && depth == 0 => {
                pieces.push(text.get(start..at).unwrap_or_default().trim());
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    pieces.push(text.get(start..).unwrap_or_default().trim());
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// `name(inside)` taken apart; `None` without parentheses that close at the end.
pub(crate) fn call(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once('(')?;
    Some((name.trim(), rest.strip_suffix(')')?))
}

/// The value of `key` in `key=value,key=value`, outside of parentheses.
pub(crate) fn value_of<'a>(list: &'a str, key: &str) -> Option<&'a str> {
    split_top(list, ',').into_iter().find_map(|piece| {
        let (name, value) = piece.split_once('=')?;
        (name.trim() == key).then(|| value.trim())
    })
}

/// Orders names the way people count: `eth2` before `eth10`.
pub(crate) fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (text_a, digits_a, rest_a) = head(left);
        let (text_b, digits_b, rest_b) = head(right);
        let by_number = || {
            let (x, y) = (digits_a.trim_start_matches('0'), digits_b.trim_start_matches('0'));
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        };
        let order = text_a.cmp(text_b).then_with(by_number);
        if order != Ordering::Equal || (rest_a.is_empty() && rest_b.is_empty()) {
            return order.then_with(|| a.cmp(b));
        }
        (left, right) = (rest_a, rest_b);
    }
}

/// A leading run without digits, the digits after it, and the rest.
fn head(text: &str) -> (&str, &str, &str) {
    let digits = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let (word, tail) = text.split_at(digits);
    let end = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
    let (number, rest) = tail.split_at(end);
    (word, number, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Nanos;
    use proptest::prelude::*;

    #[test]
    fn a_cut_item_loses_its_half_line_and_says_so() {
        let item = RawItem {
            item: "dump",
            arg: "",
            at: Nanos(0),
            outcome: &Outcome::Ok,
            bytes: b"packets:10\npackets:12",
            truncated: true,
        };
        let mut parsed = Parsed::<()>::default();
        assert_eq!(usable(&item, &mut parsed), "packets:10\n");
        assert_eq!(parsed.defects.len(), 1);
    }

    #[test]
    fn numbers_and_seconds() {
        assert_eq!((number("0x2a"), number("42"), number("x")), (Some(42), Some(42), None));
        assert_eq!(seconds_as_ms("6.763s"), Some(6763));
        assert_eq!(seconds_as_ms("0.5s"), Some(500));
        assert_eq!(seconds_as_ms("never"), None);
    }

    #[test]
    fn splits_outside_of_parentheses_only() {
        assert_eq!(split_top("ct(commit,zone=5), recirc(0x1),", ','), ["ct(commit,zone=5)", "recirc(0x1)"]);
        assert_eq!(split_top("))a,b", ','), ["))a", "b"]);
        assert_eq!(call("ct(a(b))"), Some(("ct", "a(b)")));
        assert_eq!(value_of("src=1,dst=2", "dst"), Some("2"));
    }

    #[test]
    fn counts_like_people() {
        let mut names = ["eth10", "eth2", "bond0", "eth2.100", "vnet1", "eth02"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["bond0", "eth02", "eth2", "eth2.100", "eth10", "vnet1"]);
    }

    proptest! {
        #[test]
        fn natural_is_an_order(a in "[a-c0-2é.]{0,6}", b in "[a-c0-2é.]{0,6}") {
            prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
            prop_assert_eq!(natural(&a, &b) == Ordering::Equal, a == b);
        }

        #[test]
        fn any_text_is_split(text in "\\PC{0,60}") {
            let _ = split_top(&text, ',');
            let _ = (call(&text), value_of(&text, "a"), number(&text), seconds_as_ms(&text));
        }
    }
}
