use std::fs;

use netcap_bundle::input::Input;
use netcap_bundle::packets::Direction::{In, Out};
use netcap_bundle::run::{PointSpan, json_line};
use netcap_bundle::{Mac, Role, layout};
use netcap_tests::bundle::{BundleBuilder, at};
use netcap_tests::packets::ethernet;

use crate::testing::with_view;

use super::Trust;

fn frame() -> Vec<u8> {
    ethernet(Mac::BROADCAST, Mac([2, 0, 0, 0, 0, 1]), 0x1234, &[0; 46])
}

fn bundle() -> BundleBuilder {
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("busy", Role::Internal, "").point("idle", Role::Internal, "icmp");
    for n in 0..50 {
        let lost = if n == 20 { 7 } else { 0 };
        bundle.frame_after_loss("busy", n * 1_000, In, &frame(), lost);
    }
    bundle
}

#[test]
fn silence_counts_where_the_capture_was_sound() {
    let sealed = bundle().seal();
    let input = Input::open(&sealed.path).unwrap();
    with_view(&input, |view| {
        let id = |name| view.points.by_name(name).unwrap();
        let trust = |name, from, to| view.fidelity.trust(id(name), at(from), at(to));
        assert_eq!(trust("idle", 1_000, 59_000), Trust::Sound);
        assert_eq!(trust("idle", 59_000, 61_000), Trust::Blind);
        assert_eq!(trust("busy", 1_000, 18_000), Trust::Sound);
        assert_eq!(trust("busy", 19_500, 19_600), Trust::Lossy);
        assert!(
            view.fidelity.shows(id("busy"), &frame(), 60) && !view.fidelity.shows(id("idle"), &frame(), 60)
        );
        assert_eq!(view.fidelity.point(id("busy")).unwrap().dropped, Some(7));
    });
}

#[test]
fn after_a_crash_all_but_the_last_second_counts() {
    let mut bundle = bundle();
    bundle.sync(50_000).frame("busy", 50_500, Out, &frame());
    let sealed = bundle.seal();
    let manifest = fs::read(sealed.path.join("manifest.json")).unwrap();
    fs::write(sealed.path.join("run.json"), manifest).unwrap();
    fs::remove_file(sealed.path.join("manifest.json")).unwrap();
    let input = Input::open(&sealed.path).unwrap();
    with_view(&input, |view| {
        let trust = |name, ms| view.fidelity.trust(view.points.by_name(name).unwrap(), at(ms), at(ms));
        assert_eq!((trust("idle", 1_000), trust("idle", 49_400)), (Trust::Sound, Trust::Sound));
        assert_eq!(trust("idle", 50_000), Trust::Blind);
    });
}

#[test]
fn what_really_ran_decides_what_an_absence_is_worth() {
    use netcap_filters::{Filter, Options};
    let frame = frame();
    let tagged = [&frame[..12], &[0x81, 0, 0, 100], &frame[12..]].concat();
    let kind = u16::from_be_bytes([frame[12], frame[13]]);
    let text = format!("ether proto {kind:#x}");
    let literal = Options { vlan: netcap_filters::VlanMode::Literal, inner: false };
    let compile = |text: &str, options| Filter::compile(text, options).unwrap();
    let meant = compile(&text, Options::default());
    assert!(super::shows(&meant, &frame, frame.len()) && super::shows(&meant, &tagged, tagged.len()));
    let asked = compile(&text, literal);
    assert!(super::shows(&asked, &frame, frame.len()) && !super::shows(&asked, &tagged, tagged.len()));
    let tag = compile("ether proto 0x8100", literal);
    assert!(!super::shows(&tag, &tagged, tagged.len()), "live the tag was beside the frame");
}

#[test]
fn the_points_say_how_their_filters_were_compiled() {
    let sealed = bundle().seal();
    let mut input = Input::open(&sealed.path).unwrap();
    for point in &mut input.points {
        (point.no_vlan, point.inner) = (true, true);
    }
    with_view(&input, |view| {
        for (_, info) in view.points.iter() {
            assert_eq!((info.manner.vlan, info.manner.inner), (netcap_filters::VlanMode::Literal, true));
        }
    });
}

/// For a second the point was put off to spare the host: its packets were counted, not recorded, and none was dropped.
#[test]
fn what_was_counted_and_not_recorded_is_no_silence() {
    let span = |s: i64, shed| PointSpan { at: at(s * 1_000), ms: 1_000, shed, ..PointSpan::default() };
    let text: String = [span(29, 0), span(30, 40), span(31, 0)]
        .iter()
        .map(|s| String::from_utf8(json_line(s).unwrap()).unwrap())
        .collect();
    let mut bundle = bundle();
    bundle.write(&layout::ledger("idle"), &text);
    let sealed = bundle.seal();
    let input = Input::open(&sealed.path).unwrap();
    with_view(&input, |view| {
        let id = view.points.by_name("idle").unwrap();
        let trust = |from, to| view.fidelity.trust(id, at(from), at(to));
        assert_eq!((trust(29_200, 29_300), trust(20_000, 27_900)), (Trust::Lossy, Trust::Sound));
        assert_eq!(trust(30_500, 50_000), Trust::Sound);
    });
}

/// The same of a bundle whose ledger is gone: the segment only says how many.
#[test]
fn without_a_ledger_it_may_have_been_at_any_time_of_the_segment() {
    let sealed = bundle().seal();
    let mut input = Input::open(&sealed.path).unwrap();
    let idle = input.points.iter().position(|p| p.iface == "idle");
    for info in input.segments.iter_mut().filter(|s| s.point == idle).filter_map(|s| s.info.as_mut()) {
        info.shed = 40;
    }
    with_view(&input, |view| {
        let id = view.points.by_name("idle").unwrap();
        assert_eq!(view.fidelity.trust(id, at(20_000), at(28_000)), Trust::Lossy);
    });
}
