//! `--together`: the clocks of several hosts.

use std::io::{self, Write};

use anyhow::{Context, Result, bail};
use netcap_bundle::input::Input;

use super::args::Args;
use super::{CLEAN, WRONG, complain, is_stdout, language};
use crate::clocks::together::{pairs, read, render_json};
use crate::engine::Progress;
use crate::report::wrap::wrap;

/// Hosts compared with one another: each keeps some 25 MiB, and every pair is compared.
const HOSTS_MAX: usize = 16;

pub(super) fn run(args: &Args, pool: &rayon::ThreadPool) -> Result<u8> {
    if args.inputs.len() < 2 {
        bail!("--together compares the recordings of several hosts; give two inputs or more");
    }
    if args.inputs.len() > HOSTS_MAX {
        bail!("--together compares up to {HOSTS_MAX} hosts at once; give fewer inputs");
    }
    let (mut hosts, mut bad) = (Vec::new(), false);
    for path in &args.inputs {
        match Input::open(path) {
            Ok(input) => hosts.push(pool.install(|| read(&input, &Progress::default()))),
            Err(err) => {
                complain(&err.to_string());
                bad = true;
            }
        }
    }
    let pairs = pairs(&hosts);
    if let Some(path) = &args.json {
        let text = render_json(&pairs);
        if is_stdout(Some(path)) {
            io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")?;
        } else {
            std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    if !is_stdout(args.json.as_deref()) {
        let mut page = String::new();
        for line in pairs.iter().flat_map(crate::clocks::together::Pair::lines) {
            for line in wrap("", "  ", &line.render(language(args))) {
                page.push_str(line.trim_end());
                page.push('\n');
            }
        }
        io::stdout().write_all(page.as_bytes()).context("cannot write to standard output")?;
    }
    Ok(if bad { WRONG } else { CLEAN })
}
