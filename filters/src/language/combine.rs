//! Joins expressions so that each keeps its own meaning.
//!
//! `mpls`, `pppoes` and `geneve` change what all later words are about (inside the label, session or tunnel), across
//! parentheses and `or`. So an expression with one of them goes last. Of two such expressions the later one is about
//! what is inside the earlier one; no order avoids that.

use super::lexer;

/// At least one of them holds. An empty expression matches everything, and then so does the result; so does no
/// expression at all, because nothing was asked for.
pub fn any_of<I: IntoIterator<Item = S>, S: AsRef<str>>(expressions: I) -> String {
    let mut parts = Vec::new();
    for expression in expressions {
        let expression = expression.as_ref().trim();
        if expression.is_empty() {
            return String::new();
        }
        parts.push(expression.to_owned());
    }
    join(parts)
}

/// One expression stays as it is; several go into parentheses, because `and` and `or` have the same precedence in
/// libpcap and what follows them inherits qualifiers (`port 80 or 443`).
fn join(mut parts: Vec<String>) -> String {
    if parts.len() == 1 {
        return parts.pop().unwrap_or_default();
    }
    parts.sort_by_key(|part| changes_what_follows(part));
    let parts: Vec<String> = parts.into_iter().map(|part| format!("({part})")).collect();
    parts.join(" or ")
}

fn changes_what_follows(expression: &str) -> bool {
    let words = lexer::tokens(expression).unwrap_or_default();
    words.iter().any(|word| word.is_one_of(&["mpls", "pppoes", "geneve"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_keeps_its_meaning() {
        assert_eq!(any_of(["arp", "icmp and host 10.0.0.1"]), "(arp) or (icmp and host 10.0.0.1)");
        assert_eq!(any_of([" arp "]), "arp");
        assert_eq!(any_of(["mpls", "arp", "host 10.0.0.1"]), "(arp) or (host 10.0.0.1) or (mpls)");
        assert_eq!(any_of(["arp", " "]), "");
        assert_eq!(any_of(Vec::<String>::new()), "");
    }
}
