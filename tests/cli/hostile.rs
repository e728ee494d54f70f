//! Bundles that lie: whatever is changed in one, the program answers with a verdict or a sentence.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use netcap_bundle::Role;
use netcap_bundle::packets::Direction::{In, Out};
use proptest::prelude::*;

use crate::analyze;
use netcap_tests::bundle::{BundleBuilder, SealedBundle, bond_show};
use netcap_tests::packets::{arp_announce, echo, lldp, mac};

fn bundle() -> SealedBundle {
    let mut bundle = BundleBuilder::new(60_000);
    let member = || Role::Uplink { bond: Some("vswitch0_bond".into()) };
    let vm = Role::Vnet { vm: Some("E0530".into()), guest_mac: Some(mac("0c:da:41:1d:56:a7")) };
    bundle.point("eth2", member(), "").point("eth3", member(), "icmp or arp").point("vnet0", vm, "");
    let bond = bond_show("active-backup", "eth3", "off");
    let flows = "recirc_id(0),in_port(4),eth_type(0x0800),ipv4(dst=10.0.0.2,proto=1,frag=no), packets:9, bytes:9, \
        used:0.1s, actions:drop\n";
    bundle.state(0, &[("ovs-bond", "bond-show", "", &bond), ("ovs-datapath", "dump-flows", "", flows)]);
    let (a, b) = (mac("0c:da:41:1d:56:a7"), mac("40:a8:f0:28:14:d8"));
    for n in 0..9u16 {
        let ms = i64::from(n) * 3_000;
        let ping = echo(false, a, b, Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2), n);
        bundle.frame("vnet0", ms, In, &ping).frame(
            "eth3",
            ms,
            Out,
            &arp_announce(a, Ipv4Addr::new(10, 0, 0, 1)),
        );
        bundle.frame("eth2", ms, Out, &lldp(a, "eth2", "host")).frame("eth2", ms + 1, In, &ping);
    }
    bundle.seal()
}

fn files(sealed: &SealedBundle) -> Vec<PathBuf> {
    let mut files = netcap_tests::files_below(&sealed.path, "");
    files.sort();
    files
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_change_of_a_bundle_is_answered(
        which: prop::sample::Index, at: prop::sample::Index, bytes in prop::collection::vec(any::<u8>(), 1..5), cut: bool,
    ) {
        let sealed = bundle();
        let files = files(&sealed);
        let path = which.get(&files);
        let mut data = fs::read(path).unwrap();
        if !data.is_empty() {
            let at = at.index(data.len());
            let end = (at + bytes.len()).min(data.len());
            data[at..end].copy_from_slice(&bytes[..end - at]);
            if cut {
                data.truncate(at);
            }
        }
        fs::write(path, data).unwrap();
        let out = analyze(&["--json", "-", sealed.path.to_str().unwrap()]);
        let code = out.status.code();
        prop_assert!(matches!(code, Some(0..=2)), "{path:?}: {code:?} {}", String::from_utf8_lossy(&out.stderr));
        prop_assert!(code == Some(2) || serde_json::from_slice::<serde_json::Value>(&out.stdout).is_ok());
    }

    #[test]
    fn numbers_that_cannot_be_are_answered(text in "[-0-9]{1,24}", which in 0usize..40) {
        let sealed = bundle();
        let path = sealed.path.join("manifest.json");
        let manifest = fs::read_to_string(&path).unwrap();
        let mut seen = 0;
        // The n-th number of the manifest becomes another one.
        let changed: String = manifest
            .split_inclusive(|c: char| !c.is_ascii_digit())
            .map(|piece| {
                let digits = piece.trim_end_matches(|c: char| !c.is_ascii_digit());
                seen += usize::from(!digits.is_empty());
                if !digits.is_empty() && seen == which + 1 { piece.replacen(digits, &text, 1) } else { piece.to_owned() }
            })
            .collect();
        fs::write(&path, changed).unwrap();
        let code = analyze(&[sealed.path.to_str().unwrap()]).status.code();
        prop_assert!(matches!(code, Some(0..=2)), "{code:?}");
    }
}

/// What is compared with is a file to be read once: nothing is waited for, and nothing without end is read.
#[test]
fn a_verdict_to_compare_with_that_is_no_file_or_has_no_end_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("input.tar");
    fs::write(&input, netcap_tests::sample("acl-drop", "fires")).unwrap();
    let at = |name: &str| dir.path().join(name);
    let fifo = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
    assert!(fifo.success());
    fs::File::create(at("holes")).unwrap().set_len(12 << 30).unwrap();
    fs::write(at("crowd"), format!("[{}0]", "0,".repeat(2_000_000))).unwrap();
    fs::create_dir(at("folder")).unwrap();
    for (name, english, chinese) in [
        ("pipe", "no regular file", "不是普通文件"),
        ("folder", "no regular file", "不是普通文件"),
        ("holes", "never has more than", "不会超过"),
        ("crowd", "more than 1000000 values", "超过 1000000"),
        ("/dev/zero", "no regular file", "不是普通文件"),
    ] {
        let path = at(name);
        for (lang, words) in [("en", english), ("zh-CN", chinese)] {
            let options = ["--lang", lang, "--expect"].map(std::path::PathBuf::from);
            let all: Vec<_> = options.into_iter().chain([path.clone(), input.clone()]).collect();
            assert_eq!(crate::mutations::judge(&all).map(|(code, ..)| code), Ok(2), "{name}");
            let names: Vec<&str> = all.iter().map(|path| path.to_str().unwrap()).collect();
            let said = String::from_utf8(crate::analyze(&names).stderr).unwrap();
            assert!(said.contains(words) && said.lines().count() == 1, "{name}: {said}");
        }
    }
}

#[test]
fn what_is_wrong_with_the_command_line_is_said_in_the_users_language() {
    for (words, chinese) in [
        (&["--threads", "0"][..], "1 到 1024"),
        (&["--threads", "x"], "1 到 1024"),
        (&["--color", "blue"], "可选值为"),
        (&["--nonsense"], "没有选项"),
        (&["--json"], "需要一个值"),
    ] {
        let output = crate::analyze(&[words, &["--lang=zh-CN"]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(chinese), "{words:?}: {said}");
    }
}
