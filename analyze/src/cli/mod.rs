//! The command line: arguments in, exit code out. Nothing else in this crate prints.

mod args;
mod watch;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use netcap_bundle::input::Input;

use crate::analysis::{self, Verdict};
use crate::detectors;
use crate::engine::Progress;
use crate::finding::Severity;
use crate::latency;
use crate::report::words::severity_key;
use crate::report::wrap::{fill, left, wrap};
use crate::report::{expect, json, text};
use crate::text::{Lang, phrase};
use args::{Args, Color, FailOn};

/// Nothing at or above `--fail-on`.
const CLEAN: u8 = 0;
/// Something at or above `--fail-on`, or a difference from `--expect`.
const FOUND: u8 = 1;
/// The input or the command line is wrong.
const WRONG: u8 = 2;

/// Runs the program.
pub fn main() -> ExitCode {
    let args = Args::parse();
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
    check_outputs(args)?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads.unwrap_or(0))
        .build()
        .context("cannot start threads; try --threads 1")?;
    let (verdicts, bad) = explain(args, &pool);
    write_reports(args, &verdicts)?;
    let mut code = worst(args, &verdicts);
    if let Some(expected) = expected {
        code = compare(args, &expected, &verdicts)?;
    }
    Ok(if bad { WRONG } else { code })
}

/// Every input in turn; a bad one is said and does not stop the others.
fn explain(args: &Args, pool: &rayon::ThreadPool) -> (Vec<Verdict>, bool) {
    let only = (!args.only.is_empty()).then_some(args.only.as_slice());
    let (mut verdicts, mut bad) = (Vec::new(), false);
    let progress = Progress::default();
    let watch = watch::Watch::new();
    std::thread::scope(|scope| {
        let watcher = watch.spawn(scope, &progress);
        for path in &args.inputs {
            match Input::open(path) {
                Ok(input) => verdicts.push(pool.install(|| analysis::explain(&input, only, &progress))),
                Err(err) => {
                    watch.clear();
                    complain(&err.to_string());
                    bad = true;
                }
            }
        }
        watch.stop();
        drop(watcher);
    });
    (verdicts, bad)
}

fn write_reports(args: &Args, verdicts: &[Verdict]) -> Result<()> {
    if let Some(path) = &args.hlog {
        histogram_logs(path, verdicts)?;
    }
    let to_stdout = is_stdout(args.json.as_deref());
    if let Some(path) = &args.json
        && !verdicts.is_empty()
    {
        let text = json::render(verdicts);
        if to_stdout {
            io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")?;
        } else {
            std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    if to_stdout || is_stdout(args.hlog.as_deref()) {
        return Ok(());
    }
    let look = text::Look {
        lang: language(args),
        color: match args.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        },
        verbose: args.verbose,
    };
    let pages: Vec<String> = verdicts.iter().map(|v| text::render(v, look)).collect();
    io::stdout().write_all(pages.join("\n").as_bytes()).context("cannot write to standard output")
}

fn is_stdout(path: Option<&Path>) -> bool {
    path == Some(Path::new("-"))
}

/// What cannot be written as asked is said before the work.
fn check_outputs(args: &Args) -> Result<()> {
    let Some(hlog) = &args.hlog else { return Ok(()) };
    if is_stdout(Some(hlog)) && is_stdout(args.json.as_deref()) {
        bail!("--json - and --hlog - both want standard output; give one of them a file");
    }
    if args.inputs.len() > 1 && !hlog.is_dir() {
        bail!("--hlog {}: several inputs need a directory", hlog.display());
    }
    Ok(())
}

fn worst(args: &Args, verdicts: &[Verdict]) -> u8 {
    let Some(least) = args.fail_on.severity() else { return CLEAN };
    let found = verdicts.iter().flat_map(|v| &v.findings).any(|f| f.severity >= least);
    if found { FOUND } else { CLEAN }
}

fn read_expected(path: &Path) -> Result<serde_json::Value> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    serde_json::from_reader(io::BufReader::new(file))
        .with_context(|| format!("{} is not a verdict; write one with --json", path.display()))
}

fn compare(args: &Args, expected: &serde_json::Value, verdicts: &[Verdict]) -> Result<u8> {
    let lines = match expect::difference(expected, verdicts) {
        Ok(lines) => lines,
        Err(why) => {
            bail!("cannot compare with {}: {why}", args.expect.as_deref().unwrap_or(Path::new("")).display())
        }
    };
    let mut err = io::stderr().lock();
    if lines.is_empty() {
        writeln!(err, "{}", phrase("expect.same", language(args)))?;
        return Ok(CLEAN);
    }
    writeln!(err, "{}", phrase("expect.differs", language(args)))?;
    for line in lines.iter().flat_map(|line| line.lines()) {
        let indent = line.len() - line.trim_start().len();
        for line in wrap(&" ".repeat(indent), "      ", line) {
            writeln!(err, "{line}")?;
        }
    }
    Ok(FOUND)
}

fn histogram_logs(path: &Path, verdicts: &[Verdict]) -> Result<()> {
    if is_stdout(Some(path)) {
        let mut out = io::stdout().lock();
        return verdicts
            .iter()
            .try_for_each(|verdict| latency::write_log(&mut out, &verdict.latency, &verdict.hops))
            .context("cannot write to standard output");
    }
    let to_dir = path.is_dir();
    for (number, verdict) in verdicts.iter().enumerate() {
        let file = if to_dir { path.join(format!("latency-{}.hlog", number + 1)) } else { path.to_owned() };
        let out = File::create(&file).with_context(|| format!("cannot create {}", file.display()))?;
        let mut out = BufWriter::new(out);
        latency::write_log(&mut out, &verdict.latency, &verdict.hops)
            .and_then(|()| out.flush())
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn list(args: &Args) -> Result<()> {
    use std::fmt::Write as _;
    let (mut out, lang) = (String::new(), language(args));
    for detector in detectors::ALL {
        let severity = match detector.severity {
            Some((least, most)) if least == most => severity_word(least, lang),
            Some((least, most)) => format!("{}–{}", severity_word(least, lang), severity_word(most, lang)),
            None => "-".to_owned(),
        };
        let head = format!("{:<15} {} ", detector.id, left(&severity, 14));
        for line in wrap(&head, &" ".repeat(31), &detector.summary(lang)) {
            let _ = writeln!(out, "{line}");
        }
        if args.verbose {
            for need in detector.needs {
                for line in
                    wrap(&" ".repeat(31), &" ".repeat(33), &phrase(&format!("need.{}", need.key), lang))
                {
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
    let Some(detector) = detectors::by_id(id) else { bail!(unknown(id)) };
    io::stdout().write_all(fill(&detector.page()).as_bytes()).context("cannot write to standard output")
}

fn check_ids(args: &Args) -> Result<()> {
    match args.only.iter().find(|id| detectors::by_id(id).is_none()) {
        Some(id) => bail!(unknown(id)),
        None => Ok(()),
    }
}

fn unknown(id: &str) -> String {
    let ids: Vec<&str> = detectors::ALL.iter().map(|d| d.id).collect();
    format!("there is no detector '{id}'; there are {}", ids.join(", "))
}

fn language(args: &Args) -> Lang {
    match args.lang {
        Some(args::Language::En) => Lang::En,
        Some(args::Language::Zh) => Lang::Zh,
        None => {
            let set = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
            let name = set("LC_ALL").or_else(|| set("LC_MESSAGES")).or_else(|| set("LANG"));
            Lang::of_locale(&name.unwrap_or_default())
        }
    }
}

fn complain(text: &str) {
    // Nothing can be done when standard error is closed.
    let _ = writeln!(io::stderr(), "netcap-analyze: {text}");
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
