//! What is said of a recording when it is over: the last lines of a run, and of those who asked for its end.

use netcap_bundle::Manifest;
use netcap_bundle::run::Cost;
use netcap_words::quote;
use rust_i18n::t;

use super::RunResult;
use crate::ui;
use crate::ui::units::human_bytes;

/// The last lines: what was recorded, what was lost, where it is, and what to do with it.
pub(crate) fn summary(manifest: &Manifest, result: &RunResult) {
    let written: u64 = manifest.counts.iter().map(|c| c.written).sum();
    let dropped: u64 = manifest.counts.iter().map(|c| c.dropped).sum();
    if !manifest.info.points.is_empty() {
        let (packets, points) = (ui::packets(written), ui::points(manifest.info.points.len()));
        ui::answer(&t!("end.counts", packets = packets, points = points, dropped = dropped));
    }
    for count in manifest.counts.iter().filter(|c| c.dropped > 0) {
        ui::answer(&t!("end.lost", point = count.point, dropped = count.dropped, received = count.received));
    }
    for shed in &manifest.shed {
        let (what, packets) = (crate::shed::word(shed.deepest), ui::packets(shed.packets));
        let seconds = shed.cut_ms / 1000;
        ui::answer(&t!(
            "shed.summary",
            point = shed.point,
            what = what,
            seconds = seconds,
            packets = packets
        ));
    }
    if let Some(cost) = &manifest.cost {
        cost_line(cost);
    }
    for gone in &manifest.pruned {
        let (point, count, packets) = (&gone.point, ui::segments(gone.segments), ui::packets(gone.packets));
        let until = gone.until.display(manifest.info.utc_offset_s);
        ui::answer(&t!("end.pruned", point = point, count = count, packets = packets, until = until));
    }
    for remark in &manifest.remarks {
        ui::answer(&t!("end.remark", text = remark));
    }
    print_place(result);
}

/// Where it is, and what to do with it.
pub(crate) fn print_place(result: &RunResult) {
    if let Some(why) = &result.no_tar {
        ui::answer(&t!("end.no_tar", why = why));
    }
    if let Some(left) = &result.left {
        ui::answer(left);
    }
    let path = &result.path;
    ui::answer(&t!("end.where", path = quote::path(path), size = human_bytes(result.bytes)));
    ui::answer(&t!("end.analyse", path = quote::path(path)));
    let recursive = if result.path.is_dir() { "-r " } else { "" };
    ui::answer(&t!("end.send", path = quote::path(path), recursive = recursive));
}

/// What the recording took of the host, in one line.
fn cost_line(cost: &Cost) {
    let ms = cost.user_ms.saturating_add(cost.system_ms).saturating_add(cost.children_ms);
    let cpu = format!("{}.{}", ms / 1000, ms % 1000 / 100);
    let share = format!("{:.1}", ms as f64 * 100.0 / cost.wall_ms.max(1) as f64);
    let (memory, written) = (human_bytes(cost.rss_max), human_bytes(cost.written));
    ui::answer(&t!("end.cost", cpu = cpu, share = share, memory = memory, written = written));
}
