//! Walks over the words of an expression as libpcap's grammar would, so that libpcap never looks a name up.
//!
//! Port and protocol names become numbers. Host names are refused: a look-up takes seconds on a host whose network is
//! being diagnosed, adds packets to the capture, and gives another answer tomorrow.

use super::diagnosis::{Mistake, Reason, Suggestion};
use super::lexer::{self, Kind, Token};
use super::{questions, suggest, tables};

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
pub(crate) fn translate(tokens: &mut [Token], as_meant: bool) -> Result<(), Mistake> {
    let mut expect = Expect::Nothing;
    let mut before = String::new();
    for token in tokens.iter_mut() {
        let word = token.text.clone();
        match token.kind {
            Kind::Keyword => expect = after_keyword(token, &before, expect)?,
            Kind::Name | Kind::Escaped => name(token, expect)?,
            Kind::Address => {
                if let Some(defect) = lexer::address_defect(&word) {
                    return Err(token.mistake(defect, None));
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

fn write(text: &str) -> Suggestion {
    Suggestion::Write(text.to_owned())
}

fn after_keyword(token: &Token, before: &str, expect: Expect) -> Result<Expect, Mistake> {
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
        "protochain" => return Err(token.mistake(Reason::Protochain, Some(write("proto")))),
        // libpcap would need the interface's netmask, and takes 0.0.0.0 when it has none.
        "broadcast" if before == "ip" => {
            return Err(token.mistake(Reason::NoNetmask, Some(write("ether broadcast"))));
        }
        "inbound" | "outbound" => {
            return Err(token.mistake(Reason::Direction(token.text.clone()), None));
        }
        "ifindex" | "on" | "ifname" => {
            return Err(token.mistake(Reason::Interface(token.text.clone()), None));
        }
        "llc" | "type" | "subtype" | "dir" | "direction" | "reason" | "action" | "rset" | "ruleset" => {
            Expect::Own
        }
        _ => Expect::Nothing,
    })
}

fn name(token: &mut Token, expect: Expect) -> Result<(), Mistake> {
    let word = token.text.trim_start_matches('\\').to_owned();
    match expect {
        Expect::Own => {}
        Expect::Port | Expect::PortRange => token.text = port(token, word, expect == Expect::PortRange)?,
        Expect::Protocol => token.text = protocol(token, word)?,
        Expect::EtherProtocol if tables::ETHER_PROTOCOLS.binary_search(&word.as_str()).is_ok() => {}
        Expect::EtherProtocol => return Err(token.mistake(Reason::UnknownEtherType(word), None)),
        Expect::Address | Expect::Nothing => return Err(unknown(token, word, expect)),
    }
    Ok(())
}

/// The number that libpcap gets for the name of a port, or for a range of names and numbers.
fn port(token: &Token, word: String, range: bool) -> Result<String, Mistake> {
    if let Some(number) = ports(&word, range) {
        return Ok(number);
    }
    if ports(&word, true).is_some() {
        let suggestion = write(&format!("portrange {word}"));
        return Err(token.mistake(Reason::PortRange(word), Some(suggestion)));
    }
    let suggestion = suggest::for_service(&word);
    Err(token.mistake(Reason::UnknownPort(word), suggestion))
}

/// The number that libpcap gets for the name of an IP protocol.
fn protocol(token: &Token, word: String) -> Result<String, Mistake> {
    tables::protocol(&word).map(|number| number.to_string()).ok_or_else(|| {
        let suggestion = suggest::for_protocol(&word);
        token.mistake(Reason::UnknownProtocol(word), suggestion)
    })
}

fn unknown(token: &Token, word: String, expect: Expect) -> Mistake {
    let suggestion = suggest::for_word(&word);
    let no_typo = suggestion.is_none() || word.contains(|c: char| c.is_ascii_digit());
    let keyword = tables::is_keyword(&word.to_ascii_lowercase());
    let looks_like_host = !keyword && (word.contains('.') || (expect == Expect::Address && no_typo));
    if looks_like_host {
        return token.mistake(Reason::HostName(word), None);
    }
    token.mistake(Reason::UnknownWord(word), suggestion)
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

    fn translated(expression: &str) -> Result<String, Mistake> {
        let mut tokens = lexer::tokens(expression).unwrap();
        translate(&mut tokens, true)?;
        Ok(lexer::text(&tokens))
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
            let mistake = translated(written).unwrap_err();
            assert_eq!(&written[mistake.span], word);
        }
        assert_eq!(translated("tcp and http").unwrap_err().suggestion, Some(write("port http")));
        assert_eq!(translated("port 80-90").unwrap_err().suggestion, Some(write("portrange 80-90")));
    }
}
