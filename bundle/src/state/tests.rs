use super::*;
use crate::Nanos;
use crate::files::Files;
use crate::held::Dir;
use crate::source::{Cadence, Each, How, Outcome, Parsed, RawItem, Reason, Recipe, Snapshot, SourceDef};

#[derive(Debug, Default)]
struct Words(Vec<String>);

impl Snapshot for Words {
    const DEF: SourceDef = SourceDef {
        id: "words",
        about: "",
        cadence: Cadence::Periodic,
        recipes: &[Recipe {
            item: "list",
            each: Each::Once,
            how: How::File("/x"),
            bytes_max: 100_000,
            timeout_ms: 1,
        }],
    };

    fn parse(items: &[RawItem<'_>]) -> Parsed<Self> {
        Parsed { value: Self(items.iter().map(|i| i.text().into_owned()).collect()), ..Parsed::default() }
    }
}

fn taken(text: &str, at: i64) -> Taken {
    Taken {
        source: "words",
        item: "list",
        arg: "vswitch0".into(),
        at: Nanos(at),
        took_ns: 1,
        outcome: Outcome::Ok,
        bytes: text.as_bytes().to_vec(),
        truncated: false,
        stderr: Vec::new(),
    }
}

fn reader(dir: &std::path::Path) -> (StateReader, Files) {
    let text = std::fs::read_to_string(dir.join(crate::run::layout::STATE_INDEX)).unwrap();
    (StateReader::from_index(&text), Files::directory(dir).unwrap())
}

#[test]
fn what_does_not_change_is_stored_once_and_visited_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = StateWriter::create(&Dir::open(dir.path()).unwrap(), 1 << 20).unwrap();
    for (text, at) in [("a", 10), ("a", 20), ("b", 30), ("b", 40)] {
        writer.round(vec![taken(text, at)]).unwrap();
    }
    let (state, files) = reader(dir.path());
    assert_eq!(state.lines().count(), 4);
    let mut seen = Vec::new();
    state.visit::<Words>(&files, |r| {
        seen.push((r.at.0, r.parsed.value.0.concat()));
        true
    });
    // The last round is always visited: it says until when the state held.
    assert_eq!(seen, [(10, "a".into()), (30, "b".into()), (40, "b".into())]);
    assert_eq!(std::fs::read_dir(dir.path().join("state/words/list@vswitch0")).unwrap().count(), 2);
}

#[test]
fn large_samples_come_back_and_the_budget_holds() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = StateWriter::create(&Dir::open(dir.path()).unwrap(), 30_000).unwrap();
    let large = "recirc_id(0),in_port(3) ".repeat(4_000);
    writer.round(vec![taken(&large, 1)]).unwrap();
    let noise: String = (0..4_000u32).map(|n| blake3::hash(&n.to_le_bytes()).to_hex().to_string()).collect();
    writer.round(vec![taken(&noise, 2)]).unwrap();
    assert_eq!(writer.refused(), 1);
    let (state, files) = reader(dir.path());
    let first = state.first::<Words>(&files).unwrap();
    assert_eq!(first.parsed.value.0, [large]);
    assert!(state.lines().any(|l| matches!(&l.outcome, Outcome::Failed { reason: Reason::Budget, .. })));
}

#[test]
fn what_is_longer_than_its_recipe_keeps_is_cut_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = StateWriter::create(&Dir::open(dir.path()).unwrap(), 1 << 20).unwrap();
    for (length, at) in [(100_000, 1), (100_001, 2)] {
        writer.round(vec![taken(&"x".repeat(length), at)]).unwrap();
    }
    let (state, files) = reader(dir.path());
    assert_eq!(state.first::<Words>(&files).unwrap().parsed.value.0[0].len(), 100_000);
    assert_eq!(state.partial(), Vec::<&str>::new());
    assert_eq!(state.last::<Words>(&files).unwrap().parsed.value.0[0].len(), 100_000);
    assert_eq!(state.partial(), ["words"]);
}

#[test]
fn a_torn_index_line_never_existed() {
    let state = StateReader::from_index("{\"round\":1,\"source\":\"words\"\n\nnonsense");
    assert_eq!((state.defects, state.lines().count()), (2, 0));
}

/// From when and until when it was so; what lies between says nothing more.
#[test]
fn of_a_stretch_without_change_the_first_and_the_last_round_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = StateWriter::create(&Dir::open(dir.path()).unwrap(), 1 << 20).unwrap();
    for (text, at) in [("a", 10), ("a", 20), ("a", 30), ("a", 40), ("b", 50)] {
        writer.round(vec![taken(text, at)]).unwrap();
    }
    let (state, _) = reader(dir.path());
    assert_eq!(state.lines().map(|line| line.at.0).collect::<Vec<_>>(), [10, 40, 50]);
}
