//! Which room of a crate may know which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use netcap_tests::root;

use crate::law::{Law, read};
use crate::modules::{Arrow, Crate, Name};

const TABLE: &str = "tests/tidy/rooms.txt";

/// The place of each room of a crate, counted from the top.
type Floors = BTreeMap<String, usize>;

/// Reads the table: `[CRATE]`, then lines of rooms from the top down.
fn table(text: &str) -> BTreeMap<String, Floors> {
    let mut crates: BTreeMap<String, Floors> = BTreeMap::new();
    let mut current = None;
    for (line, text) in text.lines().map(str::trim).enumerate() {
        if let Some(krate) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            current = Some(crates.entry(krate.to_owned()).or_default());
        } else if let Some(floors) = current.as_mut().filter(|_| !text.starts_with('#')) {
            for room in text.split_whitespace() {
                assert!(floors.insert(room.to_owned(), line).is_none(), "{TABLE}: {room} stands there twice");
            }
        }
    }
    crates
}

#[test]
fn rooms_know_only_those_below_them() {
    let mut law = Law::new("a room uses only those below it in tests/tidy/rooms.txt");
    let path = root().join(TABLE);
    let table = table(&read(&path));
    for krate in table.keys().filter(|krate| !root().join(krate).join("src/lib.rs").is_file()) {
        law.breach(&path, format!("there is no crate {krate}"));
    }
    for (name, floors) in &table {
        let krate = Crate::read(name);
        let rooms = krate.children(&[]);
        for room in rooms.iter().filter(|room| !floors.contains_key(*room)) {
            law.breach(&path, format!("{name}: {room} has no place"));
        }
        for room in floors.keys().filter(|room| !rooms.contains(*room)) {
            law.breach(&path, format!("{name}: there is no room {room}"));
        }
        for Arrow { from, to } in krate.arrows() {
            let (Some(a), Some(b)) = (from.first(), to.first()) else { continue };
            let (Some(here), Some(there)) = (floors.get(a), floors.get(b)) else { continue };
            if a != b && there <= here {
                law.breach(krate.file(&from), format!("uses {}, and {b} is not below {a}", to.join("::")));
            }
        }
    }
    law.judge();
}

#[test]
fn no_circle_between_neighbours() {
    let mut law = Law::new("what stands side by side in a room forms no circle");
    for name in table(&read(&root().join(TABLE))).into_keys() {
        let krate = Crate::read(&name);
        let arrows = krate.arrows();
        for room in krate.rooms() {
            for circle in circles(&between(&arrows, &room)) {
                let place = Path::new(&name).join("src").join(room.join("/"));
                law.breach(&root().join(place), circle.join(", "));
            }
        }
    }
    law.judge();
}

/// Which module right below a room names which.
fn between(arrows: &BTreeSet<Arrow>, room: &[String]) -> BTreeMap<String, BTreeSet<String>> {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let child = |module: &Name| module.strip_prefix(room).and_then(<[String]>::first).cloned();
    for arrow in arrows {
        if let (Some(from), Some(to)) = (child(&arrow.from), child(&arrow.to)) {
            known.entry(from).or_default().insert(to);
        }
    }
    known
}

/// Groups in which each reaches each other one, with the arrows inside.
fn circles(known: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reached = |start: &String| {
        let mut seen: BTreeSet<&String> = BTreeSet::new();
        let mut todo: Vec<&String> = known.get(start).into_iter().flatten().collect();
        while let Some(next) = todo.pop() {
            if seen.insert(next) {
                todo.extend(known.get(next).into_iter().flatten());
            }
        }
        seen
    };
    let reach: BTreeMap<&String, BTreeSet<&String>> =
        known.keys().map(|start| (start, reached(start))).collect();
    let both = |a: &String, b: &String| {
        let reaches = |a, b| reach.get(a).is_some_and(|seen| seen.contains(b));
        a != b && reaches(a, b) && reaches(b, a)
    };
    let mut found: BTreeMap<&String, Vec<String>> = BTreeMap::new();
    for (from, targets) in known {
        for to in targets.iter().filter(|to| both(from, to)) {
            // A circle is called after the first of its members.
            let first = reach.keys().find(|other| **other == from || both(from, other)).unwrap_or(&from);
            found.entry(first).or_default().push(format!("{from} -> {to}"));
        }
    }
    found.into_values().collect()
}

#[test]
fn circles_are_found_with_their_arrows() {
    let known = |arrows: &[(&str, &str)]| {
        let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in arrows {
            known.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        circles(&known)
    };
    assert!(known(&[("a", "b"), ("b", "c"), ("a", "c"), ("a", "a")]).is_empty());
    let two = known(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "x"), ("x", "y"), ("y", "x")]);
    assert_eq!(two, [vec!["a -> b", "b -> c", "c -> a"], vec!["x -> y", "y -> x"]]);
}

#[test]
fn the_table_is_read() {
    let table = table("# from the top\n[one]\ntop\nleft right\n\n[two]\nonly\n");
    let one = table.get("one").unwrap();
    assert!(one["top"] < one["left"] && one["left"] == one["right"]);
    assert_eq!(table.keys().collect::<Vec<_>>(), ["one", "two"]);
}
