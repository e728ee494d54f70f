//! What a run must be in the end: one complete bundle whose manifest, ledger and segments agree, and that can be explained.

use std::path::{Path, PathBuf};
use std::process::Command;

use netcap_bundle::input::Input;
use netcap_bundle::packets::{PacketReader, Tail};
use netcap_bundle::run::{End, SegmentInfo};
use netcap_bundle::{Manifest, layout};
use netcap_tests::said;

use super::evidence::Flow;
use super::stage::Stage;
use super::traffic::Traffic;
use crate::run::{entries, manifest};

/// Seconds of traffic by which ledger and segments may differ after a crash: each is missing its own last second.
const APART_S: u64 = 3;

/// A bundle that was read through.
pub(crate) struct Sealed {
    /// Its manifest.
    pub(crate) manifest: Manifest,
    /// What is in it, by point.
    pub(crate) flows: Vec<Flow>,
}

/// `netcap seal` on a directory; gives the bundle beside it.
///
/// # Panics
/// When it fails, or leaves anything but the bundle.
pub(crate) fn seal(stage: &Stage, dir: &Path) -> PathBuf {
    let output = stage.netcap(&["seal", &dir.display().to_string()]).output().unwrap();
    assert!(output.status.success(), "seal {}: {}", dir.display(), said(&output));
    only_bundle(dir.parent().unwrap())
}

/// The one entry of the output directory, which is a bundle.
pub(crate) fn only_bundle(out: &Path) -> PathBuf {
    let there: Vec<PathBuf> = entries(out).into_iter().filter(|path| !path.ends_with("lost+found")).collect();
    let [tar] = &there[..] else { panic!("one complete bundle and nothing else: {there:?}") };
    assert!(tar.to_string_lossy().ends_with(layout::BUNDLE_END), "{there:?}");
    tar.clone()
}

/// Reads a bundle through.
///
/// # Panics
/// When a part is missing or unreadable, when the parts disagree, or when what is missing goes unsaid.
pub(crate) fn check(tar: &Path, points: usize) -> Sealed {
    let input = Input::open(tar).expect("netcap's own bundle opens");
    let manifest = manifest(tar);
    assert!(input.missing.paths.is_empty(), "{}: {:?}", tar.display(), input.missing);
    let mut flows = vec![Flow::default(); points];
    assert_eq!(input.segments.len(), manifest.segments.len());
    for (segment, info) in input.segments.iter().zip(&manifest.segments) {
        let point: usize = info.point.trim_start_matches("cap").parse().expect("our point");
        let reader = PacketReader::open(segment.open().unwrap()).unwrap();
        let Some(mut reader) = reader else {
            assert!(info.packets == 0 && info.repaired, "{info:?}");
            continue;
        };
        while let Some(packet) = reader.next_packet() {
            flows[point].take(&packet);
        }
        let tail = reader.tail();
        let whole = tail == Some(&Tail::Complete) || unrepaired(&manifest, info);
        assert!(
            whole && reader.packets() == info.packets,
            "{tail:?}, {} packets: {info:?}",
            reader.packets()
        );
    }
    for flow in &flows {
        assert!(flow.again == 0 && flow.holes <= flow.stamped, "{}: {flow:?}", tar.display());
    }
    let open = |info: &&SegmentInfo| info.repaired || unrepaired(&manifest, info);
    let remarked = manifest.remarks.iter().filter(|text| text.contains("was not closed")).count();
    assert_eq!(manifest.segments.iter().filter(open).count(), remarked, "{:?}", manifest.remarks);
    assert_eq!(manifest.end == End::Recovered, manifest.ended.is_none());
    Sealed { manifest, flows }
}

/// A segment that a full disk cut, and that found no room to be written anew: the manifest must say so.
fn unrepaired(manifest: &Manifest, info: &SegmentInfo) -> bool {
    let remarked =
        format!("{} was not closed, and there was no room", layout::segment(&info.point, info.number));
    manifest.remarks.iter().any(|text| text.starts_with(&remarked))
}

impl Sealed {
    /// The ledger's sums are those of the segments, but for the last seconds of a run that was cut.
    pub(crate) fn ledger_agrees(&self, tar: &Path, traffic: &Traffic) {
        let input = Input::open(tar).unwrap();
        for counts in &self.manifest.counts {
            let gone = self.manifest.pruned.iter().find(|gone| gone.point == counts.point);
            let written = counts.written + gone.map_or(0, |gone| gone.packets);
            let ledger = input.ledger.point(&counts.point).map_or(0, |ledger| ledger.sums().written);
            let apart = if self.manifest.end == End::Recovered { traffic.rate * APART_S } else { 0 };
            let so = written.abs_diff(ledger) <= apart;
            assert!(so, "{}: ledger {ledger}, segments {written}: {:?}", counts.point, self.manifest.remarks);
        }
    }
}

/// The explainer reads it and comes to a verdict.
///
/// # Panics
/// When it does not.
pub(crate) fn explained(tar: &Path) {
    let program = Path::new(env!("CARGO_BIN_EXE_netcap")).with_file_name("netcap-analyze");
    assert!(program.is_file(), "{} is missing: cargo build -p netcap-analyze", program.display());
    let output = Command::new(program).args(["--json", "-"]).arg(tar).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", said(&output));
    let verdict: Result<serde_json::Value, _> = serde_json::from_slice(&output.stdout);
    assert!(verdict.is_ok(), "{}", said(&output));
}
