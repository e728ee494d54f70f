//! Why the program ends without an answer, in the reader's language.

use std::io;
use std::path::{Path, PathBuf};

use netcap_bundle::Op;
use netcap_bundle::held::{Mistrust, mistrust};
use rayon::ThreadPoolBuildError;

use super::refused::{attempt, why};
use crate::analysis::registry;
use crate::report::expect::Incomparable;
use crate::text::Text;

/// The result of a part of the program.
pub(super) type Result<T> = std::result::Result<T, Failure>;

/// What went wrong: on the command line, or on the way to the answer. Inputs that cannot be read are not here, for they do
/// not stop the others.
#[derive(Debug)]
pub(super) enum Failure {
    NoInput,
    NoSuchUnit(String),
    Threads(ThreadPoolBuildError),
    /// The stored verdict is none of these inputs.
    Incomparable {
        path: PathBuf,
        why: Incomparable,
    },
    /// A folder of bundles stands where a stored verdict is to be compared with.
    IncomparableFolder(PathBuf),
    NoVerdict {
        path: PathBuf,
        source: serde_json::Error,
    },
    /// More values than a verdict has: each takes memory, however short it is written.
    CrowdedVerdict {
        path: PathBuf,
        max: usize,
    },
    /// Two outputs want standard output.
    StandardOutputTwice,
    /// Histogram logs of several inputs go into a directory.
    NoFolder(PathBuf),
    File {
        op: Op,
        path: PathBuf,
        source: io::Error,
    },
    /// A stranger's file or link where the answer is to be written, in a directory where anybody makes names.
    OthersFile {
        path: PathBuf,
        uid: u32,
    },
    Output {
        to: Sink,
        source: io::Error,
    },
    /// Clocks are compared of several hosts.
    OneHost,
    TooManyHosts {
        max: usize,
    },
    SameRecording {
        one: String,
        other: String,
    },
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sink {
    StandardOutput,
    StandardError,
    Json,
    HistogramLog,
}

impl Failure {
    /// For `map_err`: an operation on a file.
    pub(super) fn file(op: Op, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { op, path, source }
    }

    /// For `map_err`: a file of the user's choice that is written anew.
    pub(super) fn created(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match mistrust(&source) {
            Some(Mistrust::FileOwner { uid }) => Self::OthersFile { path, uid: *uid },
            _ => Self::File { op: Op::Create, path, source },
        }
    }

    /// For `map_err`: something that is written.
    pub(super) fn output(to: Sink) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Output { to, source }
    }

    /// Whoever read the answer has read enough.
    pub(super) fn is_broken_pipe(&self) -> bool {
        match self {
            Self::File { source, .. } | Self::Output { source, .. } => {
                source.kind() == io::ErrorKind::BrokenPipe
            }
            _ => false,
        }
    }

    /// As it is said.
    pub(super) fn text(&self) -> Text {
        match self {
            Self::NoInput => Text::new("usage.no-input"),
            Self::NoSuchUnit(id) => Text::new("usage.no-such-unit").with("id", id).with_list("ids", ids()),
            Self::Threads(why) => Text::new("failure.threads").with("why", why),
            Self::Incomparable { path, why } => {
                Text::new("usage.incomparable").with("path", path.display()).with_text("why", why.text())
            }
            Self::IncomparableFolder(path) => {
                Text::new("usage.incomparable-folder").with("path", path.display())
            }
            Self::NoVerdict { path, source } => {
                Text::new("usage.no-verdict").with("path", path.display()).with("why", source)
            }
            Self::CrowdedVerdict { path, max } => Text::new("usage.no-verdict")
                .with("path", path.display())
                .with_text("why", Text::new("usage.verdict-values").with("max", max)),
            Self::StandardOutputTwice => Text::new("usage.standard-output-twice"),
            Self::NoFolder(path) => Text::new("usage.no-folder").with("path", path.display()),
            Self::File { op, path, source } => Text::new("error.file")
                .with_text("op", attempt(*op))
                .with("path", path.display())
                .with_text("why", why(source)),
            Self::OthersFile { path, uid } => {
                Text::new("failure.others-file").with("path", path.display()).with("uid", uid)
            }
            Self::Output { to, source } => Text::new(to.key()).with("why", source),
            Self::OneHost => Text::new("usage.one-host"),
            Self::TooManyHosts { max } => Text::new("usage.too-many-hosts").with("max", max),
            Self::SameRecording { one, other } => {
                Text::new("usage.same-recording").with("one", one).with("other", other)
            }
        }
    }
}

impl Sink {
    fn key(self) -> &'static str {
        match self {
            Self::StandardOutput => "failure.standard-output",
            Self::StandardError => "failure.standard-error",
            Self::Json => "failure.json",
            Self::HistogramLog => "failure.histogram-log",
        }
    }
}

fn ids() -> Vec<Text> {
    registry::units().iter().map(|unit| Text::verbatim(unit.id)).collect()
}

#[cfg(test)]
mod tests {
    use netcap_words::Lang;

    use super::*;

    #[test]
    fn every_failure_is_said_in_both_languages() {
        let why = || io::Error::from(io::ErrorKind::NotFound);
        let path = || PathBuf::from("x");
        let outputs = [Sink::StandardOutput, Sink::StandardError, Sink::Json, Sink::HistogramLog];
        let json = serde_json::from_str::<u8>("x").expect_err("no number");
        let mut all = vec![
            Failure::NoInput,
            Failure::NoSuchUnit("x".to_owned()),
            Failure::Incomparable { path: path(), why: Incomparable::NoFindings },
            Failure::Incomparable { path: path(), why: Incomparable::Inputs { stored: 1, given: 2 } },
            Failure::Incomparable { path: path(), why: Incomparable::Inputs { stored: 2, given: 1 } },
            Failure::IncomparableFolder(path()),
            Failure::NoVerdict { path: path(), source: json },
            Failure::CrowdedVerdict { path: path(), max: 9 },
            Failure::StandardOutputTwice,
            Failure::NoFolder(path()),
            Failure::File { op: Op::Create, path: path(), source: why() },
            Failure::OthersFile { path: path(), uid: 65_534 },
            Failure::OneHost,
            Failure::TooManyHosts { max: 16 },
            Failure::SameRecording { one: "x".to_owned(), other: "y".to_owned() },
        ];
        all.extend(outputs.map(|to| Failure::Output { to, source: why() }));
        for failure in all {
            let [english, chinese] = [Lang::En, Lang::Zh].map(|lang| failure.text().render(lang));
            for text in [&english, &chinese] {
                assert!(
                    !text.contains("usage.") && !text.contains("failure.") && !text.contains("%{"),
                    "{text}"
                );
            }
            assert_ne!(english, chinese);
        }
    }
}
