//! What the stamps of captures that others made say of the clock they were taken with.

use netcap_bundle::input::Kind;

use crate::tables::steps::{Stamps, Step};
use crate::text::Text;
use crate::view::View;

/// Files of which it is said.
const FILES_MAX: usize = 64;

const NS_PER_MS: f64 = 1e6;
const NS_PER_S: f64 = 1e9;

/// Clocks that were set, and stamps that run backwards. What a bundle was recorded with says itself.
pub(super) fn remarks(view: &View<'_>) -> Vec<Text> {
    if view.input.kind == Kind::Bundle {
        return Vec::new();
    }
    let files = view.tables.steps.files.iter().filter_map(|(number, stamps)| {
        let file = view.files.get(*number as usize)?;
        Some((file, stamps))
    });
    let said = files.take(FILES_MAX).flat_map(|(file, stamps)| {
        let steps = stamps.steps.iter().map(step);
        let what = steps.chain(backwards(stamps, file.packets));
        what.map(|what| Text::new("remark.file").with("file", &file.name).with_text("what", what))
    });
    said.collect()
}

#[allow(clippy::cast_precision_loss)] // shown with few digits
fn step(step: &Step) -> Text {
    let key = if step.ns() > 0 { "remark.clock.ahead" } else { "remark.clock.back" };
    let by = step.ns().saturating_abs() as f64 / NS_PER_S;
    Text::new(key).with("by", format!("{by:.1}")).with("frame", step.frame.number)
}

#[allow(clippy::cast_precision_loss)] // shown with few digits
fn backwards(stamps: &Stamps, all: u64) -> Option<Text> {
    let by = format!("{:.3}", stamps.back_ns as f64 / NS_PER_MS);
    let text = Text::new("remark.clock.backwards").with("count", stamps.back).with("all", all);
    (stamps.back > 0).then(|| text.with("by", by))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use netcap_tests::bundle::pcap;
    use netcap_tests::packets::{echo, mac};

    use crate::testing::explain_path;

    const HERE: Ipv4Addr = Ipv4Addr::new(10, 254, 0, 5);
    const THERE: Ipv4Addr = Ipv4Addr::new(10, 254, 0, 1);

    /// Pings at these times, in milliseconds, each with the time of its reply: the remarks, and the longest time measured.
    fn said(pings: &[(i64, i64)]) -> (Vec<String>, u64) {
        let (a, b) = (mac("00:1b:21:00:00:01"), mac("00:1b:21:00:00:02"));
        let frames = (1..).zip(pings).flat_map(|(seq, (asked, answered))| {
            [(*asked, echo(false, a, b, HERE, THERE, seq)), (*answered, echo(true, b, a, THERE, HERE, seq))]
        });
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.pcap");
        pcap(&path, &frames.collect::<Vec<_>>());
        let verdict = explain_path(&path, 1);
        let longest =
            verdict.measured.latency.pairs.iter().map(|pair| pair.histogram.max()).max().unwrap_or(0);
        (verdict.remarks.iter().map(crate::text::Text::english).collect(), longest / 1_000_000)
    }

    #[test]
    fn a_clock_that_is_set_is_said_and_nothing_is_measured_across_it() {
        let (remarks, longest) = said(&[(0, 1), (1_000, 1_001), (2_000, 3_602_001), (3_603_000, 3_603_001)]);
        assert!(remarks.iter().any(|r| r.contains("set ahead by 3600.0 s at frame 6")), "{remarks:?}");
        assert_eq!(longest, 1);
        let (remarks, longest) = said(&[(40_000, 40_001), (10_000, 10_001)]);
        assert!(remarks.iter().any(|r| r.contains("go back by 30.0 s or more at frame 3")), "{remarks:?}");
        assert_eq!(longest, 1);
        let (remarks, _) = said(&[(10, 9), (1_000, 1_001), (2_000, 1_999)]);
        assert!(
            remarks.iter().any(|r| r.contains("2 of 6 stamps run backwards, by 1.000 ms")),
            "{remarks:?}"
        );
    }

    #[test]
    fn an_idle_hour_is_no_step() {
        let (remarks, longest) = said(&[(0, 1), (3_600_000, 3_600_001), (7_200_000, 7_203_000)]);
        assert!(!remarks.iter().any(|r| r.contains("clock") || r.contains("backwards")), "{remarks:?}");
        assert_eq!(longest / 10, 300);
    }
}
