//! A line of the files that grow while a run lasts.

use serde::Serialize;

/// A line of a ledger.
pub fn line<T: Serialize>(span: &T) -> std::io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(span)?;
    line.push(b'\n');
    Ok(line)
}
