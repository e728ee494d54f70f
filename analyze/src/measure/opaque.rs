//! Frames that were not understood, as they are told: by reason, with how many frames there are where they were seen.

use std::collections::BTreeMap;

use crate::engine::{Opaque, PointId};
use crate::text::Text;
use crate::view::View;

/// Points named one by one.
const POINTS_NAMED_MAX: usize = 4;
/// One frame in so many is told before anything else.
const WORTH_THE_TOP: u64 = 20;

/// Frames that were not understood, for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotUnderstood {
    /// Why.
    pub why: Opaque,
    /// How many, of how many at these points.
    pub frames: u64,
    pub of: u64,
    /// Where, when the input names its points.
    pub points: Vec<String>,
}

impl NotUnderstood {
    /// The most first.
    pub(crate) fn all(view: &View<'_>) -> Vec<Self> {
        let mut reasons: BTreeMap<Opaque, BTreeMap<PointId, u64>> = BTreeMap::new();
        for ((point, why), count) in &view.tables.opaque.frames {
            reasons.entry(*why).or_default().insert(*point, *count);
        }
        let packets = |point: &PointId| view.tables.losses.points.get(point).map_or(0, |seen| seen.packets);
        let of = |(why, points): (Opaque, BTreeMap<PointId, u64>)| Self {
            why,
            frames: points.values().copied().fold(0, u64::saturating_add),
            of: points.keys().map(packets).fold(0, u64::saturating_add),
            points: points.keys().filter_map(|id| view.points.named(*id)).map(str::to_owned).collect(),
        };
        let mut all: Vec<Self> = reasons.into_iter().map(of).collect();
        all.sort_by_key(|one| (std::cmp::Reverse(one.frames), one.why));
        all
    }

    /// So many that a reader must know it first.
    pub(crate) fn leads(&self) -> bool {
        self.frames.saturating_mul(WORTH_THE_TOP) >= self.of
    }

    /// What there is to say of it.
    pub(crate) fn text(&self) -> Text {
        let mut names: Vec<Text> = self.points.iter().take(POINTS_NAMED_MAX).map(Text::verbatim).collect();
        if self.points.len() > POINTS_NAMED_MAX {
            names.push(Text::verbatim("…"));
        }
        let key = if names.is_empty() { "opaque.said" } else { "opaque.said-at" };
        Text::new(key)
            .with("count", self.frames)
            .with("all", self.of)
            .with_list("points", names)
            .with_text("why", self.why.text())
    }
}

impl Opaque {
    /// The reason in words.
    pub(crate) fn text(self) -> Text {
        let hex = |key, number: u16| Text::new(key).with("number", format!("0x{number:04x}"));
        match self {
            Self::Link(number) => Text::new("opaque.link").with("number", number),
            Self::Cooked(number) => hex("opaque.cooked", number),
            Self::Ppp(number) => hex("opaque.ppp", number),
            Self::Type(number) => hex("opaque.type", number),
            Self::Encrypted => Text::new("opaque.encrypted"),
            Self::Cut => Text::new("opaque.cut"),
            Self::Malformed => Text::new("opaque.malformed"),
        }
    }
}
