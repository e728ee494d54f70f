//! Compiled filters on any frame: the machine answers, and never reads outside.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use netcap_filters::{Filter, Options};

static FILTERS: LazyLock<Vec<Filter>> = LazyLock::new(|| {
    let texts = [
        "icmp or arp", "ip6 and tcp port 443", "vlan 100 and udp", "tcp[tcpflags] & tcp-syn != 0", "ether proto 0x88cc",
        "host 10.0.0.1 and not port 22", "icmp6 and ip6[40] == 135", "len > 100 and ip[8] < 5", "portrange 1-1024",
    ];
    texts.iter().map(|text| Filter::compile(text, Options::default()).expect("a filter")).collect()
});

fuzz_target!(|frame: &[u8]| {
    for filter in FILTERS.iter() {
        let _ = filter.matches(frame, frame.len());
        let _ = filter.matches(frame, 0);
    }
});
