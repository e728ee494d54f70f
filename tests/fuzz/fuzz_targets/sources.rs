//! Every source of host state: the first octet chooses the source, the second its item, the rest is what it printed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netcap_bundle::Nanos;
use netcap_bundle::source::{Outcome, RawItem, Snapshot};
use netcap_bundle::sources::network::counters::Counters;
use netcap_bundle::sources::storage::disk::Disk;
use netcap_bundle::sources::host::system::HostSystem;
use netcap_bundle::sources::vm::libvirt::Libvirt;
use netcap_bundle::sources::network::links::Links;
use netcap_bundle::sources::network::linux_bridge::LinuxBridge;
use netcap_bundle::sources::network::neighbours::Neighbours;
use netcap_bundle::sources::ovs::bond::OvsBond;
use netcap_bundle::sources::ovs::conntrack::OvsConntrack;
use netcap_bundle::sources::ovs::datapath::OvsDatapath;
use netcap_bundle::sources::ovs::fdb::OvsFdb;
use netcap_bundle::sources::ovs::openflow::OvsOpenflow;
use netcap_bundle::sources::ovs::ovsdb::Ovsdb;
use netcap_bundle::sources::host::sysctl::Sysctl;

fn parse<T: Snapshot>(item: u8, bytes: &[u8]) {
    let recipes = T::DEF.recipes;
    let item = recipes[usize::from(item) % recipes.len()].item;
    let _ = T::parse(&[RawItem { item, arg: "vs0", at: Nanos(5), outcome: &Outcome::Ok, bytes, truncated: false }]);
}

fuzz_target!(|bytes: &[u8]| {
    let [source, item, bytes @ ..] = bytes else { return };
    let parsers: [fn(u8, &[u8]); 14] = [
        parse::<Counters>, parse::<Disk>, parse::<HostSystem>, parse::<Libvirt>, parse::<Links>, parse::<LinuxBridge>,
        parse::<Neighbours>, parse::<OvsBond>, parse::<OvsConntrack>, parse::<OvsDatapath>, parse::<OvsFdb>,
        parse::<OvsOpenflow>, parse::<Ovsdb>, parse::<Sysctl>,
    ];
    parsers[usize::from(*source) % parsers.len()](*item, bytes);
});
