//! Thousands of changed inputs: each is answered with a verdict or a sentence, in bounded time and memory.
//!
//! `scripts/prove-hostile COUNT SEED` runs as many as asked; the test in the tree a few. The same seed makes the same
//! inputs. An input that is not answered is kept and named.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::change::{Numbers, change};
use crate::specials;

/// Longest processor time for one input; those of the tests are small.
const SECONDS_MAX: f64 = 20.0;
/// Longest time by the clock, on a machine that has much else to do.
const CLOCK_MAX: Duration = Duration::from_mins(3);
/// Most memory for one input.
const KIB_MAX: f64 = 256.0 * 1024.0;
/// Largest file of a corpus that is changed: larger ones take long and are no more varied.
const BYTES_MAX: u64 = 2 << 20;

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// The samples, and the corpus where there is one; each as often as the other.
fn sources(unpacked: &Path) -> [Vec<PathBuf>; 2] {
    let samples = netcap_tests::samples::all().into_iter().enumerate().map(|(number, sample)| {
        let dir = unpacked.join(number.to_string());
        fs::create_dir(&dir).unwrap();
        netcap_tests::samples::unpack(&sample, &dir).unwrap()
    });
    let samples = samples.collect();
    let small = |path: &PathBuf| fs::metadata(path).is_ok_and(|m| m.len() <= BYTES_MAX);
    let corpus = netcap_tests::corpus("changed inputs of a corpus");
    let corpus = corpus.map(|dir| netcap_tests::files_below(&dir, "")).unwrap_or_default();
    [samples, corpus.into_iter().filter(small).collect()]
}

/// The program: the one built with the test, or the one that `NETCAP_ANALYZE` names.
fn program() -> PathBuf {
    std::env::var_os("NETCAP_ANALYZE")
        .map_or_else(|| env!("CARGO_BIN_EXE_netcap-analyze").into(), PathBuf::from)
}

/// What is wrong with the answer to options and inputs, if something is.
///
/// Otherwise its exit status, and the seconds and the MiB it took, as GNU time measures them; without it they are 0.
pub(crate) fn judge(words: &[PathBuf]) -> Result<(i32, f64, f64), String> {
    let memory = tempfile::NamedTempFile::new().unwrap();
    let measured = Path::new("/usr/bin/time").exists();
    let mut command = Command::new(if measured { "/usr/bin/time".into() } else { program() });
    if measured {
        command.args(["-q", "-f", "%U %S %M", "-o"]).arg(memory.path()).arg(program());
    }
    let stderr = tempfile::tempfile().unwrap();
    let mut child =
        command.args(words).stdout(Stdio::null()).stderr(stderr.try_clone().unwrap()).spawn().unwrap();
    let Some(status) = netcap_tests::ended_within(&mut child, CLOCK_MAX) else {
        return Err(format!("takes longer than {CLOCK_MAX:?}"));
    };
    let said = {
        use std::io::{Read, Seek};
        let (mut stderr, mut text) = (stderr, Vec::new());
        stderr.rewind().unwrap();
        stderr.read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    };
    let code = status.code();
    if !matches!(code, Some(0..=2)) || said.contains("panicked") {
        return Err(format!("ends with {status}: {said}"));
    }
    if code == Some(2) && !said.starts_with("netcap-analyze: ") {
        return Err(format!("no sentence: {said}"));
    }
    let text = fs::read_to_string(memory.path()).unwrap_or_default();
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [user, system, kib] = numbers[..] else { return Ok((code.unwrap_or(2), 0.0, 0.0)) };
    if kib >= KIB_MAX {
        return Err(format!("takes {kib} KiB of memory"));
    }
    if user + system > SECONDS_MAX {
        return Err(format!("takes {} s", user + system));
    }
    Ok((code.unwrap_or(2), user + system, kib / 1024.0))
}

/// The report for programs, of one input.
fn judge_one(input: &Path) -> Result<(i32, f64, f64), String> {
    judge(&["--json".into(), "-".into(), input.to_owned()])
}

#[test]
fn changed_inputs_are_answered() {
    let (count, seed) = (number("NETCAP_MUTATIONS", 100), number("NETCAP_SEED", 1));
    let unpacked = tempfile::tempdir().unwrap();
    let sources = sources(unpacked.path());
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let most = Mutex::new((0.0f64, 0.0f64));
    // A program that refuses everything would answer everything.
    let answers = [const { AtomicUsize::new(0) }; 3];
    let work = || {
        let dir = tempfile::tempdir().unwrap();
        let input = dir.path().join("input");
        loop {
            let at = next.fetch_add(1, Ordering::SeqCst);
            if at >= count {
                return;
            }
            let mut numbers = Numbers::of(seed as u64, at as u64);
            let kind = if sources[1].is_empty() { 0 } else { numbers.below(2) };
            let source = &sources[kind][numbers.below(sources[kind].len())];
            fs::write(&input, change(&mut numbers, fs::read(source).unwrap())).unwrap();
            match judge_one(&input) {
                Ok((code, seconds, mib)) => {
                    answers[usize::try_from(code).unwrap()].fetch_add(1, Ordering::SeqCst);
                    let mut most = most.lock().unwrap();
                    *most = (most.0.max(seconds), most.1.max(mib));
                }
                Err(why) => {
                    let kept = std::env::temp_dir().join(format!("netcap-mutation-{seed}-{at}"));
                    fs::copy(&input, &kept).unwrap();
                    wrong.lock().unwrap().push(format!(
                        "{} from {}: {why}",
                        kept.display(),
                        source.display()
                    ));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let (seconds, mib) = *most.lock().unwrap();
    let files: usize = sources.iter().map(Vec::len).sum();
    let [clean, found, refused] = answers.map(AtomicUsize::into_inner);
    println!(
        "{count} changes of {files} files, seed {seed}: {clean} without a fault, {found} with one, {refused} refused in a \
         sentence; at most {seconds} s and {mib:.0} MiB each"
    );
    assert!(clean + found > refused, "most changes must get past the door");
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {count} are not answered\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn made_up_inputs_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for (name, input) in specials::all(dir.path()) {
        match judge_one(&input) {
            Ok((code, seconds, mib)) => println!("{name}: exit {code}, {seconds} s, {mib:.0} MiB"),
            Err(why) => wrong.push(format!("{name}: {why}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!Path::new("/tmp/netcap-escaped").exists(), "a member of a tar left its folder");
}
