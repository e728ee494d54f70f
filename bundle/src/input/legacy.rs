//! Directories of check_network.sh: one folder of pcaps per interface, `STAMP-ovs_dbg_listports`, `STAMP-ping.log`.

use std::collections::BTreeMap;
use std::path::Path;

use super::listports::{self, ListedPort, Listing};
use super::model::{PINGS_MAX, POINTS_MAX, SEGMENTS_MAX};
use super::remark::{Limited, Remark};
use super::{Files, Input, Kind, Segment, Unread, rotated};
use crate::files::{Place, decompress};
use crate::input::ping::PingLog;
use crate::packets::PacketReader;
use crate::run::RunInfo;
use crate::run::layout;
use crate::run::{Point, Role};
use crate::{BundleError, Result};

/// Runs of netcap that are looked into: people record some times a day.
const RUNS_MAX: usize = 1000;
/// Bytes of what such a run says of itself: 4,096 points take a third of it.
const RUN_BYTES_MAX: usize = 4 << 20;
/// Bytes of a listing; a port takes a hundred.
const LISTING_BYTES_MAX: usize = 2 << 20;

/// Opens a directory (or its tar) that holds captures, but no netcap run.
pub(super) fn open(path: &Path, mut files: Files) -> Result<Input> {
    let remarks = files.remarks().into_iter().map(Remark::Files).collect();
    let mut input =
        Input { remarks, ..Input::empty(path.display().to_string(), Kind::Legacy, Files::default()) };
    // The script makes one listing a run; of several the last says what is true now.
    let listing = files.paths().filter(|name| name.ends_with("-ovs_dbg_listports")).last();
    let (listed, more) =
        listing.and_then(|name| files.read_part(name, LISTING_BYTES_MAX)).unwrap_or_default();
    let (listed, whole) = listports::parse(&String::from_utf8_lossy(&listed));
    let file = listing.unwrap_or_default().to_owned();
    input.give_up(Unread::Listing, u64::from(more || !whole));
    let all_logs = files.paths().filter(|name| name.ends_with("-ping.log")).count();
    let logs = all_logs.min(PINGS_MAX);
    if all_logs > logs {
        input.remarks.push(Remark::TooMany { what: Limited::Pings, max: PINGS_MAX });
    }
    let (described, runs) = described(&files);
    input.give_up(Unread::Runs, runs);
    for (name, place) in files.places() {
        if name.ends_with("-ping.log") {
            if input.pings.len() < PINGS_MAX {
                input.pings.push(PingLog::read_iputils(logs, files.lines(name)));
                input.ping_files.push(name.to_owned());
            }
            continue;
        }
        if !is_capture(place) {
            continue;
        }
        if input.segments.len() >= SEGMENTS_MAX {
            input.remarks.push(Remark::TooMany { what: Limited::PacketFiles, max: SEGMENTS_MAX });
            break;
        }
        let point = name.rsplit_once('/').map(|(dir, _)| dir.rsplit('/').next().unwrap_or(dir).to_owned());
        let point = point.map(|iface| point_index(&mut input, &iface, &described, &listed));
        input.segments.push(Segment::new(point, name.to_owned(), place.clone()));
    }
    if input.segments.is_empty() && input.pings.is_empty() {
        return Err(BundleError::Unknown { path: path.to_owned() });
    }
    rotated::join(&mut input);
    input.listing = Listing { file, ports: listed };
    input.files = files;
    input.share();
    input.remark_thinned();
    Ok(input)
}

fn is_capture(place: &Place) -> bool {
    let open = || PacketReader::open(decompress::open(place.open()?)?);
    matches!(open(), Ok(Some(_)))
}

/// What the runs of netcap in it say of their points: today's check_network.sh records with netcap. The last is true now.
/// And how many were not read, or only in part.
fn described(files: &Files) -> (BTreeMap<String, Point>, u64) {
    let runs =
        files.paths().filter(|name| name.rsplit_once('/').is_some_and(|(_, file)| file == layout::RUN));
    let (mut points, mut unread) = (BTreeMap::new(), 0);
    for (at, name) in runs.enumerate() {
        if at >= RUNS_MAX {
            unread += 1;
            continue;
        }
        let Some((bytes, more)) = files.read_part(name, RUN_BYTES_MAX) else { continue };
        let said = serde_json::from_slice::<RunInfo>(&bytes).map(|info| info.points).unwrap_or_default();
        let mut room = true;
        for point in said {
            if points.len() < POINTS_MAX || points.contains_key(&point.id) {
                points.insert(point.id.clone(), point);
            } else {
                room = false;
            }
        }
        unread += u64::from(more || !room);
    }
    (points, unread)
}

/// The folder is the interface; what it is to the host says the run, the listing, or else its name.
fn point_index(
    input: &mut Input,
    iface: &str,
    described: &BTreeMap<String, Point>,
    listed: &[ListedPort],
) -> usize {
    if let Some(index) = input.points.iter().position(|p| p.id == iface || p.iface == iface) {
        return index;
    }
    if input.points.len() >= POINTS_MAX {
        // The last one takes what is too much: no host has so many interfaces.
        let remark = Remark::TooMany { what: Limited::PointsCounted, max: POINTS_MAX };
        if !input.remarks.contains(&remark) {
            input.remarks.push(remark);
        }
        return POINTS_MAX - 1;
    }
    if let Some(point) = described.get(iface) {
        input.points.push(point.clone());
        return input.points.len() - 1;
    }
    let port = listed.iter().find(|port| port.iface == iface);
    input.points.push(Point {
        role: port.map_or_else(|| role_by_name(iface), |port| port.role.clone()),
        vswitch: port.map(|port| port.vswitch.clone()),
        mac: port.and_then(|port| port.mac),
        mtu: port.and_then(|port| port.mtu),
        vlan: port.and_then(|port| port.vlan),
        ..Point::bare(iface)
    });
    input.points.len() - 1
}

/// The names of that platform.
fn role_by_name(iface: &str) -> Role {
    if iface.starts_with("vnet") || iface.starts_with("tap") {
        Role::Vnet { vm: None, guest_mac: None }
    } else if iface.starts_with("vswitch") || iface.starts_with("vs-") || iface.starts_with("br") {
        Role::Internal
    } else if iface.starts_with("eth") || iface.starts_with("en") || iface.starts_with("bond") {
        Role::Uplink { bond: None }
    } else {
        Role::Other
    }
}
