//! What the libraries say in English, in the language that is set: filters, presets, and the sources of host state.
//!
//! The libraries know no languages. Their sentences have keys, and the catalogue (`locales/registries.yml` and
//! `locales/netcap.yml`) has them in each language; a test holds its English to theirs.

use netcap_bundle::Role;
use netcap_bundle::source::SourceDef;
use netcap_filters::{Argument, Diagnosis, FilterError, INSTRUCTIONS_MAX, Preset, PresetError, list};
use rust_i18n::t;

/// Why an expression gives no filter.
pub(crate) fn filter(error: &FilterError) -> String {
    filter_in(error, &rust_i18n::locale())
}

fn filter_in(error: &FilterError, locale: &str) -> String {
    match error {
        FilterError::At(diagnosis) => at(diagnosis, locale),
        FilterError::MatchesNothing { expression } => {
            t!("filter.nothing", locale = locale, expression = expression).into_owned()
        }
        FilterError::TooLong { instructions } => {
            t!("filter.long", locale = locale, instructions = instructions, max = INSTRUCTIONS_MAX)
                .into_owned()
        }
        FilterError::TooLarge { bytes, bytes_max } => {
            t!("filter.large", locale = locale, bytes = bytes, max = bytes_max).into_owned()
        }
        FilterError::TooManyTerms { terms, terms_max } => {
            t!("filter.terms", locale = locale, terms = terms, max = terms_max).into_owned()
        }
        FilterError::Untranslatable { expression, why, advice } => {
            t!("filter.unfit", locale = locale, expression = expression, why = why, advice = advice)
                .into_owned()
        }
        FilterError::Libpcap { expression, message } => {
            t!("filter.libpcap", locale = locale, expression = expression, message = message).into_owned()
        }
        // One that is newer than this file.
        other => other.to_string(),
    }
}

fn at(diagnosis: &Diagnosis, locale: &str) -> String {
    let key = format!("filter.at.{}", diagnosis.message.key);
    let mut text = t!(&key, locale = locale, word = diagnosis.message.word).into_owned();
    text.push('\n');
    text.push_str(&diagnosis.pointed());
    if let Some(suggestion) = &diagnosis.suggestion {
        text.push_str("\n  ");
        text.push_str(&t!("filter.mean", locale = locale, suggestion = instead(suggestion, locale)));
    }
    text
}

/// A suggestion: what stands between backticks is of the filter language, the few words around it are not.
fn instead(suggestion: &str, locale: &str) -> String {
    let word = |(at, part)| match (at % 2, part) {
        (0, " or ") => t!("filter.or", locale = locale).into_owned(),
        (0, "the preset ") => t!("filter.preset", locale = locale).into_owned(),
        (0, " at the end") => t!("filter.at_end", locale = locale).into_owned(),
        (0, "a space") => t!("filter.space", locale = locale).into_owned(),
        (0, "no quotes inside the filter") => t!("filter.quotes", locale = locale).into_owned(),
        (_, part) => part.to_owned(),
    };
    suggestion.split('`').enumerate().map(word).collect::<Vec<_>>().join("`")
}

/// Why a preset gives no expression.
pub(crate) fn preset(error: &PresetError) -> String {
    preset_in(error, &rust_i18n::locale())
}

fn preset_in(error: &PresetError, locale: &str) -> String {
    match error {
        PresetError::Unknown { name, suggestion: None } => {
            t!("presets.unknown", locale = locale, name = name).into_owned()
        }
        PresetError::Unknown { name, suggestion: Some(near) } => {
            t!("presets.near", locale = locale, name = name, near = near).into_owned()
        }
        PresetError::Argument { name, argument, .. } => {
            let takes = list().iter().find(|preset| preset.name == *name).map(|preset| preset.argument);
            let takes = match takes {
                Some(Argument::Ipv4) => t!("presets.ipv4", locale = locale),
                Some(Argument::Ipv6) => t!("presets.ipv6", locale = locale),
                Some(Argument::Ip) => t!("presets.ip", locale = locale),
                Some(Argument::None) | None => t!("presets.nothing", locale = locale),
            };
            t!("presets.argument", locale = locale, name = name, takes = takes, argument = argument)
                .into_owned()
        }
        other => other.to_string(),
    }
}

/// What a point is to its switch.
pub(crate) fn role(role: &Role) -> String {
    match role {
        Role::Internal => t!("role.int"),
        Role::Uplink { bond: Some(_) } => t!("role.bond"),
        Role::Uplink { bond: None } => t!("role.uplink"),
        Role::Vnet { .. } => t!("role.vnet"),
        Role::Patch { .. } => t!("role.patch"),
        Role::Tunnel { .. } => t!("role.tunnel"),
        Role::Other => t!("role.iface"),
    }
    .into_owned()
}

/// What a preset matches.
pub(crate) fn matches(preset: &Preset) -> String {
    let key = format!("preset.{}", preset.name);
    t!(&key).into_owned()
}

/// What a source records.
pub(crate) fn about(source: &SourceDef) -> String {
    let key = format!("source.{}", source.id);
    t!(&key).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use netcap_bundle::sources;
    use netcap_filters::{Filter, Options, REASONS};

    #[test]
    fn the_catalogue_has_what_the_registries_have_and_nothing_else() {
        let mut defined: Vec<(String, &str)> = Vec::new();
        defined.extend(REASONS.iter().map(|(key, text)| (format!("filter.at.{key}"), *text)));
        defined.extend(list().iter().map(|p| (format!("preset.{}", p.name), p.matches)));
        defined.extend(sources::ALL.iter().map(|def| (format!("source.{}", def.id), def.about)));
        for (key, english) in defined.iter().map(|(key, english)| (key.as_str(), *english)) {
            assert_eq!(t!(key, locale = "en"), english, "{key}");
            let chinese = t!(key, locale = "zh-CN");
            assert!(chinese != key && !chinese.is_ascii(), "{key}: {chinese}");
            assert_eq!(chinese.contains("%{word}"), english.contains("%{word}"), "{key}");
        }
        let catalogue = include_str!("../../locales/registries.yml");
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

    /// One or more for each sentence and each form of a suggestion.
    const WRONG: [&str; 26] = [
        "Icmp",
        "tcp prot 80",
        "lldp",
        "host www.example.com",
        "port 80-90",
        "port doman",
        "proto 9x",
        "ether proto zzz",
        "(arp",
        "tcp and",
        "arp icmp",
        "icmp host 10.0.0.1",
        "net 10.1.2.3/24",
        "tcp，udp",
        "“tcp”",
        "tcp\u{3000}and udp",
        "port 099",
        "port 99999999999",
        "host 10.0.0.300",
        "host ::g:1:2",
        "vlan 5000",
        "protochain tcp",
        "ip broadcast",
        "inbound",
        "ifname eth0",
        "icmp and udp",
    ];

    #[test]
    fn what_is_wrong_with_a_filter_is_said_in_both_languages_with_its_place() {
        for expression in WRONG {
            let error = Filter::compile(expression, Options::default()).unwrap_err();
            assert_eq!(filter_in(&error, "en"), error.to_string(), "{expression}");
            let chinese = filter_in(&error, "zh-CN");
            let first = chinese.lines().next().unwrap_or_default();
            assert!(!first.is_ascii(), "{expression}: {chinese}");
            let Some(diagnosis) = error.diagnosis() else { continue };
            assert!(chinese.contains(&diagnosis.pointed()), "{expression}: {chinese}");
            // Outside backticks nothing is left of the English.
            let last = chinese.lines().nth(3).unwrap_or_default();
            let around: String = last.split('`').step_by(2).collect();
            assert!(!around.contains(|c: char| c.is_ascii_alphabetic()), "{expression}: {chinese}");
        }
        let long = vec!["host 10.0.0.1"; 4000].join(" or ");
        let error = Filter::compile(&long, Options::default()).unwrap_err();
        assert_eq!(filter_in(&error, "en"), error.to_string());
        assert!(!filter_in(&error, "zh-CN").is_ascii());
    }

    #[test]
    fn the_other_sentences_are_those_of_the_library_too() {
        let [expression, why, message] = ["tcp", "it is so", "no"].map(str::to_owned);
        for error in [
            FilterError::MatchesNothing { expression: expression.clone() },
            FilterError::TooLong { instructions: 5000 },
            FilterError::TooLarge { bytes: 70_000, bytes_max: 65_536 },
            FilterError::TooManyTerms { terms: 3000, terms_max: 2000 },
            FilterError::Untranslatable { expression: expression.clone(), why, advice: "do it" },
            FilterError::Libpcap { expression, message },
        ] {
            assert_eq!(filter_in(&error, "en"), error.to_string());
            assert!(!filter_in(&error, "zh-CN").is_ascii(), "{error:?}");
        }
        for typed in ["lldpp", "qqqqqq", "arp:fe80::1", "icmp6:10.0.0.1", "ssh:x", "lldp:10.0.0.1"] {
            let error = netcap_filters::preset(typed).unwrap_err();
            assert_eq!(preset_in(&error, "en"), error.to_string(), "{typed}");
            assert!(!preset_in(&error, "zh-CN").is_ascii(), "{typed}");
        }
    }
}
