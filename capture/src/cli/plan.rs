//! From the command line and what is on the host to the plan of a run.

use std::path::Path;

use netcap_filters::Filter;

use super::filters::Own;
use super::options::Record;
use crate::control::find;
use crate::error::Result;
use crate::host::inventory::Inventory;
use crate::plan::{Plan, Rotation, Selection, Space, select};
use crate::privileged::control::DIR;

/// What will be recorded.
pub(super) fn plan(options: Record, filter: Filter, own: Own, inventory: &Inventory) -> Result<Plan> {
    let wanted = Selection {
        vswitches: options.vswitch,
        ifaces: options.iface,
        macs: options.iface_mac,
        vms: options.vm,
    };
    let points = select(&inventory.available, &wanted)?;
    let limits = options.limits;
    let follow = (wanted.can_grow() && !options.behaviour.no_follow).then_some(wanted);
    let mut pings = options.ping;
    pings.sort_unstable();
    pings.dedup();
    let ns = |time: std::time::Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    let rotation = Rotation { bytes: limits.rotate_size, ns: ns(limits.rotate_time), level: limits.level };
    let mut plan = Plan {
        points: Vec::new(),
        pings,
        filter,
        own,
        snaplen: limits.snaplen,
        buffer: limits.buffer,
        cpu_limit: limits.cpu_limit,
        max_memory: limits.max_memory,
        follow,
        rotation,
        duration: limits.duration,
        until: limits.until,
        max_packets: limits.max_packets,
        state_interval: limits.state_interval,
        space: Space { max: limits.max_disk, total: limits.max_disk_total, floor: limits.min_free },
        out: limits.out,
        quiet: options.behaviour.quiet,
        bundle: !options.behaviour.no_bundle,
        taken: find::sockets(Path::new(DIR))
            .unwrap_or_default()
            .iter()
            .map(|socket| socket.run().to_owned())
            .collect(),
    };
    for mut point in points {
        plan.apply_to(&mut point);
        plan.points.push(point);
    }
    Ok(plan)
}
