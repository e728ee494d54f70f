//! What an input says of itself, in the reader's language.

use netcap_bundle::files::FilesRemark;
use netcap_bundle::input::{Limited, Remark, Unreadable};
use netcap_bundle::layout;

use crate::text::Text;

/// As it is said.
pub(super) fn remark(of: &Remark) -> Text {
    match of {
        Remark::Files(of) => files(of),
        Remark::Unsealed => Text::new("input.unsealed"),
        Remark::TooMany { what, max } => Text::new(too_many(*what)).with("max", max),
        Remark::Recorder(text) => Text::verbatim(text),
        Remark::ThinnedPings { file, all, kept } => {
            Text::new("input.thinned-pings").with("file", file).with("all", all).with("kept", kept)
        }
        Remark::JoinedLedger { file } => Text::new("input.joined-ledger").with("file", file),
        Remark::Rotated { name, files } => Text::new("input.rotated").with("name", name).with("count", files),
        Remark::NotRotated { name, files } => {
            Text::new("input.not-rotated").with("name", name).with("count", files)
        }
        Remark::TooManyLines { file } => Text::new("input.too-many.lines").with("file", file),
        Remark::ThinnedState { rounds } => {
            Text::new("input.thinned-state").with("file", layout::STATE_INDEX).with("rounds", rounds)
        }
        Remark::Unreadable { file, why } => {
            Text::new("input.unreadable").with("file", file).with_text("why", unreadable(why))
        }
    }
}

fn files(of: &FilesRemark) -> Text {
    match of {
        FilesRemark::NamesTooLong => Text::new("input.names-too-long"),
        FilesRemark::TooMany { max } => Text::new("input.too-many.files").with("max", max),
        FilesRemark::Damaged => Text::new("input.tar-damaged"),
        FilesRemark::CutShort { file } => Text::new("input.cut-short").with("file", file),
        FilesRemark::Refused { count } => Text::new("input.refused").with("count", count),
    }
}

fn too_many(what: Limited) -> &'static str {
    match what {
        Limited::Changes => "input.too-many.changes",
        Limited::Points => "input.too-many.points",
        Limited::PointsWithFiles => "input.too-many.points-with-files",
        Limited::PointsCounted => "input.too-many.points-counted",
        Limited::Pings => "input.too-many.pings",
        Limited::Remarks => "input.too-many.remarks",
        Limited::PacketFiles => "input.too-many.packet-files",
    }
}

fn unreadable(why: &Unreadable) -> Text {
    match why {
        Unreadable::TooManyValues { max } => Text::new("input.too-many.values").with("max", max),
        Unreadable::Json(why) => Text::verbatim(why),
    }
}

#[cfg(test)]
mod tests {
    use netcap_words::Lang;

    use super::*;

    #[test]
    fn what_an_input_says_is_said_in_both_languages() {
        let file = || "x".to_owned();
        let limits = [
            Limited::Changes,
            Limited::Points,
            Limited::PointsWithFiles,
            Limited::PointsCounted,
            Limited::Pings,
            Limited::Remarks,
            Limited::PacketFiles,
        ];
        let of_files = [
            FilesRemark::NamesTooLong,
            FilesRemark::TooMany { max: 7 },
            FilesRemark::Damaged,
            FilesRemark::CutShort { file: file() },
            FilesRemark::Refused { count: 3 },
        ];
        let mut all = vec![
            Remark::Unsealed,
            Remark::ThinnedPings { file: file(), all: 9, kept: 5 },
            Remark::JoinedLedger { file: file() },
            Remark::TooManyLines { file: file() },
            Remark::ThinnedState { rounds: 4 },
            Remark::Rotated { name: file(), files: 3 },
            Remark::NotRotated { name: file(), files: 3 },
            Remark::Unreadable { file: file(), why: Unreadable::TooManyValues { max: 7 } },
        ];
        all.extend(limits.map(|what| Remark::TooMany { what, max: 7 }));
        all.extend(of_files.map(Remark::Files));
        let said = |of: &Remark, lang| remark(of).render(lang);
        for of in &all {
            let [english, chinese] = [Lang::En, Lang::Zh].map(|lang| said(of, lang));
            for text in [&english, &chinese] {
                assert!(!text.contains("input.") && !text.contains("%{"), "{of:?}: {text}");
            }
            assert_ne!(english, chinese);
        }
        let mut english: Vec<String> = all.iter().map(|of| said(of, Lang::En)).collect();
        english.sort();
        english.dedup();
        assert_eq!(english.len(), all.len(), "each has its own sentence");
    }
}
