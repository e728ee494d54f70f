//! `latency`: how long pings take, per pair of addresses and capture point.
//!
//! It measures and judges nothing: round-trip times of echo requests and their replies, in HDR histograms of nanoseconds
//! with three significant digits, shown as percentiles and written with `--hlog` as an HdrHistogram interval log (V2,
//! deflate), which the usual tools plot. The same pair at two points tells where the time goes: what the point nearer to
//! the one who pings sees more is spent between the two points.
//!
//! Exonerated: unanswered pings (see `ping-loss`), replies whose request was not recorded, copies of a request.
//!
//! Remedy: none, these are numbers; compare the points, and compare with a time when all was well.
//!
//! Sources: RFC 792; RFC 4443 section 4; HdrHistogram log format 1.3.
//!
//! 中文：按地址对与抓包点统计 ping 往返时延（百分位数）；只度量，不下结论。用 `--hlog` 导出 HdrHistogram 日志。

use super::{Detector, Need};

/// The registry's line.
pub const DETECTOR: Detector = Detector {
    id: crate::measure::latency::ID,
    severity: None,
    most: None,
    needs: &[Need { key: "need.echo", met: |view| Some(view.has_echo()) }],
    // Histograms are not findings; they are measured beside the detectors (`crate::measure::latency`).
    run: |_, _| {},
    source: include_str!("latency.rs"),
};
