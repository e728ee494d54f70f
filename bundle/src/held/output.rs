//! Files of the user's own choice, wherever they lie: one that is read whole, and one that is written anew.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{self as sys, AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::Dir;
use super::trust::{self, Mistrust};

/// The content of such a file of at most so many bytes: a regular one, by whatever links; nothing is waited for.
pub fn read_chosen(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Dir::file_of_anybody(path)?.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    let size = bytes.len() as u64;
    if size > max { Err(Mistrust::TooLarge { size, max }.into()) } else { Ok(bytes) }
}

/// Makes that file, or cuts the one that is there; links are followed, devices and pipes are written to.
///
/// In a directory where others may make names, as `/tmp` is, what lies there must be the user's own or root's: a stranger's
/// link leads anywhere, and a stranger reads his own file and pipe. The kernel refuses the same where the host lets it
/// (`fs.protected_symlinks`, `fs.protected_regular`, `fs.protected_fifos`).
pub fn output(path: &Path) -> io::Result<File> {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = path.file_name() else { return File::create(path) };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(dir) = sys::openat(CWD, above, flags, Mode::empty()) else { return File::create(path) };
    if !trust::others_write(&dir, &sys::fstat(&dir)?) {
        return File::create(path);
    }
    let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
    match sys::openat(&dir, name, flags | OFlags::CREATE | OFlags::EXCL, Mode::from_raw_mode(0o666)) {
        Err(Errno::EXIST) => {}
        made => return Ok(File::from(made?)),
    }
    let stat = sys::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    trust::owner(&stat)?;
    let is_link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
    let follow = if is_link { OFlags::empty() } else { OFlags::NOFOLLOW };
    let file = File::from(sys::openat(&dir, name, flags | follow, Mode::empty())?);
    let stat = sys::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
        trust::owner(&stat)?;
        file.set_len(0)?;
    }
    Ok(file)
}
