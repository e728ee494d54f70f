//! The recorder's own log in the bundle: what it said, with the time.

use std::io::Write;
use std::sync::Arc;

use netcap_bundle::held::Dir;
use netcap_bundle::{Op, layout};
use netcap_words::foreign::clean;

use super::budget::{Budget, Metered};
use crate::error::{Error, Result};
use crate::host::clock;

/// `netcap.log` of a run.
pub(crate) struct Journal {
    file: Option<Metered>,
    utc_offset_s: i32,
}

impl Journal {
    /// Begins the log.
    pub(crate) fn create(dir: &Dir, utc_offset_s: i32, budget: &Arc<Budget>) -> Result<Self> {
        let file = dir.create_new(layout::LOG);
        let file = file.map_err(Error::file(Op::Create, dir.path().join(layout::LOG)))?;
        let file = Metered::lines(file, budget);
        Ok(Self { file: Some(file), utc_offset_s })
    }

    /// Adds a line. A full disk is noticed by the packets, not by the log about them.
    pub(crate) fn line(&mut self, text: &str) {
        if let Some(file) = &mut self.file {
            let _ = writeln!(file, "{} {}", clock::now().display(self.utc_offset_s), clean(text));
        }
    }

    /// Ends the log: from here on the run is sealed and must not change.
    pub(crate) fn close(&mut self) {
        self.file = None;
    }
}
