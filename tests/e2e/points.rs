//! Points follow their interfaces: renamed, moved away and back, added to a recorded switch, gone for good.

use netcap_bundle::input::Input;
use netcap_bundle::layout;
use netcap_bundle::packets::Direction::{self, In, Out};
use netcap_bundle::packets::PacketReader;
use netcap_bundle::run::ChangeKind;
use netcap_tests::privileged;
use nix::sys::signal::Signal;

use crate::net::{Net, arp, ip};
use crate::run::{Bundle, Run, wait_for};

fn near(net: &Net, words: &str) {
    ip(&format!("-n {} {words}", net.near));
}

/// What happened to the points, in short.
fn changes(bundle: &Bundle) -> Vec<String> {
    let short = |what: &ChangeKind| match what {
        ChangeKind::Joined { point } => format!("+{} {}", point.id, point.role.word()),
        ChangeKind::Renamed { id, from, to } => format!("{id}: {from} {to}"),
        ChangeKind::Left { id } => format!("-{id}"),
    };
    bundle.manifest.changes.iter().map(|change| short(&change.what)).collect()
}

/// Names of the interfaces in the segments of a point, in order.
fn names(bundle: &Bundle, point: &str) -> Vec<String> {
    let input = Input::open(&bundle.path).expect("the bundle opens");
    let mine = input.segments.iter().filter(|s| s.info.as_ref().is_some_and(|i| i.point == point));
    let name = |segment: &netcap_bundle::input::Segment| {
        let stream = segment.open().expect("it opens");
        let mut reader = PacketReader::open(stream).expect("it is read").expect("a capture");
        while reader.next_packet().is_some() {}
        reader.interfaces()[0].name.clone()
    };
    mine.map(name).collect()
}

/// How many packets of a point have this direction and content.
fn count(bundle: &Bundle, point: &str, direction: Direction, data: &[u8]) -> usize {
    let input = Input::open(&bundle.path).expect("the bundle opens");
    let mine = input.segments.iter().filter(|s| s.point.is_some_and(|i| input.points[i].id == point));
    let mut found = 0;
    for segment in mine {
        let stream = segment.open().expect("it opens");
        let mut reader = PacketReader::open(stream).expect("it is read").expect("a capture");
        while let Some(packet) = reader.next_packet() {
            found += usize::from(packet.direction == direction && packet.data == data);
        }
    }
    found
}

/// Received by a point, as its ledger, its segments and the manifest say.
fn received(bundle: &Bundle, point: &str) -> u64 {
    let input = Input::open(&bundle.path).expect("the bundle opens");
    let sums = input.ledger.point(point).expect("a ledger").sums();
    let counts = bundle.manifest.counts.iter().find(|c| c.point == point).expect("counts");
    assert_eq!((sums.received, sums.written), (counts.received, counts.written), "{point}");
    assert!(input.points.iter().any(|p| p.id == point));
    sums.received
}

#[test]
fn a_renamed_interface_is_the_same_point() {
    if !privileged("a_renamed_interface_is_the_same_point") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &[]);
    net.send_in(&arp(&[], 100), 3);
    run.took(3);
    near(&net, "link set cap0 down");
    near(&net, "link set cap0 name lan0");
    near(&net, "link set lan0 up");
    run.segment(2);
    net.send_in(&arp(&[], 200), 4);
    run.took(7);
    // While it is up: the socket hears nothing of it.
    near(&net, "link set lan0 name lan1");
    run.segment(3);
    net.send_in(&arp(&[], 300), 5);
    let (_, bundle) = run.end(Signal::SIGINT);
    let count = |length| bundle.count(In, &arp(&[], length));
    assert_eq!((count(100), count(200), count(300)), (3, 4, 5));
    assert_eq!(changes(&bundle), ["cap0: cap0 lan0", "cap0: lan0 lan1"]);
    assert_eq!(names(&bundle, "cap0"), ["cap0", "lan0", "lan1"]);
    assert_eq!(received(&bundle, "cap0"), 12);
    let input = Input::open(&bundle.path).unwrap();
    let spans = &input.ledger.point("cap0").unwrap().spans;
    let names: Vec<&str> = spans.iter().filter_map(|span| span.name.as_deref()).collect();
    assert_eq!(names, ["lan0", "lan1"]);
    let crossed: u64 = spans.iter().filter_map(|s| s.iface).map(|c| c.rx_packets).sum();
    assert!(crossed >= 11, "its counters are followed too: {crossed}");
    let remarks = &bundle.manifest.remarks;
    assert!(remarks.iter().any(|r| r.contains("lan0 is called lan1")), "{remarks:?}");
    assert!(remarks.iter().any(|r| r.contains("could not be heard")), "it was down: {remarks:?}");
}

#[test]
fn an_interface_that_moves_to_another_namespace_is_gone_and_waited_for() {
    if !privileged("an_interface_that_moves_to_another_namespace_is_gone_and_waited_for") {
        return;
    }
    let net = Net::new();
    let mut run = Run::start(&net, &[]);
    net.send_in(&arp(&[], 100), 3);
    run.took(3);
    near(&net, &format!("link set cap0 netns {}", net.far));
    run.wait_point("the gap", |point| point["away"] == true);
    assert!(run.runs());
    ip(&format!("-n {} link set cap0 netns {}", net.far, net.near));
    near(&net, "link set cap0 up");
    run.segment(2);
    net.send_in(&arp(&[], 200), 4);
    let (_, bundle) = run.end(Signal::SIGINT);
    assert_eq!((bundle.count(In, &arp(&[], 100)), bundle.count(In, &arp(&[], 200))), (3, 4));
    assert_eq!(received(&bundle, "cap0"), 7);
    assert!(bundle.manifest.remarks.iter().any(|r| r.contains("could not be heard")));
}

/// Adds a port to the bridge; its other end is on the far side.
fn plug(net: &Net, port: &str) {
    near(net, &format!("link add {port} type veth peer name p{port} netns {}", net.far));
    ip(&format!("-n {} link set p{port} up", net.far));
    near(net, &format!("link set {port} master ncbr0 up"));
}

#[test]
fn ports_that_come_to_a_recorded_switch_are_recorded_and_those_that_go_are_closed() {
    if !privileged("ports_that_come_to_a_recorded_switch_are_recorded_and_those_that_go_are_closed") {
        return;
    }
    let net = Net::new();
    near(&net, "link add ncbr0 type bridge");
    near(&net, "link set ncbr0 up");
    plug(&net, "eth7");
    plug(&net, "vnet1");
    let run = Run::start(&net, &["--vswitch=ncbr0", "--buffer=16M"]);
    let packets = run.dir().unwrap().join("packets");
    wait_for("the uplink", || packets.join("eth7/000001.pcapng.zst").exists());
    plug(&net, "vnet7");
    wait_for("the new machine's point", || packets.join("vnet7/000001.pcapng.zst").exists());
    net.send_in_on("pvnet7", &arp(&[], 100), 5);
    plug(&net, "eth8");
    wait_for("the new uplink's point", || packets.join("eth8/000001.pcapng.zst").exists());
    net.send_in_on("peth8", &arp(&[], 200), 6);
    let changes_so_far = run.dir().unwrap().join(layout::CHANGES);
    near(&net, "link del vnet7");
    wait_for("the end of the point", || {
        std::fs::read_to_string(&changes_so_far).unwrap_or_default().lines().count() == 3
    });
    plug(&net, "vnet7");
    wait_for("the point of the machine that came back", || {
        packets.join("vnet7-2/000001.pcapng.zst").exists()
    });
    net.send_in_on("pvnet7", &arp(&[], 300), 7);
    let (output, bundle) = run.end(Signal::SIGINT);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(changes(&bundle), ["+vnet7 vnet", "+eth8 uplink", "-vnet7", "+vnet7-2 vnet"]);
    let seen = |point, direction, length| count(&bundle, point, direction, &arp(&[], length));
    assert_eq!((seen("vnet7", In, 100), seen("eth8", In, 200), seen("vnet7-2", In, 300)), (5, 6, 7));
    assert_eq!(
        (seen("eth7", Out, 100), seen("eth7", Out, 300)),
        (5, 7),
        "and out at the uplink of the start"
    );
    assert!(
        received(&bundle, "vnet7") >= 5
            && received(&bundle, "eth8") >= 6
            && received(&bundle, "vnet7-2") >= 7
    );
    assert!(
        !bundle.manifest.info.points.iter().any(|p| p.id == "vnet1"),
        "machines of the start are chosen by name"
    );
    let new = bundle.manifest.info.points.iter().find(|p| p.id == "vnet7-2").unwrap();
    assert_eq!((new.iface.as_str(), new.vswitch.as_deref()), ("vnet7", Some("ncbr0")));
    let (remarks, text) = (&bundle.manifest.remarks, String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(remarks.iter().any(|r| r.contains("vnet7") && r.contains("point is closed")), "{remarks:?}");
    assert!(text.contains("vnet7 joins: vnet of ncbr0"), "{text}");
}

#[test]
fn a_killed_run_knows_who_joined_and_no_follow_adds_nobody() {
    if !privileged("a_killed_run_knows_who_joined_and_no_follow_adds_nobody") {
        return;
    }
    let net = Net::new();
    near(&net, "link add ncbr0 type bridge");
    near(&net, "link set ncbr0 up");
    plug(&net, "eth7");
    let alone = Run::start(&net, &["--vswitch=ncbr0", "--no-follow"]);
    let run = Run::start(&net, &["--vswitch=ncbr0"]);
    let packets = run.dir().unwrap().join("packets");
    plug(&net, "vnet7");
    wait_for("the new point", || packets.join("vnet7/000001.pcapng.zst").exists());
    net.send_in_on("pvnet7", &arp(&[], 100), 5);
    // Five at the machine's port, at the uplink that the bridge floods, and at the bridge's own port.
    run.wrote_at("vnet7", 5);
    assert!(!alone.dir().unwrap().join("packets/vnet7").exists());
    let (dir, _out) = run.kill();
    let unsealed = Input::open(&dir).unwrap();
    assert!(unsealed.points.iter().any(|p| p.id == "vnet7" && p.vswitch.is_some()), "{:?}", unsealed.points);
    let sealed =
        crate::run::netcap(&net, &["seal", "--no-bundle", &dir.display().to_string()]).output().unwrap();
    assert!(sealed.status.success(), "{sealed:?}");
    let bundle = Bundle::open(&dir, None);
    assert_eq!(changes(&bundle), ["+vnet7 vnet"]);
    assert_eq!(count(&bundle, "vnet7", In, &arp(&[], 100)), 5);
    let (_, bundle) = alone.end(Signal::SIGINT);
    assert!(bundle.manifest.changes.is_empty());
}
