//! The ways by which outside bytes come in, for the fuzz targets (`tests/fuzz`).

use netcap_bundle::input::Input;
use netcap_bundle::packets::LinkType;
use netcap_words::Lang;
use netcap_words::columns::COLUMNS;
use serde_json::Value;

use crate::analysis::{self, Verdict};
use crate::engine;
use crate::report::json::Shape;
use crate::report::{expect, text};

/// Decodes a frame.
pub fn decode(link: LinkType, frame: &[u8]) {
    let _ = engine::decode::decode(link, frame);
}

/// Compares no verdict with a stored one.
pub fn compare(stored: &Value) {
    let _ = expect::check(stored, 1);
    let _ = expect::difference(stored, &[], &[]);
}

/// What was said of an input.
#[derive(Debug)]
pub struct Explained(Verdict);

/// Explains an input with everything that there is.
pub fn explain(input: &Input) -> Explained {
    Explained(analysis::explain(input, None, &engine::Progress::default()))
}

impl Explained {
    /// How many packet files were read.
    pub fn files(&self) -> usize {
        self.0.stats.files.len()
    }

    /// The report for machines.
    pub fn json(&self) -> String {
        Shape::One.verdict(&self.0, true)
    }

    /// The report for people, with all there is to say.
    pub fn report(&self, lang: Lang) -> String {
        text::render(&self.0, text::Look { lang, color: false, verbose: true, columns: COLUMNS })
    }
}
