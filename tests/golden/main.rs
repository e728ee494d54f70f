//! The samples: each bundle gives the verdict stored beside it, byte for byte, for any number of threads. Three tests a
//! sample, so that a bad one hides no other.

mod evidence;
mod parts;
mod together;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Failed, Trial};
use netcap_analyze::testing::{causes, ids, key_of_measurement};
use netcap_tests::lab::said;
use netcap_tests::samples::{BUNDLE, unpack};
use netcap_tests::{files_below, root};
use serde_json::Value;

use evidence::State;
use parts::{UNCOMPARED, difference, parts};

fn main() -> ExitCode {
    let samples = Sample::all();
    let known: &'static BTreeSet<String> = Box::leak(Box::new(known(&samples)));
    let mut trials = vec![
        Trial::test("there_are_samples", || ensure(!Sample::all().is_empty(), || "samples/ is empty".into())),
        Trial::test("a_flow_that_idled_out_is_replayed", a_flow_that_idled_out_is_replayed),
    ];
    let all = samples.clone();
    trials.push(Trial::test("the_table_of_causes", move || evidence::table(&all)));
    for sample in samples {
        let name = format!("{}/{}", sample.id, sample.case);
        if causes().contains(&sample.id.as_str()) && sample.case.starts_with("fires") {
            for (how, state) in State::TAKEN {
                let sample = sample.clone();
                let missed = move || evidence::is_missed(&sample, state);
                trials.push(Trial::test(format!("{name}::state-{how}"), missed));
            }
        }
        let (verdict, threads, folder) = (sample.clone(), sample.clone(), sample);
        trials.push(Trial::test(format!("{name}::verdict"), move || verdict.gives_its_verdict(known)));
        trials.push(Trial::test(format!("{name}::threads"), move || threads.gives_the_same_bytes()));
        trials.push(Trial::test(format!("{name}::folder"), move || folder.keeps_the_promise_of_its_folder()));
    }
    trials.extend(together::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A bundle with its stored verdict.
#[derive(Clone)]
struct Sample {
    dir: PathBuf,
    /// The unit it is about.
    id: String,
    /// `fires`, `near-miss`, `exonerated`, `fires-HOW`.
    case: String,
}

/// Keys that goldens name. One that none names is new, and compared once the samples are blessed; one that only the
/// samples of its own measurement name is compared there.
fn known(samples: &[Sample]) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for sample in samples {
        let text = std::fs::read_to_string(sample.golden()).unwrap_or_default();
        let own = key_of_measurement(&sample.id);
        known.extend(parts(&text).into_keys().filter(|key| Some(*key) != own).map(str::to_owned));
    }
    known
}

impl Sample {
    fn all() -> Vec<Self> {
        let name = |path: Option<&Path>| {
            path.and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
        };
        let dirs = files_below(&root().join("samples"), "/expected.json");
        let dirs = dirs.iter().filter_map(|file| file.parent());
        dirs.map(|dir| Self { dir: dir.to_owned(), id: name(dir.parent()), case: name(Some(dir)) }).collect()
    }

    fn golden(&self) -> PathBuf {
        self.dir.join("expected.json")
    }

    fn analyze(&self, options: &[&str]) -> Result<Output, Failed> {
        let dir = tempfile::tempdir()?;
        unpack(&self.dir, dir.path())?;
        let mut program = Command::new(env!("CARGO_BIN_EXE_netcap-analyze"));
        program.args(["--fail-on", "never"]).args(options).arg(BUNDLE).current_dir(dir.path());
        Ok(program.output()?)
    }

    /// The verdict for machines.
    fn json(&self, threads: &str) -> Result<String, Failed> {
        let out = self.analyze(&["--json", "-", "--threads", threads])?;
        ensure(out.status.success(), || said(&out))?;
        Ok(String::from_utf8(out.stdout)?)
    }

    /// What the golden names is there and the same, and what it does not name is absent or not yet in any golden.
    fn gives_its_verdict(&self, known: &BTreeSet<String>) -> Result<(), Failed> {
        let (golden, now) = (std::fs::read_to_string(self.golden())?, self.json("1")?);
        let (golden, now) = (parts(&golden), parts(&now));
        let wrong: Vec<_> = UNCOMPARED.iter().filter(|key| golden.contains_key(*key)).collect();
        ensure(wrong.is_empty(), || format!("{wrong:?} in the golden; bless it again"))?;
        let part = |of: &BTreeMap<&str, &str>, key: &str| -> String {
            of.get(key).map_or_else(|| "(absent)".to_owned(), |text| (*text).to_owned())
        };
        let keys: BTreeSet<&str> = known.iter().map(String::as_str).chain(golden.keys().copied()).collect();
        let both = keys.into_iter().map(|key| (key, part(&golden, key), part(&now, key)));
        let differing = both.filter(|(_, golden, now)| golden != now);
        let lines: Vec<String> =
            differing.map(|(key, golden, now)| format!("{key}, {}", difference(&golden, &now))).collect();
        ensure(lines.is_empty(), || lines.join("\n"))?;
        let expected = self.golden();
        let out = self.analyze(&["--expect", &expected.to_string_lossy()])?;
        ensure(out.status.success(), || said(&out))
    }

    fn gives_the_same_bytes(&self) -> Result<(), Failed> {
        let one = self.json("1")?;
        for threads in ["2", "8"] {
            let many = self.json(threads)?;
            ensure(one == many, || format!("{threads} threads: {}", difference(&one, &many)))?;
        }
        Ok(())
    }

    /// What the folder's name promises, independent of the golden: a blessed mistake must not pass. Its unit looked,
    /// fires in the first case, and nowhere near it.
    fn keeps_the_promise_of_its_folder(&self) -> Result<(), Failed> {
        let json: Value = serde_json::from_str(&self.json("1")?)?;
        let list = |key: &str| json[key].as_array().cloned().unwrap_or_default();
        let of = |entry: &&Value| entry["detector"] == self.id.as_str();
        let blind = list("not_evaluated");
        ensure(!blind.iter().any(|entry| of(&entry)), || format!("{} could not look: {blind:?}", self.id))?;
        ensure(ids().contains(&self.id.as_str()), || format!("there is no unit {}", self.id))?;
        let findings = list("findings");
        let alarms = findings.iter().filter(of).filter(|f| f["severity"] != "info").count();
        if let Some(key) = key_of_measurement(&self.id) {
            ensure(alarms == 0, || format!("{alarms} alarms of what only measures"))?;
            return ensure(!list(key).is_empty(), || "nothing was measured".into());
        }
        ensure((alarms > 0) == self.case.starts_with("fires"), || format!("{alarms} alarms"))
    }
}

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(why().into()) }
}

/// What a replay finds is `likely`, and names the rule with its counter; the flow of the datapath was in no dump.
fn a_flow_that_idled_out_is_replayed() -> Result<(), Failed> {
    let verdict = |case: &str| -> Result<Value, Failed> {
        let file = root().join("samples/acl-drop").join(case).join("expected.json");
        let json: Value = serde_json::from_slice(&std::fs::read(file)?)?;
        let mut all = json["findings"].as_array().into_iter().flatten();
        Ok(all.find(|f| f["detector"] == "acl-drop").ok_or("no finding")?.clone())
    };
    let (seen, replayed) = (verdict("fires")?, verdict("fires-idled-out")?);
    assert_eq!((&seen["confidence"], &replayed["confidence"]), (&"proven".into(), &"likely".into()));
    assert!(seen["subject"]["flow"].is_string() && replayed["subject"]["flow"].is_null(), "{replayed:#}");
    let rule = replayed["subject"]["rule"].as_str().ok_or("a rule")?;
    assert!(rule.starts_with("cookie=0x20 table=0 priority=30004,icmp"), "{rule}");
    let mut counters = replayed["evidence"].as_array().into_iter().flatten();
    let counter = counters.find(|e| e["name"] == "n_packets").ok_or("the rule has no counter")?;
    assert_eq!(counter["after"].as_u64().zip(counter["before"].as_u64()).map(|(b, a)| b - a), Some(6));
    Ok(())
}
