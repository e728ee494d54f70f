use super::*;
use crate::disk::rundir::Start;
use std::fs;

#[test]
fn a_dead_run_becomes_a_tar_and_its_directory_goes() {
    let out = tempfile::tempdir().unwrap();
    let run = RunDir::create(out.path(), &[], Start::default()).unwrap();
    let (dir, name) = (run.path.clone(), run.info.run.clone());
    assert!(matches!(seal_dead(&dir, true), Err(Error::Active(_))));
    drop(run);
    assert_eq!(seal_dead(&dir, true).unwrap(), 0);
    let tar = out.path().join(format!("{name}.tar"));
    assert!(tar.is_file() && !dir.exists());
    assert!(!out.path().join(format!("{name}.tar.partial")).exists());
    // Killed in the last moment: an empty folder, and half a copy that was begun before the move.
    fs::create_dir(&dir).unwrap();
    fs::write(out.path().join(format!("{name}.tar.moving")), "begun").unwrap();
    for _ in 0..2 {
        assert_eq!(seal_dead(&dir, true).unwrap(), 0, "once more is no mistake");
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
    }
}

#[test]
fn what_a_kill_left_of_a_bundled_directory_never_takes_the_bundles_place() {
    let out = tempfile::tempdir().unwrap();
    let run = RunDir::create(out.path(), &[], Start::default()).unwrap();
    fs::write(run.path.join(layout::LOG), "all that was said").unwrap();
    let (dir, name) = (run.path.clone(), run.info.run.clone());
    let tar = out.path().join(format!("{name}.tar"));
    drop(run);
    assert_eq!(bundle(&dir, false, None).unwrap(), 0);
    let whole = fs::read(&tar).unwrap();
    for gone in [&[layout::LOG][..], &[layout::MANIFEST], &[layout::LOG, layout::MANIFEST], &[]] {
        let keep = tempfile::tempdir().unwrap();
        let kept: Vec<_> = fs::read_dir(&dir).unwrap().flatten().collect();
        for entry in &kept {
            fs::copy(entry.path(), keep.path().join(entry.file_name())).unwrap();
        }
        for file in gone {
            fs::remove_file(dir.join(file)).unwrap();
        }
        assert_eq!(seal_dead(&dir, true).unwrap(), 0, "{gone:?}");
        assert!(fs::read(&tar).unwrap() == whole && !dir.exists(), "{gone:?}");
        fs::create_dir(&dir).unwrap();
        for entry in kept {
            fs::copy(keep.path().join(entry.file_name()), entry.path()).unwrap();
        }
    }
    fs::write(&tar, "something else").unwrap();
    assert!(seal_dead(&dir, true).is_err() && fs::read(&tar).unwrap() == b"something else");
}

#[test]
fn a_directory_that_is_no_run_is_refused() {
    let out = tempfile::tempdir().unwrap();
    assert_eq!(seal_dead(out.path(), true).unwrap_err().exit_status(), 2);
}
