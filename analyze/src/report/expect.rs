//! Comparing with a stored verdict: a customer's capture as a regression test.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::sections::{findings, not_evaluated};
use crate::analysis::Verdict;
use crate::finding::Finding;
use crate::text::Text;

/// Fields of a finding that must stay the same; evidence may become better without being a regression.
const FIELDS: [&str; 5] = ["detector", "severity", "confidence", "subject", "claim"];

/// Why a stored verdict cannot be compared with what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Incomparable {
    /// It has no list of findings.
    NoFindings,
    /// It is of another number of inputs.
    Inputs {
        /// How many verdicts it holds.
        stored: usize,
        /// How many inputs were given.
        given: usize,
    },
}

impl Incomparable {
    /// As it is said.
    pub(crate) fn text(self) -> Text {
        match self {
            Self::NoFindings => Text::new("expect.no-findings"),
            Self::Inputs { stored, given } => {
                let verdicts = if stored == 1 { "expect.one-verdict" } else { "expect.verdicts" };
                let inputs = if given == 1 { "expect.one-input" } else { "expect.inputs" };
                Text::new("expect.count")
                    .with_text("verdicts", Text::new(verdicts).with("count", stored))
                    .with_text("inputs", Text::new(inputs).with("count", given))
            }
        }
    }
}

/// What of a verdict is compared.
#[derive(Debug)]
pub(crate) struct Compared {
    name: String,
    have: Value,
}

impl Compared {
    /// Keeps that.
    pub(crate) fn new(verdict: &Verdict) -> Self {
        let have = serde_json::json!({
            "findings": values(&verdict.findings),
            "not_evaluated": not_evaluated::value(verdict),
        });
        Self { name: verdict.name.clone(), have }
    }
}

/// What a comparison gave.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Lines that differ: `-` expected and missing, `+` found and not expected. Empty when the verdicts agree.
    pub lines: Vec<String>,
    /// Detectors that could not look and that the stored verdict does not name: it may be older than they are, so
    /// this is no difference.
    pub unnamed: BTreeSet<String>,
}

/// Compares. Every finding counts, of new detectors too: a finding that was not there is what a regression test is for.
/// That a detector could not look counts for those that the stored verdict names.
/// `across` are the findings that belong to no single input.
pub(crate) fn difference(
    expected: &Value,
    verdicts: &[Compared],
    across: &[Finding],
) -> Result<Difference, Incomparable> {
    check(expected, verdicts.len())?;
    let mut out = Difference::default();
    if verdicts.len() > 1 {
        let all = BTreeSet::new();
        let have = serde_json::json!({ "findings": values(across) });
        out.lines = compare(&counted(beside(expected), &all), &counted(&have, &all));
    }
    for (want, verdict) in stored(expected).into_iter().zip(verdicts) {
        let known = named(want);
        let mut found = compare(&counted(want, &known), &counted(&verdict.have, &known));
        if !found.is_empty() && verdicts.len() > 1 {
            found.insert(0, format!("  {}", verdict.name));
        }
        out.lines.append(&mut found);
        // Without the list nobody asked who could look.
        if want.get(NOT_EVALUATED).is_some() {
            let blind = entries(&verdict.have, NOT_EVALUATED).filter_map(detector);
            out.unnamed.extend(blind.filter(|id| !known.contains(id)).map(str::to_owned));
        }
    }
    Ok(out)
}

fn values(findings: &[Finding]) -> Vec<Value> {
    findings.iter().map(findings::value).collect()
}

/// Where findings stand that belong to no single input: beside the list of inputs (`--together`), or apart.
fn beside(expected: &Value) -> &Value {
    expected.get("together").unwrap_or(expected)
}

/// The list of detectors that could not look.
const NOT_EVALUATED: &str = "not_evaluated";

fn entries<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn detector(entry: &Value) -> Option<&str> {
    entry.get("detector").and_then(Value::as_str)
}

/// Detectors whose evaluation is compared: those that a stored verdict with a list of who could not look names.
fn named(want: &Value) -> BTreeSet<&str> {
    if want.get(NOT_EVALUATED).is_none() {
        return BTreeSet::new();
    }
    entries(want, "findings").chain(entries(want, NOT_EVALUATED)).filter_map(detector).collect()
}

fn stored(expected: &Value) -> Vec<&Value> {
    match expected.get("inputs").and_then(Value::as_array) {
        Some(list) => list.iter().collect(),
        None => vec![expected],
    }
}

/// Whether it can be compared with the verdicts of that many inputs.
pub(crate) fn check(expected: &Value, inputs: usize) -> Result<(), Incomparable> {
    let stored = stored(expected);
    if stored.iter().any(|want| want.get("findings").and_then(Value::as_array).is_none()) {
        return Err(Incomparable::NoFindings);
    }
    if stored.len() != inputs {
        return Err(Incomparable::Inputs { stored: stored.len(), given: inputs });
    }
    Ok(())
}

/// What is compared, each with how often it occurs.
fn counted(value: &Value, known: &BTreeSet<&str>) -> BTreeMap<String, usize> {
    let findings = entries(value, "findings").map(|f| {
        let kept: serde_json::Map<String, Value> =
            FIELDS.iter().filter_map(|k| Some(((*k).to_owned(), f.get(*k)?.clone()))).collect();
        let word = |k: &str| kept.get(k).and_then(Value::as_str).unwrap_or("?").to_owned();
        let head =
            format!("{} {} {}: {}", word("detector"), word("severity"), word("confidence"), word("claim"));
        format!("{head}\n      {}", Value::Object(kept).get("subject").unwrap_or(&Value::Null))
    });
    let not = entries(value, NOT_EVALUATED).filter_map(|n| {
        let (id, missing) = (detector(n)?, n.get("missing").cloned().unwrap_or_default());
        known.contains(id).then(|| format!("{id} not evaluated: needs {missing}"))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A verdict with a finding of each of some detectors, while others could not look.
    fn verdict(found: &[&str], blind: &[&str]) -> Value {
        let finding =
            |id| json!({ "detector": id, "severity": "error", "confidence": "proven", "claim": "c" });
        let not = |id| json!({ "detector": id, "missing": ["x"] });
        json!({
            "findings": found.iter().map(finding).collect::<Value>(),
            NOT_EVALUATED: blind.iter().map(not).collect::<Value>(),
        })
    }

    fn compared(want: &Value, have: Value) -> (Vec<String>, Vec<String>) {
        let gave = difference(want, &[Compared { name: "x".into(), have }], &[]).unwrap();
        let signs = gave.lines.iter().map(|line| line.split(['\n', ':']).next().unwrap().trim().to_owned());
        (signs.collect(), gave.unnamed.into_iter().collect())
    }

    #[test]
    fn a_detector_that_is_newer_than_the_stored_verdict_counts_by_what_it_finds() {
        let stored = verdict(&["a"], &["b"]);
        assert_eq!(compared(&stored, verdict(&["a"], &["b"])), (vec![], vec![]));
        assert_eq!(compared(&stored, verdict(&["a"], &["b", "new"])), (vec![], vec!["new".into()]));
        let (lines, _) = compared(&stored, verdict(&["a", "new"], &["b"]));
        assert_eq!(lines, ["+ new error proven"]);
    }

    #[test]
    fn who_could_look_is_compared_for_those_that_are_named() {
        let stored = verdict(&["a"], &["b"]);
        assert_eq!(compared(&stored, verdict(&["a"], &[])).0, ["- b not evaluated"]);
        assert_eq!(compared(&stored, verdict(&[], &["a", "b"])).0, ["- a error proven", "+ a not evaluated"]);
        let mut golden = stored;
        golden.as_object_mut().unwrap().remove(NOT_EVALUATED);
        assert_eq!(compared(&golden, verdict(&["a"], &["b", "c"])), (vec![], vec![]));
    }
}
