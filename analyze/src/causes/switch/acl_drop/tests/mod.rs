//! What packets die of at a rule, by what is recorded of it.

mod absent;
mod patched;
mod seen;
mod transport;

use std::net::Ipv4Addr;

use netcap_bundle::Role;
use netcap_bundle::packets::Direction::{In, Out};
use netcap_tests::bundle::BundleBuilder;
use netcap_tests::packets::echo;

use crate::finding::Finding;
use crate::testing::found;
use crate::testing::scenes::{GATEWAY, VM, gateway, vm, vnet};
use crate::text::Text;

const PORTS: &str = "netdev@ovs-netdev: hit:100 missed:9\n  vswitch0:\n    eth3 2/3: (system)\n    \
    vnet0 3/4: (system)\n    vnet1 5/6: (system)\n    vswitch0 65534/1: (tap)\n";
const SHOW: &str = "OFPT_FEATURES_REPLY (xid=0x2): dpid:0000525400000001\n 2(eth3): addr:52:54:00:00:00:02\n     \
    config:     0\n     state:      LIVE\n 3(vnet0): addr:fe:da:41:1d:56:a7\n     config:     0\n     \
    state:      LIVE\n";
const FILTER: &str = "<filter name='acl-test' chain='root'>\n<rule action='accept' direction='in' priority='4'><all/>\
    </rule>\n<rule action='drop' direction='in' priority='10'>\n<icmp dstipaddr='172.16.51.6' dstipmask='32'/>\n\
    </rule>\n</filter>\n";
const DOMAIN: &str = "<domain type='kvm' id='3'><name>E0530</name><devices><interface type='bridge'>\
    <mac address='0c:da:41:1d:56:a7'/><source bridge='vswitch0'/><target dev='vnet0'/>\
    <filterref filter='acl-test'/></interface></devices></domain>";

/// vnet0 and eth3 of one switch, with that filter at eth3.
fn bundle(filter: &str) -> BundleBuilder {
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("vnet0", vnet("E0530"), "").point("eth3", Role::Uplink { bond: None }, filter);
    // Something else gets through all the time.
    for n in 0..50 {
        let frame = echo(false, vm(), gateway(), VM, Ipv4Addr::new(172, 16, 51, 7), n);
        let back = echo(true, gateway(), vm(), Ipv4Addr::new(172, 16, 51, 7), VM, n);
        let ms = i64::from(n) * 1_000;
        bundle.frame("vnet0", ms, In, &frame).frame("vnet0", ms + 1, Out, &back);
        if filter.is_empty() {
            bundle.frame("eth3", ms, Out, &frame).frame("eth3", ms + 1, In, &back);
        }
    }
    bundle
}

fn lose(bundle: &mut BundleBuilder, numbers: std::ops::Range<u16>) {
    for n in numbers {
        bundle.frame("vnet0", i64::from(n) * 1_000 + 500, In, &echo(false, vm(), gateway(), VM, GATEWAY, n));
    }
}

fn datapath(packets: u64, actions: &str) -> String {
    format!(
        "flow-dump from the main thread:\nrecirc_id(0),in_port(4),eth_type(0x0800),ipv4(dst=172.16.51.6,proto=1,\
         frag=no), packets:{packets}, bytes:980, used:0.369s, actions:{actions}\n"
    )
}

fn openflow(packets: u64) -> String {
    format!(
        " cookie=0x30, duration=238.433s, table=0, n_packets={packets}, n_bytes=6210, priority=20,icmp,in_port=3,\
         nw_dst=172.16.51.6 actions=drop\n cookie=0x0, duration=900.1s, table=0, n_packets=5000, n_bytes=1, \
         priority=0 actions=NORMAL\n"
    )
}

fn states(bundle: &mut BundleBuilder, dp: bool, of: bool, libvirt: bool) {
    for (ms, packets) in [(0, 1), (30_000, 15), (58_000, 30)] {
        let (flows, rules) = (datapath(packets, "drop"), openflow(packets));
        let mut samples = vec![("ovs-datapath", "dpif-show", "", PORTS)];
        if dp {
            samples.push(("ovs-datapath", "dump-flows", "", flows.as_str()));
        }
        if of {
            samples.push(("ovs-openflow", "show", "vswitch0", SHOW));
            samples.push(("ovs-openflow", "dump-flows", "vswitch0", rules.as_str()));
        }
        if libvirt {
            samples.push(("libvirt", "domain", "E0530", DOMAIN));
            samples.push(("libvirt", "nwfilter", "acl-test", FILTER));
        }
        bundle.state(ms, &samples);
    }
}

fn findings(bundle: BundleBuilder) -> Vec<Finding> {
    found(&bundle.seal(), "acl-drop")
}

fn consequences(findings: &[Finding]) -> Vec<String> {
    findings.iter().flat_map(|finding| &finding.consequences).map(Text::english).collect()
}
