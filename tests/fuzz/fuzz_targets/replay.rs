//! Any frame through any rules, groups, ports, learned addresses and connections: dumps parted by an octet that is 0.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netcap_bundle::Nanos;
use netcap_bundle::replay::{Dumps, Packet, replay};
use netcap_bundle::source::{Outcome, RawItem, Snapshot};
use netcap_bundle::sources::shared::OfPort;
use netcap_bundle::sources::ovs::conntrack::OvsConntrack;
use netcap_bundle::sources::ovs::datapath::OvsDatapath;
use netcap_bundle::sources::ovs::fdb::OvsFdb;
use netcap_bundle::sources::ovs::openflow::OvsOpenflow;
use netcap_bundle::sources::ovs::ovsdb::Ovsdb;

fn parse<T: Snapshot>(texts: &[(&str, &str, &[u8])]) -> T {
    let items: Vec<_> = texts
        .iter()
        .map(|(item, arg, bytes)| RawItem { item, arg, at: Nanos(5), outcome: &Outcome::Ok, bytes, truncated: false })
        .collect();
    T::parse(&items).value
}

fuzz_target!(|bytes: &[u8]| {
    let [port, known, bytes @ ..] = bytes else { return };
    let mut parts = bytes.splitn(8, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (flows, groups, ports, fdb, conntrack, datapath, ovsdb) = (part(), part(), part(), part(), part(), part(), part());
    let frame = part();
    let openflow: OvsOpenflow =
        parse(&[("dump-flows", "br0", flows), ("dump-groups", "br0", groups), ("show", "br0", ports)]);
    let ovsdb: Ovsdb = parse(&[("dump", "", ovsdb)]);
    let fdb: OvsFdb = parse(&[("fdb-show", "br0", fdb)]);
    let conntrack: OvsConntrack = parse(&[("dump", "", conntrack)]);
    let datapath: OvsDatapath = parse(&[("dpif-show", "", datapath)]);
    let dumps = Dumps {
        openflow: &openflow,
        ovsdb: (known & 1 == 0).then_some(&ovsdb),
        datapath: (known & 2 == 0).then_some(&datapath),
        fdb: (known & 4 == 0).then_some(&fdb),
        conntrack: (known & 8 == 0).then_some(&conntrack),
    };
    let port = (known & 16 == 0).then_some(OfPort(u16::from(*port)));
    let _ = replay(&dumps, "br0", Packet::of_frame(port, frame));
});
