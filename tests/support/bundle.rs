//! Small recordings made by hand: a bundle with points, frames, host state and pings, sealed as netcap seals it.

#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)] // each test binary uses its part

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use netcap_bundle::held::Dir;
use netcap_bundle::packets::{Direction, Frame, SegmentMeta, SegmentWriter};
use netcap_bundle::run::{Clock, End, PingRecord, SCHEMA, json_line};
use netcap_bundle::source::Outcome;
use netcap_bundle::state::{StateWriter, Taken};
use netcap_bundle::{Mac, Nanos, Point, Role, RunInfo, layout, seal};

/// 2026-11-21 00:00:00 UTC.
pub const START: i64 = 1_795_219_200_000_000_000;

pub fn at(ms: i64) -> Nanos {
    Nanos(START + ms * 1_000_000)
}

/// A recording in the making.
pub struct BundleBuilder {
    dir: tempfile::TempDir,
    info: RunInfo,
    writers: BTreeMap<String, SegmentWriter<File>>,
    state: StateWriter,
    end_ms: i64,
}

/// A sealed recording.
pub struct SealedBundle {
    _dir: tempfile::TempDir,
    pub path: PathBuf,
}

impl BundleBuilder {
    pub fn new(end_ms: i64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("host-20261121000000");
        fs::create_dir_all(&run).unwrap();
        let info = RunInfo {
            schema: SCHEMA,
            tool: "netcap 0.1.0".into(),
            run: "host-20261121000000".into(),
            host: "host".into(),
            kernel: String::new(),
            boot_id: String::new(),
            options: Vec::new(),
            utc_offset_s: 8 * 3600,
            started: Clock { realtime: at(0), monotonic_ns: 0 },
            points: Vec::new(),
            pings: Vec::new(),
            ovs_rundir: None,
            sandbox: None,
        };
        let state = StateWriter::create(&Dir::open(&run).unwrap(), 1 << 30).unwrap();
        Self { dir, info, writers: BTreeMap::new(), state, end_ms }
    }

    fn run(&self) -> PathBuf {
        self.dir.path().join("host-20261121000000")
    }

    /// The recorded host's name.
    pub fn named(&mut self, host: &str) -> &mut Self {
        self.info.host = host.into();
        self
    }

    /// Adds a point of vswitch0 and opens its segment.
    pub fn point(&mut self, iface: &str, role: Role, filter: &str) -> &mut Self {
        self.point_in(iface, role, filter, Some("vswitch0"), None)
    }

    pub fn point_in(
        &mut self,
        iface: &str,
        role: Role,
        filter: &str,
        vswitch: Option<&str>,
        vlan: Option<u16>,
    ) -> &mut Self {
        self.info.points.push(Point {
            role,
            vswitch: vswitch.map(Into::into),
            mtu: Some(1500),
            vlan,
            filter: filter.into(),
            snaplen: 262_144,
            ..Point::bare(iface)
        });
        let path = self.run().join(layout::segment(iface, 1));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let meta = SegmentMeta {
            point: iface.into(),
            iface: iface.into(),
            filter: filter.into(),
            snaplen: 262_144,
            ..SegmentMeta::default()
        };
        let writer = SegmentWriter::new(File::create(path).unwrap(), &meta, 1, 1, at(0)).unwrap();
        self.writers.insert(iface.into(), writer);
        self
    }

    pub fn frame(&mut self, iface: &str, ms: i64, direction: Direction, data: &[u8]) -> &mut Self {
        self.frame_after_loss(iface, ms, direction, data, 0)
    }

    /// A frame at a time in microseconds.
    pub fn frame_us(&mut self, iface: &str, us: i64, direction: Direction, data: &[u8]) -> &mut Self {
        let wire_len = u32::try_from(data.len()).unwrap();
        let frame = Frame { at: Nanos(START + us * 1_000), direction, wire_len, vlan: None, data };
        let writer = self.writers.get_mut(iface).unwrap();
        writer.packet(&frame, 0).unwrap();
        writer.count(1, 0);
        self
    }

    /// A frame before which the capture lost packets.
    pub fn frame_after_loss(
        &mut self,
        iface: &str,
        ms: i64,
        direction: Direction,
        data: &[u8],
        lost: u64,
    ) -> &mut Self {
        let wire_len = u32::try_from(data.len()).unwrap();
        let frame = Frame { at: at(ms), direction, wire_len, vlan: None, data };
        let writer = self.writers.get_mut(iface).unwrap();
        writer.packet(&frame, lost).unwrap();
        writer.count(1 + lost, lost);
        self
    }

    /// Makes everything so far readable whatever happens next, as the recorder does every second.
    pub fn sync(&mut self, ms: i64) -> &mut Self {
        for writer in self.writers.values_mut() {
            writer.sync(at(ms)).unwrap();
        }
        self
    }

    /// Host state taken together: source, item, argument, text.
    pub fn state(&mut self, ms: i64, samples: &[(&'static str, &'static str, &str, &str)]) -> &mut Self {
        let taken = samples.iter().map(|(source, item, arg, text)| Taken {
            source,
            item,
            arg: (*arg).into(),
            at: at(ms),
            took_ns: 1_000_000,
            outcome: Outcome::Ok,
            bytes: text.as_bytes().to_vec(),
            truncated: false,
            stderr: Vec::new(),
        });
        self.state.round(taken.collect()).unwrap();
        self
    }

    /// One sample that ended in that way.
    pub fn asked(
        &mut self,
        ms: i64,
        source: &'static str,
        item: &'static str,
        outcome: Outcome,
        text: &str,
    ) -> &mut Self {
        let taken = Taken {
            source,
            item,
            arg: String::new(),
            at: at(ms),
            took_ns: 1_000_000,
            outcome,
            bytes: text.as_bytes().to_vec(),
            truncated: false,
            stderr: Vec::new(),
        };
        self.state.round(vec![taken]).unwrap();
        self
    }

    pub fn pings(&mut self, address: &str, records: &[PingRecord]) -> &mut Self {
        self.info.pings.push(address.into());
        let lines: String = records.iter().map(|r| serde_json::to_string(r).unwrap() + "\n").collect();
        let path = self.run().join(layout::ping_lines(address));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, lines).unwrap();
        self
    }

    /// Any other file of the bundle.
    pub fn write(&mut self, path: &str, text: &str) -> &mut Self {
        let path = self.run().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub fn seal(mut self) -> SealedBundle {
        let run = self.run();
        for (point, writer) in std::mem::take(&mut self.writers) {
            let (_, info) = writer.finish(at(self.end_ms)).unwrap();
            let path = run.join(layout::segment_index(&point));
            let mut index = OpenOptions::new().create(true).append(true).open(path).unwrap();
            index.write_all(&json_line(&info).unwrap()).unwrap();
        }
        let ended = Clock { realtime: at(self.end_ms), monotonic_ns: self.end_ms * 1_000_000 };
        seal::seal(&Dir::open(&run).unwrap(), self.info, Some(ended), End::Duration, Vec::new()).unwrap();
        SealedBundle { path: run, _dir: self.dir }
    }
}

/// A classic pcap file with Ethernet frames.
pub fn pcap(path: &Path, frames: &[(i64, Vec<u8>)]) {
    pcap_of(path, 1, frames);
}

/// A classic pcap file with frames of that link type.
pub fn pcap_of(path: &Path, link: u16, frames: &[(i64, Vec<u8>)]) {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 262_144, link.into()] {
        out.extend(word.to_le_bytes());
    }
    for (ms, data) in frames {
        let us = (START / 1_000) + ms * 1_000;
        let len = u32::try_from(data.len()).unwrap();
        for word in [u32::try_from(us / 1_000_000).unwrap(), u32::try_from(us % 1_000_000).unwrap(), len, len]
        {
            out.extend(word.to_le_bytes());
        }
        out.extend(data);
    }
    fs::write(path, out).unwrap();
}

/// `bond/show` of an active-backup bond of eth2 and eth3.
pub fn bond_show(mode: &str, active: &str, lacp: &str) -> String {
    let member = |name: &str| {
        let mark = if name == active { "  active member\n" } else { "" };
        format!("member {name}: enabled\n{mark}  may_enable: true\n\n")
    };
    format!(
        "---- vswitch0_bond ----\nbond_mode: {mode}\nlacp_status: {lacp}\n\
         active member mac: 02:00:00:00:00:03({active})\n\n{}{}",
        member("eth2"),
        member("eth3")
    )
}

/// A port of a switch in a dump of Open vSwitch's database; a port with several interfaces is a bond.
#[derive(Debug, Clone, Copy, Default)]
pub struct DumpedPort<'a> {
    pub name: &'a str,
    pub ifaces: &'a [&'a str],
    /// VLAN of untagged frames.
    pub tag: Option<u16>,
    /// VLANs of a trunk.
    pub trunks: &'a [u16],
    /// The guest behind it.
    pub guest: Option<Mac>,
}

/// The database of a host with vswitch0 and these ports, as `ovsdb-client dump` prints it. OpenFlow numbers count from 1 in
/// the order of the interfaces.
pub fn ovsdb_dump(datapath: &str, ports: &[DumpedPort<'_>]) -> String {
    let uuid = |n: usize| format!("00000000-0000-0000-0000-{n:012}");
    let refs = |list: Vec<usize>| {
        let all: Vec<String> = list.into_iter().map(|n| format!(r#"["uuid","{}"]"#, uuid(n))).collect();
        format!(r#"["set",[{}]]"#, all.join(","))
    };
    let mut interfaces = Vec::new();
    let mut rows = Vec::new();
    let (mut next, mut ofport) = (100, 0);
    for port in ports {
        let mut mine = Vec::new();
        for iface in port.ifaces {
            (next, ofport) = (next + 1, ofport + 1);
            mine.push(next);
            let guest = port.guest.map_or_else(String::new, |mac| format!(r#"["attached-mac","{mac}"]"#));
            let row = format!(r#"[["uuid","{}"],"{iface}",{ofport},"",["map",[{guest}]]]"#, uuid(next));
            interfaces.push(row);
        }
        next += 1;
        let tag = port.tag.map_or_else(|| r#"["set",[]]"#.to_owned(), |tag| tag.to_string());
        let trunks: Vec<String> = port.trunks.iter().map(u16::to_string).collect();
        let row = format!(
            r#"[["uuid","{}"],"{}",{tag},["set",[{}]],{}]"#,
            uuid(next),
            port.name,
            trunks.join(","),
            refs(mine)
        );
        rows.push((next, row));
    }
    let table = |name: &str, headings: &str, rows: &[String]| {
        format!("{{\"caption\":\"{name} table\",\"data\":[{}],\"headings\":[{headings}]}}\n", rows.join(","))
    };
    let bridge = format!(
        r#"[["uuid","{}"],"vswitch0","{datapath}",{}]"#,
        uuid(1),
        refs(rows.iter().map(|(n, _)| *n).collect())
    );
    let port_rows: Vec<String> = rows.into_iter().map(|(_, row)| row).collect();
    table("Bridge", r#""_uuid","name","datapath_type","ports""#, &[bridge])
        + &table("Interface", r#""_uuid","name","ofport","type","external_ids""#, &interfaces)
        + &table("Port", r#""_uuid","name","tag","trunks","interfaces""#, &port_rows)
}

/// `bond/show` of vswitch0_bond with LACP or without, and which of eth2 and eth3 it uses; the first of these is active.
pub fn bond_using(mode: &str, lacp: &str, fallback: bool, used: &[&str]) -> String {
    let active = used.first().copied().unwrap_or("none");
    let member = |name: &str| {
        let (word, may) = if used.contains(&name) { ("enabled", true) } else { ("disabled", false) };
        let mark = if name == active { "  active member\n" } else { "" };
        format!("member {name}: {word}\n{mark}  may_enable: {may}\n\n")
    };
    format!(
        "---- vswitch0_bond ----\nbond_mode: {mode}\nlacp_status: {lacp}\nlacp_fallback_ab: {fallback}\n\
         active member mac: 00:00:00:00:00:00({active})\n\n{}{}",
        member("eth2"),
        member("eth3")
    )
}

/// `lacp/show` of vswitch0_bond: for eth2 and eth3 how fresh the partner is, and who that is.
pub fn lacp_show(activity: &str, members: [(&str, Mac); 2]) -> String {
    let member = |name: &str, (status, partner): (&str, Mac)| {
        format!(
            "member: {name}: {status}\n  port_id: 1\n  may_enable: false\n\n  actor sys_id: fc:15:b4:1c:ad:79\n  \
             actor state: activity\n\n  partner sys_id: {partner}\n  partner key: 1\n  partner state: timeout\n\n"
        )
    };
    let [eth2, eth3] = members;
    format!(
        "---- vswitch0_bond ----\n  status: {activity}\n  sys_id: fc:15:b4:1c:ad:79\n  lacp_time: fast\n\n{}{}",
        member("eth2", eth2),
        member("eth3", eth3)
    )
}
