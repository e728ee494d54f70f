//! Attacks on a held directory by whoever can change what lies in it, and honest use beside them.

use std::fs;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use super::*;

/// A user who is not root.
const STRANGER: u32 = 65_534;

fn place() -> (tempfile::TempDir, Dir) {
    let top = tempfile::tempdir().unwrap();
    let dir = Dir::open(top.path()).unwrap();
    (top, dir)
}

fn why<T: fmt::Debug>(done: io::Result<T>) -> Mistrust {
    let error = done.expect_err("it is refused");
    mistrust(&error).cloned().unwrap_or_else(|| panic!("no mistrust: {error}"))
}

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
}

/// Tests that need another user's files cannot be had by an ordinary one.
fn is_root() -> bool {
    tempfile::tempfile().unwrap().metadata().unwrap().uid() == 0
}

#[test]
fn honest_files_are_made_read_put_in_place_and_removed() {
    let (top, dir) = place();
    dir.make_dir("a/b").unwrap();
    dir.make_dir("a/b").unwrap();
    dir.create_new("a/b/x").unwrap().write_all(b"one").unwrap();
    assert_eq!(dir.create_new("a/b/x").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    dir.append("a/b/x").unwrap().write_all(b" two").unwrap();
    dir.append("a/b/y").unwrap().write_all(b"three").unwrap();
    assert_eq!(dir.read_all("a/b/x", 7).unwrap(), b"one two");
    dir.replace_with("a/b/x", b"four").unwrap();
    dir.create_anew("a/b/y").unwrap();
    let inside = dir.dir("a/b").unwrap();
    assert_eq!((inside.read_all("x", 9).unwrap(), dir.meta("a/b/y").unwrap().len), (b"four".to_vec(), 0));
    assert_eq!((dir.bytes(), inside.path()), (4, &*top.path().canonicalize().unwrap().join("a/b")));
    assert_eq!(inside.list(9).unwrap(), [("x".to_owned(), Kind::File), ("y".to_owned(), Kind::File)]);
    dir.rename("a/b/x", "a/z").unwrap();
    dir.sync_below("a/z").unwrap();
    dir.sync_around("a/z").unwrap();
    dir.remove_if_there("a/b/x").unwrap();
    assert!(dir.has_file("a/z") && !dir.has("a/b/x") && !dir.has_file("a"));
    dir.clear_but("a").unwrap();
    assert_eq!(dir.dir("a").unwrap().beside().unwrap().path(), dir.path());
    dir.dir("a").unwrap().remove_with_all().unwrap();
    assert!(dir.list(9).unwrap().is_empty() && dir.is_in_place());
    dir.remove_itself().unwrap();
    assert!(!top.path().exists() && !dir.is_in_place());
}

#[test]
fn the_partial_name_is_the_one_it_always_was() {
    for (path, name) in [
        ("manifest.json", "manifest.partial"),
        ("packets/a.b/000001.pcapng.zst", "packets/a.b/000001.pcapng.partial"),
        ("x.y/z", "x.y/z.partial"),
    ] {
        assert_eq!(files::partial(path), name);
        assert_eq!(Path::new(path).with_extension("partial"), Path::new(name));
    }
}

#[test]
fn no_link_is_followed_wherever_it_lies() {
    let (top, dir) = place();
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("victim");
    fs::write(&victim, "as it was").unwrap();
    symlink(&victim, top.path().join("file")).unwrap();
    symlink(outside.path(), top.path().join("folder")).unwrap();
    symlink(&victim, top.path().join("manifest.partial")).unwrap();
    for path in ["file", "folder/victim"] {
        assert_eq!(why(dir.read(path)), Mistrust::Link, "{path}");
        assert_eq!(why(dir.modify(path)), Mistrust::Link, "{path}");
        assert_eq!(why(dir.append(path)), Mistrust::Link, "{path}");
        assert_eq!(why(dir.create_anew(path)), Mistrust::Link, "{path}");
    }
    assert_eq!(why(dir.replace_with("manifest.json", b"x")), Mistrust::Link);
    assert_eq!(why(dir.create_new("folder/new")), Mistrust::Link);
    assert_eq!(why(dir.make_dir("folder/new")), Mistrust::Link);
    assert_eq!(why(dir.dir("folder")), Mistrust::Link);
    assert_eq!(why(dir.remove("folder/victim")), Mistrust::Link);
    assert_eq!(why(dir.rename("folder/victim", "mine")), Mistrust::Link);
    assert_eq!(why(dir.sync_below("file")), Mistrust::Link);
    assert_eq!(dir.meta("file").unwrap().kind, Kind::Other);
    // What is removed are the links.
    dir.clear_but("").unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "as it was");
    assert_eq!((fs::read_dir(outside.path()).unwrap().count(), dir.list(9).unwrap().len()), (1, 0));
}

#[test]
fn both_ways_below_a_directory_answer_the_same() {
    let (top, dir) = place();
    dir.make_dir("a").unwrap();
    dir.create_new("a/x").unwrap();
    symlink("x", top.path().join("a/link")).unwrap();
    symlink("a", top.path().join("b")).unwrap();
    for path in ["a/x", "a/link", "b/x", "a/none", "none/x", "a/x/y"] {
        let parts: Vec<&str> = path.split('/').collect();
        let answer =
            |done: io::Result<OwnedFd>| done.map(drop).map_err(|e| (mistrust(&e).cloned(), e.raw_os_error()));
        let one = answer(dir.open_below(path, OFlags::RDONLY, Mode::empty()));
        assert_eq!(one, answer(dir.step_by_step(&parts, OFlags::RDONLY, Mode::empty())), "{path}");
    }
}

#[test]
fn paths_that_are_not_plain_are_refused() {
    let (_top, dir) = place();
    for path in ["", "/", "/etc/passwd", "..", "a/../..", "./a", "a//b", "a/", "a\0b", "a/."] {
        assert_eq!(why(dir.read(path)), Mistrust::Outside, "{path:?}");
        assert_eq!(why(dir.remove(path)), Mistrust::Outside, "{path:?}");
        assert_eq!(why(dir.create_anew(path)), Mistrust::Outside, "{path:?}");
    }
}

#[test]
fn nothing_is_waited_for_and_nothing_endless_is_read() {
    let (top, dir) = place();
    fifo(&top.path().join("pipe"));
    fs::create_dir(top.path().join("folder")).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(top.path().join("socket")).unwrap();
    fs::File::create(top.path().join("sparse")).unwrap().set_len(12 << 30).unwrap();
    fs::write(top.path().join("one"), "x").unwrap();
    fs::hard_link(top.path().join("one"), top.path().join("two")).unwrap();
    let began = Instant::now();
    for path in ["pipe", "folder", "socket"] {
        assert_eq!(why(dir.read_all(path, 100)), Mistrust::NotAFile, "{path}");
        assert!(dir.append(path).is_err() && dir.create_anew(path).is_err(), "{path}");
    }
    assert_eq!(why(dir.read_all("sparse", 1000)), Mistrust::Holes { bytes: 12 << 30 });
    fs::write(top.path().join("large"), [1; 1001]).unwrap();
    assert_eq!(why(dir.read_all("large", 1000)), Mistrust::TooLarge { size: 1001, max: 1000 });
    let mut large = fs::OpenOptions::new().write(true).open(top.path().join("large")).unwrap();
    for at in [70 << 20, 100 << 20] {
        large.seek(io::SeekFrom::Start(at)).unwrap();
        large.write_all(b"x").unwrap();
    }
    assert!(matches!(why(dir.read("large")), Mistrust::Holes { bytes } if bytes > 64 << 20));
    fs::write(top.path().join("large"), vec![1; 70 << 20]).unwrap();
    let mut first = [0];
    dir.read("large").unwrap().read_exact(&mut first).unwrap();
    assert_eq!(first, [1], "it is read from its beginning");
    assert_eq!(why(dir.read("two")), Mistrust::Linked { links: 2 });
    assert_eq!(why(dir.create_anew("one")), Mistrust::Linked { links: 2 });
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let twin = |name| dir.read_twin("two", &Dir::open(top.path()).unwrap(), name);
    assert!(twin("one").is_ok() && twin("none").is_err());
    assert_eq!(why(twin("sparse")), Mistrust::Moved);
    // The explainer looks at copies that share files, and still waits for nothing.
    let visited = Dir::visit(top.path()).unwrap();
    assert!(visited.read("two").is_ok());
    assert_eq!(why(visited.read("pipe")), Mistrust::NotAFile);
    assert_eq!(why(Dir::file_of_anybody(&top.path().join("pipe"))), Mistrust::NotAFile);
}

#[test]
fn what_others_own_or_can_write_is_refused() {
    if !is_root() {
        return;
    }
    let (top, dir) = place();
    let at = |name: &str| top.path().join(name);
    for name in ["theirs", "open", "sticky", "ours"] {
        fs::create_dir_all(at(name).join("run")).unwrap();
        fs::write(at(name).join("run/x"), "x").unwrap();
    }
    chown(at("theirs"), Some(STRANGER), Some(STRANGER)).unwrap();
    fs::set_permissions(at("open"), fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(at("sticky"), fs::Permissions::from_mode(0o1777)).unwrap();
    let real = |name: &str| top.path().canonicalize().unwrap().join(name);
    for path in ["theirs", "theirs/run", "theirs/new", "theirs/../ours"] {
        let owner = Mistrust::Owner { dir: real("theirs"), uid: STRANGER };
        assert_eq!(why(Dir::create(&at(path))), owner, "{path}");
        assert_eq!(why(Dir::check(&at(path))), owner, "{path}");
    }
    assert_eq!(why(Dir::open(&at("open/run"))), Mistrust::Writable { dir: real("open") });
    assert!(Dir::open(&at("sticky/run")).is_ok() && Dir::check(&at("sticky/new/run")).is_ok());
    assert_eq!(
        why(Dir::open(&at("sticky")).unwrap().is_private()),
        Mistrust::Writable { dir: real("sticky") }
    );
    chown(at("sticky/run"), Some(STRANGER), None).unwrap();
    assert!(matches!(why(Dir::open(&at("sticky/run"))), Mistrust::Owner { uid: STRANGER, .. }));
    chown(at("ours/run/x"), Some(STRANGER), None).unwrap();
    let ours = Dir::open(&at("ours/run")).unwrap();
    assert_eq!(why(ours.read("x")), Mistrust::FileOwner { uid: STRANGER });
    assert_eq!(why(ours.append("x")), Mistrust::FileOwner { uid: STRANGER });
    assert!(ours.is_private().is_ok() && Dir::visit(&at("theirs/run")).is_ok());
    assert_eq!(why(dir.dir("theirs")), Mistrust::Owner { dir: real("theirs"), uid: STRANGER });
}

#[test]
fn group_and_link_count_only_if_they_are_others() {
    if !is_root() {
        return;
    }
    let (top, _) = place();
    let at = |name: &str| top.path().join(name);
    fs::create_dir_all(at("group/run")).unwrap();
    fs::set_permissions(at("group"), fs::Permissions::from_mode(0o775)).unwrap();
    assert!(Dir::open(&at("group/run")).is_ok(), "root's own group");
    chown(at("group"), None, Some(STRANGER)).unwrap();
    assert!(matches!(why(Dir::open(&at("group/run"))), Mistrust::Writable { .. }));
    chown(at("group"), None, Some(0)).unwrap();
    symlink("group/run", at("link")).unwrap();
    assert_eq!(Dir::open(&at("link")).unwrap().path(), Dir::open(&at("group/run")).unwrap().path());
    std::os::unix::fs::lchown(at("link"), Some(STRANGER), None).unwrap();
    assert!(matches!(why(Dir::open(&at("link"))), Mistrust::Owner { uid: STRANGER, .. }));
    symlink("loop", at("loop")).unwrap();
    assert_eq!(Dir::open(&at("loop")).unwrap_err().raw_os_error(), Some(40), "ELOOP");
    fs::write(at("file"), "").unwrap();
    assert_eq!(why(Dir::open(&at("file/x"))), Mistrust::NotADirectory);
}

/// Whoever can rename below the directory swaps a file, and a folder, for links as fast as they can.
#[test]
fn a_race_never_shows_what_lies_outside() {
    let (top, dir) = place();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("x"), "secret").unwrap();
    dir.make_dir("state").unwrap();
    dir.make_dir("kept").unwrap();
    dir.create_new("state/x").unwrap().write_all(b"public").unwrap();
    dir.create_new("kept/x").unwrap().write_all(b"public").unwrap();
    symlink(outside.path().join("x"), top.path().join("link")).unwrap();
    symlink(outside.path(), top.path().join("folder")).unwrap();
    let over = AtomicBool::new(false);
    let (mut good, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let at = |name: &str| top.path().join(name);
            while !over.load(Relaxed) {
                for (link, honest) in [("link", "state/x"), ("folder", "kept")] {
                    let swap = |flags| rustix::fs::renameat_with(CWD, at(link), CWD, at(honest), flags);
                    let _ = swap(rustix::fs::RenameFlags::EXCHANGE);
                    let _ = swap(rustix::fs::RenameFlags::EXCHANGE);
                }
            }
        });
        let until = Instant::now() + Duration::from_secs(1);
        while Instant::now() < until {
            for path in ["state/x", "kept/x"] {
                let parts: Vec<&str> = path.split('/').collect();
                let flags = OFlags::RDONLY | OFlags::NONBLOCK;
                let stepped = dir.step_by_step(&parts, flags, Mode::empty()).map(fs::File::from);
                for file in [dir.read(path), stepped] {
                    let mut text = String::new();
                    match file.and_then(|mut file| file.read_to_string(&mut text)) {
                        Ok(_) => {
                            assert_eq!(text, "public");
                            good += 1;
                        }
                        Err(_) => refused += 1,
                    }
                }
            }
        }
        over.store(true, Relaxed);
    });
    assert!(good > 100 && refused > 100, "the race was one: {good} read, {refused} refused");
}

#[test]
fn a_directory_that_was_swapped_is_not_removed_in_place_of_itself() {
    let (top, dir) = place();
    let run = dir.make_new_dir("run").unwrap();
    fs::rename(top.path().join("run"), top.path().join("away")).unwrap();
    fs::create_dir(top.path().join("run")).unwrap();
    assert_eq!(why(run.remove_itself()), Mistrust::Moved);
    assert!(top.path().join("run").is_dir() && !run.is_in_place());
}

#[test]
fn very_deep_folders_are_refused_and_do_not_overflow() {
    let (_top, dir) = place();
    let mut at = dir.clone();
    for _ in 0..500 {
        at = at.make_new_dir("d").unwrap();
    }
    assert_eq!(why(dir.clear_but("")), Mistrust::Outside);
    assert_eq!(dir.bytes(), 0);
}

proptest! {
    #[test]
    fn no_path_leads_out(path in "[a-z./\\PC]{0,20}") {
        let (top, dir) = place();
        if let Ok(file) = dir.create_new(&path) {
            drop(file);
            let real = top.path().join(&path).canonicalize().unwrap();
            prop_assert!(real.starts_with(top.path().canonicalize().unwrap()));
        }
    }
}

#[test]
fn what_is_written_anew_is_no_strangers_where_anybody_makes_names() {
    let top = tempfile::tempdir().unwrap();
    let (shared, victim) = (top.path().join("shared"), top.path().join("victim"));
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
    fs::write(&victim, "as it was").unwrap();
    let at = |name: &str| shared.join(name);
    let written = |path: &Path| output(path).and_then(|mut file| file.write_all(b"new"));
    written(&at("new")).unwrap();
    written(&at("new")).unwrap();
    symlink(at("new"), at("own")).unwrap();
    written(&at("own")).unwrap();
    assert_eq!(fs::read_to_string(at("new")).unwrap(), "new");
    assert!(written(Path::new("/dev/null")).is_ok() && written(&top.path().join("none/x")).is_err());
    if !is_root() {
        return;
    }
    symlink(&victim, at("link")).unwrap();
    std::os::unix::fs::lchown(at("link"), Some(STRANGER), None).unwrap();
    fs::write(at("file"), "theirs").unwrap();
    fifo(&at("pipe"));
    for name in ["file", "pipe"] {
        chown(at(name), Some(STRANGER), None).unwrap();
    }
    for name in ["link", "file", "pipe"] {
        assert_eq!(why(output(&at(name))), Mistrust::FileOwner { uid: STRANGER }, "{name}");
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "as it was");
    assert_eq!(fs::read_to_string(at("file")).unwrap(), "theirs");
    // Where nobody else makes names, the user's word is enough.
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o755)).unwrap();
    written(&at("file")).unwrap();
}
