//! Numbers that are no findings: round-trip times, counts, and what the recording itself lost.

pub mod latency;
pub mod recording;
pub mod stats;
