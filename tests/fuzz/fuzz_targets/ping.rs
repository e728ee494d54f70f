//! Ping logs: machine lines, and the old script's.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netcap_bundle::input::PingLog;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = PingLog::from_lines("10.0.0.1", &text);
    let log = PingLog::from_iputils(&text);
    assert!(log.records.is_sorted_by_key(|record| record.seq));
});
