//! After the recording: the manifest, the one file to send, and what the user should do with it.

use std::io;
use std::path::{Path, PathBuf};

use netcap_bundle::files::Files;
use netcap_bundle::held::{Dir, Kind};
use netcap_bundle::run::{Clock, Cost, End};
use netcap_bundle::{Manifest, layout, seal};
use netcap_words::quote;
use rust_i18n::t;

use crate::disk::rundir::{self, RunDir};
use crate::error::{Error, Result};
use crate::ui;
use crate::ui::units::human_bytes;
pub(crate) use analyzer::{analyze, analyze_run, analyzer};
pub(crate) use summary::{print_place, summary};
pub(crate) use tar::wrap_up;
use tar::{Tar, Target, move_bundle, remove_attempts, write_bundle};

mod analyzer;
mod stream;
mod summary;
mod tar;

/// What is left of a run: a tar, or its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunResult {
    /// The file or directory to analyse or send.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Why there is no tar although one was wanted.
    pub no_tar: Option<String>,
    /// That the directory of the tar could not be removed, as a sentence.
    pub left: Option<String>,
}

impl From<Tar> for RunResult {
    fn from(tar: Tar) -> Self {
        Self { path: tar.path, bytes: tar.bytes, no_tar: None, left: tar.left }
    }
}

/// Exit status of `netcap seal` when the run is closed, but there was no way to make a tar of it.
const NOT_BUNDLED: u8 = 3;

/// Seals a run that has just ended.
pub(crate) fn seal_run(
    run: &RunDir,
    ended: Clock,
    end: End,
    remarks: Vec<String>,
    cost: Option<Cost>,
) -> Result<Manifest> {
    Ok(seal::seal_with_cost(&run.dir, run.info.clone(), Some(ended), end, remarks, cost)?)
}

/// `netcap seal DIR`: closes a run whose recorder is gone, and bundles it.
pub(crate) fn seal_dead(dir: &Path, bundle: bool) -> Result<u8> {
    if rundir::find(dir)?.is_none()
        && let Some(done) = done_already(dir)?
    {
        say(&done.into());
        return Ok(0);
    }
    let run = RunDir::adopt(dir)?;
    if let Some((manifest, result)) = bundled_before(&run, bundle)? {
        summary(&manifest, &result);
        return Ok(0);
    }
    let manifest = match seal::read_manifest(&run.dir)? {
        Some(manifest) if seal::half_moved(&run.dir)? => manifest,
        Some(manifest) => seal::repair_cut(&run.dir, manifest)?,
        None => seal::seal(&run.dir, run.info.clone(), None, End::Recovered, Vec::new())?,
    };
    let result = wrap_up(&run, bundle, None);
    summary(&manifest, &result);
    Ok(if result.no_tar.is_some() { NOT_BUNDLED } else { 0 })
}

/// The tar of a run whose directory is gone, but for the empty folder that a kill in the last moment leaves, or one that
/// another program kept.
fn done_already(dir: &Path) -> Result<Option<Tar>> {
    let path = std::path::absolute(dir).map_err(Error::run(dir))?;
    let (out, name) = match Dir::around(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found.map_err(Error::run(dir))?,
    };
    let done = format!("{name}{}", layout::BUNDLE_END);
    let Some(meta) = out.meta(&done).ok().filter(|meta| meta.kind == Kind::File) else { return Ok(None) };
    let inside = match out.dir(&name) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(_) => return Ok(None),
        Ok(inside) => Some(inside),
    };
    if inside.as_ref().is_some_and(|inside| !inside.has_leftovers_only()) {
        return Ok(None);
    }
    if Files::tar_in(&out, &done)?
        .as_ref()
        .and_then(seal::whole)
        .is_none_or(|manifest| manifest.info.run != name)
    {
        return Ok(None);
    }
    remove_attempts(&out, &done);
    let tar = Tar::alone(path.with_file_name(done), meta.len);
    Ok(Some(tar.after(&path, || inside.map_or(Ok(()), |inside| inside.remove_with_all()))))
}

/// A run whose tar is complete, for it bears its name, and of which only the removal of the directory was missing: that
/// is made up for. What is left there must not be bundled again in place of the whole.
fn bundled_before(run: &RunDir, bundle: bool) -> Result<Option<(Manifest, RunResult)>> {
    let (name, path) = (run.tar_name(), run.tar_path());
    let whole = seal::read_manifest(&run.dir)?.is_some() && !seal::half_moved(&run.dir)?;
    let Some(meta) = run.out.meta(&name).ok().filter(|meta| meta.kind == Kind::File) else { return Ok(None) };
    if whole && !bundle {
        return Ok(None);
    }
    let files = Files::tar_in(&run.out, &name)?;
    let manifest =
        files.as_ref().and_then(seal::whole).filter(|manifest| manifest.info.started == run.info.started);
    // Whoever put it there: what goes with the directory is in it, byte for byte.
    let all =
        files.filter(|_| manifest.is_some()).map_or(Ok(false), |files| seal::holds_all(&files, &run.dir))?;
    match manifest.filter(|_| all) {
        Some(manifest) => {
            remove_attempts(&run.out, &name);
            Ok(Some((manifest, Tar::alone(path, meta.len).without(run).into())))
        }
        None => Err(Error::Other(t!("seal.in_the_way", path = path.display()).into_owned())),
    }
}

/// `netcap bundle RUN`: a sealed run becomes one file, or a stream on standard output.
pub(crate) fn bundle(dir: &Path, moving: bool, to: Option<&Path>) -> Result<u8> {
    let to_stream = to.filter(|to| stream::is_one(to));
    if let Some(held) = rundir::find(dir)?
        && to_stream.is_some()
        && (moving || seal::half_moved(&held)?)
    {
        return Err(Error::Usage(t!("bundle.move_to_stream").into_owned()));
    }
    let run = RunDir::adopt(dir)?;
    let stream = to_stream.map(stream::open).transpose()?;
    let sealed = seal::read_manifest(&run.dir)?;
    if (sealed.is_none() || seal::half_moved(&run.dir)?)
        && let Some((_, result)) = bundled_before(&run, true)?
    {
        say(&result);
        return Ok(0);
    }
    match sealed {
        Some(_) if seal::half_moved(&run.dir)? => {}
        Some(manifest) => drop(seal::repair_cut(&run.dir, manifest)?),
        None => drop(seal::seal(&run.dir, run.info.clone(), None, End::Recovered, Vec::new())?),
    }
    if let Some(stream) = stream {
        seal::write_tar(&run.dir, &run.info.run, stream)?;
        return Ok(0);
    }
    let target = to.map_or_else(|| Ok(Target::beside(&run)), Target::named)?;
    let tar = if moving || seal::half_moved(&run.dir)? {
        move_bundle(&run, &target)?
    } else {
        write_bundle(&run, &target)?
    };
    say(&tar.into());
    Ok(0)
}

/// Where a bundle is.
fn say(result: &RunResult) {
    if let Some(left) = &result.left {
        ui::answer(left);
    }
    ui::answer(&t!("end.where", path = quote::path(&result.path), size = human_bytes(result.bytes)));
}

#[cfg(test)]
mod tests;
