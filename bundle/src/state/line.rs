//! The index of host state.

use serde::{Deserialize, Serialize};

use crate::Nanos;
use crate::source::Outcome;

/// One line of the state index. A line that cannot be parsed never existed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexLine {
    /// Samples taken together share a round, counted from 1.
    pub round: u32,
    /// The source's id.
    pub source: String,
    /// The recipe's item.
    pub item: String,
    /// What the recipe was repeated over; empty when once.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub arg: String,
    /// When it was started.
    pub at: Nanos,
    /// How long it took, in nanoseconds.
    #[serde(default)]
    pub took_ns: i64,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Bytes of output kept.
    pub bytes: u64,
    /// True when the output was cut at the recipe's cap.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// The file that holds the output; the file of an earlier line when it did not change.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Start of standard error.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stderr: String,
}
