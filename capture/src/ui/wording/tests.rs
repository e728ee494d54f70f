//! Catalogue and registries agree.

use super::*;
use netcap_bundle::sources;
use netcap_filters::list;

#[test]
fn the_catalogue_has_what_the_registries_have_and_nothing_else() {
    let mut defined: Vec<(String, &str)> = Vec::new();
    defined.extend(list().iter().map(|p| (format!("preset.{}", p.name), p.matches)));
    defined.extend(
        sources::ALL.iter().map(|source| source.def).map(|def| (format!("source.{}", def.id), def.about)),
    );
    for (key, english) in defined.iter().map(|(key, english)| (key.as_str(), *english)) {
        assert_eq!(t!(key, locale = "en"), english, "{key}");
        let chinese = t!(key, locale = "zh-CN");
        assert!(chinese != key && !chinese.is_ascii(), "{key}: {chinese}");
    }
    let catalogue = include_str!("../../../locales/registries.yml");
    for line in catalogue.lines().filter(|line| !line.starts_with([' ', '_']) && !line.is_empty()) {
        let key = line.trim_end_matches(':');
        assert!(defined.iter().any(|(have, _)| have == key), "{key}");
    }
}

#[test]
fn roles_are_called_as_in_the_tables() {
    rust_i18n::set_locale("en");
    let uplink = |bond: Option<&str>| Role::Uplink { bond: bond.map(str::to_owned) };
    for each in [Role::Internal, uplink(None), uplink(Some("bond0")), Role::Other] {
        assert_eq!(role(&each), each.word());
    }
}
