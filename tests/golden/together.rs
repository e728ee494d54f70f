//! Recordings of two hosts at one time: what is said of both together is what is stored beside them, and what became of the
//! packets between them is where the case's name says.

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use netcap_tests::lab::said;
use netcap_tests::shift::shifted;
use netcap_tests::{files_below, root};
use serde_json::Value;

use super::ensure;

/// The hosts' bundles, as the explainer is given them.
const HOSTS: [&str; 2] = ["host1.tar", "host2.tar"];
/// The verdict that is stored beside them, without what each host says for itself.
const GOLDEN: &str = "together.json";
/// The clock of the second host is wrong by this.
const WRONG_NS: i64 = 3_000_000_000;
/// Pings between the two hosts' machines in every case.
const PINGS: u64 = 30;

/// What a case's name promises.
struct Promise {
    case: &'static str,
    /// Host at which what was lost between the hosts was seen last.
    lost_from: Option<&'static str>,
    /// Host whose own report explains a loss, and by what.
    own: Option<(usize, &'static str)>,
}

const PROMISES: [Promise; 4] = [
    Promise { case: "lost-between", lost_from: Some("host1"), own: None },
    Promise { case: "replies-lost", lost_from: Some("host2"), own: None },
    Promise { case: "lost-at-rule", lost_from: None, own: Some((1, "acl-drop")) },
    Promise { case: "nothing-lost", lost_from: None, own: None },
];

/// Two tests a case, and that there are all of them.
pub(super) fn trials() -> Vec<Trial> {
    let dirs = files_below(&root().join("samples/together"), &format!("/{GOLDEN}"));
    let dirs: Vec<PathBuf> = dirs.iter().filter_map(|file| file.parent().map(Path::to_owned)).collect();
    let mut trials = Vec::new();
    for promise in &PROMISES {
        let dir = dirs.iter().find(|dir| dir.ends_with(promise.case)).cloned();
        let (golden, kept) = (dir.clone(), dir);
        let name = format!("together/{}", promise.case);
        trials.push(Trial::test(format!("{name}::verdict"), move || gives_its_verdict(golden.as_deref())));
        trials.push(Trial::test(format!("{name}::promise"), move || keeps(promise, kept.as_deref())));
    }
    let known = dirs.iter().all(|dir| PROMISES.iter().any(|promise| dir.ends_with(promise.case)));
    trials.push(Trial::test("together::no_other_case", move || ensure(known, || format!("{dirs:?}"))));
    trials
}

/// The bundles of a case below a directory, under the names that are part of the verdict.
fn unpacked(sample: Option<&Path>, into: &Path) -> Result<(), Failed> {
    let sample = sample.ok_or("no such sample")?;
    for host in HOSTS {
        let packed = std::fs::read(sample.join(format!("{host}.zst")))?;
        std::fs::write(into.join(host), zstd::decode_all(&packed[..])?)?;
    }
    Ok(())
}

fn together(dir: &Path, inputs: [&Path; 2]) -> Result<Value, Failed> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_netcap-analyze"));
    program.args(["--fail-on", "never", "--json", "-", "--together"]).args(inputs).current_dir(dir);
    let out = program.output()?;
    ensure(out.status.success(), || said(&out))?;
    Ok(serde_json::from_slice(&out.stdout)?)
}

fn gives_its_verdict(sample: Option<&Path>) -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    unpacked(sample, dir.path())?;
    let golden = std::fs::read(sample.ok_or("no such sample")?.join(GOLDEN))?;
    let golden: Value = serde_json::from_slice(&golden)?;
    let now = together(dir.path(), HOSTS.map(Path::new))?;
    let keys = golden.as_object().ok_or("an object")?;
    ensure(keys.contains_key("findings") && keys.contains_key("clocks"), || "half a golden".into())?;
    for (key, value) in keys {
        ensure(now[key] == *value, || format!("{key}: {:#} was {value:#}", now[key]))?;
    }
    Ok(())
}

/// As they are, and with the second host's clock wrong.
fn keeps(promise: &Promise, sample: Option<&Path>) -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    unpacked(sample, dir.path())?;
    let moved = shifted(&dir.path().join(HOSTS[1]), &dir.path().join("moved"), WRONG_NS, 0.0);
    for second in [Path::new(HOSTS[1]), &moved] {
        let json = together(dir.path(), [Path::new(HOSTS[0]), second])?;
        is_kept(promise, &json)?;
    }
    Ok(())
}

fn is_kept(promise: &Promise, json: &Value) -> Result<(), Failed> {
    let findings = json["findings"].as_array().ok_or("findings")?;
    let lost: Vec<&Value> = findings.iter().filter(|f| f["detector"] == "packet-loss").collect();
    let from =
        |f: &&Value| f["subject"]["from"].as_str().and_then(|s| s.split(' ').next().map(str::to_owned));
    let hosts: Vec<Option<String>> = lost.iter().map(from).collect();
    let wanted: Vec<Option<String>> = promise.lost_from.iter().map(|host| Some((*host).to_owned())).collect();
    ensure(hosts == wanted, || format!("{json:#}"))?;
    for finding in lost {
        let claim = finding["claim"].as_str().unwrap_or_default();
        let all = format!("{PINGS} of {PINGS} icmp packets");
        let sure = finding["confidence"] == "likely" && finding["severity"] == "warning";
        ensure(sure && claim.starts_with(&all), || format!("{finding:#}"))?;
    }
    let own = |number: usize| json["inputs"][number]["findings"].as_array().cloned().unwrap_or_default();
    if let Some((number, cause)) = promise.own {
        let explained = own(number).iter().any(|finding| finding["detector"] == cause);
        return ensure(explained, || format!("{:#}", json["inputs"][number]));
    }
    let alarms = |number: usize| own(number).iter().any(|f| f["severity"] != "info");
    let quiet = promise.lost_from.is_some() || !(alarms(0) || alarms(1));
    ensure(quiet, || format!("{:#}", json["inputs"]))
}
