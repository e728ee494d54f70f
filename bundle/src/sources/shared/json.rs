//! Small steps into JSON values that may have any shape.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::Value;

use super::text::usable;
use crate::source::{Parsed, RawItem};

/// Bytes of one element; that of an interface has three thousand, that of a bridge's port with every VLAN 150,000.
const ELEMENT_BYTES_MAX: usize = 1 << 20;
/// Objects in one element: every VLAN of a port. Each takes a hundred times the memory of its shortest spelling.
const ELEMENT_OBJECTS_MAX: usize = 8_192;

/// The elements of a JSON array, made one by one: what a hostile one takes in memory is many times its text.
pub(crate) struct Elements<'a> {
    text: Cow<'a, str>,
    at: usize,
}

/// The item as a JSON array, as `ip -j` and `bridge -j` print it. Empty output means an empty array: both print
/// nothing at all when there is nothing to list and no option asked for more. What is no array is a defect.
pub(crate) fn array<'a, T>(item: &RawItem<'a>, parsed: &mut Parsed<T>) -> Elements<'a> {
    let text = usable(item, parsed);
    let none = Elements { text: Cow::Borrowed(""), at: 0 };
    if text.trim().is_empty() {
        return none;
    }
    // What is passed over takes no memory.
    match serde_json::from_str::<IgnoredAny>(&text) {
        Ok(_) if text.trim_start().starts_with('[') => {
            let at = text.len() - text.trim_start().len() + 1;
            let all = Elements { text, at };
            if all.pieces().any(is_heavy) {
                parsed.give_up(item, "elements that are too large are ignored");
            }
            all
        }
        Ok(_) => {
            parsed.defect(item, 0, format!("not a JSON array: {}", start_of(&text)));
            none
        }
        Err(error) => {
            parsed.defect(item, error.line(), format!("not JSON ({error}): {}", start_of(&text)));
            none
        }
    }
}

impl Elements<'_> {
    fn pieces(&self) -> impl Iterator<Item = &str> {
        let mut at = self.at;
        std::iter::from_fn(move || {
            let (piece, next) = element(&self.text, at)?;
            at = next;
            Some(piece)
        })
    }
}

impl Iterator for Elements<'_> {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        loop {
            let (piece, next) = element(&self.text, self.at)?;
            self.at = next;
            if !is_heavy(piece)
                && let Ok(value) = serde_json::from_str(piece)
            {
                return Some(value);
            }
        }
    }
}

/// The element that begins at `at` of an array that is known to be JSON, and where the next one begins.
fn element(text: &str, at: usize) -> Option<(&str, usize)> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (index, byte) in text.as_bytes().iter().enumerate().skip(at) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => depth += 1,
            b',' | b']' if depth == 0 => {
                let piece = text.get(at..index).unwrap_or_default().trim();
                return (!piece.is_empty()).then_some((piece, index + 1));
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

fn is_heavy(piece: &str) -> bool {
    piece.len() > ELEMENT_BYTES_MAX
        || piece.bytes().filter(|byte| *byte == b'{').count() > ELEMENT_OBJECTS_MAX
}

/// A string field that is not empty.
pub(crate) fn string(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}

/// A number field that fits.
pub(crate) fn number<N: TryFrom<u64>>(value: &Value, key: &str) -> Option<N> {
    value.get(key).and_then(Value::as_u64).and_then(|n| N::try_from(n).ok())
}

/// The start of a text, for a defect.
pub(crate) fn start_of(text: &str) -> String {
    text.trim().chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Nanos;
    use crate::source::Outcome;
    use proptest::prelude::*;

    fn read(text: &str) -> (Vec<Value>, Parsed<()>) {
        let bytes = text.as_bytes();
        let item =
            RawItem { item: "link", arg: "", at: Nanos(0), outcome: &Outcome::Ok, bytes, truncated: false };
        let mut parsed = Parsed::default();
        let values = array(&item, &mut parsed).collect();
        (values, parsed)
    }

    #[test]
    fn an_element_that_is_too_large_is_left_out_and_said() {
        let heavy = format!("[{{}},[{}0],{{\"a\":[1]}}]", "{},".repeat(ELEMENT_OBJECTS_MAX + 1));
        let (values, parsed) = read(&heavy);
        assert_eq!(values, [serde_json::json!({}), serde_json::json!({"a": [1]})]);
        assert!(parsed.partial && parsed.defects.len() == 1, "{:?}", parsed.defects);
    }

    #[test]
    fn what_is_no_array_is_a_defect() {
        for text in ["{\"a\":1}", "[1,", "7", "x"] {
            let (values, parsed) = read(text);
            assert_eq!((values.len(), parsed.defects.len(), parsed.partial), (0, 1, false), "{text}");
        }
        assert_eq!(read(" \n").1.defects, []);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[\\[\\]{},\"\\\\a]{0,6}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[\\]},\"a]{0,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect()))
            ]
        })
    }

    proptest! {
        #[test]
        fn elements_are_those_of_the_array(values in prop::collection::vec(any_value(), 0..6), pretty: bool) {
            let whole = Value::from(values.clone());
            let text = if pretty { serde_json::to_string_pretty(&whole) } else { serde_json::to_string(&whole) };
            prop_assert_eq!(read(&text.unwrap()).0, values);
        }

        #[test]
        fn any_text_is_answered(text in "[\\[\\]{},\"\\\\a0: ]{0,40}") {
            let _ = read(&text);
        }
    }
}
