//! A verdict cut at its top-level keys, so that a golden says which parts it stands for.

use std::collections::BTreeMap;

/// Which units could not look, and what causes said of what they do not explain, depends on which units there are: it is
/// in no golden.
pub(super) const UNCOMPARED: [&str; 2] = ["not_evaluated", "rulings"];

/// The text of each top-level key of indented JSON, byte for byte but for the comma behind it.
pub(super) fn parts(json: &str) -> BTreeMap<&str, &str> {
    let body = json.strip_prefix("{\n").and_then(|rest| rest.strip_suffix("\n}\n")).expect("an object");
    // Only top-level keys stand behind two blanks; a line break inside a string is escaped.
    let mut starts: Vec<usize> = body.match_indices("\n  \"").map(|(at, _)| at + 1).collect();
    starts.insert(0, 0);
    let ends = starts.iter().skip(1).copied().chain([body.len()]);
    let texts = starts.iter().zip(ends).map(|(start, end)| body[*start..end].trim_end_matches([',', '\n']));
    texts
        .map(|text| text.trim_start_matches("  \"").split_once("\": ").expect("a key and its value"))
        .collect()
}

/// The first lines that differ, `-` of the golden and `+` of now.
pub(super) fn difference(golden: &str, now: &str) -> String {
    let (golden, now): (Vec<_>, Vec<_>) = (golden.lines().collect(), now.lines().collect());
    let same = golden.iter().zip(&now).take_while(|(a, b)| a == b).count();
    let shown = |lines: &[&str], sign: char| -> Vec<String> {
        lines.iter().skip(same).take(3).map(|line| format!("    {sign} {line}")).collect()
    };
    let lines = [vec![format!("line {}", same + 1)], shown(&golden, '-'), shown(&now, '+')];
    lines.concat().join("\n")
}
