//! On a real Open vSwitch: a machine that is started, one that moves away and comes back, a NIC that joins a bond, and
//! an uplink that is renamed, each with packets before and after.

use std::process::Output;

use netcap_bundle::input::{Input, Remark};
use netcap_bundle::layout;
use netcap_bundle::packets::{Direction, PacketReader};
use netcap_bundle::run::ChangeKind;
use netcap_tests::lab::{Lab, said};
use netcap_tests::wait_for;

use super::recording::Recording;

fn host(lab: &Lab, script: &str) -> Output {
    let out = lab.exec("host1", &["sh", "-ec", script]);
    assert!(out.status.success(), "{script}: {}", said(&out));
    out
}

/// Starts a machine: its interface, its far end, its port.
fn start_vm(lab: &Lab, vnet: &str, vm: &str) {
    host(
        lab,
        &format!(
            "ip link add {vnet} type veth peer name g{vnet}; ip link set {vnet} up; ip link set g{vnet} up; \
             ovs-vsctl --timeout=10 add-port vswitch0 {vnet} -- set Interface {vnet} \
             external_ids:attached-mac=0c:da:41:1d:99:01 external_ids:vm-name={vm}"
        ),
    );
}

fn stop_vm(lab: &Lab, vnet: &str) {
    host(lab, &format!("ovs-vsctl --timeout=10 del-port {vnet}; ip link del {vnet}"));
}

/// Pings an address that nobody has: one or two ARP requests from a machine's side.
fn chatter(lab: &Lab, iface: &str, address: &str) {
    let words = [
        "sh",
        "-c",
        &format!("ip addr replace 192.168.77.1/24 dev {iface}; ping -I {iface} -c 2 -i 0.3 -W 1 {address}"),
    ];
    let _ = lab.exec("host1", &words);
}

/// Waits for a segment of a point.
fn segment(recording: &Recording, id: &str, number: u32) {
    let segment = recording.dir().join(layout::segment(id, number));
    wait_for(&format!("segment {number} of {id}"), || segment.is_file());
}

/// Packets of a point that went this way.
fn packets(input: &Input, id: &str, direction: Direction) -> usize {
    let mine = input.segments.iter().filter(|s| s.point.is_some_and(|i| input.points[i].id == id));
    mine.map(|segment| {
        let stream = segment.open().expect("it opens");
        let Some(mut reader) = PacketReader::open(stream).expect("it is read") else { return 0 };
        let mut count = 0;
        while let Some(packet) = reader.next_packet() {
            count += usize::from(packet.direction == direction);
        }
        count
    })
    .sum()
}

fn changes(input: &Input) -> Vec<String> {
    let short = |what: &ChangeKind| match what {
        ChangeKind::Joined { point } => format!("+{} {}", point.id, point.role.word()),
        ChangeKind::Renamed { id, from, to } => format!("{id}: {from} {to}"),
        ChangeKind::Left { id } => format!("-{id}"),
    };
    input.changes.iter().map(|change| short(&change.what)).collect()
}

#[test]
fn machines_that_start_and_move_and_nics_that_join_and_are_renamed() {
    let Some(lab) = Lab::up("follow", &[]) else { return };
    start_vm(&lab, "vnet8", "vm8");
    let recording =
        Recording::start(&lab, "host1", "out", &["--no-bundle", "--vswitch=vswitch0", "--vm=vm8", "arp"]);
    chatter(&lab, "gvnet8", "192.168.77.8");
    // It moves away and comes back, at another port.
    stop_vm(&lab, "vnet8");
    start_vm(&lab, "vnet9", "vm8");
    segment(&recording, "vnet9", 1);
    chatter(&lab, "gvnet9", "192.168.77.9");
    // A second machine, of which nobody has spoken.
    start_vm(&lab, "vnet10", "vm10");
    segment(&recording, "vnet10", 1);
    chatter(&lab, "gvnet10", "192.168.77.10");
    // A third member of the bond.
    host(
        &lab,
        "ip link add eth9 type veth peer name far9; ip link set eth9 up; ip link set far9 up; \
         ovs-vsctl --timeout=10 add-bond-iface vswitch0_bond eth9 || ovs-vsctl --timeout=10 add-port vswitch0 eth9",
    );
    segment(&recording, "eth9", 1);
    chatter(&lab, "far9", "192.168.77.99");
    host(&lab, "ip link set eth9 name lan9");
    segment(&recording, "eth9", 2);
    chatter(&lab, "far9", "192.168.77.98");
    let input = Input::open(&recording.end_unbundled()).expect("the bundle opens");
    for vnet in ["vnet9", "vnet10"] {
        stop_vm(&lab, vnet);
    }
    host(&lab, "ovs-vsctl --timeout=10 --if-exists del-port eth9; ip link del lan9");
    let all = changes(&input);
    assert_eq!(all[..5], ["-vnet8", "+vnet9 vnet", "+vnet10 vnet", &all[3], "eth9: eth9 lan9"], "{all:?}");
    assert!(all[3] == "+eth9 bond" || all[3] == "+eth9 uplink", "{all:?}");
    for point in ["vnet8", "vnet9", "vnet10"] {
        assert!(packets(&input, point, Direction::In) >= 1, "{point}");
    }
    let renamed = input.segments.iter().filter(|s| s.point.is_some_and(|i| input.points[i].id == "eth9"));
    let each: Vec<u64> = renamed.filter_map(|s| s.info.as_ref()).map(|info| info.packets).collect();
    assert!(each.len() == 2 && each.iter().all(|n| *n >= 1), "before and after it was renamed: {each:?}");
    assert!(packets(&input, "vswitch0", Direction::In) >= 3, "the points of the start went on");
    let ids = |wanted: &str| input.points.iter().find(|p| p.id == wanted).cloned().expect(wanted);
    assert_eq!(ids("vnet9").vswitch.as_deref(), Some("vswitch0"));
    let noted = |part: &str| {
        input.remarks.iter().any(|remark| matches!(remark, Remark::Recorder(text) if text.contains(part)))
    };
    assert!(noted("vnet8 (vnet of vswitch0, VM vm8) is gone"), "{:?}", input.remarks);
    assert!(!noted("disagree") && !noted("unaccounted"), "{:?}", input.remarks);
    let ledger = input.ledger.point("eth3").expect("a ledger");
    assert!(ledger.spans.iter().any(|span| span.ovs.is_some()), "Open vSwitch was asked: {:?}", ledger.spans);
    assert!(
        input.ledger.host.iter().any(|span| span.upcalls.is_some_and(|n| n > 0)),
        "{:?}",
        input.ledger.host
    );
}
