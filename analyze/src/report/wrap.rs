//! Lines that fit, counted in columns of a terminal: Chinese characters take two.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::text::clean;

/// Columns of a report.
pub(super) const COLUMNS: usize = 100;

/// Breaks text into lines of at most [`COLUMNS`], the first with `head`, the others with `tail` before it.
pub(crate) fn wrap(head: &str, tail: &str, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = head.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        let gap = usize::from(!empty);
        if !empty && line.width() + gap + word.width() > COLUMNS {
            lines.push(std::mem::replace(&mut line, tail.to_owned()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        empty = false;
        // A word longer than a line: Chinese has no spaces, and addresses may be long.
        for c in word.chars() {
            if line.width() + c.width().unwrap_or(0) > COLUMNS {
                lines.push(std::mem::replace(&mut line, tail.to_owned()));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

/// Fills the paragraphs of a text, which empty lines part. A line break between two Chinese words is no space.
pub(crate) fn fill(text: &str) -> String {
    let mut out = String::new();
    for (index, paragraph) in text.trim_end().split("\n\n").enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let mut joined = String::new();
        for line in paragraph.lines() {
            let wide = |c: Option<char>| c.is_some_and(|c| c.width() == Some(2));
            let no_space = joined.is_empty() || wide(joined.chars().last()) && wide(line.chars().next());
            if !no_space {
                joined.push(' ');
            }
            joined.push_str(line);
        }
        for line in wrap("", "", &joined) {
            out.push_str(&line);
            out.push('\n');
        }
    }
    out
}

/// A cell of a table, padded on the right.
pub(crate) fn left(text: &str, width: usize) -> String {
    let fit = clip(text, width);
    format!("{fit}{}", " ".repeat(width.saturating_sub(fit.width())))
}

/// A cell of a table, padded on the left.
pub(super) fn right(text: &str, width: usize) -> String {
    let fit = clip(text, width);
    format!("{}{fit}", " ".repeat(width.saturating_sub(fit.width())))
}

fn clip(text: &str, width: usize) -> String {
    let text = &clean(text);
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        if out.width() + c.width().unwrap_or(0) + 1 > width {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn chinese_counts_twice() {
        let lines = wrap("- ", "  ", &"地址冲突".repeat(40));
        assert!(lines.len() > 3 && lines.iter().all(|l| l.width() <= COLUMNS));
        assert_eq!(left("地址", 6), "地址  ");
        assert_eq!(right("0123456789", 5), "0123…");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_everything_fits(text in "\\PC{0,400}") {
            let lines = wrap("  ", "    ", &text);
            let joined: String = lines.concat().split_whitespace().collect();
            prop_assert_eq!(joined, text.split_whitespace().collect::<String>());
            prop_assert!(lines.iter().all(|l| l.width() <= COLUMNS + 2));
        }
    }
}
