//! Words of a command that is printed for people to copy: what a shell reads back is what was meant.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::foreign::is_steering;

/// A word as a POSIX shell has to be given it. A word with characters that steer a terminal is written in bash's
/// `$'…'`, for it must be seen as well as pasted.
pub fn shell(word: &str) -> Cow<'_, str> {
    if word.contains(is_steering) {
        return Cow::Owned(escaped(word));
    }
    // It refuses NUL only, which steers.
    shlex::try_quote(word).unwrap_or(Cow::Borrowed(word))
}

/// A command line of words.
pub fn command<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(shell).collect::<Vec<_>>().join(" ")
}

fn escaped(word: &str) -> String {
    let mut out = String::from("$'");
    for c in word.chars() {
        match c {
            '\'' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if is_steering(c) => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(out, "\\x{byte:02x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    #[test]
    fn plain_words_stay_as_they_are() {
        assert_eq!(command(["netcap", "seal", "/root/tcpdump/h-1"]), "netcap seal /root/tcpdump/h-1");
        assert_eq!(shell("my run"), "'my run'");
        assert_eq!(shell(""), "''");
        assert_eq!(shell("a\u{1b}'b"), "$'a\\x1b\\'b'");
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
