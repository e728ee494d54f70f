//! Words of a command that is printed for people to copy: what a shell reads back is what was meant.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::foreign::is_steering;

/// Characters besides letters and digits that mean nothing to a shell, wherever they stand but at the beginning.
const PLAIN: &str = "/._-+=:@%,";

/// A word as a POSIX shell has to be given it. A word with characters that steer a terminal is written in bash's
/// `$'…'`, for it must be seen as well as pasted.
pub fn shell(word: &str) -> Cow<'_, str> {
    if word.contains(is_steering) {
        return Cow::Owned(escaped(word.as_bytes()));
    }
    let is_plain = |c: char| c.is_alphanumeric() || PLAIN.contains(c);
    if !word.is_empty() && !word.starts_with(['=', '%']) && word.chars().all(is_plain) {
        return Cow::Borrowed(word);
    }
    // It refuses NUL only, which steers.
    shlex::try_quote(word).unwrap_or(Cow::Borrowed(word))
}

/// A path in the same way, also one that is no text.
pub fn path(path: &Path) -> String {
    let word = path.as_os_str();
    word.to_str().map_or_else(|| escaped(word.as_bytes()), |word| shell(word).into_owned())
}

/// A command line of words.
pub fn command<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(shell).collect::<Vec<_>>().join(" ")
}

fn escaped(word: &[u8]) -> String {
    let mut out = String::from("$'");
    for chunk in word.utf8_chunks() {
        for c in chunk.valid().chars() {
            let mut bytes = [0; 4];
            match c {
                '\'' | '\\' => out.extend(['\\', c]),
                c if is_steering(c) => escape(&mut out, c.encode_utf8(&mut bytes).as_bytes()),
                c => out.push(c),
            }
        }
        escape(&mut out, chunk.invalid());
    }
    out.push('\'');
    out
}

fn escape(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Three digits: whatever follows is not taken for a further one.
        let _ = write!(out, "\\{byte:03o}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::ffi::OsStr;
    use std::process::Command;

    #[test]
    fn plain_words_stay_as_they_are() {
        assert_eq!(command(["netcap", "seal", "/root/tcpdump/h-1"]), "netcap seal /root/tcpdump/h-1");
        assert_eq!(shell("my run"), "'my run'");
        assert_eq!(shell(""), "''");
        assert_eq!(shell("udp,nw_src=192.0.2.1/32"), "udp,nw_src=192.0.2.1/32");
        assert_eq!(path(Path::new("/虚拟机/it's")), "\"/虚拟机/it's\"");
        assert_eq!(path(Path::new(OsStr::from_bytes(b"/a\xff1"))), "$'/a\\3771'");
        assert_eq!(shell("a\u{1b}'b"), "$'a\\033\\'b'");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_shell_reads_back_what_was_meant(word in "[^\u{0}]{0,12}") {
            prop_assert!(!shell(&word).contains(is_steering));
            let script = format!("printf %s {}", shell(&word));
            let out = Command::new("bash").args(["-c", &script]).output().unwrap();
            prop_assert_eq!(String::from_utf8_lossy(&out.stdout), word);
        }
    }
}
