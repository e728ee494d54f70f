//! A tar that is no file: standard output, a device, a pipe.

use std::io::Write;
use std::path::Path;

use netcap_bundle::Op;
use netcap_bundle::held::Dir;

use crate::error::{Error, Result};

/// Whether this is standard output, or there already and no file: a device or a pipe is written to, never replaced.
pub(super) fn is_one(to: &Path) -> bool {
    to == Path::new("-") || to.metadata().is_ok_and(|meta| !meta.is_file() && !meta.is_dir())
}

pub(super) fn open(to: &Path) -> Result<Box<dyn Write>> {
    if to == Path::new("-") {
        return Ok(Box::new(std::io::stdout()));
    }
    let (dir, name) = Dir::around(to).map_err(Error::run(to))?;
    Ok(Box::new(dir.stream(&name).map_err(Error::file(Op::Open, to))?))
}
