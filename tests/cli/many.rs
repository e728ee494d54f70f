//! Thousands of inputs: each is reported when it is done, a bad one stops nothing, and the sum stands at the end.

use std::fs;

use serde_json::Value;

use crate::{analyze, code, name, text};

/// Copies of all samples.
const COPIES: usize = 2;

#[test]
fn a_folder_of_bundles_is_reported_bundle_by_bundle() {
    let dir = tempfile::tempdir().unwrap();
    let samples = netcap_tests::samples::all();
    for copy in 0..COPIES {
        for (number, sample) in samples.iter().enumerate() {
            let to = dir.path().join(format!("{copy}/run-{number:02}.tar"));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(&to, netcap_tests::samples::unpacked(sample).unwrap()).unwrap();
        }
    }
    fs::write(dir.path().join("1/broken.tar"), "not a tar").unwrap();
    fs::write(dir.path().join("1/empty.pcap"), "").unwrap();
    fs::write(dir.path().join("notes.txt"), "beside them").unwrap();
    let out = analyze(&["--json", "-", name(dir.path())]);
    assert_eq!(code(&out), 2, "two cannot be read");
    let said = text(&out.stderr);
    assert!(
        said.contains("broken.tar") && said.contains("empty.pcap") && !said.contains("notes.txt"),
        "{said}"
    );
    let lines: Vec<Value> =
        text(&out.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), samples.len() * COPIES + 3);
    assert!(lines.iter().all(|line| line["schema"] == 1));
    let summary = &lines.last().unwrap()["summary"];
    assert_eq!((&summary["read"], &summary["unreadable"]), (&(samples.len() * COPIES).into(), &2.into()));
    assert_eq!(lines.iter().filter(|line| line["error"].is_string()).count(), 2);
    let names: Vec<&str> = lines.iter().filter_map(|line| line["input"].as_str()).collect();
    assert!(names.is_sorted(), "{names:?}");
    // A bundle says the same in a crowd as alone.
    let alone: Value = serde_json::from_slice(&analyze(&["--json", "-", names[0]]).stdout).unwrap();
    assert_eq!(lines[0], alone);
    let page = text(&analyze(&["--fail-on", "never", name(&dir.path().join("0"))]).stdout);
    assert!(page.ends_with(&page[page.find("\nAll inputs\n").unwrap()..]));
    assert!(page.contains(&format!("{} read, 0 not readable", samples.len())), "{page}");
    let refused = analyze(&["--expect", names[0], name(dir.path())]);
    assert_eq!((code(&refused), refused.stdout.is_empty()), (2, true));
}
