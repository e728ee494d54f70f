//! Reports as they are made: each is written before the next input is opened, so that thousands need the memory of one.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use netcap_bundle::held::output;
use netcap_words::columns;

use super::args::{Args, Color};
use super::failure::{Failure, Result, Sink};
use super::{is_stdout, language};
use crate::analysis::Verdict;
use crate::finding::Severity;
use crate::report::across::Across;
use crate::report::{hlog, json, many, text};

/// Where reports go.
pub(super) struct Reports {
    json: Option<(Box<dyn Write>, json::Shape)>,
    hlog: Option<Hlog>,
    /// Text on standard output.
    look: Option<text::Look>,
    /// Inputs that were read.
    read: usize,
    total: many::Total,
}

/// Histogram logs: one stream, or a file for each input.
enum Hlog {
    Stream(Box<dyn Write>),
    Folder(std::path::PathBuf),
}

impl Reports {
    /// Opens what is to be written; `many` inputs may come from one argument.
    pub(super) fn open(args: &Args, many: bool) -> Result<Self> {
        let shape = match args.inputs.len() {
            _ if many => json::Shape::Lines,
            1 => json::Shape::One,
            _ => json::Shape::List,
        };
        let json = args.json.as_deref().map(create).transpose()?.map(|out| (out, shape));
        let hlog = args.hlog.as_deref().map(|path| {
            let hlog =
                if path.is_dir() { Hlog::Folder(path.to_owned()) } else { Hlog::Stream(create(path)?) };
            Ok(hlog)
        });
        let silent = is_stdout(args.json.as_deref()) || is_stdout(args.hlog.as_deref());
        let look = appearance(args);
        Ok(Self {
            json,
            hlog: hlog.transpose()?,
            look: (!silent).then_some(look),
            read: 0,
            total: many::Total::default(),
        })
    }

    /// Writes what is said about one input.
    pub(super) fn verdict(&mut self, verdict: &Verdict) -> Result<()> {
        self.total.add(verdict);
        if let Some((out, shape)) = &mut self.json {
            out.write_all(shape.verdict(verdict, self.read == 0).as_bytes())
                .map_err(Failure::output(Sink::Json))?;
        }
        let number = self.read + 1;
        match &mut self.hlog {
            Some(Hlog::Stream(out)) => {
                hlog::write(out, &verdict.measured).map_err(Failure::output(Sink::HistogramLog))?;
            }
            Some(Hlog::Folder(dir)) => {
                let mut out = create(&dir.join(format!("latency-{number}.hlog")))?;
                hlog::write(&mut out, &verdict.measured)
                    .and_then(|()| out.flush())
                    .map_err(Failure::output(Sink::HistogramLog))?;
            }
            None => {}
        }
        if let Some(look) = self.look {
            let apart = if self.read > 0 { "\n" } else { "" };
            let page = format!("{apart}{}", text::render(verdict, look));
            io::stdout().write_all(page.as_bytes()).map_err(Failure::output(Sink::StandardOutput))?;
        }
        self.read += 1;
        Ok(())
    }

    /// Remembers an input that could not be read.
    pub(super) fn unreadable(&mut self, name: &str, why: &str) -> Result<()> {
        self.total.unreadable += 1;
        if let Some((out, json::Shape::Lines)) = &mut self.json {
            out.write_all(json::Shape::unreadable(name, why).as_bytes())
                .map_err(Failure::output(Sink::Json))?;
        }
        Ok(())
    }

    /// Ends the lists, and says what came of `many` inputs.
    pub(super) fn close(mut self, many: bool, across: &Across) -> Result<many::Total> {
        self.total.add_findings(&across.findings);
        if let Some((mut out, shape)) = self.json.take() {
            out.write_all(shape.end(&self.total, across, self.read == 0).as_bytes())
                .and_then(|()| out.flush())
                .map_err(Failure::output(Sink::Json))?;
        }
        if let Some(Hlog::Stream(out)) = &mut self.hlog {
            out.flush().map_err(Failure::output(Sink::HistogramLog))?;
        }
        if let Some(look) = self.look {
            let page = across.render(look);
            io::stdout().write_all(page.as_bytes()).map_err(Failure::output(Sink::StandardOutput))?;
        }
        if let Some(look) = self.look.filter(|_| many) {
            let page = format!("\n{}", text::summary(&self.total, look));
            io::stdout().write_all(page.as_bytes()).map_err(Failure::output(Sink::StandardOutput))?;
        }
        Ok(self.total)
    }
}

impl std::fmt::Debug for Reports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reports").field("total", &self.total).finish_non_exhaustive()
    }
}

fn create(path: &Path) -> Result<Box<dyn Write>> {
    if is_stdout(Some(path)) {
        return Ok(Box::new(io::stdout()));
    }
    let file = output(path).map_err(Failure::created(path))?;
    Ok(Box::new(BufWriter::new(file)))
}

/// How a report looks on standard output.
pub(super) fn appearance(args: &Args) -> text::Look {
    text::Look {
        lang: language(args),
        color: match args.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        },
        columns: columns::of(&io::stdout()),
        verbose: args.verbose,
    }
}

/// The worst severity of all inputs decides.
pub(super) fn worst(total: &many::Total, least: Option<Severity>) -> bool {
    least.is_some_and(|least| total.findings.keys().any(|severity| *severity >= least))
}
