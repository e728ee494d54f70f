//! One input from packets to verdict.

use std::sync::Arc;

use netcap_bundle::input::{Input, Kind};
use netcap_bundle::packets::Tail;

use crate::bonds::Bonds;
use crate::caps;
use crate::detectors::{self, NotEvaluated};
use crate::engine::follow::Follow;
use crate::engine::points::Scene;
use crate::engine::{self, FileStats, Progress};
use crate::fidelity::Fidelity;
use crate::finding::Finding;
use crate::host::Host;
use crate::latency::{self, HopTimes, JourneyCounts, Latency};
use crate::report::recording::Recording;
use crate::report::{PointStats, Stats};
use crate::tables::Folds;
use crate::text::Text;
use crate::view::View;

/// What is said about one input.
#[derive(Debug)]
pub struct Verdict {
    /// The input as the user named it.
    pub name: String,
    /// Host and tool, when it is a bundle.
    pub run: Option<String>,
    /// Seconds east of Greenwich on the recording host: the zone of the report.
    pub utc_offset_s: i32,
    /// Worst and surest first.
    pub findings: Vec<Finding>,
    /// Detectors that looked for faults.
    pub looked: Vec<&'static str>,
    /// Detectors that could not look.
    pub not_evaluated: Vec<NotEvaluated>,
    /// Round-trip times.
    pub latency: Vec<Latency>,
    /// What of the input is gone, to be said before anything else.
    pub incomplete: Option<Text>,
    /// Times from point to point.
    pub hops: Vec<HopTimes>,
    /// How the followed packets fared.
    pub journeys: JourneyCounts,
    /// Counts.
    pub stats: Stats,
    /// What the recording lost, gave up and removed.
    pub recording: Recording,
    /// What a reader must know before trusting silence.
    pub remarks: Vec<Text>,
}

/// Explains an input, on the current rayon pool.
pub fn explain(input: &Input, only: Option<&[String]>, progress: &Progress) -> Verdict {
    view(input, progress, |view| verdict(view, only))
}

/// Reads the input and shows what is known of it.
pub(crate) fn view<R>(input: &Input, progress: &Progress, look: impl FnOnce(&View<'_>) -> R) -> R {
    let bonds = Bonds::read(input);
    let mut bonded = bonds.member_names();
    bonded.extend(input.points.iter().filter_map(|p| match &p.role {
        netcap_bundle::Role::Uplink { bond: Some(_) } => Some(p.iface.clone()),
        _ => None,
    }));
    let mut scene = Scene::new(&input.points, &bonded).of_files(input.segments.len());
    scene.follow = Follow::read(&[input]);
    let scene = Arc::new(scene);
    let outcome = engine::run::<Folds>(input, &scene, progress);
    let (points, files) = (outcome.points, outcome.files);
    let tables = outcome.fold.finish();
    let fidelity = Fidelity::new(input, &points, &files, &tables.seen);
    let host = Host::read(input);
    let view = View { input, tables: &tables, points: &points, files: &files, fidelity, host, bonds, scene };
    look(&view)
}

fn verdict(view: &View<'_>, only: Option<&[String]>) -> Verdict {
    let input = view.input;
    let (findings, not_evaluated) = detectors::run(view, only);
    let wanted = |id: &str| only.is_none_or(|ids| ids.iter().any(|i| i == id));
    let could = |id: &str| !not_evaluated.iter().any(|not| not.detector == id);
    let faults = detectors::ALL.iter().filter(|d| d.severity.is_some()).map(|d| d.id);
    let looked = faults.filter(|id| wanted(id) && could(id)).collect();
    let (latency, unmeasured) = if wanted(latency::ID) { latency::measure(view) } else { (Vec::new(), 0) };
    let recording = Recording::of(input);
    let mut remarks = remarks(view, view.files, &recording);
    remarks.append(&mut caps::remarks(view, &findings, unmeasured));
    Verdict {
        name: input.name.clone(),
        run: input.info.as_ref().map(|i| format!("{} ({})", i.run, i.tool)),
        utc_offset_s: input.info.as_ref().map_or(0, |i| i.utc_offset_s),
        findings,
        looked,
        not_evaluated,
        latency,
        hops: latency::hops(view),
        journeys: latency::journeys(view),
        incomplete: incomplete(input),
        stats: stats(view),
        remarks,
        recording,
    }
}

/// Gaps of one point named one by one.
const GAPS_TOLD_MAX: usize = 8;
/// Damaged files named one by one.
const FILES_TOLD_MAX: usize = 1_000;
/// Kinds of missing files named in the headline.
const MISSING_SHOWN: usize = 6;

fn incomplete(input: &Input) -> Option<Text> {
    let missing = &input.missing;
    if missing.paths.is_empty() {
        return input.files.is_cut().then(|| Text::new("remark.cut-tar"));
    }
    let kinds = missing.kinds();
    let mut shown: Vec<Text> = kinds.iter().take(MISSING_SHOWN).map(Text::verbatim).collect();
    if kinds.len() > MISSING_SHOWN {
        shown.push(Text::verbatim("…"));
    }
    let key = if input.files.is_cut() { "remark.missing-cut" } else { "remark.missing" };
    Some(
        Text::new(key)
            .with("count", missing.paths.len())
            .with("all", missing.listed)
            .with_list("kinds", shown),
    )
}

fn stats(view: &View<'_>) -> Stats {
    let (points, files) = (view.points, view.files);
    let points = points
        .iter()
        .map(|(id, info)| {
            let seen = view.tables.seen.get(&id);
            let fidelity = view.fidelity.point(id);
            PointStats {
                name: info.name.clone(),
                role: info.role.word(),
                vswitch: info.vswitch.clone(),
                filter: info.filter.clone(),
                snaplen: info.snaplen,
                packets: seen.map_or(0, |s| s.packets),
                wire_bytes: seen.map_or(0, |s| s.wire_bytes),
                cut: seen.map_or(0, |s| s.cut),
                dropped: fidelity.and_then(|f| f.dropped),
                first: seen.and_then(|s| s.span).map(|s| s.0),
                last: seen.and_then(|s| s.span).map(|s| s.1),
            }
        })
        .collect();
    Stats { packets: files.iter().map(|f| f.packets).sum(), points, files: files.to_vec() }
}

fn remarks(view: &View<'_>, files: &[FileStats], recording: &Recording) -> Vec<Text> {
    let mut out: Vec<Text> = incomplete(view.input).into_iter().collect();
    out.extend(view.input.remarks.iter().map(Text::verbatim));
    let mut told = 0;
    for file in files {
        let tail = match (&file.error, &file.tail) {
            (Some(why), _) => Text::new("remark.unreadable").with("why", why),
            (None, Some(Tail::Cut { at })) => Text::new("remark.cut").with("at", at),
            (None, Some(Tail::Damaged { at, why })) => {
                Text::new("remark.damaged").with("at", at).with("why", why)
            }
            _ => continue,
        };
        told += 1;
        if told <= FILES_TOLD_MAX {
            out.push(Text::new("remark.file").with("file", &file.name).with_text("what", tail));
        }
    }
    if let Some(more) = told.checked_sub(FILES_TOLD_MAX).filter(|more| *more > 0) {
        out.push(Text::new("remark.more-files").with("count", more));
    }
    for (id, info) in view.points.iter() {
        let Some(fidelity) = view.fidelity.point(id) else { continue };
        // What the recording says of its losses, with their times, is not said again.
        let told = recording.points.iter().any(|p| p.name == info.name && p.sums.dropped > 0);
        if let Some(dropped) = fidelity.dropped.filter(|d| *d > 0 && !told) {
            out.push(Text::new("remark.dropped").with("point", &info.name).with("count", dropped));
        }
        let gaps: &[_] = if view.input.kind == Kind::Bundle { &fidelity.gaps } else { &[] };
        for (from, to) in gaps.iter().take(GAPS_TOLD_MAX) {
            let offset = view.input.info.as_ref().map_or(0, |i| i.utc_offset_s);
            out.push(
                Text::new("remark.gap")
                    .with("point", &info.name)
                    .with("from", from.clock(offset))
                    .with("to", to.clock(offset)),
            );
        }
        if let Some(more) = gaps.len().checked_sub(GAPS_TOLD_MAX).filter(|more| *more > 0) {
            out.push(Text::new("remark.more-gaps").with("point", &info.name).with("count", more));
        }
    }
    if view.input.state.defects > 0 {
        out.push(Text::new("remark.state-lines").with("count", view.input.state.defects));
    }
    out
}
