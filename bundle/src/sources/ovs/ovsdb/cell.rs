//! Cells of an OVSDB table: atoms, sets and maps (RFC 7047, section 5.1).

use serde_json::Value;

use super::model::Map;
use crate::Mac;

/// One row under its headings.
pub(super) struct Row<'a> {
    pub(super) headings: &'a [String],
    pub(super) cells: &'a [Value],
}

impl Row<'_> {
    fn cell(&self, column: &str) -> Option<&Value> {
        let at = self.headings.iter().position(|heading| heading == column)?;
        self.cells.get(at)
    }

    /// The atoms of a column: an atom alone, or the members of its set.
    fn atoms(&self, column: &str) -> &[Value] {
        match self.cell(column) {
            None => &[],
            Some(cell) => tagged(cell, "set").unwrap_or(std::slice::from_ref(cell)),
        }
    }

    pub(super) fn text(&self, column: &str) -> Option<String> {
        let text = self.atoms(column).first()?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    }

    pub(super) fn flag(&self, column: &str) -> bool {
        self.atoms(column).first().and_then(Value::as_bool).unwrap_or(false)
    }

    pub(super) fn flag_if_set(&self, column: &str) -> Option<bool> {
        self.atoms(column).first()?.as_bool()
    }

    pub(super) fn number<N: TryFrom<i64>>(&self, column: &str) -> Option<N> {
        N::try_from(self.atoms(column).first()?.as_i64()?).ok()
    }

    pub(super) fn numbers<N: TryFrom<i64>>(&self, column: &str) -> Vec<N> {
        self.atoms(column).iter().filter_map(Value::as_i64).filter_map(|n| N::try_from(n).ok()).collect()
    }

    pub(super) fn mac(&self, column: &str) -> Option<Mac> {
        self.text(column)?.parse().ok()
    }

    /// `up` or `down`.
    pub(super) fn up(&self, column: &str) -> Option<bool> {
        match self.text(column)?.as_str() {
            "up" => Some(true),
            "down" => Some(false),
            _ => None,
        }
    }

    pub(super) fn uuid(&self) -> Option<String> {
        uuid(self.cell("_uuid")?)
    }

    /// The rows a column points to. A single reference is `["uuid", "…"]` without a set around it.
    pub(super) fn references(&self, column: &str) -> Vec<String> {
        let Some(cell) = self.cell(column) else { return Vec::new() };
        match uuid(cell) {
            Some(one) => vec![one],
            None => tagged(cell, "set").unwrap_or_default().iter().filter_map(uuid).collect(),
        }
    }

    pub(super) fn map(&self, column: &str) -> Map {
        self.pairs(column).filter_map(|(key, value)| Some((key, scalar(value)?))).collect()
    }

    pub(super) fn counters(&self, column: &str) -> std::collections::BTreeMap<String, u64> {
        self.pairs(column).filter_map(|(key, value)| Some((key, value.as_u64()?))).collect()
    }

    fn pairs(&self, column: &str) -> impl Iterator<Item = (String, &Value)> {
        let list = self.cell(column).and_then(|cell| tagged(cell, "map")).unwrap_or_default();
        list.iter().filter_map(|pair| match pair.as_array()?.as_slice() {
            [key, value] => Some((scalar(key)?, value)),
            _ => None,
        })
    }
}

/// The list inside `[tag, [...]]`.
fn tagged<'a>(cell: &'a Value, tag: &str) -> Option<&'a [Value]> {
    match cell.as_array()?.as_slice() {
        [Value::String(name), Value::Array(list)] if name == tag => Some(list),
        _ => None,
    }
}

fn uuid(cell: &Value) -> Option<String> {
    match cell.as_array()?.as_slice() {
        [Value::String(name), Value::String(id)] if name == "uuid" => Some(id.clone()),
        _ => None,
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}
