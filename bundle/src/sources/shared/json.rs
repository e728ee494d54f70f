//! Small steps into JSON values that may have any shape.

use serde_json::Value;

use super::text::usable;
use crate::source::{Parsed, RawItem};

/// The item as a JSON array, as `ip -j` and `bridge -j` print it. Empty output means an empty array: both print
/// nothing at all when there is nothing to list and no option asked for more.
pub(crate) fn array<T>(item: &RawItem<'_>, parsed: &mut Parsed<T>) -> Vec<Value> {
    let text = usable(item, parsed);
    if text.trim().is_empty() {
        return Vec::new();
    }
    match serde_json::from_str::<Value>(&text) {
        Ok(Value::Array(list)) => list,
        Ok(other) => {
            parsed.defect(item, 0, format!("not a JSON array: {}", start_of(&other.to_string())));
            Vec::new()
        }
        Err(error) => {
            parsed.defect(item, error.line(), format!("not JSON ({error}): {}", start_of(&text)));
            Vec::new()
        }
    }
}

/// The string below `key`, if it is a non-empty string.
pub(crate) fn string(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}

/// The unsigned number below `key`, if it is one and fits.
pub(crate) fn number<N: TryFrom<u64>>(value: &Value, key: &str) -> Option<N> {
    value.get(key).and_then(Value::as_u64).and_then(|n| N::try_from(n).ok())
}

/// The first eighty characters, for complaints.
pub(crate) fn start_of(text: &str) -> String {
    text.trim().chars().take(80).collect()
}
