//! The command line: arguments in, exit code out. Nothing else in this crate prints.

mod args;
mod help;
mod inputs;
mod refused;
mod reports;
mod together;
mod watch;

use std::fs::File;
use std::io::{self, Write};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use netcap_bundle::input::Input;
use netcap_words::Lang;
use netcap_words::columns::{self, fill, left, wrap};
use netcap_words::foreign::clean;

use crate::analysis::registry;
use crate::analysis::{self, Verdict};
use crate::engine::Progress;
use crate::finding::Severity;
use crate::report::expect;
use crate::report::words::severity_key;
use crate::text::{Text, phrase};
use args::{Args, FailOn};
use inputs::Inputs;
use refused::refused;
use reports::Reports;

/// Nothing at or above `--fail-on`.
const CLEAN: u8 = 0;
/// Something at or above `--fail-on`, or a difference from `--expect`.
const FOUND: u8 = 1;
/// The input or the command line is wrong.
const WRONG: u8 = 2;

/// Runs the program.
pub fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let args = match help::parse(&words) {
        Ok(args) => args,
        // Help and version are answers, everything else is a mistake; clap knows which.
        Err(err) => err.exit(),
    };
    match run(&args) {
        Ok(code) => ExitCode::from(code),
        Err(err) if is_broken_pipe(&err) => ExitCode::from(CLEAN),
        Err(err) => {
            complain(&format!("{err:#}"));
            ExitCode::from(WRONG)
        }
    }
}

fn run(args: &Args) -> Result<u8> {
    if args.list {
        return list(args).map(|()| CLEAN);
    }
    if let Some(id) = &args.explain {
        return page(id).map(|()| CLEAN);
    }
    if args.inputs.is_empty() {
        bail!(
            "no input. Give a netcap bundle (.tar or directory), a pcap or pcapng file, or a directory of check_network.sh"
        );
    }
    check_ids(args)?;
    // A verdict that cannot be read is a mistake on the command line: say so before the long work.
    let expected = args.expect.as_deref().map(read_expected).transpose()?;
    if let (Some(expected), Some(path)) = (&expected, &args.expect) {
        expect::check(expected, args.inputs.len())
            .map_err(|why| anyhow::anyhow!("cannot compare with {}: {why}", path.display()))?;
    }
    let many = Inputs::are_many(&args.inputs, args.each);
    check_outputs(args, many)?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads.unwrap_or(0))
        .build()
        .context("cannot start threads; try --threads 1")?;
    if args.together {
        return together::run(args, &pool);
    }
    let mut reports = Reports::open(args, many)?;
    let mut kept = Vec::new();
    explain(args, &pool, |name, verdict| match verdict {
        Ok(verdict) => {
            reports.verdict(&verdict)?;
            if expected.is_some() {
                kept.push(expect::Compared::new(&verdict));
            }
            Ok(())
        }
        Err(why) => reports.unreadable(name, &why),
    })?;
    let total = reports.close(many)?;
    let code = match expected {
        Some(expected) => compare(args, &expected, &kept)?,
        None if reports::worst(&total, args.fail_on.severity()) => FOUND,
        None => CLEAN,
    };
    Ok(if total.unreadable > 0 { WRONG } else { code })
}

/// Every input in turn; a bad one is said and does not stop the others.
fn explain(
    args: &Args,
    pool: &rayon::ThreadPool,
    mut take: impl FnMut(&str, Result<Verdict, String>) -> Result<()>,
) -> Result<()> {
    let only = (!args.only.is_empty()).then_some(args.only.as_slice());
    let progress = Progress::default();
    let watch = watch::Watch::new();
    std::thread::scope(|scope| {
        let watcher = watch.spawn(scope, &progress);
        let mut inputs = Inputs::new(&args.inputs, args.each);
        let done = inputs.try_for_each(|path| {
            let verdict = one(&path, pool, only, &progress, language(args));
            watch.clear();
            if let Err(why) = &verdict {
                complain(why);
            }
            take(&path.display().to_string(), verdict)
        });
        watch.stop();
        drop(watcher);
        for folder in inputs.full() {
            let said = Text::new("inputs.full").with("folder", folder.display());
            complain(&said.render(language(args)));
        }
        done
    })
}

/// One input. A mistake of this program in one of thousands must not take the others with it.
fn one(
    path: &Path,
    pool: &rayon::ThreadPool,
    only: Option<&[String]>,
    progress: &Progress,
    lang: Lang,
) -> Result<Verdict, String> {
    let explain = || {
        let input = Input::open(path).map_err(|error| refused(&error).render(lang))?;
        Ok(pool.install(|| analysis::explain(&input, only, progress)))
    };
    std::panic::catch_unwind(AssertUnwindSafe(explain)).unwrap_or_else(|_| {
        Err(format!("{}: a mistake of netcap-analyze itself (see above); please report it", path.display()))
    })
}

fn is_stdout(path: Option<&Path>) -> bool {
    path == Some(Path::new("-"))
}

/// What cannot be written as asked is said before the work.
fn check_outputs(args: &Args, many: bool) -> Result<()> {
    if let Some(expect) = args.expect.as_deref().filter(|_| many) {
        bail!(
            "--expect {}: a folder of bundles cannot be compared; give its bundles one by one",
            expect.display()
        );
    }
    let Some(hlog) = &args.hlog else { return Ok(()) };
    if is_stdout(Some(hlog)) && is_stdout(args.json.as_deref()) {
        bail!("--json - and --hlog - both want standard output; give one of them a file");
    }
    if (many || args.inputs.len() > 1) && !is_stdout(Some(hlog)) && !hlog.is_dir() {
        bail!("--hlog {}: several inputs need a directory", hlog.display());
    }
    Ok(())
}

fn read_expected(path: &Path) -> Result<serde_json::Value> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    serde_json::from_reader(io::BufReader::new(file))
        .with_context(|| format!("{} is not a verdict; write one with --json", path.display()))
}

fn compare(args: &Args, expected: &serde_json::Value, verdicts: &[expect::Compared]) -> Result<u8> {
    let expect::Difference { lines, unnamed } = match expect::difference(expected, verdicts) {
        Ok(difference) => difference,
        Err(why) => {
            bail!("cannot compare with {}: {why}", args.expect.as_deref().unwrap_or(Path::new("")).display())
        }
    };
    let columns = columns::of(&io::stderr());
    let mut err = io::stderr().lock();
    if !unnamed.is_empty() {
        let list = unnamed.iter().map(Text::verbatim).collect();
        let text = Text::new("expect.unnamed").with_list("detectors", list).render(language(args));
        for line in wrap(columns, "", "  ", &text) {
            writeln!(err, "{}", clean(&line))?;
        }
    }
    if lines.is_empty() {
        writeln!(err, "{}", phrase("expect.same", language(args)))?;
        return Ok(CLEAN);
    }
    writeln!(err, "{}", phrase("expect.differs", language(args)))?;
    for line in lines.iter().flat_map(|line| line.lines()) {
        let indent = line.len() - line.trim_start().len();
        for line in wrap(columns, &" ".repeat(indent), "      ", line) {
            writeln!(err, "{}", clean(&line))?;
        }
    }
    Ok(FOUND)
}

fn list(args: &Args) -> Result<()> {
    let columns = columns::of(&io::stdout());
    use std::fmt::Write as _;
    let (mut out, lang) = (String::new(), language(args));
    for unit in registry::units() {
        let severity = match unit.severity {
            Some((least, most)) if least == most => severity_word(least, lang),
            Some((least, most)) => format!("{}–{}", severity_word(least, lang), severity_word(most, lang)),
            None => "-".to_owned(),
        };
        let head = format!("{:<15} {} ", unit.id, left(&severity, 14));
        for line in wrap(columns, &head, &" ".repeat(31), &unit.summary(lang)) {
            let _ = writeln!(out, "{line}");
        }
        if args.verbose {
            for need in unit.needs {
                for line in wrap(columns, &" ".repeat(31), &" ".repeat(33), &phrase(need.key, lang)) {
                    let _ = writeln!(out, "{line}");
                }
            }
        }
    }
    io::stdout().write_all(out.as_bytes()).context("cannot write to standard output")
}

fn severity_word(severity: Severity, lang: Lang) -> String {
    match lang {
        Lang::En => severity.to_string(),
        Lang::Zh => phrase(severity_key(severity), lang),
    }
}

fn page(id: &str) -> Result<()> {
    let Some(unit) = registry::by_id(id) else { bail!(unknown(id)) };
    io::stdout()
        .write_all(fill(columns::of(&io::stdout()), &unit.page()).as_bytes())
        .context("cannot write to standard output")
}

fn check_ids(args: &Args) -> Result<()> {
    match args.only.iter().find(|id| registry::by_id(id).is_none()) {
        Some(id) => bail!(unknown(id)),
        None => Ok(()),
    }
}

fn unknown(id: &str) -> String {
    let ids: Vec<&str> = registry::units().iter().map(|unit| unit.id).collect();
    format!("there is no detector '{id}'; there are {}", ids.join(", "))
}

/// The language that is asked for, else that of the environment.
fn language(args: &Args) -> Lang {
    args.lang.unwrap_or_else(Lang::of_environment)
}

fn complain(text: &str) {
    // Nothing can be done when standard error is closed.
    let _ = writeln!(io::stderr(), "netcap-analyze: {}", clean(text));
}

fn is_broken_pipe(err: &anyhow::Error) -> bool {
    err.chain().any(|e| e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe))
}

impl FailOn {
    fn severity(self) -> Option<crate::finding::Severity> {
        use crate::finding::Severity;
        match self {
            Self::Info => Some(Severity::Info),
            Self::Warning => Some(Severity::Warning),
            Self::Error => Some(Severity::Error),
            Self::Never => None,
        }
    }
}
