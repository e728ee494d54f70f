//! Directories of check_network.sh: one folder of pcaps per interface, `STAMP-ovs_dbg_listports`, `STAMP-ping.log`.

use std::path::Path;

use super::{Files, Input, Kind, Segment};
use crate::packets::{PacketReader, decompress};
use crate::ping::PingLog;
use crate::point::{Point, Role, safe_name};
use crate::{BundleError, Result};

/// Opens a directory (or its tar) that holds captures, but no netcap run.
pub(super) fn open(path: &Path, mut files: Files) -> Result<Input> {
    let remarks = files.remarks();
    let mut input =
        Input { remarks, ..Input::empty(path.display().to_string(), Kind::Legacy, Files::default()) };
    for (name, place) in files.places() {
        if name.ends_with("-ping.log") {
            let log = files.text(name).map(|text| PingLog::from_iputils(&text)).unwrap_or_default();
            input.pings.push(log);
            input.ping_files.push(name.to_owned());
            continue;
        }
        if !is_capture(place) {
            continue;
        }
        let point = name.rsplit_once('/').map(|(dir, _)| dir.rsplit('/').next().unwrap_or(dir).to_owned());
        let point = point.map(|iface| point_index(&mut input, &iface));
        input.segments.push(Segment { point, name: name.to_owned(), info: None, place: place.clone() });
    }
    if input.segments.is_empty() && input.pings.is_empty() {
        return Err(BundleError::Unknown { path: path.to_owned() });
    }
    input.files = files;
    Ok(input)
}

fn is_capture(place: &super::Place) -> bool {
    let open = || PacketReader::open(decompress::open(place.open()?)?);
    matches!(open(), Ok(Some(_)))
}

/// The folder is the interface; its name says what it is to a host of that platform.
fn point_index(input: &mut Input, iface: &str) -> usize {
    if let Some(index) = input.points.iter().position(|p| p.iface == iface) {
        return index;
    }
    let role = if iface.starts_with("vnet") || iface.starts_with("tap") {
        Role::Vnet { vm: None, guest_mac: None }
    } else if iface.starts_with("vswitch") || iface.starts_with("vs-") || iface.starts_with("br") {
        Role::Internal
    } else if iface.starts_with("eth") || iface.starts_with("en") || iface.starts_with("bond") {
        Role::Uplink { bond: None }
    } else {
        Role::Other
    };
    input.points.push(Point {
        id: safe_name(iface),
        iface: iface.to_owned(),
        role,
        vswitch: None,
        mac: None,
        mtu: None,
        vlan: None,
        filter: String::new(),
        snaplen: 0,
    });
    input.points.len() - 1
}
