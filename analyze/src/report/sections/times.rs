//! The numbers of a histogram, for machines.

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use crate::measure::PERCENTILES;

pub(super) fn write_into(map: &mut Map<String, Value>, histogram: &Histogram<u64>) {
    map.insert("unit".into(), json!("ns"));
    map.insert("n".into(), json!(histogram.len()));
    map.insert("min".into(), json!(histogram.min()));
    for (name, percent) in PERCENTILES {
        map.insert(name.into(), json!(histogram.value_at_percentile(percent)));
    }
    map.insert("max".into(), json!(histogram.max()));
}
