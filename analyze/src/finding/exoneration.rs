//! What would exonerate, and what came of looking for it.

use crate::text::Text;

/// One thing that would exonerate. What it is must not depend on how a translation words it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exoneration {
    /// It was looked for and is not so: what it is, a colon, and why not.
    RuledOut(Text),
    /// It may be so: nothing that was recorded says.
    Open(Text),
    /// What of the packets is not part of the claim, with its count.
    Counted(Text),
}

impl Exoneration {
    /// All of it, in one sentence.
    pub(crate) fn sentence(&self) -> Text {
        match self {
            Self::RuledOut(text) | Self::Counted(text) => text.clone(),
            Self::Open(text) => Text::new("exoneration.open").with_text("what", text.clone()),
        }
    }
}
