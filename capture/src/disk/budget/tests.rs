use super::*;
use std::fs;
use std::io::Write;

fn held(dir: &Path) -> Dir {
    Dir::open(dir).unwrap()
}

fn budget(dir: &Path, max: u64) -> Arc<Budget> {
    Budget::new(&held(dir), Bounds { max, floor: 0, segment: 64 << 10 }, 1000)
}

#[test]
fn the_oldest_of_the_greatest_goes_and_the_sum_never_exceeds_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let budget = budget(dir.path(), 1 << 20);
    for n in 0..100 {
        let point = if n % 10 == 0 { "quiet" } else { "busy" };
        budget.open_segment().unwrap();
        let path = format!("{point}{n}");
        let mut file = Metered::new(fs::File::create(dir.path().join(&path)).unwrap(), &budget);
        file.write_all(&vec![7; 40_000]).unwrap();
        drop(file);
        budget.closed(point, path, 40_000);
        assert!(directory_bytes(dir.path()) <= budget.limit());
    }
    assert!(budget.seen().removed > 80);
    assert!(dir.path().join("quiet90").exists() && dir.path().join("quiet50").exists(), "a fair share");
    assert!(!dir.path().join("busy1").exists() && dir.path().join("busy99").exists());
    let kept = directory_bytes(dir.path());
    assert!(kept > budget.limit() / 2, "{kept}");
}

#[test]
fn what_does_not_fit_is_refused_and_a_lease_is_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let budget = budget(dir.path(), 400 << 10);
    let create = |name| fs::File::create(dir.path().join(name)).unwrap();
    drop(Metered::new(create("a"), &budget));
    let mut file = Metered::new(create("b"), &budget);
    file.write_all(&[1; 10_000]).unwrap();
    drop(file);
    assert_eq!(budget.store().used, 11_000);
    assert_eq!(budget.take(1 << 20).unwrap_err().kind(), io::ErrorKind::StorageFull);
    let floor = Budget::new(&held(dir.path()), Bounds { max: 1 << 20, floor: u64::MAX, segment: 1 }, 0);
    assert!(floor.take(1).is_err() && floor.low());
}

#[test]
fn the_reserve_is_for_the_end_of_the_run_and_for_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let reserved = budget(dir.path(), 1 << 20);
    reserved.reserve(50_000).unwrap();
    let [first, last] = layout::RESERVES.map(|path| dir.path().join(path));
    assert_eq!((first.metadata().unwrap().len(), reserved.store().used), (50_000, 101_000));
    reserved.reserve_more(10_000).unwrap();
    for path in [&first, &last] {
        assert_eq!(path.metadata().unwrap().len(), 60_000);
    }
    assert_eq!(reserved.store().used, 121_000);
    reserved.ending();
    reserved.ending();
    assert!(first.exists() != last.exists());
    assert_eq!(reserved.store().used, 61_000);
    assert_eq!(reserved.store().credit, 60_000);
    reserved.sealing();
    assert!(!first.exists() && !last.exists() && reserved.store().used == 1000);
    assert!(reserved.reserve_more(1000).is_ok() && reserved.store().used == 1000, "none is left");
    let low = Budget::new(&held(dir.path()), Bounds { max: 1 << 20, floor: u64::MAX, segment: 1 }, 0);
    low.store().credit = 1000;
    assert!(low.take(600).is_ok() && low.take(600).is_err() && low.take(400).is_ok() && low.low());
}
