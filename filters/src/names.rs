//! Walks over the words of an expression as libpcap's grammar would, so that libpcap never looks a name up.
//!
//! Port and protocol names become numbers. Host names are refused: a look-up takes seconds on a host whose network is
//! being diagnosed, adds packets to the capture, and gives another answer tomorrow.

use std::ops::Range;

use crate::lexer::{self, Kind, Token};
use crate::rewrite::TPIDS;
use crate::suggest;
use crate::tables;
use crate::tags;

/// A word that cannot stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
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
                    return refuse(token, format!("`{word}` {defect}"), None);
                }
            }
            Kind::Number(_) | Kind::Operator => {}
        }
        before = word;
    }
    if as_meant {
        ask_for_tags(tokens)?;
    }
    Ok(())
}

fn refuse<T>(token: &Token, message: String, suggestion: Option<String>) -> Result<T, Refusal> {
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
            let message = "`protochain` needs a loop, and filters in the kernel cannot loop".to_owned();
            return refuse(token, message, Some("`proto`".to_owned()));
        }
        "inbound" | "outbound" => {
            let message =
                format!("`{}` is not a property of the frame; the direction is recorded with it", token.text);
            return refuse(token, message, None);
        }
        "ifindex" | "on" | "ifname" => {
            let message =
                format!("`{}` is not a property of the frame; choose the interfaces instead", token.text);
            return refuse(token, message, None);
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
                let message = format!("`{word}` is a range of ports");
                refuse(token, message, Some(format!("`portrange {word}`")))
            }
            None => {
                let message = format!("`{word}` is not a known port name; write the number");
                refuse(token, message, suggest::for_service(&word))
            }
        },
        Expect::Protocol => match tables::protocol(&word) {
            Some(number) => {
                token.text = number.to_string();
                Ok(())
            }
            None => {
                let message = format!("`{word}` is not a known IP protocol; write the number");
                refuse(token, message, suggest::for_protocol(&word))
            }
        },
        Expect::EtherProtocol if tables::ETHER_PROTOCOLS.binary_search(&word.as_str()).is_ok() => Ok(()),
        Expect::EtherProtocol => refuse(
            token,
            format!("`{word}` is not a known ethertype; write the number, as in `0x88cc`"),
            None,
        ),
        Expect::Address | Expect::Nothing => unknown(token, &word, expect),
    }
}

fn unknown(token: &Token, word: &str, expect: Expect) -> Result<(), Refusal> {
    let suggestion = suggest::for_word(word);
    let looks_like_host = word.contains('.') || (expect == Expect::Address && suggestion.is_none());
    if looks_like_host {
        let message = format!("`{word}` is a name, and names are not looked up: write the address");
        return refuse(token, message, None);
    }
    refuse(token, format!("`{word}` is not a word of the filter language"), suggestion)
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

/// Replaces `vlan …` and comparisons of the ethertype with a tag's by questions.
fn ask_for_tags(tokens: &mut [Token]) -> Result<(), Refusal> {
    let mut chain = Chain::default();
    for at in 0..tokens.len() {
        if tokens[at].is("vlan") {
            vlan(tokens, at, &mut chain)?;
        } else if let Some((len, tpid, negated)) = tag_ethertype(&tokens[at..]) {
            let question = tags::tpid_text(tpid);
            let question = if negated { format!("(not {question})") } else { question };
            replace(&mut tokens[at..at + len], question);
        } else if let Some(token) = bare_tag_ethertype(tokens, at) {
            let message = "a VLAN tag's ethertype cannot stand in a list of others".to_owned();
            return refuse(token, message, Some(format!("`ether proto {}`", token.text)));
        }
    }
    Ok(())
}

/// Where in `vlan a and vlan b and …` the walk is.
#[derive(Default)]
struct Chain {
    /// Index of the token at which the next link has to begin.
    next: Option<usize>,
    position: u32,
}

fn vlan(tokens: &mut [Token], at: usize, chain: &mut Chain) -> Result<(), Refusal> {
    let (id, len) = match kinds(tokens, at + 1) {
        [Some(Kind::Number(id)), ..] => (Some(id), 2),
        [Some(Kind::Operator), Some(Kind::Number(id)), Some(Kind::Operator)]
            if tokens[at + 1].is("(") && tokens[at + 3].is(")") =>
        {
            (Some(id), 4)
        }
        _ => (None, 1),
    };
    if id.is_some_and(|id| id > tags::VID_MAX) {
        let message = format!("a VLAN id goes up to {}", tags::VID_MAX);
        return refuse(&tokens[at + len / 2], message, None);
    }
    let after = at + len;
    let joined = |at: usize| tokens.get(at).is_some_and(|token| token.is_one_of(&["and", "&&"]));
    let goes_on = joined(after) && tokens.get(after + 1).is_some_and(|token| token.is("vlan"));
    let negated = at.checked_sub(1).and_then(|i| tokens.get(i)).is_some_and(|t| t.is_one_of(&["not", "!"]));
    chain.position = match chain.next {
        Some(next) if next == at => chain.position + 1,
        _ => u32::from(goes_on && !negated),
    };
    chain.next = (goes_on && !negated).then_some(after + 1);
    if !tags::chain_fits(chain.position) {
        let message = "a frame can be asked for at most three VLAN tags".to_owned();
        return refuse(&tokens[at], message, None);
    }
    replace(&mut tokens[at..after], tags::vlan_text(id, chain.position));
    Ok(())
}

fn kinds(tokens: &[Token], at: usize) -> [Option<Kind>; 3] {
    [0, 1, 2].map(|offset| tokens.get(at + offset).map(|token| token.kind))
}

/// `ether proto 0x8100`, `ether[12:2] = 0x8100`, `ether[12:2] != 0x8100`: tokens, ethertype, negated.
fn tag_ethertype(tokens: &[Token]) -> Option<(usize, u32, bool)> {
    if !tokens.first()?.is_one_of(&["ether", "link"]) {
        return None;
    }
    let tpid = |at: usize| tpid_of(tokens.get(at)?);
    if tokens.get(1)?.is("proto") {
        return Some((3, tpid(2)?, false));
    }
    let slice = [("[", None), ("", Some(12)), (":", None), ("", Some(2)), ("]", None)];
    let fits = slice.iter().zip(tokens.get(1..)?).all(|((operator, number), token)| match number {
        Some(number) => token.kind == Kind::Number(*number),
        None => token.is(operator),
    });
    let relation = tokens.get(6)?;
    (fits && relation.is_one_of(&["=", "==", "!="])).then_some((8, tpid(7)?, relation.is("!=")))
}

/// The second of `ether proto 0x0800 or 0x8100`.
fn bare_tag_ethertype(tokens: &[Token], at: usize) -> Option<&Token> {
    let token = tokens.get(at)?;
    tpid_of(token)?;
    let listed = tokens.get(..at)?.iter().rev().find(|before| {
        !before.is_one_of(&["or", "||", "and", "&&", "(", ")", "not", "!"])
            && !matches!(before.kind, Kind::Number(_))
    })?;
    let index = tokens.iter().position(|other| other == listed)?;
    let ether = index.checked_sub(1).and_then(|i| tokens.get(i))?.is_one_of(&["ether", "link"]);
    (listed.is("proto") && ether).then_some(token)
}

fn tpid_of(token: &Token) -> Option<u32> {
    match token.kind {
        Kind::Number(number) => TPIDS.contains(&number).then_some(number),
        _ => None,
    }
}

/// The first token becomes the question, the others nothing.
fn replace(tokens: &mut [Token], question: String) {
    let mut text = question;
    for token in tokens {
        token.text = std::mem::take(&mut text);
        token.kind = Kind::Operator;
    }
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

    #[test]
    fn a_chain_of_vlans_asks_by_position() {
        let one = |id| tags::vlan_text(Some(id), 0);
        let at = |id, position| tags::vlan_text(Some(id), position);
        assert_eq!(translated("vlan 10 or vlan 20").unwrap(), format!("{} or {}", one(10), one(20)));
        assert_eq!(translated("vlan 10 and vlan (20)").unwrap(), format!("{} and {}", at(10, 1), at(20, 2)));
        assert_eq!(
            translated("not vlan 10 and vlan 20").unwrap(),
            format!("not {} and {}", one(10), one(20))
        );
        assert!(translated("vlan and vlan and vlan and vlan").is_err());
        assert_eq!(translated("vlan 4096").unwrap_err().span, 5..9);
    }

    #[test]
    fn a_tags_ethertype_is_a_question_too() {
        assert_eq!(translated("ether proto 0x88a8").unwrap(), tags::tpid_text(0x88a8));
        assert_eq!(translated("ether[12:2]!=33024").unwrap(), format!("(not {})", tags::tpid_text(0x8100)));
        assert_eq!(translated("tcp port 33024").unwrap(), "tcp port 33024");
        assert!(translated("ether proto 0x0800 or 0x8100").is_err());
    }
}
