//! A recording that lost, gave up and removed something, made by hand.

use std::fmt::Write as _;

use netcap_bundle::input::Input;
use netcap_bundle::packets::Direction;
use netcap_bundle::run::{
    Change, ChangeKind, End, HostSpan, PointSpan, Pruned, ShedLevel, ShedLine, ShedReason, json_line,
};
use netcap_bundle::{Mac, Nanos, Point, Role, layout};
use netcap_tests::bundle::{BundleBuilder, SealedBundle, at};
use netcap_tests::packets::{ethernet, mac};
use serde_json::json;
use unicode_width::UnicodeWidthStr;

use crate::analysis::{Verdict, explain};
use crate::engine::Progress;
use crate::measure::recording::{LossPeriod, LossSpan, Recording};
use crate::report::json::Shape;
use crate::report::text::{Look, render};
use netcap_words::Lang;
use netcap_words::columns::COLUMNS;

fn text<T: serde::Serialize>(lines: &[T]) -> String {
    lines.iter().map(|l| String::from_utf8(json_line(l).unwrap()).unwrap()).collect()
}

fn frame() -> Vec<u8> {
    ethernet(Mac([255; 6]), mac("02:00:00:00:00:01"), 0x88b5, &[0; 50])
}

/// A point that lost two packets in the second second and five in the fourth, and gave way in the fifth.
fn ledger() -> String {
    let span = |s: i64, received, dropped| PointSpan {
        at: at(s * 1000),
        ms: 1000,
        received,
        dropped,
        written: received - dropped,
        filtered: Some(9),
        ..PointSpan::default()
    };
    let spans = [span(1, 1, 0), span(2, 2, 2), span(3, 0, 0), span(4, 5, 5), span(9, 0, 0)];
    let step = |s: i64, was, step, why| ShedLine { at: at(s * 1000), step, was, why };
    let steps = [
        step(5, ShedLevel::Whole, ShedLevel::Fastest, ShedReason::Ring),
        step(6, ShedLevel::Fastest, ShedLevel::Cut256, ShedReason::Cpu),
        step(8, ShedLevel::Cut256, ShedLevel::Whole, ShedReason::Calm),
    ];
    text(&spans) + &text(&steps)
}

fn bundle() -> BundleBuilder {
    let mut bundle = BundleBuilder::new(10_000);
    bundle.point("eth2", Role::Uplink { bond: None }, "arp").point("vnet0", Role::Internal, "");
    for iface in ["eth2", "vnet0"] {
        bundle.frame(iface, 100, Direction::In, &frame());
    }
    bundle
}

fn troubled() -> (SealedBundle, Input) {
    let mut bundle = bundle();
    let joined = Point { role: Role::Internal, ..Point::bare("vnet7") };
    let mut all = String::new();
    for (ms, what) in [
        (3000, ChangeKind::Joined { point: Box::new(joined) }),
        (4000, ChangeKind::Renamed { id: "vnet0".into(), from: "vnet0".into(), to: "\u{1b}[31mred".into() }),
        (5000, ChangeKind::Left { id: "vnet7".into() }),
    ] {
        let line = json_line(&Change { at: at(ms), what }).unwrap();
        let _ = write!(all, "{}", String::from_utf8(line).unwrap());
    }
    let host = [HostSpan { at: at(7000), ms: 1000, dropped: 3, upcalls_lost: 1, ..HostSpan::default() }];
    bundle.write(&layout::ledger("eth2"), &ledger());
    bundle.write(layout::CHANGES, &all).write(layout::SOFTNET, &text(&host));
    let sealed = bundle.seal();
    let mut input = Input::open(&sealed.path).unwrap();
    input.pruned = vec![Pruned {
        point: "vnet0".into(),
        segments: 2,
        packets: 77,
        from: at(-9000),
        until: at(0),
        ..Pruned::default()
    }];
    (sealed, input)
}

fn report(verdict: &Verdict, lang: Lang) -> String {
    render(verdict, Look { lang, color: false, columns: COLUMNS, verbose: false })
}

#[test]
fn what_was_lost_given_up_and_removed_is_told_with_its_times() {
    let (_sealed, input) = troubled();
    let recording = Recording::of(&input);
    let [eth2, vnet0] = &recording.points[..] else { panic!("{:?}", recording.points) };
    assert_eq!((eth2.sums.received, eth2.sums.dropped, eth2.filtered, eth2.unaccounted), (8, 7, Some(45), 0));
    let want = LossPeriod {
        from: at(1000),
        to: at(4000),
        spans: 2,
        worst: LossSpan { from: at(3000), to: at(4000), count: 5 },
    };
    assert_eq!((eth2.dropped, eth2.shed), (Some(want), None));
    let steps = eth2.steps.as_ref().unwrap();
    assert_eq!(
        (steps.why.as_slice(), steps.shed.deepest),
        (&[ShedReason::Ring, ShedReason::Cpu][..], ShedLevel::Cut256)
    );
    assert_eq!(steps.shed.cut_ms, 2000);
    assert_eq!(vnet0.pruned.as_ref().map(|gone| gone.packets), Some(77));
    let verdict = explain(&input, None, &Progress::default());
    let en = report(&verdict, Lang::En);
    for part in [
        "What the recording lost",
        "dropped by the full ring: 2026-11-21 08:00:01.000 – 08:00:04.000 (3.0 s), 2 times; at worst 5",
        "at most frames cut to 256 bytes (its ring was filling; --cpu-limit); 3 steps",
        "2 segments with 77 packets",
        "softnet: 3, upcalls of Open vSwitch: 1",
        "vnet7 joined",
        "vnet0 is called",
        "vnet7 is gone",
    ] {
        let found = en.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(found.contains(part), "{part}: {en}");
    }
    let zh = report(&verdict, Lang::Zh);
    assert!(zh.contains("环形缓冲区满而丢弃") && !zh.contains("recording."), "{zh}");
    for line in en.lines().chain(zh.lines()) {
        assert!(line.width() <= 100 && !line.contains('\u{1b}'), "{line}");
    }
    let all: serde_json::Value = serde_json::from_str(&Shape::One.verdict(&verdict, true)).unwrap();
    let recording = &all["recording"];
    assert_eq!(recording["points"][0]["dropped_when"]["worst"]["count"], 5);
    assert_eq!(recording["points"][0]["gave_up"]["why"], json!(["ring", "cpu"]));
    assert_eq!(recording["points"][1]["pruned"]["segments"], 2);
    assert_eq!(
        (&recording["host"]["softnet_dropped"], &recording["changes"][2]["change"]),
        (&json!(3), &json!("left"))
    );
}

#[test]
fn a_recording_that_has_it_all_says_nothing() {
    let mut bundle = bundle();
    let span = PointSpan {
        at: at(1000),
        ms: 1000,
        received: 1,
        written: 1,
        filtered: Some(3),
        ..PointSpan::default()
    };
    bundle.write(&layout::ledger("eth2"), &text(&[span]));
    let sealed = bundle.seal();
    let input = Input::open(&sealed.path).unwrap();
    assert!(Recording::of(&input).is_empty(), "what the filter did not want is no loss");
    let verdict = explain(&input, None, &Progress::default());
    assert!(!report(&verdict, Lang::En).contains("What the recording lost"));
    assert!(!Shape::One.verdict(&verdict, true).contains("\"recording\""));
}

#[test]
fn without_a_ledger_segments_tell_the_loss_and_wrong_sums_are_told() {
    let mut bundle = bundle();
    bundle.frame_after_loss("eth2", 300, Direction::In, &frame(), 4);
    let span = PointSpan { at: at(1000), ms: 1000, received: 9, written: 7, ..PointSpan::default() };
    bundle.write(&layout::ledger("vnet0"), &text(&[span]));
    let mut input = Input::open(&bundle.seal().path).unwrap();
    let recording = Recording::of(&input);
    let found: Vec<_> =
        recording.points.iter().map(|p| (p.name.as_str(), p.sums.dropped, p.unaccounted)).collect();
    assert_eq!(found, [("eth2", 4, 0), ("vnet0", 0, 2)]);
    assert_eq!(recording.points[0].dropped.map(|period| period.worst.count), Some(4));
    let verdict = explain(&input, None, &Progress::default());
    let twice = |text: &crate::text::Text| text.english().contains("the capture lost");
    assert!(!verdict.remarks.iter().any(twice), "said once, with its times");
    input.end = Some(End::Recovered);
    assert_eq!(
        Recording::of(&input).points.len(),
        1,
        "after a crash the last second is missing, nobody erred"
    );
}

#[test]
fn a_machine_that_came_back_has_two_names_and_hostile_numbers_are_answered() {
    let (_sealed, mut input) = troubled();
    input.points.push(Point { id: "vnet0-2".into(), ..Point::bare("vnet0") });
    let recording = Recording::of(&input);
    assert_eq!((recording.name("vnet0"), recording.name("vnet0-2")), ("vnet0", "vnet0-2"));
    assert_eq!(recording.name("eth2"), "eth2");
    let span = |at, dropped| PointSpan { at: Nanos(at), ms: u64::MAX, dropped, ..PointSpan::default() };
    for ledger in &mut input.ledger.points {
        ledger.spans = vec![span(i64::MIN, u64::MAX), span(i64::MAX, u64::MAX)];
    }
    let verdict = explain(&input, None, &Progress::default());
    assert!(report(&verdict, Lang::En).lines().all(|line| line.width() <= 100));
}
