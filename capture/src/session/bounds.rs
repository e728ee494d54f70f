//! How much of the disk a run may have.

use netcap_bundle::held::Dir;
use rust_i18n::t;

use crate::disk::budget::{Bounds, directory_bytes};
use crate::disk::free::{disk_left, disk_size};
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::ui::units::{SEGMENT_MIN, human_bytes};

/// Least bytes of a run: a little for each point, and something for the host's state.
const RUN_MIN: u64 = 1 << 20;
/// See [`RUN_MIN`].
const POINT_MIN: u64 = 512 << 10;
/// Segments that fit into each point's share of the budget at least, so that what goes is a small part.
const SEGMENTS_MIN: u64 = 8;

/// Bytes that a run of so many points needs at least.
fn needed(points: usize) -> u64 {
    RUN_MIN.saturating_add(POINT_MIN.saturating_mul(points.max(1) as u64))
}

/// Whether a run of that budget can have so many points.
pub(super) fn has_room_for(max: u64, points: usize) -> bool {
    max >= needed(points)
}

/// What the disk allows this run. A disk that is full already is not filled further.
pub(super) fn bounds(plan: &Plan) -> Result<Bounds> {
    Dir::create(&plan.out).map_err(Error::out(&plan.out))?;
    let left = disk_left(&plan.out).unwrap_or(u64::MAX);
    let floor = plan.space.floor.bytes(disk_size(&plan.out).unwrap_or(0));
    if left < floor {
        let reserve = human_bytes(floor);
        return Err(Error::Other(t!("run.disk", left = human_bytes(left), reserve = reserve).into_owned()));
    }
    let points = plan.points.len().max(1) as u64;
    let need = needed(plan.points.len());
    let words = |key: &str, has: u64| t!(key, has = human_bytes(has), need = human_bytes(need)).into_owned();
    let refuse = |key: &str, has: u64| Err(Error::Other(words(key, has)));
    if plan.space.max < need {
        return Err(Error::Usage(words("budget.small", plan.space.max)));
    }
    let mut max = plan.space.max.min(left - floor);
    if max < need {
        return refuse("budget.no_room", max);
    }
    if let Some(total) = plan.space.total {
        max = max.min(total.saturating_sub(directory_bytes(&plan.out)));
        if max < need {
            return refuse("budget.total", max);
        }
    }
    let share = max / (SEGMENTS_MIN * points);
    let segment = plan.rotation.bytes.min(share).max(SEGMENT_MIN);
    Ok(Bounds { max, floor, segment })
}
