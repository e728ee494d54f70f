use super::*;
use crate::source::How;

#[test]
fn ids_are_sorted_and_unique() {
    let ids: Vec<&str> = ALL.iter().map(|def| def.id).collect();
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(ids, sorted);
    assert_eq!(by_id("ovsdb").map(|def| def.id), Some("ovsdb"));
}

#[test]
fn items_are_unique_named_for_files_and_bounded() {
    for def in ALL {
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
