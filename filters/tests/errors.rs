//! Errors point at the place and say what to write.

use netcap_filters::{Filter, FilterError, Options};

fn error(expression: &str) -> FilterError {
    Filter::compile(expression, Options::default()).err().unwrap_or_else(|| panic!("`{expression}` compiles"))
}

/// The words that the error points at, and the suggestion.
fn points_at(expression: &str) -> (String, String) {
    let error = error(expression);
    let diagnosis = error.diagnosis().unwrap_or_else(|| panic!("no place: {error}"));
    let suggestion = diagnosis.suggestion.as_ref().map(ToString::to_string).unwrap_or_default();
    (expression[diagnosis.span.clone()].to_owned(), suggestion)
}

#[test]
fn the_word_and_the_suggestion() {
    for (expression, word, suggestion) in [
        ("Icmp and host 1.2.3.4", "Icmp", "`icmp`"),
        ("icmp and hots 1.2.3.4", "hots", "`host`"),
        ("host www.example.com", "www.example.com", ""),
        ("host gateway1 and arp", "gateway1", ""),
        ("tcp prot 80", "prot", "`port`"),
        ("tcp and https", "https", "`port https`"),
        ("port nfss", "nfss", "`nfs`"),
        ("net 10.1.2.3/24", "24", "`10.1.2.0/24` or `host 10.1.2.3`"),
        ("tcp udp", "udp", "`and udp` or `or udp`"),
        ("arp and and icmp", "and", ""),
        ("(arp or icmp", "", "`)` at the end"),
        ("arp or icmp)", ")", ""),
        ("arp and", "", ""),
        ("not", "", ""),
        ("ether proto ip", "ip", "`\\ip`"),
        ("host 10.0.0.300", "10.0.0.300", ""),
        ("ether host aa:bb:cc", "aa:bb:cc", ""),
        ("tcp[13 = 2", "=", ""),
        ("port 99999", "99999", ""),
        ("icmp and outbound", "outbound", ""),
        ("ip6 protochain 6", "protochain", "`proto`"),
        ("icmp，arp", "，", "`and` or `or`"),
        ("vlan 5000", "5000", ""),
        ("wlan type mgt", "mgt", ""),
        ("arp or icmp host 10.0.0.1", "10.0.0.1", "`icmp and host 10.0.0.1`"),
        ("ip6 host 10.0.0.1", "10.0.0.1", "`host 10.0.0.1`"),
        ("ip host fe80::1", "fe80::1", "`ip6 host fe80::1`"),
        ("icmp & arp", "&", "`and`"),
        ("icmp or ip broadcast", "broadcast", "`ether broadcast`"),
    ] {
        assert_eq!(points_at(expression), (word.to_owned(), suggestion.to_owned()), "{}", error(expression));
    }
}

#[test]
fn the_message_for_people() {
    assert_eq!(
        error("arp or Icmp and host 1.2.3.4").to_string(),
        "`Icmp` is not a word of the filter language\n  arp or Icmp and host 1.2.3.4\n         ^^^^\n  \
         did you mean `icmp`?"
    );
}

#[test]
fn errors_without_a_place() {
    assert!(matches!(error("icmp and udp"), FilterError::MatchesNothing { .. }));
    assert!(matches!(error(&"a".repeat(100_000)), FilterError::TooLarge { .. }));
    assert!(matches!(error("ether[10:4] = 0x2e0800"), FilterError::Untranslatable { .. }));
    let hosts = |count| {
        let hosts: Vec<String> = (0..count).map(|i| format!("ip6 host fe80::{:x}", i + 1)).collect();
        error(&hosts.join(" or "))
    };
    assert!(matches!(hosts(250), FilterError::TooLong { instructions } if instructions > 4096));
    assert!(matches!(hosts(2000), FilterError::TooManyTerms { terms: 2000, .. }));
}

/// Many hosts fit when they are few enough, and the far jumps that this needs arrive.
#[test]
fn long_filters_work_up_to_the_limit() {
    let hosts: Vec<String> = (0..200).map(|i| format!("10.0.{}.{}", i / 100, i % 100)).collect();
    let filter = Filter::compile(&format!("dst host ({})", hosts.join(" or ")), Options::default()).unwrap();
    assert!(filter.instructions().len() > 600, "{}", filter.instructions().len());
    let mut frame = vec![0; 60];
    for (tags, host, expected) in
        [(0, 0, true), (0, 199, true), (1, 150, true), (2, 199, true), (2, 201, false)]
    {
        frame.fill(0);
        for tag in 0..tags {
            frame[12 + 4 * tag..14 + 4 * tag].copy_from_slice(&[0x81, 0]);
        }
        let at = 12 + 4 * tags;
        frame[at..at + 2].copy_from_slice(&[8, 0]);
        frame[at + 18..at + 22].copy_from_slice(&[10, 0, host / 100, host % 100]);
        assert_eq!(filter.matches(&frame, 60), expected, "{tags} tags, host {host}");
    }
}

/// The place is found quickly in a long filter too.
#[test]
fn an_error_at_the_end_of_a_long_filter_is_found() {
    let ports: Vec<String> = (0..120).map(|i| format!("port {}", 1000 + i)).collect();
    let expression = format!("{} or tcp udp", ports.join(" or "));
    let error = error(&expression);
    assert_eq!(error.diagnosis().map(|d| &expression[d.span.clone()]), Some("udp"));
}
