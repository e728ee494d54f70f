//! What may be written in some places only.

use crate::law::{all_sources, forbid, sources};

#[test]
fn unsafe_lives_in_one_place() {
    forbid(
        "unsafe code lives in capture/src/sys: the ring, options of sockets, what is around processes, and what tests try",
        all_sources(),
        &["unsafe {", "unsafe fn", "unsafe impl", "allow(unsafe_code)"],
        &[
            "capture/src/sys/attempts.rs",
            "capture/src/sys/ring.rs",
            "capture/src/sys/process.rs",
            "capture/src/sys/socket.rs",
        ],
    );
}

#[test]
fn bundle_paths_are_spelt_in_one_file() {
    let words = [
        "\"packets/",
        "\"state/",
        "\"ping/",
        "manifest.json\"",
        "\"run.json",
        "index.jsonl",
        "segments.jsonl",
        "\"topology.txt",
    ];
    forbid(
        "paths inside a bundle are spelt in bundle/src/run/layout.rs",
        all_sources(),
        &words,
        &["bundle/src/run/layout.rs"],
    );
}

#[test]
fn the_explainer_reads_no_clock() {
    forbid(
        "analyze reads no clock: the same bundle gives the same bytes (only progress may look at the time)",
        sources("analyze"),
        &["SystemTime", "Instant::now", "Timestamp::now", "Zoned::now", "TimeZone::system"],
        &[],
    );
    forbid(
        "bundle reads no clock and runs nothing",
        sources("bundle"),
        &["SystemTime", "Instant::now", "Timestamp::now", "std::process", "tokio"],
        &[],
    );
}
