//! A run as one file to send.

use std::io::{BufWriter, Read, Write};

use super::place::{failed, open, read_run};
use crate::files::Files;
use crate::held::Dir;
use crate::run::NS_PER_S;
use crate::run::layout;
use crate::{BundleError, Op, Result};

/// Streams a sealed run as a tar whose top folder is the run's name; the manifest comes first.
pub fn write_tar(dir: &Dir, run: &str, out: impl Write) -> Result<()> {
    let files = Files::below(dir)?;
    let mut tar = tar::Builder::new(BufWriter::with_capacity(1 << 20, out));
    let rest = files.paths().filter(|p| *p != layout::MANIFEST);
    let mtime = member_time(dir);
    for path in std::iter::once(layout::MANIFEST).chain(rest) {
        append_file(&mut tar, dir, run, path, mtime)?;
    }
    let mut out = tar.into_inner().map_err(BundleError::io(Op::Finish, "the bundle"))?;
    out.flush().map_err(BundleError::io(Op::Write, "the bundle"))
}

/// Seconds since the epoch that every member of a run's tar carries: when the run started, so that bundling twice gives
/// the same bytes; 0 when the run does not say.
pub(crate) fn member_time(dir: &Dir) -> u64 {
    read_run(dir).map_or(0, |info| u64::try_from(info.started.realtime.0 / NS_PER_S).unwrap_or(0))
}

/// One file of a run as a member of its tar.
pub(crate) fn append_file(
    tar: &mut tar::Builder<impl Write>,
    dir: &Dir,
    run: &str,
    path: &str,
    mtime: u64,
) -> Result<()> {
    let file = open(dir, path).map_err(failed(Op::Open, dir, path))?;
    // The member keeps its size should the file grow meanwhile.
    let size = file.metadata().map_err(failed(Op::Read, dir, path))?.len();
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o600);
    header.set_mtime(mtime);
    header.set_entry_type(tar::EntryType::Regular);
    let done = tar.append_data(&mut header, format!("{run}/{path}"), file.take(size));
    done.map_err(failed(Op::Bundle, dir, path))
}
