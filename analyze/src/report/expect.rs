//! Comparing with a stored verdict: a customer's capture as a regression test.

use std::collections::BTreeMap;

use serde_json::Value;

use super::json;
use crate::analysis::Verdict;

/// Fields of a finding that must stay the same; evidence may become better without being a regression.
const FIELDS: [&str; 5] = ["detector", "severity", "confidence", "subject", "claim"];

/// What of a verdict is compared.
#[derive(Debug)]
pub struct Compared {
    name: String,
    have: Value,
}

impl Compared {
    /// Keeps that.
    pub fn new(verdict: &Verdict) -> Self {
        let have = serde_json::json!({
            "findings": verdict.findings.iter().map(json::finding).collect::<Vec<_>>(),
            "not_evaluated": json::not_evaluated(verdict),
        });
        Self { name: verdict.name.clone(), have }
    }
}

/// Lines that differ: `-` expected and missing, `+` found and not expected. Empty when the verdicts agree.
pub fn difference(expected: &Value, verdicts: &[Compared]) -> Result<Vec<String>, String> {
    check(expected, verdicts.len())?;
    let mut lines = Vec::new();
    for (want, verdict) in stored(expected).into_iter().zip(verdicts) {
        let mut found = compare(&counted(want), &counted(&verdict.have));
        if !found.is_empty() && verdicts.len() > 1 {
            found.insert(0, format!("  {}", verdict.name));
        }
        lines.append(&mut found);
    }
    Ok(lines)
}

fn stored(expected: &Value) -> Vec<&Value> {
    match expected.get("inputs").and_then(Value::as_array) {
        Some(list) => list.iter().collect(),
        None => vec![expected],
    }
}

/// Whether it can be compared with the verdicts of that many inputs.
pub fn check(expected: &Value, inputs: usize) -> Result<(), String> {
    let stored = stored(expected);
    if stored.iter().any(|want| want.get("findings").and_then(Value::as_array).is_none()) {
        return Err("it has no list 'findings'; write it with --json FILE".into());
    }
    if stored.len() != inputs {
        let verdicts = if stored.len() == 1 { "verdict" } else { "verdicts" };
        let given = if inputs == 1 { "input was" } else { "inputs were" };
        return Err(format!("it holds {} {verdicts}, and {inputs} {given} given", stored.len()));
    }
    Ok(())
}

/// What is compared, each with how often it occurs.
fn counted(value: &Value) -> BTreeMap<String, usize> {
    let list = |name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let findings = list("findings").into_iter().map(|f| {
        let kept: serde_json::Map<String, Value> =
            FIELDS.iter().filter_map(|k| Some(((*k).to_owned(), f.get(*k)?.clone()))).collect();
        let word = |k: &str| kept.get(k).and_then(Value::as_str).unwrap_or("?").to_owned();
        let head =
            format!("{} {} {}: {}", word("detector"), word("severity"), word("confidence"), word("claim"));
        format!("{head}\n      {}", Value::Object(kept).get("subject").unwrap_or(&Value::Null))
    });
    let not = list("not_evaluated").into_iter().map(|n| {
        let missing = n.get("missing").cloned().unwrap_or_default();
        format!("{} not evaluated: needs {missing}", n.get("detector").and_then(Value::as_str).unwrap_or("?"))
    });
    let mut out = BTreeMap::new();
    for line in findings.chain(not) {
        *out.entry(line).or_default() += 1;
    }
    out
}

fn compare(want: &BTreeMap<String, usize>, have: &BTreeMap<String, usize>) -> Vec<String> {
    let missing = |a: &BTreeMap<String, usize>, b: &BTreeMap<String, usize>, sign: char| {
        let more = a.iter().flat_map(|(line, n)| {
            let extra = n.saturating_sub(b.get(line).copied().unwrap_or(0));
            std::iter::repeat_n(format!("{sign} {line}"), extra)
        });
        more.collect::<Vec<_>>()
    };
    let mut lines = missing(want, have, '-');
    lines.extend(missing(have, want, '+'));
    lines
}
