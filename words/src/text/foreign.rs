//! Text of strangers: names of interfaces, machines and runs, lines of dumps, messages of other programs.
//!
//! Whoever sends LLDP frames or names a virtual machine writes on the engineer's terminal. Nothing in such text may
//! steer it, turn the text around it, or break the line it stands in.

use std::fmt::Write as _;

/// Text in which nothing steers a terminal. White space that breaks lines becomes a blank; everything else that steers
/// becomes U+FFFD, so that two names that differ in it do not look alike without a sign.
pub fn clean(text: &str) -> String {
    text.chars().map(harmless).collect()
}

/// At most `chars_max` characters of [`clean`] text; `…` stands for the rest.
pub fn clean_short(text: &str, chars_max: usize) -> String {
    let mut chars = text.chars();
    let mut out: String = chars.by_ref().take(chars_max).map(harmless).collect();
    if chars.next().is_some() {
        out.push('…');
    }
    out
}

/// The character, or what stands for it when it steers.
fn harmless(c: char) -> char {
    match c {
        '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
        c if is_steering(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// Control characters (C0, DEL, C1), and those that break a line or change its direction (Unicode Standard Annex 9,
/// section 2).
pub fn is_steering(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// JSON in which what would steer a terminal is escaped, not only what RFC 8259 (section 7) wants escaped: all of it is
/// inside strings, and means the same.
pub fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && is_steering(c) {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_steers_is_seen_and_does_nothing() {
        assert_eq!(clean("vnet0\u{1b}[2J"), "vnet0\u{fffd}[2J");
        assert_eq!(clean("a\tb\nc"), "a b c");
        assert_eq!(clean("eth0\u{202e}0hte"), "eth0\u{fffd}0hte", "right-to-left override");
        assert_eq!(clean("C1 \u{9b}31m"), "C1 \u{fffd}31m", "CSI in one character");
        assert_eq!(clean("虚拟机-1 é"), "虚拟机-1 é");
        assert_ne!(clean("vm\u{200e}"), clean("vm"));
        assert_eq!(clean_short("abcdef", 3), "abc…");
        assert_eq!(clean_short("abc", 3), "abc");
    }

    proptest! {
        #[test]
        fn nothing_that_steers_is_left(text in any::<String>()) {
            prop_assert!(!clean(&text).contains(is_steering));
            prop_assert_eq!(clean(&text).chars().count(), text.chars().count());
        }
    }
}
