//! What the recording lost, gave up and removed.

mod page;
mod value;

use super::Section;

/// The registry's line.
pub(super) const SECTION: Section = Section {
    key: "recording",
    json: |verdict| (!verdict.recording.is_empty()).then(|| value::value(&verdict.recording)),
    text: |page, verdict| page.recording(&verdict.recording),
};

#[cfg(test)]
mod tests;
