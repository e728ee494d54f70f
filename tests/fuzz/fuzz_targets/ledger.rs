//! Ledgers, and the kernel's and Open vSwitch's tables that they are made from.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netcap_bundle::ledger::{PointLedger, parse_dpctl_show, parse_net_dev, parse_softnet};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = PointLedger::from_lines("eth2", &text).sums();
    let _ = (parse_net_dev(&text), parse_softnet(&text), parse_dpctl_show(&text));
});
