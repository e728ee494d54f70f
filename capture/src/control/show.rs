//! `netcap status`: the runs of this host, for people and for programs.

use netcap_words::columns::wrap_words;
use netcap_words::foreign::{self, clean};
use netcap_words::quote;
use std::fmt::Write as _;
use std::path::Path;

use netcap_bundle::Nanos;
use rust_i18n::t;
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::ask::{self, Run};
use super::dead::{self, DeadRun};
use super::pick::{self, Picked};
use super::protocol::{Phase, PointStatus, Status};
use crate::error::{Error, Result};
use crate::shed;
use crate::ui;
use crate::ui::units::human_bytes;
use crate::ui::wording;

/// Columns of a run's name that leave room for its numbers; a longer one has a line of its own.
const NAME_MAX: usize = 30;

/// Lines of a filter in the table of all runs.
const FILTER_LINES: usize = 2;

/// What `netcap status --json` prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    runs: Vec<&'a Status>,
    silent: Vec<SilentRun<'a>>,
    dead: &'a [DeadRun],
}

/// A run that is there and does not say how it is.
#[derive(Debug, Serialize)]
struct SilentRun<'a> {
    run: &'a str,
    why: &'a str,
}

/// All runs, or one in detail. 0: this is how it is; 1: the one asked for died or does not answer; 2: there is no such.
pub(crate) fn status(word: Option<&str>, json: bool, out: &Path) -> Result<u8> {
    let out = &std::path::absolute(out).unwrap_or_else(|_| out.to_owned());
    let mut runs = ask::runs()?;
    let names: Vec<String> = runs.iter().map(|run| run.name().to_owned()).collect();
    let live: Vec<&str> = names.iter().map(String::as_str).collect();
    let there = runs.iter().map(|run| (run.name().to_owned(), run.dir().map(Path::to_owned))).collect();
    let dead::Found { mut left, refused } = dead::list_in_time(out, there).unwrap_or_else(|e| {
        ui::note(&t!("status.unreadable", dir = out.display(), why = wording::io(&e)));
        dead::Found::default()
    });
    for (path, why) in refused {
        ui::note(&t!("status.refused", path = path.display(), why = why));
    }
    if let Some(word) = word {
        let dead = left.iter().map(|left| (left.run.as_str(), Some(left.dir.as_path())));
        match pick::pick(runs.iter().map(|run| (run.name(), run.dir())).chain(dead), word) {
            Picked::One(index) if index < runs.len() => {
                (runs, left) = (vec![runs.swap_remove(index)], Vec::new());
            }
            Picked::One(index) => {
                left = vec![left.swap_remove(index - runs.len())];
                runs.clear();
            }
            other => return Err(unknown(other, word, &live)),
        }
    }
    if json {
        print_json(&runs, &left)?;
    } else {
        print(&runs, &left, word.is_some());
    }
    let trouble = !left.is_empty() || runs.iter().any(|run| run.status.is_err());
    Ok(u8::from(word.is_some() && trouble))
}

/// The sentence about a name that is none, or more than one.
pub(crate) fn unknown(picked: Picked, word: &str, live: &[&str]) -> Error {
    let list = if live.is_empty() { t!("plan.none").into_owned() } else { live.join(", ") };
    let word = pick::name(word);
    Error::Usage(if picked == Picked::Several {
        t!("control.several", name = word, list = list).into_owned()
    } else {
        t!("control.unknown", name = word, list = list).into_owned()
    })
}

fn print_json(runs: &[Run], dead: &[DeadRun]) -> Result<()> {
    let silent =
        runs.iter().filter_map(|run| Some(SilentRun { run: run.name(), why: run.status.as_ref().err()? }));
    let report = Report {
        runs: runs.iter().filter_map(|run| run.status.as_ref().ok()).collect(),
        silent: silent.collect(),
        dead,
    };
    let text = serde_json::to_string_pretty(&report).map_err(|e| Error::Other(e.to_string()))?;
    ui::answer(&foreign::json(&text));
    Ok(())
}

fn print(runs: &[Run], left: &[DeadRun], detail: bool) {
    let known: Vec<&Status> = runs.iter().filter_map(|run| run.status.as_ref().ok()).collect();
    if runs.is_empty() && left.is_empty() {
        ui::answer(&t!("status.none"));
        return;
    }
    match known.as_slice() {
        [] => {}
        [one] if detail => one_run(one),
        all => ui::answer(table(all).trim_end()),
    }
    for run in runs {
        if let Err(why) = &run.status {
            ui::answer(&t!("status.silent", run = run.name(), why = why));
        }
    }
    for left in left {
        let (run, bytes) = (clean(&left.run), human_bytes(left.bytes));
        let text = if left.held {
            t!("status.held", run = run, bytes = bytes, dir = quote::path(&left.dir))
        } else {
            t!("status.dead", run = run, bytes = bytes, dir = quote::path(&left.dir))
        };
        ui::answer(&text);
    }
}

/// Sums over the points of a run.
fn sum(status: &Status, of: fn(&PointStatus) -> u64) -> u64 {
    status.points.iter().map(of).sum()
}

fn rate(status: &Status, of: fn(&PointStatus) -> f64) -> f64 {
    // The sum of no floats is -0.
    status.points.iter().map(of).fold(0.0, |sum, rate| sum + rate)
}

/// All runs: a line of numbers and lines about disk, filter and place each.
fn table(all: &[&Status]) -> String {
    let head = ["run", "time", "packets_s", "bytes_s", "packets", "lost", "left"].map(column);
    let rows = all.iter().map(|status| numbers(status)).collect::<Vec<_>>();
    let mut lines = aligned(&head, &rows);
    let mut out = lines.remove(0) + "\n";
    for (line, status) in lines.into_iter().zip(all) {
        if status.run.width() > NAME_MAX {
            out.push_str(&status.run);
            out.push('\n');
        }
        out.push_str(&line);
        out.push('\n');
        for line in about(status, FILTER_LINES) {
            let _ = writeln!(out, "{line}");
        }
    }
    out
}

fn column(name: &str) -> String {
    match name {
        "run" => t!("status.col_run"),
        "time" => t!("status.col_time"),
        "packets_s" => t!("status.col_packets_s"),
        "bytes_s" => t!("status.col_bytes_s"),
        "packets" => t!("status.col_packets"),
        "lost" => t!("status.col_lost"),
        "shed" => t!("status.col_shed"),
        "left" => t!("status.col_left"),
        "point" => t!("status.col_point"),
        _ => t!("status.col_files"),
    }
    .into_owned()
}

fn numbers(status: &Status) -> Vec<String> {
    let name = if status.run.width() > NAME_MAX { String::new() } else { status.run.clone() };
    vec![
        name,
        ui::hours(status.recorded_s),
        format!("{:.0}", rate(status, |p| p.packets_per_s)),
        per_second(rate(status, |p| p.bytes_per_s)),
        sum(status, |p| p.packets).to_string(),
        sum(status, |p| p.dropped).to_string(),
        left(status),
    ]
}

/// Bytes are whole; what a float cannot hold any more is no rate.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn per_second(rate: f64) -> String {
    human_bytes(rate.max(0.0) as u64)
}

/// The time left, or where the run is on its way.
fn left(status: &Status) -> String {
    match status.state {
        Phase::Recording => status.left_s.map_or_else(|| "-".into(), ui::hours),
        Phase::Ending => t!("status.ending").into_owned(),
        Phase::Sealing => t!("status.sealing").into_owned(),
        Phase::Sealed => t!("status.sealed").into_owned(),
    }
}

/// The lines about disk, filter and place.
fn about(status: &Status, filter_lines: usize) -> Vec<String> {
    let room = status.disk_free.map(|free| human_bytes(free.saturating_sub(status.disk_floor)));
    let (used, max) = (human_bytes(status.disk_used), human_bytes(status.disk_max));
    let room = room.unwrap_or_else(|| "?".into());
    let points = ui::points(status.points.len());
    let disk = t!("status.disk", points = points, used = used, max = max, room = room);
    let mut out = vec![format!("  {disk}")];
    if let Some(seconds) = status.disk_silent_s {
        out.push(format!("  {}", t!("status.silent_disk", seconds = seconds)));
    }
    if status.pruned > 0 {
        out.push(format!("  {}", t!("status.pruned", count = ui::segments(status.pruned))));
    }
    if let Some(line) = shedding(status) {
        out.push(format!("  {line}"));
    }
    if let Some(max) = status.max_packets {
        out.push(format!("  {}", t!("status.max_packets", max = max)));
    }
    let everything = t!("run.everything");
    let filter = if status.filter.is_empty() { &everything } else { status.filter.as_str() };
    let mut filter =
        wrap_words(ui::answer_columns(), &format!("  {}", t!("status.filter")), filter.split(' '));
    if filter.len() > filter_lines {
        filter.truncate(filter_lines);
        if let Some(last) = filter.last_mut() {
            last.push_str(" …");
        }
    }
    out.append(&mut filter);
    out.push(format!("  {}", t!("status.dir", dir = clean(&status.dir.display().to_string()))));
    out
}

/// One run, point by point.
fn one_run(status: &Status) {
    let since = Nanos(status.started_ns).display(status.utc_offset_s);
    let (time, left) = (ui::hours(status.recorded_s), left(status));
    ui::answer(&t!(
        "status.head",
        run = status.run,
        pid = status.pid,
        since = since,
        time = time,
        left = left
    ));
    for line in about(status, usize::MAX) {
        ui::answer(&line);
    }
    for ping in &status.pings {
        let (address, sent) = (clean(&ping.address), ping.sent);
        let (answered, lost) = (ping.answered, ping.lost);
        let text = t!("status.ping", address = address, sent = sent, answered = answered, lost = lost);
        ui::answer(&format!("  {text}"));
    }
    if status.points.is_empty() {
        return;
    }
    let head = ["point", "packets_s", "bytes_s", "packets", "lost", "shed", "files"].map(column);
    let rows: Vec<Vec<String>> = status.points.iter().map(point).collect();
    for (line, point) in
        aligned(&head, &rows).into_iter().zip(std::iter::once(None).chain(status.points.iter().map(Some)))
    {
        ui::answer(format!("{line}  {}", point.map_or_else(String::new, state)).trim_end());
    }
}

/// What is the matter with a point, first what matters most; empty when it just records.
fn state(point: &PointStatus) -> String {
    match point {
        p if p.ended => t!("live.ended").into_owned(),
        p if p.left => t!("live.left").into_owned(),
        p if p.away => t!("live.away").into_owned(),
        p if p.deaf => t!("live.deaf").into_owned(),
        p => p.step.map_or_else(String::new, |step| t!("live.shed", what = shed::word(step)).into_owned()),
    }
}

/// How many points give up something at this moment, and what was given up so far; `None` when nothing ever was.
fn shedding(status: &Status) -> Option<String> {
    let (packets, deepest) = (sum(status, |p| p.shed), status.points.iter().filter_map(|p| p.step).max());
    let points = ui::points(status.points.iter().filter(|p| p.step.is_some()).count());
    match deepest.map(shed::word) {
        Some(what) => {
            Some(t!("status.shedding", points = points, what = what, packets = packets).into_owned())
        }
        None => (packets > 0).then(|| t!("status.shed", packets = packets).into_owned()),
    }
}

fn point(point: &PointStatus) -> Vec<String> {
    vec![
        point.iface.clone(),
        format!("{:.0}", point.packets_per_s),
        per_second(point.bytes_per_s),
        point.packets.to_string(),
        point.dropped.to_string(),
        point.shed.to_string(),
        format!("{:06} {}", point.segment, human_bytes(point.file_bytes)),
    ]
}

/// Rows under their heads: the first column to the left, the others to the right.
fn aligned(head: &[String], rows: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).chain(head.get(column));
        cells.map(|cell| cell.width()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[String]| {
        let mut text = String::new();
        for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(width.saturating_sub(cell.width()));
            let _ = if column == 0 { write!(text, "{cell}{pad}") } else { write!(text, "  {pad}{cell}") };
        }
        text
    };
    std::iter::once(line(head)).chain(rows.iter().map(|row| line(row))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use netcap_bundle::run::ShedLevel;

    fn busy(run: &str) -> Status {
        let point = PointStatus {
            iface: "vnet0".into(),
            packets: 98_765_432_109,
            packets_per_s: 1_234_567.8,
            bytes_per_s: 1.2e9,
            dropped: 9_999_999,
            ..PointStatus::default()
        };
        let filter = vec!["icmp"; 60].join(" or ");
        Status {
            run: run.into(),
            recorded_s: 400_000,
            left_s: Some(3_600),
            filter,
            points: vec![point],
            ..Status::default()
        }
    }

    #[test]
    fn shedding_is_reported_and_a_point_that_left_is_not_away() {
        rust_i18n::set_locale("en");
        let mut status = busy("r");
        assert!(!table(&[&status]).contains("shed"), "nothing was given up");
        status.points[0].shed = 42;
        assert!(table(&[&status]).contains("shed to spare the host: 42 packets"), "{}", table(&[&status]));
        status.points[0].step = Some(ShedLevel::Cut128);
        let text = table(&[&status]);
        assert!(text.contains("1 point: at most frames cut to 128 bytes"), "{text}");
        assert_eq!(point(&status.points[0])[5], "42");
        assert_eq!(state(&status.points[0]), "[frames cut to 128 bytes]");
        let (away, left) = (PointStatus { away: true, ..PointStatus::default() }, true);
        assert_eq!(state(&away), "[interface down or gone]");
        assert_eq!(state(&PointStatus { left, ..away }), "[interface gone, point closed]");
    }

    #[test]
    fn tables_fit_a_hundred_columns() {
        rust_i18n::set_locale("en");
        let long = busy(&format!("{}-20261121040000", "h".repeat(64)));
        let text = table(&[&busy("cvknode11-20261121081504"), &long, &Status::default()]);
        assert!(!text.contains("-0"), "{text}");
        assert!(text.lines().all(|line| line.width() <= 102), "{text}");
        for part in ["cvknode11-20261121081504", "98765432109", "1234568", "9999999", "01:00:00", &long.run] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
