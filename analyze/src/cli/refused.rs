//! Why an input cannot be read, in the reader's language.

use std::io;

use netcap_bundle::held::{Mistrust, mistrust};
use netcap_bundle::{BundleError, Damage, Op};

use crate::text::Text;

/// Why an input cannot be read.
pub(super) fn refused(error: &BundleError) -> Text {
    match error {
        BundleError::Io { op, path, source } => Text::new("error.file")
            .with_text("op", attempt(*op))
            .with("path", path.display())
            .with_text("why", why(source)),
        BundleError::Damaged { what, damage } => {
            Text::new("error.damaged").with("file", what).with_text("why", damaged(damage))
        }
        BundleError::Unknown { path } => Text::new("error.unknown").with("path", path.display()),
    }
}

/// What the system answered, or why it was not asked.
pub(super) fn why(source: &io::Error) -> Text {
    match mistrust(source) {
        Some(Mistrust::NotAFile) => Text::new("held.no-file"),
        Some(Mistrust::Link) => Text::new("held.link"),
        Some(Mistrust::TooLarge { size, max }) => Text::new("held.large").with("size", size).with("max", max),
        _ => Text::verbatim(source),
    }
}

/// An operation, as a verb.
pub(super) fn attempt(op: Op) -> Text {
    Text::new(match op {
        Op::Bundle => "op.bundle",
        Op::Compress => "op.compress",
        Op::Create => "op.create",
        Op::Find => "op.find",
        Op::Finish => "op.finish",
        Op::List => "op.list",
        Op::Lock => "op.lock",
        Op::Open => "op.open",
        Op::Ping => "op.ping",
        Op::Read => "op.read",
        Op::Remove => "op.remove",
        Op::Rename => "op.rename",
        Op::Repair => "op.repair",
        Op::Start => "op.start",
        Op::StartThread => "op.thread",
        Op::Write => "op.write",
    })
}

fn damaged(damage: &Damage) -> Text {
    match damage {
        Damage::Undescribed => Text::new("damage.undescribed"),
        Damage::Newer { schema } => Text::new("damage.newer").with("schema", schema),
        Damage::Json(why) => Text::verbatim(why),
        Damage::TooManyValues { max } => Text::new("damage.values").with("max", max),
        Damage::Name => Text::new("damage.name"),
        Damage::MovedAway { moving } => Text::new("damage.moved").with("path", moving.display()),
    }
}

#[cfg(test)]
mod tests {
    use netcap_words::Lang;

    use super::*;

    /// The English catalogue says what the library says.
    #[test]
    fn english_is_that_of_the_error() {
        let errors = Op::ALL.map(|op| BundleError::io(op, "x")(std::io::ErrorKind::NotFound.into()));
        let damages = [
            Damage::Undescribed,
            Damage::Newer { schema: 9 },
            Damage::Json(serde_json::from_str::<u8>("x").expect_err("no number")),
            Damage::TooManyValues { max: 7 },
            Damage::Name,
            Damage::MovedAway { moving: "r.moving".into() },
        ]
        .map(|damage| BundleError::Damaged { what: "x".to_owned(), damage });
        let unknown = BundleError::Unknown { path: "x".into() };
        for error in errors.into_iter().chain(damages).chain([unknown]) {
            let text = refused(&error);
            assert_eq!(text.render(Lang::En), error.to_string());
            assert_ne!(text.render(Lang::Zh), error.to_string());
        }
    }
}
