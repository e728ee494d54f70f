//! One line of a file that grows while a run lasts.

use serde::Serialize;

/// The line of a record, newline included.
pub fn json_line<T: Serialize>(span: &T) -> std::io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(span)?;
    line.push(b'\n');
    Ok(line)
}
