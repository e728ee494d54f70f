//! The report for machines: one object, schema 1, English, UTC, the same for any number of threads.

use std::fmt::Write as _;

use hdrhistogram::Histogram;
use netcap_words::foreign::is_steering;
use serde_json::{Map, Value, json};

use crate::analysis::Verdict;
use crate::finding::{Finding, utc_text};
use crate::measure::PERCENTILES;
use crate::measure::hops::HopTimes;
use crate::measure::journeys::JourneyCounts;
use crate::measure::latency::Latency;

use super::many::Total;
use super::recording;
use crate::text::Text;

/// Pairs of addresses with segments sent again, written.
const RESENT_MAX: usize = 1_000;
/// Version of the shape.
pub const SCHEMA: u32 = 1;

/// How verdicts stand together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One object.
    One,
    /// `{"schema":1,"inputs":[…]}`.
    List,
    /// One object a line, inputs that could not be read and the sum of all included.
    Lines,
}

impl Shape {
    /// A verdict; the `first` of a list opens it.
    pub fn verdict(self, verdict: &Verdict, first: bool) -> String {
        match self {
            Self::One => pretty(&one(verdict, true), ""),
            Self::List if first => {
                format!("{}    {}", Self::OPEN, pretty(&one(verdict, false), "    ").trim_end())
            }
            Self::List => format!(",\n    {}", pretty(&one(verdict, false), "    ").trim_end()),
            Self::Lines => line(&one(verdict, true)),
        }
    }

    /// An input that could not be read.
    pub fn unreadable(self, name: &str, why: &str) -> String {
        line(&json!({ "schema": SCHEMA, "input": name, "error": why }))
    }

    /// What stands behind the last verdict; `none` was written.
    pub fn end(self, total: &Total, none: bool) -> String {
        match self {
            Self::List if !none => format!("\n  ],\n  \"schema\": {SCHEMA}\n}}\n"),
            Self::One | Self::List => String::new(),
            Self::Lines => line(&json!({ "schema": SCHEMA, "summary": summary(total) })),
        }
    }

    /// Keys of an object are in order.
    const OPEN: &str = "{\n  \"inputs\": [\n";
}

fn summary(total: &Total) -> Value {
    let severities: Map<String, Value> =
        total.findings.iter().map(|(severity, count)| (severity.to_string(), json!(count))).collect();
    json!({
        "read": total.read, "unreadable": total.unreadable, "incomplete": total.incomplete, "found": total.found,
        "packets": total.packets, "findings": severities, "detectors": total.detectors,
    })
}

fn line(value: &Value) -> String {
    escaped(&format!("{value}\n"))
}

/// JSON in which what would steer a terminal is escaped, not only what RFC 8259 (section 7) wants escaped: all of it is
/// inside strings.
pub(crate) fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_steering(c) {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Indented as it stands inside other lines.
fn pretty(value: &Value, indent: &str) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    escaped(&text).replace('\n', &format!("\n{indent}")) + "\n"
}

fn one(verdict: &Verdict, schema: bool) -> Value {
    let mut map = Map::new();
    if schema {
        map.insert("schema".into(), json!(SCHEMA));
    }
    map.insert("input".into(), json!(verdict.name));
    map.insert("findings".into(), verdict.findings.iter().map(finding).collect());
    map.insert("not_evaluated".into(), not_evaluated(verdict));
    map.insert("histograms".into(), verdict.measured.latency.pairs.iter().map(histogram).collect());
    map.insert("hops".into(), verdict.measured.hops.0.iter().map(hop).collect());
    map.insert("journeys".into(), journeys(&verdict.measured.journeys));
    map.insert("stats".into(), stats(verdict));
    if !verdict.recording.is_empty() {
        map.insert("recording".into(), recording::value(&verdict.recording));
    }
    map.insert("remarks".into(), verdict.remarks.iter().map(|t| json!(t.english())).collect());
    Value::Object(map)
}

/// A finding as it is compared and written.
pub(super) fn finding(finding: &Finding) -> Value {
    let mut value = json!({
        "detector": finding.detector,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "subject": finding.subject,
        "from": finding.from.map(utc_text),
        "to": finding.to.map(utc_text),
        "claim": finding.claim.english(),
        "evidence": finding.evidence,
        "exonerations": finding.exonerations.iter().map(|e| e.sentence().english()).collect::<Vec<_>>(),
        "remedy": finding.remedy.english(),
    });
    if let (Some(by), Some(map)) = (finding.explained_by, value.as_object_mut()) {
        map.insert("explained_by".into(), json!(by));
    }
    value
}

/// Detectors that could not look.
pub(super) fn not_evaluated(verdict: &Verdict) -> Value {
    verdict
        .not_evaluated
        .iter()
        .map(|n| {
            let missing: Vec<String> = n.missing.iter().map(|key| Text::new(key).english()).collect();
            json!({ "detector": n.detector, "missing": missing })
        })
        .collect()
}

fn histogram(latency: &Latency) -> Value {
    let mut map = Map::new();
    map.insert("src".into(), json!(latency.src));
    map.insert("dst".into(), json!(latency.dst));
    map.insert("point".into(), json!(latency.point));
    numbers(&mut map, &latency.histogram);
    Value::Object(map)
}

fn hop(hop: &HopTimes) -> Value {
    let mut map = Map::new();
    for (name, (point, direction)) in [("from", &hop.from), ("to", &hop.to)] {
        map.insert(name.into(), json!({ "point": point, "direction": direction }));
    }
    map.insert("reordered".into(), json!(hop.reordered));
    numbers(&mut map, &hop.histogram);
    Value::Object(map)
}

fn numbers(map: &mut Map<String, Value>, histogram: &Histogram<u64>) {
    map.insert("unit".into(), json!("ns"));
    map.insert("n".into(), json!(histogram.len()));
    map.insert("min".into(), json!(histogram.min()));
    for (name, percent) in PERCENTILES {
        map.insert(name.into(), json!(histogram.value_at_percentile(percent)));
    }
    map.insert("max".into(), json!(histogram.max()));
}

fn journeys(counts: &JourneyCounts) -> Value {
    let named = |list: &[(String, u64)]| {
        list.iter().map(|(point, count)| json!({ "point": point, "count": count })).collect::<Value>()
    };
    let mut value = json!({
        "followed": counts.followed,
        "one_in": counts.one_in,
        "retransmissions": counts.retransmissions,
        "copies": named(&counts.copies),
        "reflections": named(&counts.reflections),
    });
    if !counts.resent.is_empty() {
        let pair = |(src, dst, count): &(_, _, u64)| json!({ "src": src, "dst": dst, "count": count });
        let pairs = counts.resent.iter().take(RESENT_MAX).map(pair);
        value["resent"] = pairs.collect();
    }
    value
}

fn stats(verdict: &Verdict) -> Value {
    let stats = &verdict.stats;
    let files: Vec<Value> = stats
        .files
        .iter()
        .map(|f| json!({ "name": f.name, "packets": f.packets, "wire_bytes": f.wire_bytes }))
        .collect();
    let points: Vec<Value> = stats
        .points
        .iter()
        .map(|p| {
            json!({
                "name": p.name, "kind": p.role, "vswitch": p.vswitch, "filter": p.filter, "snaplen": p.snaplen,
                "packets": p.packets, "wire_bytes": p.wire_bytes, "cut": p.cut, "dropped": p.dropped,
                "first": p.first.map(utc_text), "last": p.last.map(utc_text),
            })
        })
        .collect();
    json!({ "packets": stats.packets, "files": files, "points": points })
}
