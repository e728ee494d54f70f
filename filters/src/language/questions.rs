//! Finds `vlan` and the ethertypes of tags among the words and replaces them by questions (see `tags`).

use super::diagnosis::{Mistake, Reason, Suggestion};
use super::lexer::{Kind, Token};
use crate::rewrite::{TPIDS, tags};

/// Replaces `vlan …` and comparisons of the ethertype with a tag's by questions.
pub(crate) fn ask_for_tags(tokens: &mut [Token]) -> Result<(), Mistake> {
    let mut chain = Chain::default();
    for at in 0..tokens.len() {
        if tokens[at].is("vlan") {
            vlan(tokens, at, &mut chain)?;
        } else if let Some(comparison) = tag_comparison(&tokens[at..]) {
            let question = tags::tpid_text(comparison.tpid);
            let question = if comparison.negated { format!("(not {question})") } else { question };
            replace(&mut tokens[at..at + comparison.tokens], question);
        } else if let Some(token) = bare_tag_ethertype(tokens, at) {
            let alone = Suggestion::Write(format!("ether proto {}", token.text));
            return Err(token.mistake(Reason::TagInList, Some(alone)));
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

fn vlan(tokens: &mut [Token], at: usize, chain: &mut Chain) -> Result<(), Mistake> {
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
        return Err(tokens[at + len / 2].mistake(Reason::VlanIdTooLarge, None));
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
        return Err(tokens[at].mistake(Reason::TooManyTags, None));
    }
    replace(&mut tokens[at..after], tags::vlan_text(id, chain.position));
    Ok(())
}

fn kinds(tokens: &[Token], at: usize) -> [Option<Kind>; 3] {
    [0, 1, 2].map(|offset| tokens.get(at + offset).map(|token| token.kind))
}

/// A comparison of the ethertype with a tag's.
struct TagComparison {
    /// How many words it takes.
    tokens: usize,
    tpid: u32,
    negated: bool,
}

/// `ether proto 0x8100`, `ether[12:2] = 0x8100`, `ether[12:2] != 0x8100`.
fn tag_comparison(tokens: &[Token]) -> Option<TagComparison> {
    if !tokens.first()?.is_one_of(&["ether", "link"]) {
        return None;
    }
    if tokens.get(1)?.is("proto") {
        return Some(TagComparison { tokens: 3, tpid: tpid_of(tokens.get(2)?)?, negated: false });
    }
    let slice = [("[", None), ("", Some(12)), (":", None), ("", Some(2)), ("]", None)];
    let fits = slice.iter().zip(tokens.get(1..)?).all(|((operator, number), token)| match number {
        Some(number) => token.kind == Kind::Number(*number),
        None => token.is(operator),
    });
    let relation = tokens.get(6).filter(|relation| fits && relation.is_one_of(&["=", "==", "!="]))?;
    Some(TagComparison { tokens: 8, tpid: tpid_of(tokens.get(7)?)?, negated: relation.is("!=") })
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
    use crate::language::lexer;

    fn translated(expression: &str) -> Result<String, Mistake> {
        let mut tokens = lexer::tokens(expression).unwrap();
        ask_for_tags(&mut tokens)?;
        Ok(lexer::text(&tokens))
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
