use proptest::prelude::*;

use super::*;
use crate::Nanos;
use crate::run::{IfaceCounts, OvsDrops, PointSpan, json_line};

#[test]
fn lines_are_read_as_they_were_written_and_a_torn_one_is_counted() {
    let span = PointSpan {
        at: Nanos(1_795_219_200_000_000_000),
        ms: 1000,
        received: 12,
        dropped: 2,
        written: 10,
        wire_bytes: 600,
        iface: Some(IfaceCounts { rx_packets: 15, ..IfaceCounts::default() }),
        filtered: Some(3),
        ..PointSpan::default()
    };
    let mut text = String::from_utf8(json_line(&span).unwrap()).unwrap();
    assert!(text.len() < 100, "{text}");
    text.push_str("{\"at\":17952192");
    let ledger = PointLedger::from_lines("eth2", &text);
    assert_eq!((ledger.spans.as_slice(), ledger.defects), (&[span][..], 1));
    assert_eq!(ledger.sums(), Sums { received: 12, dropped: 2, written: 10, wire_bytes: 600, shed: 0 });
}

#[test]
fn lines_of_older_recorders_say_nothing_of_what_they_did_not_know() {
    let ledger = PointLedger::from_lines("x", "{\"at\":5,\"ms\":1000,\"r\":2,\"w\":2,\"if\":{\"rx\":9}}\n");
    assert_eq!((ledger.spans.len(), ledger.defects), (1, 0));
    assert_eq!((ledger.filtered(), ledger.spans[0].seen(), ledger.spans[0].ovs), (None, None, None));
    let newer = PointLedger::from_lines(
        "x",
        "{\"at\":5,\"ms\":1,\"r\":2,\"f\":7,\"if\":{\"rxd\":1,\"txd\":2},\"ovs\":{\"rxd\":4}}\n{\"at\":6,\"ms\":1}\n",
    );
    assert_eq!((newer.filtered(), newer.spans[0].seen()), (Some(7), Some(9)));
    assert_eq!(newer.spans[0].iface.unwrap().tx_dropped, 2);
    assert_eq!(newer.spans[0].ovs, Some(OvsDrops { rx_dropped: 4, tx_dropped: 0 }));
}

proptest! {
    #[test]
    fn any_text_is_answered(
        text in "(\\{\"at\":[0-9-]{0,20},\"ms\":[0-9]{0,21}(,\"[rdwb]\":[0-9.e]{0,21}){0,4}\\}?\n|\\PC{0,40}\n){0,8}"
    ) {
        let _ = PointLedger::from_lines("x", &text).sums();
    }
}
