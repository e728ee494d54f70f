//! The arguments.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use netcap_words::{Lang, lang};

use crate::text::Text;

/// Says what is wrong in a recording, where, how sure it is, and what to do about it.
#[derive(Debug, Parser)]
#[command(name = "netcap-analyze", version, max_term_width = 100)]
pub(super) struct Args {
    /// Bundles (.tar or directory), pcap and pcapng files (also .zst, .gz), directories of check_network.sh
    #[arg(value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// Take every bundle and capture below a directory as an input of its own; done anyway where a directory has bundles
    #[arg(long)]
    pub each: bool,
    /// Write the verdict as JSON, one object a line for a directory of bundles, to standard output with '-' (then there is no text)
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<PathBuf>,
    /// Exit with 1 when a finding is at least this severe
    #[arg(long, value_enum, default_value = "warning", value_name = "SEVERITY")]
    pub fail_on: FailOn,
    /// Compare with a verdict written by --json; print the difference and exit with 1 when there is one
    #[arg(long, value_name = "FILE.json")]
    pub expect: Option<PathBuf>,
    /// List the detectors
    #[arg(long)]
    pub list: bool,
    /// Print the manual page of a detector
    #[arg(long, value_name = "ID")]
    pub explain: Option<String>,
    /// Write the latency histograms as HdrHistogram logs: a file, a directory for several inputs, or standard output with '-'
    /// (then there is no text)
    #[arg(long, value_name = "FILE|DIR|-")]
    pub hlog: Option<PathBuf>,
    /// Threads to use; by default one for each processor. The report does not depend on it
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// The inputs are recordings of several hosts at one time: say after each one's report how far their clocks are apart,
    /// how long packets took from one to the other, and which were lost between them
    #[arg(long, conflicts_with = "hlog")]
    pub together: bool,
    /// Run only these detectors
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Language of help and report: en or zh-CN; by default that of the locale
    #[arg(long, value_name = "LANG")]
    pub lang: Option<Lang>,
    /// Colours
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    pub color: Color,
    /// Say more: why something was ruled out, filters, every remark
    #[arg(short, long)]
    pub verbose: bool,
}

/// When to exit with 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    Info,
    Warning,
    Error,
    Never,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

/// Threads that may be asked for.
const THREADS_MAX: usize = 1024;

fn threads(text: &str) -> Result<usize, String> {
    if let Ok(n @ 1..=THREADS_MAX) = text.parse() {
        return Ok(n);
    }
    let words: Vec<_> = std::env::args_os().collect();
    Err(Text::new("usage.threads").with("max", THREADS_MAX).render(lang::of_words(&words)))
}
