//! The languages that people are spoken to in. What machines read is always English.

pub mod help;
mod refusal;

pub use refusal::refusal;

use std::ffi::OsString;

/// A language of help, errors and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Chinese, as written in mainland China.
    Zh,
}

/// Languages by the names they may be asked for; compared without case, `_` being `-`.
const NAMES: [(&str, Lang); 4] =
    [("en", Lang::En), ("en-us", Lang::En), ("zh", Lang::Zh), ("zh-cn", Lang::Zh)];

impl Lang {
    /// Those that every catalogue has.
    pub const ALL: [Self; 2] = [Self::En, Self::Zh];

    /// A language as people type it: `en`, `zh`, `zh-CN` or `zh_CN`.
    pub fn named(text: &str) -> Option<Self> {
        let plain = text.trim().to_ascii_lowercase().replace('_', "-");
        NAMES.iter().find(|(name, _)| *name == plain).map(|(_, lang)| *lang)
    }

    /// The language of a POSIX locale name (`zh_CN.UTF-8`); English when it is another one.
    pub fn of_locale(name: &str) -> Self {
        if name.to_ascii_lowercase().starts_with("zh") { Self::Zh } else { Self::En }
    }

    /// The language of the environment: `LC_ALL`, `LC_MESSAGES` and `LANG`, the first that is set (locale(7)).
    pub fn of_environment() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .find_map(set)
            .map_or(Self::En, |name| Self::of_locale(&name))
    }

    /// Its name in the catalogues.
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh-CN",
        }
    }
}

impl std::str::FromStr for Lang {
    type Err = String;

    /// As [`Lang::named`]; whoever asks for a language there is none of gets the answer in both.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        Self::named(text).ok_or_else(|| {
            let text = crate::text::foreign::clean(text);
            format!("there is no language '{text}'; there are en, zh-CN / 没有语言 '{text}'，可用 en、zh-CN")
        })
    }
}

/// What `--lang` says in the words of a command line that is not parsed yet: what is wrong with them should be said in
/// that language.
pub fn asked(words: &[OsString]) -> Option<&str> {
    let mut words = words.iter().filter_map(|word| word.to_str());
    let mut asked = None;
    while let Some(word) = words.next() {
        asked = match word.strip_prefix("--lang") {
            Some("") => words.next().or(asked),
            Some(rest) => rest.strip_prefix('=').or(asked),
            None => asked,
        };
    }
    asked
}

/// The language of a command line that is not parsed yet: what `--lang` says, else that of the environment.
pub fn of_words(words: &[OsString]) -> Lang {
    asked(words).and_then(Lang::named).unwrap_or_else(Lang::of_environment)
}

#[cfg(test)]
mod tests;
