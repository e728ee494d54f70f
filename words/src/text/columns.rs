//! Lines that fit, counted in columns of a terminal: East Asian wide characters take two (Unicode Standard Annex 11).

use std::io::IsTerminal;
use std::os::fd::AsFd;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::foreign::clean;

/// Columns of a line where nobody says how many there are: in files and pipes.
pub const COLUMNS: usize = 100;
/// Columns below which a report is not squeezed: its words would stand one a line.
const COLUMNS_MIN: usize = 40;
/// Columns above which lines are not longer: nobody reads them.
const COLUMNS_MAX: usize = 160;

/// Columns of the terminal behind a descriptor; [`COLUMNS`] where there is none.
pub fn of(stream: &(impl AsFd + IsTerminal)) -> usize {
    if !stream.is_terminal() {
        return COLUMNS;
    }
    terminal_size::terminal_size_of(stream)
        .map_or(COLUMNS, |(width, _)| usize::from(width.0).clamp(COLUMNS_MIN, COLUMNS_MAX))
}

/// Columns that a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Breaks text into lines of at most `columns`, the first with `head`, the others with `tail` before it. A word that is
/// longer than a line is broken: Chinese has no blanks, and addresses may be long.
pub fn wrap(columns: usize, head: &str, tail: &str, text: &str) -> Vec<String> {
    let mut lines = Lines { columns, tail, done: Vec::new(), line: head.to_owned(), empty: true };
    for word in text.split_whitespace() {
        lines.word(word);
        for c in word.chars() {
            if lines.line.width() + c.width().unwrap_or(0) > columns {
                lines.turn();
            }
            lines.line.push(c);
        }
    }
    lines.end()
}

/// A heading and words, broken into lines, the further ones indented under the first word. A word that is longer than a
/// line stays whole: names and paths are copied.
pub fn wrap_words<'a>(columns: usize, head: &str, words: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let tail = " ".repeat(head.width());
    let mut lines = Lines { columns, tail: &tail, done: Vec::new(), line: head.to_owned(), empty: true };
    for word in words {
        lines.word(word);
        lines.line.push_str(word);
    }
    lines.end()
}

/// Lines that are being filled.
struct Lines<'a> {
    columns: usize,
    tail: &'a str,
    done: Vec<String>,
    line: String,
    empty: bool,
}

impl Lines<'_> {
    /// Makes room for a word: on this line behind a blank, or on the next one.
    fn word(&mut self, word: &str) {
        if !self.empty && self.line.width() + 1 + word.width() > self.columns {
            self.turn();
            self.empty = true;
        }
        if !self.empty {
            self.line.push(' ');
        }
        self.empty = false;
    }

    fn turn(&mut self) {
        self.done.push(std::mem::replace(&mut self.line, self.tail.to_owned()));
    }

    fn end(mut self) -> Vec<String> {
        self.done.push(self.line);
        self.done
    }
}

/// Fills the paragraphs of a text, which empty lines part. A line break between two wide characters is no blank.
pub fn fill(columns: usize, text: &str) -> String {
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
        for line in wrap(columns, "", "", &joined) {
            out.push_str(&line);
            out.push('\n');
        }
    }
    out
}

/// A cell of a table, padded on the right; what does not fit is cut, which `…` says.
pub fn left(text: &str, width: usize) -> String {
    let fit = clip(text, width);
    format!("{fit}{}", blanks(&fit, width))
}

/// A cell of a table, padded on the left; what does not fit is cut, which `…` says.
pub fn right(text: &str, width: usize) -> String {
    let fit = clip(text, width);
    format!("{}{fit}", blanks(&fit, width))
}

/// Text padded on the right to that width; longer text stays whole.
pub fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", blanks(text, width))
}

fn blanks(text: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(text.width()))
}

/// Clean text of at most that width; what does not fit is cut, which `…` says.
pub fn clip(text: &str, width: usize) -> String {
    let text = clean(text);
    if text.width() <= width {
        return text;
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
    fn wide_characters_count_twice() {
        let lines = wrap(COLUMNS, "- ", "  ", &"地址冲突".repeat(40));
        assert!(lines.len() > 3 && lines.iter().all(|l| l.width() <= COLUMNS));
        assert_eq!(left("地址", 6), "地址  ");
        assert_eq!(right("0123456789", 5), "0123…");
        assert_eq!(pad("地址", 5), "地址 ");
        assert_eq!(pad("abcdef", 5), "abcdef");
    }

    #[test]
    fn long_lists_are_broken_and_nothing_is_lost() {
        let words: Vec<String> = (0..60).map(|n| format!("vnet{n}")).collect();
        let lines = wrap_words(COLUMNS, "recording: ", words.iter().map(String::as_str));
        assert!(lines.len() > 3 && lines.iter().all(|line| line.width() <= COLUMNS), "{lines:?}");
        assert!(lines[1].starts_with("           vnet"));
        let all = lines.join(" ");
        assert!(all.split_whitespace().skip(1).eq(words.iter().map(String::as_str)));
        let long = "x".repeat(300);
        assert_eq!(wrap_words(COLUMNS, "a ", [long.as_str()]), [format!("a {long}")]);
        assert_eq!(wrap_words(COLUMNS, "a", []), ["a"]);
    }

    #[test]
    fn paragraphs_are_filled_and_chinese_gets_no_blanks() {
        assert_eq!(fill(COLUMNS, "one\ntwo\n\nthree"), "one two\n\nthree\n");
        assert_eq!(fill(COLUMNS, "地址\n冲突"), "地址冲突\n");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_everything_fits(text in "\\PC{0,400}", columns in 20usize..200) {
            let lines = wrap(columns, "  ", "    ", &text);
            let joined: String = lines.concat().split_whitespace().collect();
            prop_assert_eq!(joined, text.split_whitespace().collect::<String>());
            prop_assert!(lines.iter().all(|l| l.width() <= columns + 2));
        }
    }
}
