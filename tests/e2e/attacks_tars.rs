//! Tars of attackers where `seal` and `bundle` look for netcap's own: beside a run, as what an interrupted attempt left, as
//! the bundle of a run that is gone. Whatever is said of them, no byte of the run is lost and nothing else is touched.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use netcap_bundle::files::Files;
use netcap_bundle::layout;
use netcap_tests::tars::{EntryType, header, hostile, members, tar_of};
use netcap_tests::{files_below, privileged};

use crate::attacks_files::{ANSWER_MAX, RUN, THEIRS, recording};
use crate::life::text;

/// KiB of memory that are taken at most (invariant 11).
const KIB_MAX: u64 = 256 << 10;

/// GNU time, which measures memory as well.
const TIME: &str = "/usr/bin/time";

/// Where a tar is found, and what of the run is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Beside the whole run, by these names.
    Beside(&'static str),
    /// The same of a run of which a segment is gone already.
    HalfMoved(&'static str),
    /// What says that it is a run is gone too.
    Alone,
}

const PLACES: [Place; 6] = [
    Place::Beside(".tar"),
    Place::Beside(".tar.moving"),
    Place::Beside(".tar.partial"),
    Place::HalfMoved(".tar"),
    Place::HalfMoved(".tar.moving"),
    Place::Alone,
];

/// A run's description or its manifest.
fn says_what_it_is(name: &str) -> bool {
    name.ends_with(layout::RUN) || name.ends_with(layout::MANIFEST)
}

/// Names that lead elsewhere, links and what is written through them, and tars of the run that are not what they say.
fn others(bundle: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let own = members(bundle);
    let and = |name: &str, content: &[u8]| -> Vec<u8> {
        let more = [(name.to_owned(), content.to_vec())];
        tar_of(&more.iter().chain(&own).cloned().collect::<Vec<_>>())
    };
    let link = |kind| {
        let mut head = header(&format!("{RUN}/state"), kind, 0);
        head.set_link_name("../sys").expect("short");
        head.set_cksum();
        [head.as_bytes().to_vec(), and(&format!("{RUN}/state/victim"), b"x")].concat()
    };
    let changed = |part: &str, to: &[u8]| {
        let changed = own.iter().map(|(name, content)| {
            (name.clone(), if name.contains(part) { to.to_vec() } else { content.clone() })
        });
        tar_of(&changed.collect::<Vec<_>>())
    };
    let same_length = own.iter().map(|(name, content)| {
        let content = if says_what_it_is(name) { content.clone() } else { vec![b'x'; content.len()] };
        (name.clone(), content)
    });
    vec![
        ("a way out", and(&format!("{RUN}/../sys/victim"), b"x")),
        ("an absolute name", and("/etc/victim", b"x")),
        ("a symbolic link", link(EntryType::Symlink)),
        ("a second name", link(EntryType::Link)),
        ("segments of nothing", changed("packets/", b"")),
        ("a manifest of nothing", changed(layout::MANIFEST, b"{}")),
        ("other bytes of the same length", tar_of(&same_length.collect::<Vec<_>>())),
        (
            "only a manifest",
            tar_of(&own.iter().filter(|(name, _)| says_what_it_is(name)).cloned().collect::<Vec<_>>()),
        ),
        ("nothing", Vec::new()),
        ("a half", bundle[..bundle.len() / 2].to_vec()),
    ]
}

/// What is in a directory, by path.
fn inside(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(files) = Files::directory(dir) else { return BTreeMap::new() };
    files.paths().map(|path| (path.to_owned(), fs::read(dir.join(path)).expect("it is there"))).collect()
}

/// What is in a tar, by path.
fn packed(tar: &Path) -> BTreeMap<String, Vec<u8>> {
    let name = |name: String| name.strip_prefix(&format!("{RUN}/")).unwrap_or(&name).to_owned();
    let bytes = fs::read(tar).unwrap_or_default();
    members(&bytes).into_iter().map(|(path, content)| (name(path), content)).collect()
}

/// Runs netcap with its time and memory measured.
fn measured(words: &[&str]) -> (Output, u64) {
    let report = tempfile::NamedTempFile::new().expect("a file");
    let mut command = Command::new(TIME);
    command.args(["-q", "-f", "%M", "-o"]).arg(report.path()).arg(env!("CARGO_BIN_EXE_netcap")).args(words);
    let output = command.env("LC_ALL", "C").stdin(Stdio::null()).output().expect("GNU time is installed");
    let kib = fs::read_to_string(report.path()).unwrap_or_default();
    (output, kib.trim().parse().expect("a number"))
}

/// One tar at one place, and one command. Gives what is wrong with the answer.
fn judge(tar: &[u8], place: Place, words: &[&str]) -> Result<(), String> {
    let (bundle, victim) = recording();
    let (run, top) = (bundle.path.clone(), bundle.path.parent().expect("a place").to_owned());
    if let Place::HalfMoved(_) = place {
        fs::remove_file(run.join(layout::segment("vnet0", 1))).expect("it is there");
    }
    let mut before = inside(&run);
    if place == Place::Alone {
        fs::remove_dir_all(&run).expect("it is there");
        fs::create_dir(&run).expect("a folder");
        before.clear();
    }
    let end = match place {
        Place::Beside(end) | Place::HalfMoved(end) => end,
        Place::Alone => ".tar",
    };
    fs::write(format!("{}{end}", run.display()), tar).expect("room");
    let (began, name) = (Instant::now(), run.display().to_string());
    let all: Vec<&str> = words.iter().map(|word| if *word == "RUN" { name.as_str() } else { word }).collect();
    let (output, kib) = measured(&all);
    let said = text(&output.stdout) + &text(&output.stderr);
    let wrong = |why: &str| Err(format!("{why}: {:?}: {said}", output.status));
    if began.elapsed() > ANSWER_MAX || kib > KIB_MAX {
        return wrong(&format!("{:?}, {kib} KiB", began.elapsed()));
    }
    if !matches!(output.status.code(), Some(0..=3)) || said.trim().len() < 20 || said.contains("panicked") {
        return wrong("no sentence");
    }
    if fs::read_to_string(&victim).ok().as_deref() != Some(THEIRS) {
        return wrong("another's file was touched");
    }
    let stray: Vec<PathBuf> = files_below(&top, "")
        .into_iter()
        .filter(|path| {
            !path.starts_with(&run)
                && *path != victim
                && !path.display().to_string().starts_with(&format!("{name}.tar"))
        })
        .collect();
    if !stray.is_empty() {
        return wrong(&format!("it made {stray:?}"));
    }
    let (left, packed) = (inside(&run), packed(Path::new(&format!("{name}.tar"))));
    let moving = self::packed(Path::new(&format!("{name}.tar.moving")));
    for (path, bytes) in &before {
        if ![&left, &packed, &moving].iter().any(|there| there.get(path) == Some(bytes)) {
            return wrong(&format!("{path} is lost"));
        }
    }
    Ok(())
}

#[test]
fn tars_of_attackers_cost_no_byte_of_a_run() {
    if !privileged("tars_of_attackers_cost_no_byte_of_a_run") {
        return;
    }
    let (bundle, _) = recording();
    let path = bundle.path.display().to_string();
    assert!(measured(&["bundle", &path]).0.status.success());
    let honest = fs::read(format!("{path}.tar")).unwrap();
    let mut wrong = Vec::new();
    let commands = [&["seal", "RUN"][..], &["bundle", "RUN"], &["bundle", "--move", "RUN"]];
    for (number, (name, tar)) in hostile(&honest).into_iter().chain(others(&honest)).enumerate() {
        for (at, place) in PLACES.into_iter().enumerate() {
            // Each at each place, and each command at each of both in turn.
            let words = commands[(number + at) % commands.len()];
            if let Err(why) = judge(&tar, place, words) {
                wrong.push(format!("{name}, {place:?}, {words:?}: {why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
