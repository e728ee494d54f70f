//! Recordings that tests of several units begin with: one machine at vnet0, and who it pings.

use std::net::Ipv4Addr;

use netcap_bundle::packets::Direction::{In, Out};
use netcap_bundle::{Mac, Role};
use netcap_tests::bundle::{BundleBuilder, DumpedPort, ovsdb_dump};
use netcap_tests::packets::{echo, mac};

/// Address of the machine.
pub(crate) const VM: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
/// Address of its router.
pub(crate) const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 6);

/// MAC of the machine's card.
pub(crate) fn vm() -> Mac {
    mac("0c:da:41:1d:56:a7")
}

/// MAC of its router.
pub(crate) fn gateway() -> Mac {
    mac("a0:36:9f:97:76:b8")
}

/// The port of that machine.
pub(crate) fn vnet(name: &str) -> Role {
    Role::Vnet { vm: Some(name.into()), guest_mac: Some(vm()) }
}

/// Twenty pings in the seconds ten to thirty of a minute enter at vnet0; every other one of them is not seen at eth3.
pub(crate) fn every_other_ping() -> BundleBuilder {
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("vnet0", vnet("web"), "").point("eth3", Role::Uplink { bond: None }, "");
    for n in 10..30_u16 {
        let frame = echo(false, vm(), gateway(), VM, GATEWAY, n);
        bundle.frame("vnet0", i64::from(n) * 1_000 + 500, In, &frame);
        if n % 2 == 0 {
            bundle.frame("eth3", i64::from(n) * 1_000 + 501, Out, &frame);
        }
    }
    bundle
}

/// vnet0 and a bond of eth2 and eth3, as the database says.
pub(crate) fn behind_a_bond() -> BundleBuilder {
    let mut bundle = BundleBuilder::new(60_000);
    let member = || Role::Uplink { bond: Some("vswitch0_bond".into()) };
    bundle.point("vnet0", vnet("vm1"), "").point("eth2", member(), "").point("eth3", member(), "");
    let ports = [
        DumpedPort { name: "vswitch0_bond", ifaces: &["eth2", "eth3"], ..DumpedPort::default() },
        DumpedPort { name: "vnet0", ifaces: &["vnet0"], guest: Some(vm()), ..DumpedPort::default() },
    ];
    bundle.state(0, &[("ovsdb", "dump", "", &ovsdb_dump("netdev", &ports))]);
    bundle
}
