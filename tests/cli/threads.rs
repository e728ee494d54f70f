//! The report does not depend on the number of threads.

use std::net::Ipv4Addr;
use std::path::Path;

use netcap_bundle::Role;
use netcap_bundle::packets::Direction::{In, Out};

use crate::analyze;
use netcap_tests::bundle::{BundleBuilder, bond_show, pcap};
use netcap_tests::packets::{arp_reply, echo, lldp, mac};

#[test]
fn one_two_and_eight_threads_say_the_same_to_the_byte() {
    let mut bundle = BundleBuilder::new(400_000);
    let member = || Role::Uplink { bond: Some("vswitch0_bond".into()) };
    bundle.point("vswitch0", Role::Internal, "").point("eth2", member(), "").point("eth3", member(), "");
    for n in 0..12 {
        bundle.point(&format!("vnet{n}"), Role::Vnet { vm: None, guest_mac: None }, "");
    }
    bundle.state(0, &[("ovs-bond", "bond-show", "", &bond_show("active-backup", "eth3", "off"))]);
    for n in 0..300u16 {
        let ms = i64::from(n) * 1_000;
        let who = mac(&format!("02:00:00:00:00:{:02x}", n % 7));
        let ip = Ipv4Addr::new(10, 0, 0, u8::try_from(n % 20).unwrap());
        let point = format!("vnet{}", n % 12);
        bundle.frame(
            &point,
            ms,
            In,
            &arp_reply(who, ip, mac("02:00:00:00:01:00"), Ipv4Addr::new(10, 0, 1, 1)),
        );
        let ping = echo(false, who, mac("02:00:00:00:02:00"), ip, Ipv4Addr::new(10, 0, 2, 1), n);
        bundle.frame(&point, ms + 1, In, &ping).frame("eth3", ms + 1, Out, &ping);
        if n % 30 == 0 {
            bundle.frame("eth2", ms + 2, Out, &lldp(who, "eth2", "host"));
            bundle.frame("eth2", ms + 3, In, &ping);
        }
    }
    let sealed = bundle.seal();
    let one = same_for_any_threads(&sealed.path);
    assert!(one.len() > 10_000, "the case must have something to get wrong");
}

/// A file alone has no segments to share out: its packets are decoded by whoever is free and folded in their order.
#[test]
fn a_lonely_file_says_the_same_for_any_number_of_threads() {
    const PACKETS: u32 = 60_000;
    let dir = tempfile::tempdir().unwrap();
    let mut frames = Vec::new();
    for n in 0..PACKETS {
        // Every address changes hands again and again, and the last frames have the last word.
        let who = mac(&format!("02:00:00:00:00:{:02x}", n / 3_000));
        let ip = Ipv4Addr::new(10, 0, 0, u8::try_from(n % 200).unwrap());
        let frame = match n % 3 {
            0 => arp_reply(who, ip, mac("02:00:00:00:01:00"), Ipv4Addr::new(10, 0, 1, 1)),
            kind => {
                let number = u16::try_from(n / 3 % 50_000).unwrap();
                echo(kind == 2, who, mac("02:00:00:00:02:00"), ip, Ipv4Addr::new(10, 0, 2, 1), number)
            }
        };
        frames.push((i64::from(n) * 10, frame));
    }
    let (plain, packed) = (dir.path().join("alone.pcap"), dir.path().join("alone.pcap.zst"));
    pcap(&plain, &frames);
    let bytes = std::fs::read(&plain).unwrap();
    assert!(bytes.len() > 3_000_000, "several batches: {}", bytes.len());
    std::fs::write(&packed, zstd::encode_all(&bytes[..], 1).unwrap()).unwrap();
    for path in [plain, packed] {
        let json = same_for_any_threads(&path);
        let report: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(report["stats"]["packets"], PACKETS, "{}", path.display());
        assert!(report["findings"].as_array().unwrap().len() > 10, "{}", path.display());
    }
}

/// The JSON for one thread, after it was seen to be that of two and eight, as was the text.
fn same_for_any_threads(path: &Path) -> Vec<u8> {
    let path = path.to_str().unwrap();
    let run = |threads: &str| {
        let json = analyze(&["--json", "-", "--threads", threads, path]);
        (json.stdout, analyze(&["-v", "--threads", threads, path]).stdout)
    };
    let one = run("1");
    assert_eq!(one, run("2"));
    assert_eq!(one, run("8"));
    one.0
}
