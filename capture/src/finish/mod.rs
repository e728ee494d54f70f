//! After the recording: the manifest, the one file to send, and what the user should do with it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use netcap_bundle::files::Files;
use netcap_bundle::run::{Clock, Cost, End};
use netcap_bundle::{Manifest, layout, seal};
use rust_i18n::t;

use crate::disk::rundir::RunDir;
use crate::error::{Error, Op, Result};
use crate::ui;
use crate::ui::units::human_bytes;
pub(crate) use analyzer::find_program;
pub(crate) use analyzer::{analyze, analyze_run, analyzer};
use summary::quoted;
pub(crate) use summary::{print_place, summary};
pub(crate) use tar::wrap_up;
use tar::{Tar, move_bundle, remove_attempts, write_bundle};

mod analyzer;
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
}

/// Seals a run that has just ended.
pub(crate) fn seal_run(
    run: &RunDir,
    ended: Clock,
    end: End,
    remarks: Vec<String>,
    cost: Option<Cost>,
) -> Result<Manifest> {
    Ok(seal::seal_with_cost(&run.path, run.info.clone(), Some(ended), end, remarks, cost)?)
}

/// `netcap seal DIR`: closes a run whose recorder is gone, and bundles it.
pub(crate) fn seal_dead(dir: &Path, bundle: bool) -> Result<u8> {
    if !dir.join(layout::RUN).is_file() {
        if let Some(done) = done_already(dir) {
            ui::answer(&t!("end.where", path = quoted(&done.path), size = human_bytes(done.bytes)));
            return Ok(0);
        }
        return Err(Error::Usage(t!("seal.not_a_run", dir = dir.display()).into_owned()));
    }
    let run = RunDir::adopt(dir)?;
    if let Some((manifest, result)) = bundled_before(&run, bundle)? {
        summary(&manifest, &result);
        return Ok(0);
    }
    let manifest = match sealed_before(dir) {
        Some(manifest) if seal::half_moved(dir) => manifest,
        Some(manifest) => seal::repair_cut(dir, manifest)?,
        None => seal::seal(dir, run.info.clone(), None, End::Recovered, Vec::new())?,
    };
    let out = beside(dir);
    let result = wrap_up(&run, &out, bundle, None);
    summary(&manifest, &result);
    Ok(0)
}

/// The tar of a run whose directory is gone, but for the empty folder that a kill in the last moment leaves.
fn done_already(dir: &Path) -> Option<Tar> {
    let path = std::path::absolute(dir).ok()?;
    let done = path.with_file_name(format!("{}{}", path.file_name()?.to_str()?, layout::BUNDLE_END));
    let bytes = done.metadata().ok().filter(fs::Metadata::is_file)?.len();
    match fs::remove_dir(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return None,
        _ => {}
    }
    remove_attempts(&done);
    Some(Tar { path: done, bytes })
}

/// The directory that a run's directory lies in.
fn beside(dir: &Path) -> PathBuf {
    let out = dir.canonicalize().ok().and_then(|d| d.parent().map(Path::to_owned));
    out.unwrap_or_else(|| PathBuf::from("."))
}

/// A run whose tar is complete, for it bears its name, and of which only the removal of the directory was missing: that
/// is made up for. What is left there must not be bundled again in place of the whole.
fn bundled_before(run: &RunDir, bundle: bool) -> Result<Option<(Manifest, RunResult)>> {
    let path = beside(&run.path).join(format!("{}{}", run.info.run, layout::BUNDLE_END));
    let whole = sealed_before(&run.path).is_some() && !seal::half_moved(&run.path);
    if !path.is_file() || (whole && !bundle) {
        return Ok(None);
    }
    let files = Files::tar(&path)?.filter(|files| !files.is_cut());
    let manifest = files.and_then(|files| files.read_small(layout::MANIFEST));
    let manifest = manifest.and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok());
    match manifest.filter(|manifest| manifest.info.started == run.info.started) {
        Some(manifest) => {
            seal::remove_run(&run.path)?;
            remove_attempts(&path);
            let bytes = path.metadata().map_or(0, |meta| meta.len());
            Ok(Some((manifest, RunResult { path, bytes, no_tar: None })))
        }
        None => Err(Error::Other(t!("seal.in_the_way", path = path.display()).into_owned())),
    }
}

/// The manifest of a run that was killed after it was sealed and before it was bundled: it knows why the run ended.
fn sealed_before(dir: &Path) -> Option<Manifest> {
    let bytes = fs::read(dir.join(layout::MANIFEST)).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// `netcap bundle RUN`: a sealed run becomes one file, or a stream on standard output.
pub(crate) fn bundle(dir: &Path, moving: bool, to: Option<&Path>) -> Result<u8> {
    if !dir.join(layout::RUN).is_file() {
        return Err(Error::Usage(t!("seal.not_a_run", dir = dir.display()).into_owned()));
    }
    let stream = to.map(stream).transpose()?.flatten();
    if stream.is_some() && (moving || seal::half_moved(dir)) {
        return Err(Error::Usage(t!("bundle.move_to_stream").into_owned()));
    }
    let run = RunDir::adopt(dir)?;
    if (sealed_before(dir).is_none() || seal::half_moved(dir))
        && let Some((_, result)) = bundled_before(&run, true)?
    {
        ui::answer(&t!("end.where", path = quoted(&result.path), size = human_bytes(result.bytes)));
        return Ok(0);
    }
    match sealed_before(dir) {
        Some(_) if seal::half_moved(dir) => {}
        Some(manifest) => drop(seal::repair_cut(dir, manifest)?),
        None => drop(seal::seal(dir, run.info.clone(), None, End::Recovered, Vec::new())?),
    }
    if let Some(stream) = stream {
        seal::write_tar(&run.path, &run.info.run, stream)?;
        return Ok(0);
    }
    let name = format!("{}{}", run.info.run, layout::BUNDLE_END);
    let done = to.map_or_else(|| beside(dir).join(name), Path::to_owned);
    let Tar { path, bytes } =
        if moving || seal::half_moved(dir) { move_bundle(&run, done)? } else { write_bundle(&run, done)? };
    ui::answer(&t!("end.where", path = quoted(&path), size = human_bytes(bytes)));
    Ok(0)
}

/// Standard output, or what is there already and is no file: a device or a pipe is written to, never replaced.
fn stream(to: &Path) -> Result<Option<Box<dyn Write>>> {
    if to == Path::new("-") {
        return Ok(Some(Box::new(std::io::stdout())));
    }
    if !to.metadata().is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        return Ok(None);
    }
    let open = fs::OpenOptions::new().write(true).open(to);
    Ok(Some(Box::new(open.map_err(Error::file(Op::Open, to))?)))
}

#[cfg(test)]
mod tests;
