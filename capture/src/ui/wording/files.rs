//! What the system says of a file, or why it was not touched.

use std::io;

use netcap_bundle::held::{Mistrust, mistrust};
use rust_i18n::t;

/// What the system answered, or why it was not asked.
pub(crate) fn io(error: &io::Error) -> String {
    io_in(error, &rust_i18n::locale())
}

pub(super) fn io_in(error: &io::Error, locale: &str) -> String {
    mistrust(error).map_or_else(|| error.to_string(), |why| mistrusted_in(why, locale))
}

/// Why a file or directory is not touched.
pub(crate) fn mistrusted(why: &Mistrust) -> String {
    mistrusted_in(why, &rust_i18n::locale())
}

fn mistrusted_in(why: &Mistrust, locale: &str) -> String {
    match why {
        Mistrust::Link => t!("held.link", locale = locale),
        Mistrust::NotAFile => t!("held.no_file", locale = locale),
        Mistrust::NotADirectory => t!("held.no_directory", locale = locale),
        Mistrust::FileOwner { uid } => t!("held.file_owner", locale = locale, uid = uid),
        Mistrust::Linked { links } => t!("held.linked", locale = locale, links = links),
        Mistrust::TooLarge { size, max } => t!("held.large", locale = locale, size = size, max = max),
        Mistrust::Holes { bytes } => t!("held.holes", locale = locale, bytes = bytes),
        Mistrust::NotOfThisRun => t!("held.not_of_this_run", locale = locale),
        Mistrust::Outside => t!("held.outside", locale = locale),
        Mistrust::Moved => t!("held.moved", locale = locale),
        Mistrust::Owner { dir, uid } => t!("held.owner", locale = locale, dir = dir.display(), uid = uid),
        Mistrust::Writable { dir } => t!("held.writable", locale = locale, dir = dir.display()),
    }
    .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_is_the_librarys_own() {
        let (dir, uid) = (std::path::PathBuf::from("/home/eve"), 1000);
        for why in [
            Mistrust::Link,
            Mistrust::NotAFile,
            Mistrust::NotADirectory,
            Mistrust::FileOwner { uid },
            Mistrust::Linked { links: 2 },
            Mistrust::TooLarge { size: 7, max: 3 },
            Mistrust::Holes { bytes: 5 },
            Mistrust::NotOfThisRun,
            Mistrust::Outside,
            Mistrust::Moved,
            Mistrust::Owner { dir: dir.clone(), uid },
            Mistrust::Writable { dir },
        ] {
            let error = io::Error::from(why.clone());
            assert_eq!(io_in(&error, "en"), why.to_string());
            assert_ne!(io_in(&error, "zh-CN"), why.to_string());
        }
    }
}
