use super::*;
use crate::measure;

#[test]
fn every_key_is_written_once_and_every_measurement_has_a_section() {
    let keys: Vec<_> = ALL.iter().map(|section| section.key).collect();
    for (at, key) in keys.iter().enumerate() {
        assert!(*key != "schema" && !keys[at + 1..].contains(key), "{key} twice");
    }
    for measurement in measure::ALL {
        assert!(keys.contains(&measurement.key), "{} is shown nowhere", measurement.unit.id);
    }
}
