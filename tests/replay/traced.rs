//! Reads what `ofproto/trace` prints: rules with their cookies, and the datapath's actions.

use std::collections::{BTreeMap, BTreeSet};

use crate::Way;

/// What the switch did with a packet, and how it says so.
pub(crate) struct Traced {
    pub(crate) way: Way,
    pub(crate) text: String,
}

/// The switch gave up: too many lookups, or too deep.
pub(crate) struct Refused;

pub(crate) fn read(text: &str, ports: &BTreeMap<u32, String>) -> Result<Traced, Refused> {
    if text.contains("Translation failed")
        || text.contains(">>>> over")
        || text.contains("over 4096 resubmit")
    {
        return Err(Refused);
    }

    assert!(text.contains("Datapath actions: "), "{text}");
    let cookie = |line: &str| {
        let (_, cookie) = line.rsplit_once(", cookie 0x")?;
        let is_rule =
            line.trim_start().split_once(". ").is_some_and(|(n, _)| n.bytes().all(|b| b.is_ascii_digit()));
        u64::from_str_radix(cookie.trim(), 16).ok().filter(|_| is_rule)
    };
    let cookies = text.lines().filter_map(cookie).collect();
    let mut out = BTreeSet::new();
    for actions in text.lines().filter_map(|line| line.strip_prefix("Datapath actions: ")) {
        for action in pieces(actions) {
            collect(action, ports, &mut out);
        }
    }
    Ok(Traced { way: Way { cookies, ports: out }, text: text.to_owned() })
}

fn collect(action: &str, ports: &BTreeMap<u32, String>, out: &mut BTreeSet<String>) {
    if let Ok(number) = action.parse::<u32>() {
        out.insert(ports.get(&number).cloned().unwrap_or_else(|| panic!("port {number}")));
    } else if action.starts_with("userspace(") && action.contains("controller(reason=1") {
        // Reason 2 only reports a time to live that ran out.
        out.insert("CONTROLLER".to_owned());
    } else if let Some(inside) = action.strip_prefix("clone(").and_then(|rest| rest.strip_suffix(')')) {
        for action in pieces(inside) {
            collect(action, ports, out);
        }
    }
}

/// Splits at commas outside of parentheses.
fn pieces(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut out) = (0, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                out.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push(text[start..].trim());
    out
}
