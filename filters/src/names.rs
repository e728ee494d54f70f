//! Walks over the words of an expression as libpcap's grammar would, so that libpcap never looks a name up.
//!
//! Port and protocol names become numbers. Host names are refused: a look-up takes seconds on a host whose network is
//! being diagnosed, adds packets to the capture, and gives another answer tomorrow.

use std::ops::Range;

use crate::lexer::{self, Kind, Token};
use crate::questions;
use crate::reason::Reason;
use crate::suggest;
use crate::tables;

/// A word that cannot stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) span: Range<usize>,
    pub(crate) message: Reason,
    pub(crate) suggestion: Option<String>,
}

/// What a name or a number means after the words before it (libpcap's qualifiers, which also hold for what follows
/// `or`, as in `port 80 or 443`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Nothing,
    Address,
    Port,
    PortRange,
    EtherProtocol,
    Protocol,
    /// Words that libpcap keeps in tables of its own (`llc rr`).
    Own,
}

/// Checks every word and translates the names. `as_meant`: `vlan` and tag ethertypes become questions (see `tags`).
pub(crate) fn translate(tokens: &mut [Token], as_meant: bool) -> Result<(), Refusal> {
    let mut expect = Expect::Nothing;
    let mut before = String::new();
    for token in tokens.iter_mut() {
        let word = token.text.clone();
        match token.kind {
            Kind::Keyword => expect = after_keyword(token, &before, expect)?,
            Kind::Name | Kind::Escaped => name(token, expect)?,
            Kind::Address => {
                if let Some(defect) = lexer::address_defect(&word) {
                    return refuse(token, defect, None);
                }
            }
            Kind::Number(_) | Kind::Operator => {}
        }
        before = word;
    }
    if as_meant {
        questions::ask_for_tags(tokens)?;
    }
    Ok(())
}

pub(crate) fn refuse<T>(token: &Token, message: Reason, suggestion: Option<String>) -> Result<T, Refusal> {
    Err(Refusal { span: token.span.clone(), message, suggestion })
}

fn after_keyword(token: &Token, before: &str, expect: Expect) -> Result<Expect, Refusal> {
    Ok(match token.text.as_str() {
        "and" | "or" | "not" => expect,
        "host" | "net" | "gateway" | "src" | "dst" | "mask" => Expect::Address,
        "port" => Expect::Port,
        "portrange" => Expect::PortRange,
        "proto" if matches!(before, "ether" | "link" | "fddi" | "tr" | "wlan" | "ppp" | "slip") => {
            Expect::EtherProtocol
        }
        "proto" if matches!(before, "iso" | "isis" | "clnp") => Expect::Own,
        "proto" => Expect::Protocol,
        "protochain" => {
            return refuse(token, Reason::of("protochain", ""), Some("`proto`".to_owned()));
        }
        "broadcast" if before == "ip" => {
            // libpcap would need the interface's netmask, and takes 0.0.0.0 when it has none.
            return refuse(token, Reason::of("broadcast", ""), Some("`ether broadcast`".to_owned()));
        }
        "inbound" | "outbound" => {
            return refuse(token, Reason::of("direction", token.text.as_str()), None);
        }
        "ifindex" | "on" | "ifname" => {
            return refuse(token, Reason::of("interface", token.text.as_str()), None);
        }
        "llc" | "type" | "subtype" | "dir" | "direction" | "reason" | "action" | "rset" | "ruleset" => {
            Expect::Own
        }
        _ => Expect::Nothing,
    })
}

fn name(token: &mut Token, expect: Expect) -> Result<(), Refusal> {
    let word = token.text.trim_start_matches('\\').to_owned();
    match expect {
        Expect::Own => Ok(()),
        Expect::Port | Expect::PortRange => match ports(&word, expect == Expect::PortRange) {
            Some(number) => {
                token.text = number;
                Ok(())
            }
            None if expect == Expect::Port && ports(&word, true).is_some() => {
                let suggestion = format!("`portrange {word}`");
                refuse(token, Reason::of("range", word), Some(suggestion))
            }
            None => {
                let suggestion = suggest::for_service(&word);
                refuse(token, Reason::of("port", word), suggestion)
            }
        },
        Expect::Protocol => {
            let Some(number) = tables::protocol(&word) else {
                let suggestion = suggest::for_protocol(&word);
                return refuse(token, Reason::of("protocol", word), suggestion);
            };
            token.text = number.to_string();
            Ok(())
        }
        Expect::EtherProtocol if tables::ETHER_PROTOCOLS.binary_search(&word.as_str()).is_ok() => Ok(()),
        Expect::EtherProtocol => refuse(token, Reason::of("ethertype", word), None),
        Expect::Address | Expect::Nothing => unknown(token, &word, expect),
    }
}

fn unknown(token: &Token, word: &str, expect: Expect) -> Result<(), Refusal> {
    let suggestion = suggest::for_word(word);
    let no_typo = suggestion.is_none() || word.contains(|c: char| c.is_ascii_digit());
    let keyword = tables::is_keyword(&word.to_ascii_lowercase());
    let looks_like_host = !keyword && (word.contains('.') || (expect == Expect::Address && no_typo));
    if looks_like_host {
        return refuse(token, Reason::of("name", word), None);
    }
    refuse(token, Reason::of("word", word), suggestion)
}

/// The number for a port name, or both ends of a range of names and numbers.
fn ports(word: &str, range: bool) -> Option<String> {
    let number = |name: &str| match name.parse::<u16>() {
        Ok(port) => Some(port),
        Err(_) => tables::service(name),
    };
    if let Some(port) = tables::service(word) {
        return Some(port.to_string());
    }
    if !range {
        return None;
    }
    // Names contain hyphens too (`ftp-data`), so each hyphen may be the one between the ends.
    word.match_indices('-').find_map(|(at, _)| {
        let (first, last) = (number(word.get(..at)?)?, number(word.get(at + 1..)?)?);
        Some(format!("{first}-{last}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(expression: &str) -> Result<String, Refusal> {
        let mut tokens = lexer::tokens(expression).unwrap();
        translate(&mut tokens, true)?;
        let words: Vec<String> = tokens.into_iter().map(|t| t.text).filter(|text| !text.is_empty()).collect();
        Ok(words.join(" "))
    }

    #[test]
    fn names_become_numbers() {
        for (written, seen) in [
            ("port domain", "port 53"),
            ("tcp port http or https", "tcp port 80 or 443"),
            ("portrange ftp-data-ssh", "portrange 20-22"),
            ("portrange 6000-6008", "portrange 6000-6008"),
            ("ip proto \\tcp or \\gre", "ip proto 6 or 47"),
            ("ether proto \\ip", "ether proto \\ip"),
            ("udp and (port bootps or bootpc)", "udp and ( port 67 or 68 )"),
        ] {
            assert_eq!(translated(written).as_deref(), Ok(seen));
        }
    }

    #[test]
    fn names_that_would_be_looked_up_are_refused() {
        for (written, word) in [
            ("host web1", "web1"),
            ("www.example.com", "www.example.com"),
            ("port 80 or dst db", "db"),
            ("net lab", "lab"),
            ("port nosuch", "nosuch"),
            ("ip proto nosuch", "nosuch"),
            ("tcp and http", "http"),
            ("host \\icmp", "\\icmp"),
        ] {
            let refusal = translated(written).unwrap_err();
            assert_eq!(&written[refusal.span], word);
        }
        assert_eq!(translated("tcp and http").unwrap_err().suggestion.as_deref(), Some("`port http`"));
        assert_eq!(translated("port 80-90").unwrap_err().suggestion.as_deref(), Some("`portrange 80-90`"));
    }
}
