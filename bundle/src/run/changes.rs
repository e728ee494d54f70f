//! What became of the points while a run lasted: who joined, was renamed, and left.
//!
//! `run.json` says what was recorded from the start and never changes, for the run's lock hangs on it. Each change is a
//! line of its own file, appended when it happens, so a crash takes none of them.

use serde::{Deserialize, Serialize};

use crate::{Nanos, Point};

/// Changes read of one run: a machine started or stopped every four minutes for a month, and each takes three lines.
pub(crate) const CHANGES_MAX: usize = 32_768;

/// One line of `points.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When it was noticed: a second after it happened at most, a few when the host had to be asked.
    pub at: Nanos,
    /// ChangeKind.
    #[serde(flatten)]
    pub what: ChangeKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum ChangeKind {
    /// A point that was not there at the start is recorded from now on.
    Joined {
        /// As it is recorded from then on.
        point: Box<Point>,
    },
    /// Its interface has another name; the point goes on.
    Renamed {
        /// The point's id.
        id: String,
        /// The name before.
        from: String,
        /// The name from now on.
        to: String,
    },
    /// Its interface is gone and the point is closed; should the machine come back, it gets a new one.
    Left {
        /// The point's id.
        id: String,
    },
}

/// The changes in the text of such a file; lines that are not understood, like one torn by a crash, are left out.
pub(crate) fn parse(text: &str) -> Vec<Change> {
    text.lines().take(CHANGES_MAX).filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::json_line::json_line;
    use super::*;
    use crate::run::RunInfo;
    use proptest::prelude::*;

    #[test]
    fn who_joined_is_a_point_and_a_torn_line_is_none() {
        let joined =
            Change { at: Nanos(7), what: ChangeKind::Joined { point: Box::new(Point::bare("vnet2")) } };
        let (from, to) = ("eth2".to_owned(), "lan0".to_owned());
        let renamed = Change { at: Nanos(8), what: ChangeKind::Renamed { id: "eth2".into(), from, to } };
        let left = Change { at: Nanos(9), what: ChangeKind::Left { id: "vnet2".into() } };
        let mut text: String =
            [&joined, &renamed, &left].map(|c| String::from_utf8(json_line(c).unwrap()).unwrap()).concat();
        text.push_str("{\"at\":10,\"change\":\"joi");
        let changes = parse(&text);
        assert_eq!(changes, [joined, renamed, left]);
        let mut info: RunInfo = serde_json::from_str(
            "{\"schema\":1,\"tool\":\"t\",\"run\":\"r\",\"host\":\"h\",\"points\":[],\
             \"started\":{\"realtime\":1,\"monotonic_ns\":1}}",
        )
        .unwrap();
        info.add_joined(&changes);
        info.add_joined(&changes);
        assert_eq!(info.points, [Point::bare("vnet2")]);
    }

    proptest! {
        #[test]
        fn any_file_is_read(text in "(\\{\"at\":[0-9]{1,20},\"change\":\"(left|joined|renamed)\"(,\"id\":\"x\")?\\}\n|\\PC{0,60}\n){0,6}") {
            let _ = parse(&text);
        }
    }
}
