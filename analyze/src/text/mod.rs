//! Words for people: keys with arguments, put into a language only when a report is written.

mod catalogue;

use std::fmt::Display;

use netcap_words::Lang;
use netcap_words::foreign::clean;
use netcap_words::quote;

pub(crate) use catalogue::phrase;

/// A sentence or phrase: a key of the catalogue with arguments, which may be phrases themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    key: &'static str,
    args: Vec<(&'static str, Arg)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Arg {
    Verbatim(String),
    Phrase(Text),
    List(Vec<Text>),
    Clauses(Vec<Text>),
}

impl Text {
    /// The phrase of that key.
    pub(crate) fn new(key: &'static str) -> Self {
        Self { key, args: Vec::new() }
    }

    /// Something that is the same in every language: a name, a number, a line of a file.
    pub(crate) fn verbatim(text: impl Display) -> Self {
        Self { key: "", args: vec![("", Arg::Verbatim(clean(&text.to_string())))] }
    }

    /// With `%{name}` replaced by a value.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.args.push((name, Arg::Verbatim(clean(&value.to_string()))));
        self
    }

    /// With `%{name}` replaced by a phrase.
    #[must_use]
    pub(crate) fn with_text(mut self, name: &'static str, value: Self) -> Self {
        self.args.push((name, Arg::Phrase(value)));
        self
    }

    /// With `%{name}` replaced by phrases in a row.
    #[must_use]
    pub(crate) fn with_list(mut self, name: &'static str, values: Vec<Self>) -> Self {
        self.args.push((name, Arg::List(values)));
        self
    }

    /// With `%{name}` replaced by phrases in a row that hold commas themselves.
    #[must_use]
    pub(crate) fn with_clauses(mut self, name: &'static str, values: Vec<Self>) -> Self {
        self.args.push((name, Arg::Clauses(values)));
        self
    }

    /// It is the phrase of that key.
    pub(crate) fn is(&self, key: &str) -> bool {
        self.key == key
    }

    /// In a language.
    pub(crate) fn render(&self, lang: Lang) -> String {
        if self.key.is_empty() {
            return self.args.first().map(|(_, arg)| arg.render(lang)).unwrap_or_default();
        }
        let template = phrase(self.key, lang);
        let mut out = String::with_capacity(template.len() + 64);
        let mut rest = template.as_str();
        // One walk over the template, so that an argument that looks like a placeholder stays as it is.
        while let Some((before, after)) = rest.split_once("%{") {
            out.push_str(before);
            let Some((name, tail)) = after.split_once('}') else {
                out.push_str("%{");
                rest = after;
                continue;
            };
            if let Some((_, arg)) = self.args.iter().find(|(n, _)| *n == name) {
                let at = template.len() - rest.len() + before.len();
                match arg {
                    // A phrase is made of our own words, several perhaps; a value is one word of the shell.
                    Arg::Verbatim(value) if in_command(&template, at) => out.push_str(&quote::shell(value)),
                    arg => out.push_str(&arg.render(lang)),
                }
            }
            rest = tail;
        }
        out.push_str(rest);
        out
    }

    /// In English, for machines.
    pub(crate) fn english(&self) -> String {
        self.render(Lang::En)
    }
}

/// Whether this place of a template is inside a command to copy: `'program …'`, where the quote follows no letter and no name,
/// as an apostrophe would. A name alone, `'%{name}'`, is none.
pub(crate) fn in_command(template: &str, at: usize) -> bool {
    let mut open = None;
    let mut last = ' ';
    for (place, c) in template.char_indices().take_while(|(place, _)| *place < at) {
        if c == '\'' {
            open = match open {
                Some(_) => None,
                None if last.is_ascii_alphanumeric() || last == '}' => None,
                None => Some(place + 1),
            };
        }
        last = c;
    }
    open.and_then(|begin| template.get(begin..at))
        .is_some_and(|text| text.starts_with(|c: char| c.is_ascii_lowercase()) && text.contains(' '))
}

impl Arg {
    fn render(&self, lang: Lang) -> String {
        match self {
            Self::Verbatim(text) => text.clone(),
            Self::Phrase(text) => text.render(lang),
            Self::List(list) => join(list, lang, [", ", "、"]),
            Self::Clauses(list) => join(list, lang, ["; ", "；"]),
        }
    }
}

fn join(list: &[Text], lang: Lang, [english, chinese]: [&str; 2]) -> String {
    let parts: Vec<String> = list.iter().map(|t| t.render(lang)).collect();
    parts.join(match lang {
        Lang::En => english,
        Lang::Zh => chinese,
    })
}

#[cfg(test)]
mod tests;
