//! Histograms as an HdrHistogram interval log, which the usual tools plot.

use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use netcap_bundle::Nanos;
use netcap_words::foreign::is_steering;

use crate::measure::Measured;
use crate::measure::latency::Latency;

/// The line by which HdrHistogram's own tools know the columns.
const LEGEND: &[u8] =
    b"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";

/// A label as a tag may be: without commas and blanks.
fn tag(label: &str) -> String {
    label.chars().map(|c| if c == ',' || c.is_whitespace() || is_steering(c) { '_' } else { c }).collect()
}

/// Writes histograms as an HdrHistogram interval log (V2, deflate, base64), times in seconds, values in nanoseconds.
pub(crate) fn write<W: Write>(out: &mut W, measured: &Measured) -> io::Result<()> {
    let (latencies, hops) = (&measured.latency.pairs, &measured.hops.0);
    // A log without times starts with the others, or at the epoch.
    let timed = |l: &&Latency| l.from <= l.to;
    let start = latencies.iter().filter(timed).map(|l| l.from).min().unwrap_or_default();
    let since = |at: Nanos| Duration::from_nanos(u64::try_from(at.since(start)).unwrap_or(0));
    let mut serializer = V2DeflateSerializer::new();
    let start_ns = u64::try_from(start.0).unwrap_or(0);
    let mut head = Vec::new();
    IntervalLogWriterBuilder::new()
        .add_comment("[netcap round-trip times of pings, nanoseconds]")
        .add_comment("[Histogram log format version 1.3]")
        .with_start_time(UNIX_EPOCH + Duration::from_nanos(start_ns))
        .begin_log_with(&mut head, &mut serializer)?;
    out.write_all(&head)?;
    out.write_all(LEGEND)?;
    let mut writer =
        IntervalLogWriterBuilder::new().with_max_value_divisor(1.0).begin_log_with(out, &mut serializer)?;
    for latency in latencies {
        let src = latency.src.map_or_else(|| "host".to_owned(), |src| src.to_string());
        let label = tag(&format!("{src}>{}@{}", latency.dst, latency.point));
        let tag = Tag::new(&label);
        let timed = latency.from <= latency.to;
        let from = if timed { since(latency.from) } else { Duration::ZERO };
        let length = if timed { since(latency.to).saturating_sub(from) } else { Duration::ZERO };
        writer
            .write_histogram(&latency.histogram, from, length, tag)
            .map_err(|err| io::Error::other(format!("{err:?}")))?;
    }
    for hop in hops {
        let label = tag(&format!("{}>{}@hop", hop.from.0, hop.to.0));
        writer
            .write_histogram(&hop.histogram, Duration::ZERO, Duration::ZERO, Tag::new(&label))
            .map_err(|err| io::Error::other(format!("{err:?}")))?;
    }
    Ok(())
}
