//! One echo request and what became of it.

use serde::{Deserialize, Serialize};

use crate::Nanos;

/// One echo request and what became of it: one line of `ping/ADDRESS.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PingRecord {
    /// ICMP sequence number, not wrapped.
    pub seq: u64,
    /// When the request left; absent when the log does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Nanos>,
    /// What came back.
    #[serde(flatten)]
    pub answer: Answer,
}

/// What came back for an echo request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub enum Answer {
    /// An echo reply.
    Reply {
        /// Round-trip time in nanoseconds.
        rtt_ns: i64,
        /// Time to live or hop limit of the reply, when known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl: Option<u8>,
        /// True when both stamps are the kernel's.
        #[serde(default)]
        kernel: bool,
    },
    /// Nothing within the time-out.
    Lost,
    /// The request could not be sent, or an ICMP error came instead.
    Error {
        /// The reason.
        why: String,
    },
    /// The run ended before the time-out: not a loss.
    Open,
}
