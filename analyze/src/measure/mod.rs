//! Numbers that are no findings: the registry of measurements, counts, and what the recording itself lost.

pub(crate) mod hops;
pub(crate) mod journeys;
pub(crate) mod latency;
pub(crate) mod opaque;
pub(crate) mod recording;
pub(crate) mod stats;

use crate::unit::Unit;
use crate::view::View;

/// The percentiles that are shown, with their names.
pub(crate) const PERCENTILES: [(&str, f64); 4] =
    [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99_9", 99.9)];

/// What the registry says of a measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measurement {
    /// Id, needs and manual page.
    pub unit: Unit,
    /// Its key in the JSON.
    pub key: &'static str,
    /// It is made whatever `--only` names: a by-product of the pass.
    pub always: bool,
}

/// A measurement: its empty value is what is left when it was not made.
pub(crate) trait Measure: Default {
    /// Its entry in the registry.
    const MEASUREMENT: Measurement;

    /// Measures.
    fn of(view: &View<'_>) -> Self;
}

macro_rules! measurements {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        pub(crate) const ALL: &[Measurement] = &[$(<$type as Measure>::MEASUREMENT),*];

        /// What was measured.
        #[derive(Debug, Default)]
        pub(crate) struct Measured {
            $($(#[$doc])* pub $name: $type,)*
        }

        impl Measured {
            /// Makes those measurements that `may` allows.
            pub(crate) fn of(view: &View<'_>, mut may: impl FnMut(&Measurement) -> bool) -> Self {
                Self { $($name: if may(&<$type>::MEASUREMENT) { <$type>::of(view) } else { Default::default() },)* }
            }
        }
    };
}

// The registry: one line each, alphabetical.
measurements! {
    /// Times from point to point.
    hops: hops::Hops,
    /// How the followed packets fared.
    journeys: journeys::JourneyCounts,
    /// Round-trip times.
    latency: latency::Latencies,
}
