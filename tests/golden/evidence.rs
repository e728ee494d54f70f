//! What causes say when the state that proves them is missing, timed out, or of another time: every bundle in which a cause
//! fires, with its host state taken away. The table that comes of it is samples/README.md (`samples/record --table`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Failed;
use netcap_analyze::testing::causes;
use netcap_bundle::layout;
use netcap_tests::lab::said;
use netcap_tests::root;
use netcap_tests::samples::{BUNDLE, unpacked};
use serde_json::Value;

use super::{Sample, ensure};

/// All state of a stale bundle is so much older: more than anybody takes for the same time.
const OLDER_NS: i64 = 600_000_000_000;
/// Set, the table is written to the README of the samples.
const WRITE: &str = "NETCAP_WRITE_TABLE";

/// What becomes of the host's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// As it was recorded.
    Whole,
    /// None was recorded.
    Missing,
    /// Everything was asked, and nothing answered in time.
    TimedOut,
    /// The first reading of each is ten minutes older, and there is no later one.
    Stale,
}

impl State {
    pub(super) const TAKEN: [(&str, Self); 3] =
        [("missing", Self::Missing), ("timed-out", Self::TimedOut), ("stale", Self::Stale)];

    /// The lines of the index that remain.
    fn index(self, text: &str) -> Result<String, Failed> {
        let (mut out, mut seen) = (String::new(), BTreeSet::new());
        for line in text.lines() {
            let mut line: Value = serde_json::from_str(line)?;
            let key = ["source", "item", "arg"].map(|key| line[key].as_str().unwrap_or_default().to_owned());
            match self {
                Self::Whole => {}
                Self::Missing => continue,
                Self::TimedOut => {
                    (line["status"], line["bytes"]) = ("timed_out".into(), 0.into());
                    line.as_object_mut().ok_or("no object")?.remove("path");
                }
                Self::Stale if !seen.insert(key) => continue,
                Self::Stale => line["at"] = (line["at"].as_i64().ok_or("no time")? - OLDER_NS).into(),
            }
            writeln!(out, "{line}")?;
        }
        Ok(out)
    }

    /// The bundle with that state.
    fn of(self, bundle: &[u8]) -> Result<Vec<u8>, Failed> {
        let mut out = tar::Builder::new(Vec::new());
        for entry in tar::Archive::new(bundle).entries()? {
            let mut entry = entry?;
            let path = entry.path()?.to_string_lossy().into_owned();
            let inside = path.split_once('/').map_or("", |(_, inside)| inside);
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            if inside == layout::STATE_INDEX {
                bytes = self.index(&String::from_utf8(bytes)?)?.into_bytes();
            } else if inside.starts_with("state/") && matches!(self, Self::Missing | Self::TimedOut) {
                continue;
            }
            let mut header = entry.header().clone();
            header.set_size(bytes.len() as u64);
            out.append_data(&mut header, &path, &*bytes)?;
        }
        Ok(out.into_inner()?)
    }

    fn verdict(self, sample: &Sample) -> Result<Value, Failed> {
        let dir = tempfile::tempdir()?;
        std::fs::write(dir.path().join(BUNDLE), self.of(&unpacked(&sample.dir)?)?)?;
        let mut program = Command::new(env!("CARGO_BIN_EXE_netcap-analyze"));
        program.args(["--fail-on", "never", "--json", "-"]).arg(BUNDLE).current_dir(dir.path());
        let out = program.output()?;
        ensure(out.status.success(), || said(&out))?;
        Ok(serde_json::from_slice(&out.stdout)?)
    }
}

fn list<'v>(verdict: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    verdict[key].as_array().into_iter().flatten()
}

fn of<'v>(verdict: &'v Value, unit: &str) -> impl Iterator<Item = &'v Value> {
    let unit = unit.to_owned();
    list(verdict, "findings").filter(move |finding| finding["detector"] == unit.as_str())
}

/// Causes that are claimed as more than a perhaps.
fn claimed(verdict: &Value) -> BTreeSet<&str> {
    let claims = list(verdict, "findings").filter(|finding| finding["confidence"] != "cannot tell");
    claims.filter_map(|finding| finding["detector"].as_str()).filter(|id| causes().contains(id)).collect()
}

/// Something of the host's state speaks for it: neither packets, nor what the recorder says of itself.
fn by_state(finding: &Value) -> bool {
    list(finding, "evidence").any(|evidence| {
        let file = evidence["file"].as_str().unwrap_or_default();
        let of_host = file.is_empty() || file.starts_with("state/");
        evidence["kind"] == "snapshot" && of_host && file != layout::STATE_INDEX
    })
}

/// Without its state no cause is proven, nor is another one blamed, and the report says what is missing; with state of
/// another time it is less sure, and says how old that is.
pub(super) fn is_missed(sample: &Sample, state: State) -> Result<(), Failed> {
    let (whole, now) = (State::Whole.verdict(sample)?, state.verdict(sample)?);
    let mut known = claimed(&whole);
    // Who answers nothing is silent, and that is seen in the index alone.
    known.insert("daemon-silent");
    let blamed: Vec<_> = claimed(&now).into_iter().filter(|id| !known.contains(id)).collect();
    ensure(blamed.is_empty(), || format!("{blamed:?} is blamed instead: {:#}", now["findings"]))?;
    for finding in of(&now, &sample.id) {
        let proven = finding["confidence"] == "proven";
        ensure(!proven || !by_state(finding), || format!("proven by state that is not there: {finding:#}"))?;
        let aged =
            list(finding, "exonerations").filter_map(Value::as_str).any(|text| text.contains(" s before "));
        ensure(state != State::Stale || !by_state(finding) || aged, || format!("no age: {finding:#}"))?;
    }
    let told = list(&now, "remarks").next().is_some();
    ensure(state == State::Stale || told, || "no remark says that the state is missing".into())
}

/// What a verdict says of a cause, in a word.
fn word(verdict: &Value, id: &str) -> String {
    let best = of(verdict, id).filter(|finding| finding["severity"] != "info");
    let best = best.filter_map(|finding| finding["confidence"].as_str()).max();
    let open = list(verdict, "rulings").any(|ruling| {
        ruling["cause"] == id && ruling["said"].as_str().is_some_and(|said| said.starts_with("not ruled out"))
    });
    let blind = list(verdict, "not_evaluated").any(|unit| unit["detector"] == id);
    match (best, open, blind) {
        (Some(confidence), ..) => confidence.to_owned(),
        (None, true, _) => "cannot tell".to_owned(),
        (None, _, true) => "not evaluated".to_owned(),
        (None, false, false) => "silent".to_owned(),
    }
}

/// Causes and what they say in each case, one line each.
pub(super) fn table(samples: &[Sample]) -> Result<(), Failed> {
    let states = [
        ("", State::Whole),
        ("missing", State::Missing),
        ("timed out", State::TimedOut),
        ("stale", State::Stale),
    ];
    let mut out = String::from(
        "# What causes say of their samples\n\nMade by `samples/record --table`. Of the bundles in which a cause fires, with \
         their state as recorded, taken\naway, timed out, and ten minutes older (each different answer once); then of its near \
         misses and of what\nexonerates it.\n\n| cause | fires | state missing | state timed out | state stale | near miss | \
         exonerated |\n|---|---|---|---|---|---|---|\n",
    );
    let mut without = Vec::new();
    for id in causes() {
        let mut words: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for sample in samples.iter().filter(|sample| sample.id == id) {
            let kind = sample.case.split_once('-').map_or(&*sample.case, |(kind, _)| kind);
            match kind {
                "fires" => {
                    for (name, state) in states {
                        words.entry(name).or_default().insert(word(&state.verdict(sample)?, id));
                    }
                }
                kind => _ = words.entry(kind).or_default().insert(word(&State::Whole.verdict(sample)?, id)),
            }
        }
        let cell = |name: &str| {
            let words = words.get(name).map(|words| words.iter().cloned().collect::<Vec<_>>().join(", "));
            words.unwrap_or_else(|| "-".to_owned())
        };
        let cells = ["", "missing", "timed out", "stale", "near", "exonerated"].map(cell);
        without.extend(cells.iter().any(|cell| cell == "-").then_some(id));
        writeln!(out, "| {id} | {} |", cells.join(" | "))?;
    }
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("causes.md");
    let readme = std::env::var_os(WRITE).map(|_| root().join("samples/README.md"));
    std::fs::write(readme.unwrap_or(kept), &out)?;
    ensure(without.is_empty(), || format!("no sample of a kind: {without:?}"))
}
