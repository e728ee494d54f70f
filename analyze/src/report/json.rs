//! The report for machines: one object, schema 1, English, UTC, the same for any number of threads.

use netcap_words::foreign;
use serde_json::{Map, Value, json};

use super::across::Across;
use super::many::Total;
use super::sections;
use crate::analysis::Verdict;

/// Version of the shape.
pub(crate) const SCHEMA: u32 = 1;

/// How verdicts stand together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One object.
    One,
    /// `{"schema":1,"inputs":[…],"together":{…}}`.
    List,
    /// One object a line, inputs that could not be read and the sum of all included.
    Lines,
}

impl Shape {
    /// A verdict; the `first` of a list opens it.
    pub(crate) fn verdict(self, verdict: &Verdict, first: bool) -> String {
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
    pub(crate) fn unreadable(name: &str, why: &str) -> String {
        line(&json!({ "schema": SCHEMA, "input": name, "error": why }))
    }

    /// What stands behind the last verdict; `none` was written.
    pub(crate) fn end(self, total: &Total, across: &Across, none: bool) -> String {
        match self {
            Self::List if !none => {
                let across = pretty(&across.json(), "  ");
                format!("\n  ],\n  \"schema\": {SCHEMA},\n  \"together\": {}\n}}\n", across.trim_end())
            }
            Self::One | Self::List => String::new(),
            Self::Lines => {
                line(&json!({ "schema": SCHEMA, "summary": summary(total), "together": across.json() }))
            }
        }
    }

    /// Keys of an object are in order.
    const OPEN: &str = "{\n  \"inputs\": [\n";
}

fn summary(total: &Total) -> Value {
    let severities: Map<String, Value> =
        total.findings.iter().map(|(severity, count)| (severity.to_string(), json!(count))).collect();
    json!({
        "read": total.read, "unreadable": total.unreadable, "incomplete": total.incomplete,
        "not_understood": total.not_understood, "found": total.found,
        "packets": total.packets, "findings": severities, "detectors": total.detectors,
    })
}

fn line(value: &Value) -> String {
    foreign::json(&format!("{value}\n"))
}

/// Indented as it stands inside other lines.
fn pretty(value: &Value, indent: &str) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    foreign::json(&text).replace('\n', &format!("\n{indent}")) + "\n"
}

/// One verdict among others.
pub(crate) fn among(verdict: &Verdict) -> Value {
    one(verdict, false)
}

fn one(verdict: &Verdict, schema: bool) -> Value {
    let of = |section: &sections::Section| Some((section.key.to_owned(), (section.json)(verdict)?));
    let mut map: Map<String, Value> = sections::ALL.iter().filter_map(of).collect();
    if schema {
        map.insert("schema".into(), json!(SCHEMA));
    }
    Value::Object(map)
}
