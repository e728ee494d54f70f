//! Yes, no, or not known: a match against a packet of which not everything is known must never guess.

use serde::{Deserialize, Serialize};

/// A three-valued answer (Kleene's strong logic).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ternary {
    /// Certainly.
    Yes,
    /// Certainly not.
    No,
    /// It depends on something that is not known.
    Unknown,
}

impl Ternary {
    /// Both: one certain "no" decides.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Unknown,
        }
    }

    /// The opposite; what is not known stays unknown.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
        }
    }

    /// The answer of a check that could only be made when its subject was known.
    pub fn of(known: Option<bool>) -> Self {
        known.map_or(Self::Unknown, Self::from)
    }
}

impl From<bool> for Ternary {
    fn from(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }
}

impl FromIterator<Self> for Ternary {
    /// All of them; yes when there is none.
    fn from_iter<I: IntoIterator<Item = Self>>(answers: I) -> Self {
        let mut all = Self::Yes;
        for answer in answers {
            all = all.and(answer);
            if all == Self::No {
                break;
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::Ternary::{No, Unknown, Yes};
    use super::*;

    #[test]
    fn one_certain_no_decides() {
        assert_eq!([Yes, Unknown, No].into_iter().collect::<Ternary>(), No);
        assert_eq!([Yes, Unknown].into_iter().collect::<Ternary>(), Unknown);
        assert_eq!([].into_iter().collect::<Ternary>(), Yes);
        assert_eq!((Unknown.negated(), Yes.negated()), (Unknown, No));
    }
}
