//! The phrases of all languages, by key.

use netcap_words::Lang;
use rust_i18n::t;

/// A phrase of the catalogue without arguments.
pub(crate) fn phrase(key: &str, lang: Lang) -> String {
    t!(key, locale = lang.code()).into_owned()
}
