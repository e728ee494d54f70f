//! Errors of runs and bundles, in the language that is set.

use std::borrow::Cow;

use netcap_bundle::{BundleError, Damage, Op};
use rust_i18n::t;

use super::files::io_in;

/// Why a run or a bundle cannot be read or written.
pub(crate) fn bundle(error: &BundleError) -> String {
    bundle_in(error, &rust_i18n::locale())
}

fn bundle_in(error: &BundleError, locale: &str) -> String {
    match error {
        BundleError::Io { op, path, source } => {
            let why = io_in(source, locale);
            t!("error.file", locale = locale, op = attempt(*op, locale), path = path.display(), why = why)
        }
        BundleError::Damaged { what, damage } => {
            t!("error.damaged", locale = locale, file = what, why = damaged(damage, locale))
        }
        BundleError::Unknown { path } => t!("error.unknown", locale = locale, path = path.display()),
    }
    .into_owned()
}

/// An operation, as a verb.
pub(crate) fn operation(op: Op) -> String {
    attempt(op, &rust_i18n::locale()).into_owned()
}

fn attempt(op: Op, locale: &str) -> Cow<'static, str> {
    match op {
        Op::Bundle => t!("op.bundle", locale = locale),
        Op::Compress => t!("op.compress", locale = locale),
        Op::Create => t!("op.create", locale = locale),
        Op::Find => t!("op.find", locale = locale),
        Op::Finish => t!("op.finish", locale = locale),
        Op::List => t!("op.list", locale = locale),
        Op::Lock => t!("op.lock", locale = locale),
        Op::Open => t!("op.open", locale = locale),
        Op::Ping => t!("op.ping", locale = locale),
        Op::Read => t!("op.read", locale = locale),
        Op::Remove => t!("op.remove", locale = locale),
        Op::Rename => t!("op.rename", locale = locale),
        Op::Repair => t!("op.repair", locale = locale),
        Op::Start => t!("op.start", locale = locale),
        Op::StartThread => t!("op.thread", locale = locale),
        Op::Write => t!("op.write", locale = locale),
    }
}

fn damaged(damage: &Damage, locale: &str) -> Cow<'static, str> {
    match damage {
        Damage::Undescribed => t!("damage.undescribed", locale = locale),
        Damage::Newer { schema } => t!("damage.newer", locale = locale, schema = schema),
        Damage::Json(why) => why.to_string().into(),
        Damage::TooManyValues { max } => t!("damage.values", locale = locale, max = max),
        Damage::Name => t!("damage.name", locale = locale),
        Damage::MovedAway { moving } => t!("damage.moved", locale = locale, path = moving.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_bundles_read_in_english_as_the_library_words_them() {
        let errors = Op::ALL.map(|op| BundleError::io(op, "x")(std::io::ErrorKind::NotFound.into()));
        let damages = [
            Damage::Undescribed,
            Damage::Newer { schema: 9 },
            Damage::TooManyValues { max: 7 },
            Damage::Name,
            Damage::MovedAway { moving: "r.moving".into() },
        ]
        .map(|damage| BundleError::Damaged { what: "x".to_owned(), damage });
        let unknown = BundleError::Unknown { path: "x".into() };
        for error in errors.into_iter().chain(damages).chain([unknown]) {
            assert_eq!(bundle_in(&error, "en"), error.to_string());
            assert_ne!(bundle_in(&error, "zh-CN"), error.to_string());
        }
    }
}
