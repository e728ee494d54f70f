//! What is wrong with a filter or a preset.

use netcap_filters::{
    Advice, Argument, Diagnosis, FilterError, INSTRUCTIONS_MAX, PresetError, Reason, Suggestion, Unfit,
    Unsound,
};
use rust_i18n::t;

/// Why an expression gives no filter.
pub(crate) fn filter(error: &FilterError) -> String {
    filter_in(error, &rust_i18n::locale())
}

fn filter_in(error: &FilterError, locale: &str) -> String {
    match error {
        FilterError::At(diagnosis) => return at(diagnosis, locale),
        FilterError::MatchesNothing { expression } => {
            t!("filter.nothing", locale = locale, expression = expression)
        }
        FilterError::TooLong { instructions } => {
            t!("filter.long", locale = locale, instructions = instructions, max = INSTRUCTIONS_MAX)
        }
        FilterError::TooLarge { bytes, bytes_max } => {
            t!("filter.large", locale = locale, bytes = bytes, max = bytes_max)
        }
        FilterError::TooManyTerms { terms, terms_max } => {
            t!("filter.terms", locale = locale, terms = terms, max = terms_max)
        }
        FilterError::Untranslatable { expression, why } => {
            let (why, advice) = (obstacle(*why, locale), advice(why.advice(), locale));
            t!("filter.unfit", locale = locale, expression = expression, why = why, advice = advice)
        }
        FilterError::Libpcap { expression, message } => {
            t!("filter.libpcap", locale = locale, expression = expression, message = message)
        }
    }
    .into_owned()
}

fn at(diagnosis: &Diagnosis, locale: &str) -> String {
    let mut text = reason(&diagnosis.reason, locale);
    text.push('\n');
    text.push_str(&diagnosis.pointed());
    if let Some(suggestion) = &diagnosis.suggestion {
        text.push_str("\n  ");
        text.push_str(&t!("filter.mean", locale = locale, suggestion = instead(suggestion, locale)));
    }
    text
}

fn reason(reason: &Reason, locale: &str) -> String {
    match reason {
        Reason::NoNetmask => t!("filter.at.broadcast", locale = locale),
        Reason::Character(word) => t!("filter.at.character", locale = locale, word = word),
        Reason::Direction(word) => t!("filter.at.direction", locale = locale, word = word),
        Reason::EndsEarly => t!("filter.at.early", locale = locale),
        Reason::UnknownEtherType(word) => t!("filter.at.ethertype", locale = locale, word = word),
        Reason::Misplaced(word) => t!("filter.at.here", locale = locale, word = word),
        Reason::Interface(word) => t!("filter.at.interface", locale = locale, word = word),
        Reason::BadIpv4(word) => t!("filter.at.ipv4", locale = locale, word = word),
        Reason::BadIpv6OrMac(word) => t!("filter.at.ipv6", locale = locale, word = word),
        Reason::NumberTooLarge(word) => t!("filter.at.large", locale = locale, word = word),
        Reason::Libpcap(word) => t!("filter.at.libpcap", locale = locale, word = word),
        Reason::HostName(word) => t!("filter.at.name", locale = locale, word = word),
        Reason::BadOctal(word) => t!("filter.at.octal", locale = locale, word = word),
        Reason::OpenParenthesis => t!("filter.at.parenthesis", locale = locale),
        Reason::UnknownPort(word) => t!("filter.at.port", locale = locale, word = word),
        Reason::Protochain => t!("filter.at.protochain", locale = locale),
        Reason::UnknownProtocol(word) => t!("filter.at.protocol", locale = locale, word = word),
        Reason::PortRange(word) => t!("filter.at.range", locale = locale, word = word),
        Reason::TagInList => t!("filter.at.taglist", locale = locale),
        Reason::TooManyTags => t!("filter.at.tags", locale = locale),
        Reason::VlanIdTooLarge => t!("filter.at.vid", locale = locale),
        Reason::UnknownWord(word) => t!("filter.at.word", locale = locale, word = word),
    }
    .into_owned()
}

fn instead(suggestion: &Suggestion, locale: &str) -> String {
    match suggestion {
        Suggestion::Write(text) => t!("filter.write.this", locale = locale, text = text),
        Suggestion::Either(one, other) => {
            t!("filter.write.either", locale = locale, one = one, other = other)
        }
        Suggestion::AtEnd(text) => t!("filter.write.at-end", locale = locale, text = text),
        Suggestion::Preset(name) => t!("filter.write.preset", locale = locale, name = name),
        Suggestion::Space => t!("filter.write.space", locale = locale),
        Suggestion::NoQuotes => t!("filter.write.no-quotes", locale = locale),
    }
    .into_owned()
}

/// Why a compiled program cannot be made to look through tags or into tunnels.
fn obstacle(why: Unfit, locale: &str) -> String {
    let hex = |code| format!("{code:#x}");
    match why {
        Unfit::Straddles { first, last } => {
            t!("filter.why.straddles", locale = locale, first = first, last = last)
        }
        Unfit::Code(code) => t!("filter.why.code", locale = locale, code = hex(code)),
        Unfit::Scratch => t!("filter.why.scratch", locale = locale),
        Unfit::Loop => t!("filter.why.loop", locale = locale),
        Unfit::Unsound(Unsound::Length(instructions)) => {
            t!("filter.why.length", locale = locale, instructions = instructions, max = INSTRUCTIONS_MAX)
        }
        Unfit::Unsound(Unsound::Jump { at }) => t!("filter.why.jump", locale = locale, at = at),
        Unfit::Unsound(Unsound::Code { at, code }) => {
            t!("filter.why.unknown", locale = locale, at = at, code = hex(code))
        }
        Unfit::Unsound(Unsound::Operand { at }) => t!("filter.why.operand", locale = locale, at = at),
        Unfit::Unsound(Unsound::NoReturn) => t!("filter.why.no-return", locale = locale),
    }
    .into_owned()
}

fn advice(advice: Advice, locale: &str) -> String {
    match advice {
        Advice::CompareSides => t!("filter.advice.sides", locale = locale),
        Advice::Simplify => t!("filter.advice.simplify", locale = locale),
        Advice::CheckOffsets => t!("filter.advice.offsets", locale = locale),
        Advice::NoComputing => t!("filter.advice.computing", locale = locale),
    }
    .into_owned()
}

/// Why a preset gives no expression.
pub(crate) fn preset(error: &PresetError) -> String {
    preset_in(error, &rust_i18n::locale())
}

fn preset_in(error: &PresetError, locale: &str) -> String {
    match error {
        PresetError::Unknown { name, suggestion: None } => {
            t!("presets.unknown", locale = locale, name = name)
        }
        PresetError::Unknown { name, suggestion: Some(near) } => {
            t!("presets.near", locale = locale, name = name, near = near)
        }
        PresetError::Argument { name, takes, argument } => {
            let takes = match takes {
                Argument::Ipv4 => t!("presets.ipv4", locale = locale),
                Argument::Ipv6 => t!("presets.ipv6", locale = locale),
                Argument::Ip => t!("presets.ip", locale = locale),
                Argument::None => t!("presets.nothing", locale = locale),
            };
            t!("presets.argument", locale = locale, name = name, takes = takes, argument = argument)
        }
    }
    .into_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use netcap_filters::{Filter, Options};

    /// One or more for each sentence and each form of a suggestion.
    const WRONG: [&str; 29] = [
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
        "ether host aa:bb:cc",
        "vlan 5000",
        "protochain tcp",
        "ip broadcast",
        "inbound",
        "ifname eth0",
        "icmp and udp",
        "ether proto 0x0800 or 0x8100",
        "vlan and vlan and vlan and vlan",
        "icmp & arp",
    ];

    /// Holds the English to the library's; gives the Chinese.
    fn in_chinese(error: &FilterError) -> String {
        assert_eq!(filter_in(error, "en"), error.to_string());
        let chinese = filter_in(error, "zh-CN");
        let first = chinese.lines().next().unwrap_or_default();
        assert!(!first.is_ascii() && !first.contains("filter."), "{error:?}: {chinese}");
        chinese
    }

    #[test]
    fn what_is_wrong_with_a_filter_is_said_in_both_languages_with_its_place() {
        let mut seen = HashSet::new();
        for expression in WRONG {
            let error = Filter::compile(expression, Options::default()).unwrap_err();
            let chinese = in_chinese(&error);
            let Some(diagnosis) = error.diagnosis() else { continue };
            seen.insert(std::mem::discriminant(&diagnosis.reason));
            assert!(chinese.contains(&diagnosis.pointed()), "{expression}: {chinese}");
            // Outside backticks nothing is left of the English.
            let last = chinese.lines().nth(3).unwrap_or_default();
            let around: String = last.split('`').step_by(2).collect();
            assert!(!around.contains(|c: char| c.is_ascii_alphabetic()), "{expression}: {chinese}");
        }
        let catalogue = include_str!("../../../locales/filters.yml");
        let sentences = catalogue.lines().filter(|line| line.starts_with("filter.at."));
        assert_eq!(seen.len(), sentences.count(), "an expression above for each of them, and no more");
    }

    #[test]
    fn the_other_sentences_are_those_of_the_library_too() {
        let [expression, message] = ["tcp", "no"].map(str::to_owned);
        for error in [
            FilterError::MatchesNothing { expression: expression.clone() },
            FilterError::TooLong { instructions: 5000 },
            FilterError::TooLarge { bytes: 70_000, bytes_max: 65_536 },
            FilterError::TooManyTerms { terms: 3000, terms_max: 2000 },
            FilterError::Libpcap { expression: expression.clone(), message },
        ] {
            in_chinese(&error);
        }
        let unsound = [
            Unsound::Length(0),
            Unsound::Jump { at: 3 },
            Unsound::Code { at: 3, code: 0xff },
            Unsound::Operand { at: 3 },
            Unsound::NoReturn,
        ];
        let others =
            [Unfit::Straddles { first: 10, last: 13 }, Unfit::Code(0x81), Unfit::Scratch, Unfit::Loop];
        for why in unsound.into_iter().map(Unfit::Unsound).chain(others) {
            let chinese = in_chinese(&FilterError::Untranslatable { expression: expression.clone(), why });
            let own = ["--no-vlan", "--inner", "VLAN", "`tcp`", "0xff", "0x81"];
            let words = own.iter().fold(chinese.clone(), |text, word| text.replace(word, ""));
            assert!(
                !words.contains(|c: char| c.is_ascii_alphabetic()),
                "nothing is left of the English: {chinese}"
            );
        }
        for typed in ["lldpp", "qqqqqq", "arp:fe80::1", "icmp6:10.0.0.1", "ssh:x", "lldp:10.0.0.1"] {
            let error = netcap_filters::preset(typed).unwrap_err();
            assert_eq!(preset_in(&error, "en"), error.to_string(), "{typed}");
            assert!(!preset_in(&error, "zh-CN").is_ascii(), "{typed}");
        }
    }
}
