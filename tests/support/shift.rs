//! A bundle as it would be had the host's clock been wrong: every stamp of its packets, and the run's own times, moved.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Unpacks the bundle below `into` with its clock moved by `ns` and, from the first packet on, running faster by `ppm`.
/// Gives the run's directory, which is a bundle too.
///
/// # Panics
/// When it is no bundle.
pub fn shifted(bundle: &Path, into: &Path, ns: i64, ppm: f64) -> PathBuf {
    std::fs::create_dir_all(into).expect("a directory");
    let tar = Command::new("tar").arg("-xf").arg(bundle).arg("-C").arg(into).status().expect("tar starts");
    assert!(tar.success(), "{}", bundle.display());
    let mut first = None;
    for segment in crate::files_below(into, ".pcapng.zst") {
        let out = Command::new("zstd").args(["-dcq"]).arg(&segment).output().expect("zstd starts");
        let mut bytes = out.stdout;
        blocks(&mut bytes, |stamp| {
            let start = *first.get_or_insert(stamp);
            stamp + ns + drift(stamp - start, ppm)
        });
        let plain = segment.with_extension("");
        std::fs::write(&plain, bytes).expect("a segment");
        let done = Command::new("zstd").args(["-qf1", "--rm"]).arg(&plain).stdout(Stdio::null()).status();
        assert!(done.expect("zstd starts").success());
    }
    for manifest in crate::files_below(into, "manifest.json") {
        let text = std::fs::read_to_string(&manifest).expect("a manifest");
        let mut value: Value = serde_json::from_str(&text).expect("JSON");
        realtimes(&mut value, ns);
        std::fs::write(&manifest, value.to_string()).expect("a manifest");
    }
    let runs =
        std::fs::read_dir(into).expect("a directory").flatten().map(|e| e.path()).filter(|p| p.is_dir());
    runs.into_iter().next().expect("a run")
}

#[allow(clippy::cast_possible_truncation)] // nanoseconds of a short recording
fn drift(since: i64, ppm: f64) -> i64 {
    (since as f64 * ppm / 1e6).round() as i64
}

/// Changes the stamp of every enhanced packet block (draft-ietf-opsawg-pcapng, section 4.3); netcap writes nanoseconds in
/// the byte order of its machine.
fn blocks(bytes: &mut [u8], mut change: impl FnMut(i64) -> i64) {
    const ENHANCED: u32 = 6;
    let word =
        |bytes: &[u8], at: usize| bytes.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let mut at = 0;
    while let (Some(kind), Some(length)) = (word(bytes, at), word(bytes, at + 4)) {
        let length = usize::try_from(length).expect("a length");
        if length < 12 {
            return;
        }
        if kind == ENHANCED
            && let (Some(high), Some(low)) = (word(bytes, at + 12), word(bytes, at + 16))
        {
            let stamp = i64::from(high) << 32 | i64::from(low);
            let moved = change(stamp).to_le_bytes();
            bytes[at + 12..at + 16].copy_from_slice(&moved[4..]);
            bytes[at + 16..at + 20].copy_from_slice(&moved[..4]);
        }
        at += length;
    }
}

fn realtimes(value: &mut Value, ns: i64) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match value.as_i64().filter(|_| key == "realtime") {
                    Some(at) => *value = Value::from(at + ns),
                    None => realtimes(value, ns),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| realtimes(value, ns)),
        _ => {}
    }
}
