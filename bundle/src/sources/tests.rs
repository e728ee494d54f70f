use super::*;
use crate::source::How;

#[test]
fn ids_are_sorted_and_unique() {
    let ids: Vec<&str> = ALL.iter().map(|source| source.def.id).collect();
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(ids, sorted);
    assert_eq!(by_id("ovsdb").map(|def| def.id), Some("ovsdb"));
}

#[test]
fn items_are_unique_named_for_files_and_bounded() {
    for def in ALL.iter().map(|source| source.def) {
        let mut items: Vec<&str> = def.recipes.iter().map(|recipe| recipe.item).collect();
        items.sort_unstable();
        items.dedup();
        assert_eq!(items.len(), def.recipes.len(), "{}", def.id);
        for recipe in def.recipes {
            assert!(recipe.item.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            assert!(
                (1..=16 << 20).contains(&recipe.bytes_max) && (100..=10_000).contains(&recipe.timeout_ms)
            );
            match recipe.how {
                How::Command(argv) => assert!(!argv.is_empty()),
                How::File(path) => assert!(path.starts_with('/')),
            }
        }
    }
}

#[test]
fn what_recipes_are_repeated_over_is_listed_before() {
    let order: Vec<&str> = in_order().iter().map(|def| def.id).collect();
    let place = |id: &str| order.iter().position(|other| *other == id);
    for def in ALL.iter().map(|source| source.def) {
        for (at, recipe) in def.recipes.iter().enumerate() {
            let Some(elements) = recipe.each.elements() else { continue };
            let lister = place(elements.listed_by).unwrap_or_else(|| panic!("no {}", elements.listed_by));
            let before = if elements.listed_by == def.id { at > 0 } else { Some(lister) < place(def.id) };
            assert!(before, "{} {} before its {}s are known", def.id, recipe.item, elements.id);
        }
    }
    assert_eq!(order.len(), ALL.len());
    assert_eq!(listed_by("libvirt").map(|kind| kind.id).collect::<Vec<_>>(), ["domain", "nwfilter"]);
}

#[test]
fn names_of_one_kind_are_of_one_kind() {
    let kinds = ALL.iter().flat_map(|source| listed_by(source.def.id));
    let mut seen = std::collections::BTreeMap::new();
    for kind in kinds {
        assert!(seen.insert(kind.id, kind.listed_by).is_none(), "{} is listed twice", kind.id);
        for hostile in ["", "..", "-x", "a/b", "../a", "a\0", "a\n"] {
            assert!(!(kind.is_name)(hostile), "{}: {hostile:?}", kind.id);
        }
    }
    assert!(seen.contains_key("bridge"));
}
