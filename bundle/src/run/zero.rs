//! Counters that are zero take no room in a line.

#[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so
pub(super) fn is_zero(value: &u64) -> bool {
    *value == 0
}
