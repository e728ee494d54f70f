//! Third-party captures named by `NETCAP_CORPUS`: no panic, no hang, right counts, right verdicts.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// Longest time for one small file on a busy machine.
const HANG: Duration = Duration::from_mins(1);

struct Row {
    file: String,
    categories: Vec<String>,
}

fn rows(dir: &Path) -> Vec<Row> {
    let index = std::fs::read_to_string(dir.join("INDEX.tsv")).unwrap();
    let fields = index.lines().skip(1).map(|l| l.split('\t').collect::<Vec<_>>());
    fields
        .filter(|f| f.len() > 6 && f[5] != "text" && dir.join(f[0]).is_file())
        .map(|f| Row { file: f[0].into(), categories: f[6].split_whitespace().map(Into::into).collect() })
        .collect()
}

impl Row {
    fn has(&self, token: &str) -> bool {
        self.categories.iter().any(|c| c == token || c.starts_with(&format!("{token}(")))
    }
}

/// The verdict, or why there is none.
fn verdict(path: &Path) -> Result<Value, String> {
    let out = tempfile::NamedTempFile::new().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_netcap-analyze"))
        .args(["--fail-on", "never", "--json"])
        .arg(out.path())
        .arg(path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let Some(status) = netcap_tests::ended_within(&mut child, HANG) else { return Err("hangs".into()) };
    match status.code() {
        Some(0) => Ok(serde_json::from_slice(&std::fs::read(out.path()).unwrap()).unwrap()),
        // Not a capture: said in a sentence, with nothing else.
        Some(2) => Ok(Value::Null),
        other => Err(format!("ends with {other:?}")),
    }
}

/// Packets as capinfos counts them; `None` when it does not read the file, or only a part of it.
fn capinfos(path: &Path) -> Option<u64> {
    let out = Command::new("capinfos").args(["-c", "-M", "-T", "-r"]).arg(path).output().ok()?;
    let whole = out.status.success() && out.stderr.is_empty();
    let line = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    line.rsplit('\t').next()?.parse().ok().filter(|_| whole)
}

#[test]
fn the_corpus_is_explained_rightly() {
    let Some(dir) = netcap_tests::corpus("the_corpus_is_explained_rightly") else { return };
    let mut wrong = Vec::new();
    let (mut counted, mut judged) = (0, 0);
    for row in rows(&dir) {
        let path = dir.join(&row.file);
        let verdict = match verdict(&path) {
            Ok(verdict) => verdict,
            Err(why) => {
                wrong.push(format!("{}: {why}", row.file));
                continue;
            }
        };
        let fired =
            |id: &str| verdict["findings"].as_array().is_some_and(|f| f.iter().any(|f| f["detector"] == id));
        let silent = ["CLEAN", "NEG:ip_conflict", "HARDNEG:ip_conflict"].iter().any(|t| row.has(t));
        if silent && fired("ip-conflict") {
            wrong.push(format!("{}: an address conflict where there is none", row.file));
        }
        if row.has("POS:ip_conflict") && !fired("ip-conflict") {
            wrong.push(format!("{}: its address conflict was not found", row.file));
        }
        if fired("lldp-mac-flap") {
            wrong.push(format!("{}: a flap, and nothing is known of a bond", row.file));
        }
        judged += 1;
        if let Some(want) = capinfos(&path) {
            counted += 1;
            let have = verdict["stats"]["packets"].as_u64().unwrap_or(0);
            if have != want {
                wrong.push(format!("{}: {have} packets, capinfos counts {want}", row.file));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(judged > 100, "the corpus has only {judged} captures");
    println!("{judged} captures judged, {counted} counted against capinfos");
}
