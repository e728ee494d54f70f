use super::*;

fn host(dir: &Path) -> Host {
    Host { root: dir.to_owned(), ovs_rundir: dir.join("ovs") }
}

async fn shell(script: &str, bytes_max: usize, limit_ms: u64) -> Got {
    let dir = tempfile::tempdir().unwrap();
    let words = ["sh", "-c", script].map(str::to_owned);
    run(&host(dir.path()), &words, bytes_max, Duration::from_millis(limit_ms)).await
}

#[tokio::test]
async fn output_status_and_errors_come_back() {
    let got = shell("echo out; echo err >&2; exit 3", 100, 5000).await;
    assert_eq!((got.bytes.as_slice(), got.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    assert_eq!((got.outcome, got.truncated), (Outcome::Exit { code: 3 }, false));
    assert_eq!(shell("kill -9 $$", 100, 5000).await.outcome, Outcome::Exit { code: 137 });
}

#[tokio::test]
async fn a_command_that_hangs_is_ended_with_its_children() {
    let start = Instant::now();
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("pid");
    let got = shell(&format!("sleep 60 & echo $! > {}; wait", mark.display()), 100, 300).await;
    assert_eq!(got.outcome, Outcome::TimedOut);
    assert!(start.elapsed() < Duration::from_secs(5));
    let pid: i32 = std::fs::read_to_string(mark).unwrap().trim().parse().unwrap();
    // The orphan is reaped by whoever adopted it; give it a moment.
    let dead = (0..50).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        !std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    });
    assert!(dead, "the child {pid} still runs");
}

#[tokio::test]
async fn what_a_command_said_before_its_time_was_over_is_kept() {
    let got = shell("echo one; echo why >&2; echo two; printf thr; sleep 60", 100, 500).await;
    assert_eq!((got.bytes.as_slice(), got.stderr.as_slice()), (&b"one\ntwo\nthr"[..], &b"why\n"[..]));
    assert_eq!((got.outcome, got.truncated), (Outcome::TimedOut, true));
    let silent = shell("sleep 60", 100, 200).await;
    assert_eq!((silent.outcome, silent.truncated, silent.bytes), (Outcome::TimedOut, false, Vec::new()));
    let full = shell("printf 0123456789; sleep 60", 10, 300).await;
    assert_eq!((full.outcome, full.truncated, full.bytes.len()), (Outcome::TimedOut, true, 10));
}

#[tokio::test]
async fn a_flood_is_cut_at_the_cap() {
    let got = shell("yes", 1000, 5000).await;
    assert_eq!((got.bytes.len(), got.truncated, got.outcome), (1000, true, Outcome::Ok));
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(dir.path());
    let limit = Duration::from_secs(5);
    for words in [&["ovs-vsctl", "show"][..], &["virsh", "list"], &["no-such-program-here"]] {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        let got = run(&host, &words, 100, limit).await;
        assert!(matches!(&got.outcome, Outcome::Failed { why } if !why.is_empty()), "{words:?}: {got:?}");
    }
    assert!(matches!(read(dir.path().join("x"), 10, limit).await.outcome, Outcome::Failed { .. }));
}

#[tokio::test]
async fn files_are_read_below_the_root() {
    static RECIPE: Recipe = Recipe {
        item: "arp",
        each: netcap_bundle::source::Each::Once,
        how: How::File("/proc/net/arp"),
        bytes_max: 4,
        timeout_ms: 1000,
    };
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("proc/net")).unwrap();
    std::fs::write(dir.path().join("proc/net/arp"), "hello").unwrap();
    let taken = take(&host(dir.path()), "neighbours", &RECIPE, "").await;
    assert_eq!((taken.bytes.as_slice(), taken.truncated, taken.outcome), (&b"hell"[..], true, Outcome::Ok));
}

#[test]
fn the_database_and_the_element_are_put_in() {
    let host = Host { root: "/".into(), ovs_rundir: "/run/ovs".into() };
    assert_eq!(host.words(&["x", "{db}", "a{}"], "br0"), ["x", "unix:/run/ovs/db.sock", "abr0"]);
}
