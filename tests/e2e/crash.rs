//! Killed at any moment, everything up to the last second is there.

use std::path::Path;
use std::thread;
use std::time::Duration;

use netcap_bundle::layout;
use netcap_bundle::packets::Direction::In;
use netcap_bundle::run::End;
use netcap_tests::privileged;
use nix::sys::signal::Signal;

use crate::disk::SmallDisk;
use crate::net::{Net, arp};
use crate::run::{Bundle, Run, entries, lying, netcap, wait_for};

#[test]
fn killed_and_sealed_later() {
    if !privileged("killed_and_sealed_later") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["arp"]);
    let dir = run.dir().unwrap().display().to_string();
    let early = netcap(&net, &["seal", &dir]).output().unwrap();
    assert_eq!(early.status.code(), Some(1), "a run that is being recorded is left alone: {early:?}");
    net.send_in(&arp(&[], 100), 50);
    run.wrote(50);
    let (dir, out) = run.kill();
    let name = dir.display().to_string();
    let sealed = netcap(&net, &["seal", &name]).output().unwrap();
    assert!(sealed.status.success(), "{sealed:?}");
    assert!(!dir.exists());
    let bundle = Bundle::open(&dir.with_extension("tar"), Some(out));
    assert_eq!(bundle.count(In, &arp(&[], 100)), 50);
    assert_eq!((bundle.manifest.end.clone(), bundle.manifest.ended), (End::Recovered, None));
    assert!(bundle.manifest.segments[0].repaired);
    let remarks = &bundle.manifest.remarks;
    assert!(remarks.iter().any(|r| r.contains("drops are at least what is counted")), "{remarks:?}");
}

#[test]
fn nothing_is_left_changed_on_the_interface() {
    if !privileged("nothing_is_left_changed_on_the_interface") {
        return;
    }
    let net = Net::new();
    let promiscuity = || {
        let mut ip = std::process::Command::new("ip");
        let output = ip.args(["-n", &net.near, "-d", "link", "show", "cap0"]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.split_whitespace().skip_while(|w| *w != "promiscuity").nth(1).map(str::to_owned)
    };
    let run = Run::start(&net, &[]);
    assert_eq!(promiscuity().as_deref(), Some("1"));
    drop(run.kill());
    // The helper holds the ring's descriptor too, and dies a moment later.
    wait_for("the kernel to take it back", || promiscuity().as_deref() == Some("0"));
}

#[test]
fn impatience_while_it_ends_loses_nothing() {
    if !privileged("impatience_while_it_ends_loses_nothing") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["arp"]);
    net.send_in(&arp(&[], 100), 500);
    for _ in 0..3 {
        run.signal(Signal::SIGINT);
        thread::sleep(Duration::from_millis(5));
    }
    let (output, bundle) = run.end(Signal::SIGTERM);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(bundle.count(In, &arp(&[], 100)), 500);
}

#[test]
fn a_full_disk_ends_the_run_and_keeps_what_was_there() {
    if !privileged("a_full_disk_ends_the_run_and_keeps_what_was_there") {
        return;
    }
    let net = Net::new();
    let disk = SmallDisk::new("12m");
    let place = disk.place.clone();
    let words = [
        "--iface=cap0",
        "--out",
        &place,
        "--disk-reserve=0",
        "--duration=10m",
        "--no-bundle",
        "--rotate-size=1M",
    ];
    let child = netcap(&net, &words)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn();
    let run = || entries(Path::new(&place)).into_iter().find(|p| p.is_dir());
    wait_for("the first segment", || run().is_some_and(|dir| dir.join(layout::segment("cap0", 1)).is_file()));
    net.send_each_in(noise(1500));
    wait_for("all of it on the disk", || run().is_some_and(|dir| lying(&dir) == 1500));
    assert!(
        run().is_some_and(|dir| dir.join(layout::segment("cap0", 2)).is_file()),
        "the first segment is over"
    );
    // Somebody else takes what is left; nothing was reserved.
    let left = netcap::testing::disk_left(Path::new(&place)).unwrap();
    let other = vec![1; usize::try_from(left).unwrap() - (200 << 10)];
    std::fs::write(Path::new(&place).join("others"), other).unwrap();
    net.send_each_in(noise(3000));
    let output = child.unwrap().wait_with_output().unwrap();
    let first = run().map(|dir| dir.join(layout::segment("cap0", 1)));
    let whole = first.map(|path| zstd_reads(&path));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("No space left") || text.contains("the disk has only"), "{text}");
    assert_eq!(whole, Some(true), "the first segment is whole");
}

/// Whether stock zstd reads the file to its end.
fn zstd_reads(path: &Path) -> bool {
    std::process::Command::new("zstd").arg("-tq").arg(path).status().is_ok_and(|s| s.success())
}

/// Frames that do not compress: 8 MB of them do not go into 3.
pub(crate) fn noise(count: usize) -> Vec<Vec<u8>> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    let mut frame = || {
        let mut frame = arp(&[], 1400);
        frame.iter_mut().skip(60).for_each(|byte| *byte = next());
        frame
    };
    (0..count).map(|_| frame()).collect()
}
