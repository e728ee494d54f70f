//! All registries as one list: command line, help, pages and laws derive from it.

use crate::unit::Unit;
use crate::{causes, detectors, measure, symptoms};

/// Every unit, alphabetical.
pub(crate) fn units() -> Vec<&'static Unit> {
    let causes = causes::ALL.iter().map(|cause| &cause.unit);
    let detectors = detectors::ALL.iter().map(|detector| &detector.unit);
    let measurements = measure::ALL.iter().map(|measurement| &measurement.unit);
    let symptoms = symptoms::ALL.iter().map(|symptom| &symptom.unit);
    let mut all: Vec<_> = causes.chain(detectors).chain(measurements).chain(symptoms).collect();
    all.sort_unstable_by_key(|unit| unit.id);
    all
}

/// The unit of that id.
pub(crate) fn by_id(id: &str) -> Option<&'static Unit> {
    units().into_iter().find(|unit| unit.id == id)
}

#[cfg(test)]
mod tests {
    use netcap_words::Lang;

    use super::*;
    use crate::text::phrase;

    #[test]
    fn ids_are_unique_and_every_unit_has_its_page() {
        let units = units();
        assert!(units.windows(2).all(|two| two[0].id < two[1].id), "two units have one id");
        for unit in units {
            let page = unit.page();
            assert!(page.starts_with(&format!("`{}`: ", unit.id)), "{page}");
            for part in ["Exonerated", "Remedy", "Sources", "中文"] {
                assert!(page.contains(part), "{} has no part '{part}'", unit.id);
            }
            for need in unit.needs {
                assert_ne!(phrase(need.key, Lang::En), format!("en.{}", need.key));
            }
        }
    }

    #[test]
    fn lists_are_in_the_order_that_they_promise() {
        let sorted = |ids: Vec<&str>| assert!(ids.is_sorted(), "{ids:?}");
        sorted(detectors::ALL.iter().map(|detector| detector.unit.id).collect());
        sorted(measure::ALL.iter().map(|measurement| measurement.unit.id).collect());
        let rungs: Vec<_> = causes::ALL.iter().map(|cause| (cause.rung, cause.unit.id)).collect();
        assert!(rungs.is_sorted(), "{rungs:?}");
        sorted(symptoms::ALL.iter().map(|symptom| symptom.unit.id).collect());
    }
}
