use super::*;

#[test]
fn the_registry_is_sorted_unique_and_documented() {
    let ids: Vec<_> = ALL.iter().map(|d| d.id).collect();
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(ids, sorted);
    for detector in ALL {
        let page = detector.page();
        assert!(page.starts_with(&format!("`{}`: ", detector.id)), "{page}");
        for part in ["Exonerated", "Remedy", "Sources", "中文"] {
            assert!(page.contains(part), "{} has no part '{part}'", detector.id);
        }
        for need in detector.needs {
            let key = need.key;
            assert_ne!(crate::text::phrase(key, netcap_words::Lang::En), format!("en.{key}"));
        }
    }
}
