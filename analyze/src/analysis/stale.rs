//! How old the host's state is by which a finding is stated: what was read long before the packets died, and not again, may
//! have been otherwise then.

use netcap_bundle::source::Outcome;
use netcap_bundle::{Nanos, layout};

use crate::finding::{Confidence, Evidence, Exoneration, Finding};
use crate::text::Text;
use crate::view::View;

/// State is read every ten seconds, or at the beginning and the end; read so far from a death and on one side of it only, it
/// is of another time.
const STALE_NS: i64 = 60_000_000_000;

/// A reading on one side of the deaths, and how far from them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Stale {
    apart_ns: i64,
    after: bool,
    file: String,
}

/// Makes a finding less sure, and says so, when the state by which it is stated is of another time than the deaths from
/// `first` to `last`.
pub(super) fn mark(view: &View<'_>, finding: &mut Finding, (first, last): (Nanos, Nanos)) {
    let files = finding.evidence.iter().filter_map(|evidence| match evidence {
        Evidence::Snapshot { file, at: Some(_), .. } if file != layout::STATE_INDEX => Some(file),
        _ => None,
    });
    let Some(worst) = files.filter_map(|file| stale(view, file, first, last)).max() else { return };
    let offset = view.input.info.as_ref().map_or(0, |info| info.utc_offset_s);
    finding.confidence = finding.confidence.min(Confidence::Likely);
    let key = if worst.after { "state.stale-after" } else { "state.stale" };
    let text = Text::new(key).with("file", &worst.file).with("at", first.clock(offset));
    finding.exonerations.push(Exoneration::Open(text.with("age", worst.apart_ns / 1_000_000_000)));
}

/// All that was read in the place of that file of state.
fn stale(view: &View<'_>, file: &str, first: Nanos, last: Nanos) -> Option<Stale> {
    let folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    let mine = folder(file)?;
    let lines = view.input.state.lines().filter(|line| line.outcome == Outcome::Ok);
    let (mut before, mut after) = (None::<Nanos>, None::<Nanos>);
    for at in lines.filter(|line| folder(&line.path).as_ref() == Some(&mine)).map(|line| line.at) {
        if at <= first {
            before = before.max(Some(at));
        } else {
            after = Some(after.map_or(at, |had| had.min(at)));
        }
    }
    let (apart_ns, after) = match (before, after) {
        (Some(before), None) => (first.since(before), false),
        (None, Some(after)) => (after.since(last), true),
        _ => return None,
    };
    (apart_ns > STALE_NS).then(|| Stale { apart_ns, after, file: file.to_owned() })
}
