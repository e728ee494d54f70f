//! Two hosts recorded at once, one of them with a clock that is wrong by a known amount.

use std::path::{Path, PathBuf};
use std::process::Command;

use netcap_tests::lab::{Lab, said};
use netcap_tests::shift::shifted;
use serde_json::Value;

use super::{NETCAP, analyze};

/// Records both hosts at once while the first pings the second.
fn two_hosts(lab: &Lab) -> [PathBuf; 2] {
    let outs = ["host1", "host2"].map(|host| lab.dir().join(host));
    let recorders: Vec<_> = ["host1", "host2"]
        .iter()
        .zip(&outs)
        .map(|(host, out)| {
            let out = out.to_string_lossy();
            lab.spawn(host, &[NETCAP, "--vswitch", "vswitch0", "--duration", "14s", "--out", &*out])
        })
        .collect();
    std::thread::sleep(std::time::Duration::from_secs(3));
    let ping = lab.exec("host1", &["ping", "-i", "0.1", "-c", "80", "192.168.12.20"]);
    assert!(ping.status.success(), "{}", said(&ping));
    for recorder in recorders {
        let out = recorder.wait_with_output().expect("netcap ends");
        assert!(out.status.success(), "{}", said(&out));
    }
    outs.map(|out| Lab::bundle(&out))
}

fn together(a: &Path, b: &Path) -> (Value, String) {
    let run = |json: &[&str]| {
        let out =
            Command::new(analyze()).args(json).arg("--together").args([a, b]).output().expect("it starts");
        assert!(out.status.success(), "{}", said(&out));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let json: Value = serde_json::from_str(&run(&["--json", "-"])).expect("JSON");
    (json["clocks"][0].clone(), run(&["--lang", "en"]))
}

#[test]
fn a_known_offset_between_two_hosts_is_recovered_within_its_bound() {
    let Some(lab) = Lab::up("clocks", &["--hosts", "2", "--vms", "1"]) else { return };
    let [a, b] = two_hosts(&lab);
    // One machine, one clock: whatever is found there is zero within its bound.
    let (same, _) = together(&a, &b);
    let cases = [(0_i64, 0.0, same)];
    let moved = [(12_345_678_i64, 0.0), (-3_600_000_000_000, 0.0), (250_000_000, 80.0)].map(|(ns, ppm)| {
        let dir = lab.dir().join(format!("moved{ns}"));
        let run = shifted(&b, &dir, ns, ppm);
        let (json, text) = together(&a, &run);
        assert!(text.contains("host2's clock is") && text.contains("ahead of host1's"), "{text}");
        (ns, ppm, json)
    });
    for (ns, ppm, pair) in cases.iter().chain(&moved) {
        let piece = &pair["clocks"]["known"][0];
        let number = |key: &str| piece[key].as_f64().unwrap_or_else(|| panic!("{key} in {pair:#}"));
        let (found, bound) = (number("b_ahead_ns"), number("bound_ns"));
        // The drift began with the first packet, so half of the recording's of it has come to the offset in the middle.
        let slack = ppm * 14_000.0;
        println!("moved by {ns} ns and {ppm} ppm: found {found} ns ± {bound} ns, {piece}");
        assert!((found - *ns as f64).abs() <= bound + slack, "{ns}: {pair:#}");
        assert!(bound < 2_000_000.0, "{ns}: the bound is {bound} ns");
        assert!(number("drift_ppm_least") <= *ppm && *ppm <= number("drift_ppm_most"), "{pair:#}");
        assert!(piece["packets_a_to_b"].as_u64() > Some(20) && piece["packets_b_to_a"].as_u64() > Some(20));
    }
}
