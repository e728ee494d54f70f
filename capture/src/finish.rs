//! After the recording: the manifest, the one file to send, and what the user should do with it.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use netcap_bundle::input::Files;
use netcap_bundle::manifest::{Clock, Cost, End, Manifest};
use netcap_bundle::{BundleError, layout, move_tar, seal};
use rust_i18n::t;

use crate::budget::{Bounds, directory_bytes};
use crate::control::protocol::Ended;
use crate::error::{Error, Result};
use crate::live::disk_left;
use crate::rundir::RunDir;
use crate::ui;
use crate::units::human_bytes;

/// What is left of a run: a tar, or its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The file or directory to analyse or send.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Why there is no tar although one was wanted.
    pub no_tar: Option<String>,
}

impl Outcome {
    /// For those who asked for the end; their directory need not be ours.
    pub fn told(&self, status: u8) -> Ended {
        let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        Ended { path, bytes: self.bytes, no_tar: self.no_tar.clone(), unsealed: None, status }
    }
}

/// Seals a run that has just ended.
pub fn seal_run(
    run: &RunDir,
    ended: Clock,
    end: End,
    remarks: Vec<String>,
    cost: Option<Cost>,
) -> Result<Manifest> {
    Ok(seal::seal_with_cost(&run.path, run.info.clone(), Some(ended), end, remarks, cost)?)
}

/// `netcap seal DIR`: closes a run whose recorder is gone, and bundles it.
pub fn seal_dead(dir: &Path, bundle: bool) -> Result<u8> {
    if !dir.join(layout::RUN).is_file() {
        if let Some(done) = done_already(dir) {
            ui::answer(&t!("end.where", path = quoted(&done.0), size = human_bytes(done.1)));
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
        Some(manifest) => manifest,
        None => seal::seal(dir, run.info.clone(), None, End::Recovered, Vec::new())?,
    };
    let out = beside(dir);
    let result = wrap_up(&run, &out, bundle, None)?;
    summary(&manifest, &result);
    Ok(0)
}

/// The tar of a run whose directory is gone, but for the empty folder that a kill in the last moment leaves.
fn done_already(dir: &Path) -> Option<(PathBuf, u64)> {
    let path = std::path::absolute(dir).ok()?;
    let done = path.with_file_name(format!("{}{}", path.file_name()?.to_str()?, layout::BUNDLE_END));
    let bytes = done.metadata().ok().filter(fs::Metadata::is_file)?.len();
    match fs::remove_dir(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return None,
        _ => {}
    }
    remove_attempts(&done);
    Some((done, bytes))
}

/// What earlier attempts at a tar left, once there is a complete one.
fn remove_attempts(done: &Path) {
    for end in [layout::MOVING_END, layout::PARTIAL_END] {
        let _ = fs::remove_file(with_end(done, end));
    }
}

/// The directory that a run's directory lies in.
fn beside(dir: &Path) -> PathBuf {
    let out = dir.canonicalize().ok().and_then(|d| d.parent().map(Path::to_owned));
    out.unwrap_or_else(|| PathBuf::from("."))
}

/// A run whose tar is complete, for it bears its name, and of which only the removal of the directory was missing: that
/// is made up for. What is left there must not be bundled again in place of the whole.
fn bundled_before(run: &RunDir, bundle: bool) -> Result<Option<(Manifest, Outcome)>> {
    let path = beside(&run.path).join(format!("{}{}", run.info.run, layout::BUNDLE_END));
    let whole = sealed_before(&run.path).is_some() && !move_tar::half_moved(&run.path);
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
            Ok(Some((manifest, Outcome { path, bytes, no_tar: None })))
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
pub fn bundle(dir: &Path, moving: bool, to: Option<&Path>) -> Result<u8> {
    if !dir.join(layout::RUN).is_file() {
        return Err(Error::Usage(t!("seal.not_a_run", dir = dir.display()).into_owned()));
    }
    let stream = to.map(stream).transpose()?.flatten();
    if stream.is_some() && (moving || move_tar::half_moved(dir)) {
        return Err(Error::Usage(t!("bundle.move_to_stream").into_owned()));
    }
    let run = RunDir::adopt(dir)?;
    if (sealed_before(dir).is_none() || move_tar::half_moved(dir))
        && let Some((_, result)) = bundled_before(&run, true)?
    {
        ui::answer(&t!("end.where", path = quoted(&result.path), size = human_bytes(result.bytes)));
        return Ok(0);
    }
    if sealed_before(dir).is_none() {
        seal::seal(dir, run.info.clone(), None, End::Recovered, Vec::new())?;
    }
    if let Some(stream) = stream {
        seal::write_tar(&run.path, &run.info.run, stream)?;
        return Ok(0);
    }
    let name = format!("{}{}", run.info.run, layout::BUNDLE_END);
    let done = to.map_or_else(|| beside(dir).join(name), Path::to_owned);
    let (path, bytes) = if moving || move_tar::half_moved(dir) {
        move_bundle(&run, done)?
    } else {
        write_bundle(&run, done)?
    };
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
    Ok(Some(Box::new(open.map_err(Error::file("open", to))?)))
}

/// Bytes of a tar member besides the file's own: header and padding.
const MEMBER: u64 = 1024;

/// Whether a tar of the run may lie beside its directory for a while.
fn copy_fits(run: &RunDir, out: &Path, size: u64, bounds: Option<Bounds>) -> bool {
    let floor = bounds.map_or(0, |bounds| bounds.floor);
    let files = Files::directory(&run.path).map_or(0, |files| files.paths().count() as u64);
    let tar = size.saturating_add(MEMBER.saturating_mul(files + 2));
    let left = disk_left(out).unwrap_or(u64::MAX);
    left.saturating_sub(floor) >= tar && bounds.is_none_or(|bounds| size.saturating_add(tar) <= bounds.max)
}

/// Bundles the run if wanted and possible. While there is room, the directory is removed only after the tar is complete
/// on the disk; else file by file.
pub fn wrap_up(run: &RunDir, out: &Path, bundle: bool, bounds: Option<Bounds>) -> Result<Outcome> {
    let size = directory_bytes(&run.path);
    if !bundle {
        return Ok(Outcome { path: run.path.clone(), bytes: size, no_tar: None });
    }
    let done = out.join(format!("{}{}", run.info.run, layout::BUNDLE_END));
    let result = if !move_tar::half_moved(&run.path) && copy_fits(run, out, size, bounds) {
        write_bundle(run, done).and_then(|written| {
            seal::remove_run(&run.path)?;
            // A move that had begun and removed nothing yet.
            remove_attempts(&written.0);
            Ok(written)
        })
    } else {
        room_to_move(run, out, bounds).and_then(|()| move_bundle(run, done))
    };
    match result {
        Ok((path, bytes)) => Ok(Outcome { path, bytes, no_tar: None }),
        Err(e) => Ok(Outcome { path: run.path.clone(), bytes: size, no_tar: Some(e.to_string()) }),
    }
}

/// Moving takes the room of a segment for a moment. What others have left of the disk may be less by now, and the floor
/// holds for them.
fn room_to_move(run: &RunDir, out: &Path, bounds: Option<Bounds>) -> Result<()> {
    let floor = bounds.map_or(0, |bounds| bounds.floor);
    let left = disk_left(out).unwrap_or(u64::MAX);
    if floor == 0 || left.saturating_sub(floor) >= move_tar::room(&run.path)? {
        return Ok(());
    }
    let (left, floor) = (human_bytes(left), human_bytes(floor));
    Err(Error::Other(t!("end.no_room", left = left, floor = floor).into_owned()))
}

/// Streams the tar; it is complete or absent.
fn write_bundle(run: &RunDir, path: PathBuf) -> Result<(PathBuf, u64)> {
    let partial = with_end(&path, layout::PARTIAL_END);
    let write = || -> netcap_bundle::Result<u64> {
        let file = File::create(&partial).map_err(BundleError::io("create", &partial))?;
        seal::write_tar(&run.path, &run.info.run, &file)?;
        file.sync_all().map_err(BundleError::io("write", &partial))?;
        fs::rename(&partial, &path).map_err(BundleError::io("rename", &partial))?;
        // The directory it was made of goes next.
        seal::sync_parent(&path).map_err(BundleError::io("write", &path))?;
        Ok(file.metadata().map_or(0, |m| m.len()))
    };
    match write() {
        Ok(bytes) => Ok((path, bytes)),
        Err(e) => {
            // It may be the disk that is full; the run itself is still there.
            let _ = fs::remove_file(&partial);
            Err(e.into())
        }
    }
}

/// Moves the run into the tar: needs no room for a copy.
fn move_bundle(run: &RunDir, path: PathBuf) -> Result<(PathBuf, u64)> {
    let moving = with_end(&path, layout::MOVING_END);
    let bytes = move_tar::move_tar(&run.path, &run.info.run, &moving, &path)?;
    remove_attempts(&path);
    Ok((path, bytes))
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// The last lines: what was recorded, what was lost, where it is, and what to do with it.
pub fn summary(manifest: &Manifest, result: &Outcome) {
    let written: u64 = manifest.counts.iter().map(|c| c.written).sum();
    let dropped: u64 = manifest.counts.iter().map(|c| c.dropped).sum();
    if !manifest.info.points.is_empty() {
        let (packets, points) = (ui::packets(written), ui::points(manifest.info.points.len()));
        ui::answer(&t!("end.counts", packets = packets, points = points, dropped = dropped));
    }
    for count in manifest.counts.iter().filter(|c| c.dropped > 0) {
        ui::answer(&t!("end.lost", point = count.point, dropped = count.dropped, received = count.received));
    }
    for shed in &manifest.shed {
        let (what, packets) = (crate::shed::word(shed.deepest), ui::packets(shed.packets));
        let seconds = shed.cut_ms / 1000;
        ui::answer(&t!(
            "shed.summary",
            point = shed.point,
            what = what,
            seconds = seconds,
            packets = packets
        ));
    }
    if let Some(cost) = &manifest.cost {
        cost_line(cost);
    }
    for gone in &manifest.pruned {
        let (point, count, packets) = (&gone.point, ui::segments(gone.segments), ui::packets(gone.packets));
        let until = gone.until.display(manifest.info.utc_offset_s);
        ui::answer(&t!("end.pruned", point = point, count = count, packets = packets, until = until));
    }
    for remark in &manifest.remarks {
        ui::answer(&t!("end.remark", text = remark));
    }
    place(result);
}

/// Where it is, and what to do with it.
pub fn place(result: &Outcome) {
    if let Some(why) = &result.no_tar {
        ui::answer(&t!("end.no_tar", why = why));
    }
    let path = quoted(&result.path);
    ui::answer(&t!("end.where", path = path, size = human_bytes(result.bytes)));
    ui::answer(&t!("end.analyse", path = path));
    let recursive = if result.path.is_dir() { "-r " } else { "" };
    ui::answer(&t!("end.send", path = path, recursive = recursive));
}

/// What the recording took of the host, in one line.
fn cost_line(cost: &Cost) {
    let ms = cost.user_ms.saturating_add(cost.system_ms).saturating_add(cost.children_ms);
    let cpu = format!("{}.{}", ms / 1000, ms % 1000 / 100);
    let share = format!("{:.1}", ms as f64 * 100.0 / cost.wall_ms.max(1) as f64);
    let (memory, written) = (human_bytes(cost.rss_max), human_bytes(cost.written));
    ui::answer(&t!("end.cost", cpu = cpu, share = share, memory = memory, written = written));
}

/// A path that can be pasted into a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:@%,".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// Name of the program that explains a run.
const ANALYZER: &str = "netcap-analyze";

/// The analyzer: the one beside this program, then that of the PATH. Looked for before anything is recorded, so that
/// nobody learns after a night that there is none.
pub fn analyzer() -> Result<PathBuf> {
    let exe = std::env::current_exe().ok();
    let beside = exe.as_deref().and_then(Path::parent).map(Path::to_owned);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = find_program(ANALYZER, beside.into_iter().chain(std::env::split_paths(&path)));
    found.ok_or_else(|| Error::Usage(t!("usage.no_analyzer").into_owned()))
}

/// The first of these directories that has a program of that name.
pub(crate) fn find_program(name: &str, dirs: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let runs = |path: &PathBuf| {
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    dirs.map(|dir| dir.join(name)).find(runs)
}

/// Runs the analyzer on the result, in the language of this program. Gives what it said by its exit status, `None` when
/// it did not run.
pub fn analyze(program: &Path, path: &Path) -> Option<i32> {
    let status = analyzer_command(program, path, &rust_i18n::locale()).status();
    explained(program, path, status.map(|status| status.code()))
}

/// The same for a recording, which asks its helper if it may not run programs itself.
pub async fn analyze_run(program: &Path, path: &Path) -> Option<i32> {
    match crate::sandbox::helper() {
        Some(helper) => explained(program, path, helper.analyze(path).await),
        None => analyze(program, path),
    }
}

fn explained(program: &Path, path: &Path, done: std::io::Result<Option<i32>>) -> Option<i32> {
    match done {
        Ok(code) => code.or(Some(-1)),
        Err(e) => {
            ui::tell(&t!("end.no_analyzer", program = program.display(), why = e, path = quoted(path)));
            None
        }
    }
}

/// The command that explains a result.
pub fn analyzer_command(program: &Path, path: &Path, lang: &str) -> Command {
    // The host's own work goes first; the nice value is inherited.
    let _ = crate::sys::nice_this_thread(10);
    let mut command = Command::new(program);
    command.arg("--lang").arg(lang).arg(path);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_can_be_pasted() {
        assert_eq!(quoted(Path::new("/var/lib/netcap/h-1.tar")), "/var/lib/netcap/h-1.tar");
        assert_eq!(quoted(Path::new("/a b/it's")), "'/a b/it'\\''s'");
    }

    #[test]
    fn a_dead_run_becomes_a_tar_and_its_directory_goes() {
        let out = tempfile::tempdir().unwrap();
        let run = RunDir::create(out.path(), vec![], vec![], None).unwrap();
        let (dir, name) = (run.path.clone(), run.info.run.clone());
        assert!(matches!(seal_dead(&dir, true), Err(Error::Active(_))));
        drop(run);
        assert_eq!(seal_dead(&dir, true).unwrap(), 0);
        let tar = out.path().join(format!("{name}.tar"));
        assert!(tar.is_file() && !dir.exists());
        assert!(!out.path().join(format!("{name}.tar.partial")).exists());
        // Killed in the last moment: an empty folder, and half a copy that was begun before the move.
        fs::create_dir(&dir).unwrap();
        fs::write(out.path().join(format!("{name}.tar.moving")), "begun").unwrap();
        for _ in 0..2 {
            assert_eq!(seal_dead(&dir, true).unwrap(), 0, "once more is no mistake");
            assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn what_a_kill_left_of_a_bundled_directory_never_takes_the_bundles_place() {
        let out = tempfile::tempdir().unwrap();
        let run = RunDir::create(out.path(), vec![], vec![], None).unwrap();
        fs::write(run.path.join(layout::LOG), "all that was said").unwrap();
        let (dir, name) = (run.path.clone(), run.info.run.clone());
        let tar = out.path().join(format!("{name}.tar"));
        drop(run);
        assert_eq!(bundle(&dir, false, None).unwrap(), 0);
        let whole = fs::read(&tar).unwrap();
        for gone in [&[layout::LOG][..], &[layout::MANIFEST], &[layout::LOG, layout::MANIFEST], &[]] {
            let keep = tempfile::tempdir().unwrap();
            let kept: Vec<_> = fs::read_dir(&dir).unwrap().flatten().collect();
            for entry in &kept {
                fs::copy(entry.path(), keep.path().join(entry.file_name())).unwrap();
            }
            for file in gone {
                fs::remove_file(dir.join(file)).unwrap();
            }
            assert_eq!(seal_dead(&dir, true).unwrap(), 0, "{gone:?}");
            assert!(fs::read(&tar).unwrap() == whole && !dir.exists(), "{gone:?}");
            fs::create_dir(&dir).unwrap();
            for entry in kept {
                fs::copy(keep.path().join(entry.file_name()), entry.path()).unwrap();
            }
        }
        fs::write(&tar, "something else").unwrap();
        assert!(seal_dead(&dir, true).is_err() && fs::read(&tar).unwrap() == b"something else");
    }

    #[test]
    fn only_what_can_be_run_is_a_program() {
        use std::os::unix::fs::PermissionsExt;
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let dirs = || [a.path().to_owned(), b.path().to_owned()].into_iter();
        assert_eq!(find_program("x", dirs()), None);
        for dir in [&a, &b] {
            fs::write(dir.path().join("x"), "").unwrap();
        }
        fs::set_permissions(b.path().join("x"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find_program("x", dirs()), Some(b.path().join("x")));
    }

    #[test]
    fn a_directory_that_is_no_run_is_refused() {
        let out = tempfile::tempdir().unwrap();
        assert_eq!(seal_dead(out.path(), true).unwrap_err().exit_status(), 2);
    }
}
