//! `nft list ruleset` as text: in JSON the matches of ebtables' rules are names without values.

use super::{BridgeFilter, Chain, FilterRule, Verdict};
use crate::source::{Outcome, Parsed, RawItem};
use crate::sources::shared::text::{lines, push_capped, usable};

/// Names of priorities in the bridge family (nft(8), "standard priority names").
const PRIORITIES: [(&str, i64); 4] = [("dstnat", -300), ("filter", -200), ("out", 100), ("srcnat", 300)];

/// Where in the list a line stands.
#[derive(Default)]
struct Place {
    table: Option<String>,
    in_chain: bool,
    /// Braces of what is neither table nor chain (sets, maps).
    skipped: usize,
}

/// The chains of a family, and whether all of the list was understood.
pub(super) fn ruleset(
    item: &RawItem<'_>,
    family: &str,
    parsed: &mut Parsed<BridgeFilter>,
) -> (Vec<Chain>, bool) {
    let text = usable(item, parsed);
    let mut place = Place::default();
    let mut chains: Vec<Chain> = Vec::new();
    let mut complete = *item.outcome == Outcome::Ok && !item.truncated;
    for (number, line) in lines(&text) {
        let line = line.trim();
        if place.skipped > 0 || line.starts_with('#') {
            place.skipped =
                (place.skipped + line.matches('{').count()).saturating_sub(line.matches('}').count());
            continue;
        }
        let kept = match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["table", of, name, "{"] if *of == family => {
                place.table = Some((*name).to_owned());
                true
            }
            ["chain", name, "{"] => {
                place.in_chain = true;
                let table = place.table.clone().unwrap_or_default();
                let chain = Chain { table, name: (*name).to_owned(), ..Chain::default() };
                push_capped(&mut chains, chain, item, parsed)
            }
            ["}"] if place.in_chain => {
                place.in_chain = false;
                true
            }
            ["}"] => {
                place.table = None;
                true
            }
            words if place.in_chain => match chains.last_mut() {
                Some(chain) => in_chain(words, line, chain, item, parsed),
                None => false,
            },
            [.., "{"] => {
                place.skipped = 1;
                true
            }
            _ => {
                parsed.defect(item, number, format!("not a rule of the family {family}: {line}"));
                false
            }
        };
        complete &= kept;
    }
    (chains, complete)
}

/// A line of a chain: where it is asked, or a rule.
fn in_chain(
    words: &[&str],
    line: &str,
    chain: &mut Chain,
    item: &RawItem<'_>,
    parsed: &mut Parsed<BridgeFilter>,
) -> bool {
    if let ["type", _, "hook", hook, rest @ ..] = words {
        chain.hook = Some((*hook).to_owned());
        chain.drops = line.contains("policy drop");
        chain.devices = devices(rest);
        let after = rest.iter().position(|word| *word == "priority").unwrap_or(0) + 1;
        chain.priority = priority(rest.get(after..).unwrap_or_default());
        return true;
    }
    push_capped(&mut chain.rules, rule(words, line), item, parsed)
}

/// `device "vnet0" priority …`, `devices = { "vnet0", "vnet1" } priority …`.
fn devices(words: &[&str]) -> Vec<String> {
    let mut words = words.iter().take_while(|word| **word != "priority");
    if !words.next().is_some_and(|word| word.starts_with("device")) {
        return Vec::new();
    }
    let names = words.map(|word| word.trim_matches(['"', ',', '{', '}', '=']));
    names.filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect()
}

/// `filter;`, `dstnat + 5;`, `-150;`.
fn priority(words: &[&str]) -> i64 {
    let (mut value, mut sign) = (0_i64, 1);
    for word in words {
        let bare = word.trim_end_matches(';');
        let named = PRIORITIES.iter().find(|(name, _)| *name == bare).map(|(_, value)| *value);
        match (named.or_else(|| bare.parse().ok()), bare) {
            (Some(number), _) => value = value.saturating_add(number.saturating_mul(sign)),
            (None, "-") => sign = -1,
            (None, "+") => sign = 1,
            _ => break,
        }
        if word.ends_with(';') {
            break;
        }
    }
    value
}

fn rule(words: &[&str], line: &str) -> FilterRule {
    let mut rule = FilterRule { raw: line.to_owned(), ..FilterRule::default() };
    let mut rest = words;
    while let Some((word, tail)) = rest.split_first() {
        rest = tail;
        match (*word, tail) {
            ("counter", ["packets", packets, "bytes", _, after @ ..]) => {
                rule.packets = packets.parse().ok();
                rest = after;
            }
            // What only informs others.
            ("comment", _) => break,
            ("log" | "counter", _) => {}
            ("accept", _) => rule.verdict = Verdict::Accept,
            ("drop", _) => rule.verdict = Verdict::Drop,
            ("reject", _) => {
                rule.verdict = Verdict::Drop;
                break;
            }
            ("return", _) => rule.verdict = Verdict::Return,
            ("continue", _) => rule.verdict = Verdict::Continue,
            ("jump", [chain, after @ ..]) => {
                rule.verdict = Verdict::Jump((*chain).to_owned());
                rest = after;
            }
            ("goto", [chain, after @ ..]) => {
                rule.verdict = Verdict::Goto((*chain).to_owned());
                rest = after;
            }
            ("queue" | "dup" | "fwd", _) => {
                rule.verdict = Verdict::Unread;
                break;
            }
            _ => rule.matches.push((*word).to_owned()),
        }
    }
    rule
}
