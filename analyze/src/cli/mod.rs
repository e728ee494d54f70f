//! The command line: arguments in, exit code out. Nothing else in this crate prints.

mod args;
mod failure;
mod help;
mod inputs;
mod refused;
mod reports;
mod together;
mod watch;

use std::io::{self, Write};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::ExitCode;

use netcap_bundle::Op;
use netcap_bundle::held;
use netcap_bundle::input::Input;
use netcap_words::Lang;
use netcap_words::columns::{self, fill, left, wrap};
use netcap_words::foreign::clean;

use crate::analysis::registry;
use crate::analysis::{self, Verdict};
use crate::detectors::addresses::ip_conflict::{AddressBook, Books};
use crate::engine::Progress;
use crate::finding::{Finding, Severity};
use crate::report::across::Across;
use crate::report::expect;
use crate::report::words::severity_key;
use crate::text::{Text, phrase};
use args::{Args, FailOn};
use failure::{Failure, Result, Sink};
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
        Err(err) => match help::refusal(&err, &words) {
            Some(why) => {
                complain(&why);
                return ExitCode::from(WRONG);
            }
            None => err.exit(),
        },
    };
    match run(&args) {
        Ok(code) => ExitCode::from(code),
        Err(err) if err.is_broken_pipe() => ExitCode::from(CLEAN),
        Err(err) => {
            complain(&err.text().render(language(&args)));
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
        return Err(Failure::NoInput);
    }
    check_ids(args)?;
    // A verdict that cannot be read is a mistake on the command line: say so before the long work.
    let expected = args.expect.as_deref().map(read_expected).transpose()?;
    if let (Some(expected), Some(path)) = (&expected, &args.expect) {
        expect::check(expected, args.inputs.len())
            .map_err(|why| Failure::Incomparable { path: path.clone(), why })?;
    }
    let many = Inputs::are_many(&args.inputs, args.each);
    check_outputs(args, many)?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads.unwrap_or(0))
        .build()
        .map_err(Failure::Threads)?;
    if args.together {
        return together::run(args, &pool, expected.as_ref());
    }
    let mut reports = Reports::open(args, many)?;
    let (mut kept, mut books) = (Vec::new(), Books::default());
    explain(args, &pool, many, |name, verdict| match verdict {
        Ok((verdict, book)) => {
            reports.verdict(&verdict)?;
            if verdict.understood_nothing() {
                let said = Text::new("failure.not-understood").with("path", name);
                complain(&said.render(language(args)));
            }
            books.extend(book);
            if expected.is_some() {
                kept.push(expect::Compared::new(&verdict));
            }
            Ok(())
        }
        Err(why) => reports.unreadable(name, &why),
    })?;
    let across = Across::of(&books, &args.only);
    let total = reports.close(many, &across)?;
    let code = match expected {
        Some(expected) => compare(args, &expected, &kept, &across.findings)?,
        None if reports::worst(&total, args.fail_on.severity()) => FOUND,
        None => CLEAN,
    };
    Ok(if total.unreadable > 0 || total.not_understood > 0 { WRONG } else { code })
}

/// Every input in turn; a bad one is said and does not stop the others.
fn explain(
    args: &Args,
    pool: &rayon::ThreadPool,
    many: bool,
    mut take: impl FnMut(&str, std::result::Result<Explained, String>) -> Result<()>,
) -> Result<()> {
    let beside = many || args.inputs.len() > 1;
    let progress = Progress::default();
    let watch = watch::Watch::new(language(args));
    std::thread::scope(|scope| {
        let watcher = watch.spawn(scope, &progress);
        let mut inputs = Inputs::new(&args.inputs, args.each);
        let done = inputs.try_for_each(|path| {
            let open = || Input::open(&path).map_err(|error| refused(&error).render(language(args)));
            let verdict = survived(&path, language(args), || {
                let input = open()?;
                Ok(pool.install(|| explained(&input, args, beside, &progress)))
            });
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

/// What is said of an input, and what is compared with other inputs where there are any.
type Explained = (Verdict, Option<AddressBook>);

fn explained(input: &Input, args: &Args, beside: bool, progress: &Progress) -> Explained {
    let only = (!args.only.is_empty()).then_some(args.only.as_slice());
    if beside {
        let (verdict, book) = analysis::explain_beside(input, only, progress);
        (verdict, Some(book))
    } else {
        (analysis::explain(input, only, progress), None)
    }
}

/// A mistake of this program in one input of thousands must not take the others with it.
fn survived<T>(
    path: &Path,
    lang: Lang,
    work: impl FnOnce() -> std::result::Result<T, String>,
) -> std::result::Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Text::new("failure.own").with("path", path.display()).render(lang)))
}

fn is_stdout(path: Option<&Path>) -> bool {
    path == Some(Path::new("-"))
}

/// What cannot be written as asked is said before the work.
fn check_outputs(args: &Args, many: bool) -> Result<()> {
    if let Some(expect) = args.expect.as_deref().filter(|_| many) {
        return Err(Failure::IncomparableFolder(expect.to_owned()));
    }
    let Some(hlog) = &args.hlog else { return Ok(()) };
    if is_stdout(Some(hlog)) && is_stdout(args.json.as_deref()) {
        return Err(Failure::StandardOutputTwice);
    }
    if (many || args.inputs.len() > 1) && !is_stdout(Some(hlog)) && !hlog.is_dir() {
        return Err(Failure::NoFolder(hlog.clone()));
    }
    Ok(())
}

/// Bytes of a stored verdict at most, and values in it.
const VERDICT_BYTES_MAX: u64 = 32 << 20;
const VERDICT_VALUES_MAX: usize = 1_000_000;

fn read_expected(path: &Path) -> Result<serde_json::Value> {
    let bytes = held::read_chosen(path, VERDICT_BYTES_MAX).map_err(Failure::file(Op::Read, path))?;
    if bytes.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() > VERDICT_VALUES_MAX {
        return Err(Failure::CrowdedVerdict { path: path.to_owned(), max: VERDICT_VALUES_MAX });
    }
    serde_json::from_slice(&bytes).map_err(|source| Failure::NoVerdict { path: path.to_owned(), source })
}

fn compare(
    args: &Args,
    expected: &serde_json::Value,
    verdicts: &[expect::Compared],
    across: &[Finding],
) -> Result<u8> {
    let expect::Difference { lines, unnamed } =
        expect::difference(expected, verdicts, across).map_err(|why| {
            let path = args.expect.clone().unwrap_or_default();
            Failure::Incomparable { path, why }
        })?;
    let mut out: Vec<String> = Vec::new();
    let columns = columns::of(&io::stderr());
    if !unnamed.is_empty() {
        let list = unnamed.iter().map(Text::verbatim).collect();
        let text = Text::new("expect.unnamed").with_list("detectors", list).render(language(args));
        out.extend(wrap(columns, "", "  ", &text));
    }
    out.push(phrase(if lines.is_empty() { "expect.same" } else { "expect.differs" }, language(args)));
    for line in lines.iter().flat_map(|line| line.lines()) {
        let indent = line.len() - line.trim_start().len();
        out.extend(wrap(columns, &" ".repeat(indent), "      ", line));
    }
    let text = out.iter().map(|line| clean(line)).collect::<Vec<_>>().join("\n") + "\n";
    io::stderr().write_all(text.as_bytes()).map_err(Failure::output(Sink::StandardError))?;
    Ok(if lines.is_empty() { CLEAN } else { FOUND })
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
    io::stdout().write_all(out.as_bytes()).map_err(Failure::output(Sink::StandardOutput))
}

fn severity_word(severity: Severity, lang: Lang) -> String {
    match lang {
        Lang::En => severity.to_string(),
        Lang::Zh => phrase(severity_key(severity), lang),
    }
}

fn page(id: &str) -> Result<()> {
    let Some(unit) = registry::by_id(id) else { return Err(Failure::NoSuchUnit(id.to_owned())) };
    io::stdout()
        .write_all(fill(columns::of(&io::stdout()), &unit.page()).as_bytes())
        .map_err(Failure::output(Sink::StandardOutput))
}

fn check_ids(args: &Args) -> Result<()> {
    match args.only.iter().find(|id| registry::by_id(id).is_none()) {
        Some(id) => Err(Failure::NoSuchUnit(id.clone())),
        None => Ok(()),
    }
}

/// The language that is asked for, else that of the environment.
fn language(args: &Args) -> Lang {
    args.lang.unwrap_or_else(Lang::of_environment)
}

fn complain(text: &str) {
    // Nothing can be done when standard error is closed.
    let _ = writeln!(io::stderr(), "netcap-analyze: {}", clean(text));
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
