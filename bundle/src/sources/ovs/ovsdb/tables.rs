//! From the dump's JSON tables to bridges with ports with interfaces.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::cell::Row;
use super::model::{Bridge, Interface, Mirror, Ovsdb, Port};
use crate::source::{Parsed, RawItem};
use crate::sources::shared::OfPort;
use crate::sources::shared::text::{ENTRIES_MAX, natural};

/// A table as `ovsdb-client dump --format=json` prints it: one JSON object for each, one after the other.
#[derive(Deserialize)]
struct Table {
    caption: String,
    headings: Vec<String>,
    data: Vec<Vec<Value>>,
}

/// Rows by UUID, before they are joined.
#[derive(Default)]
pub(super) struct Rows {
    root: Ovsdb,
    bridges: Vec<BridgeRow>,
    ports: BTreeMap<String, (Port, Vec<String>)>,
    interfaces: BTreeMap<String, Interface>,
    mirrors: BTreeMap<String, MirrorRow>,
}

/// A bridge and the rows it refers to.
struct BridgeRow {
    bridge: Bridge,
    ports: Vec<String>,
    mirrors: Vec<String>,
}

/// A mirror and the ports it refers to, which belong to the bridge.
struct MirrorRow {
    mirror: Mirror,
    output: Vec<String>,
    sources: Vec<String>,
    destinations: Vec<String>,
}

/// Columns of a table; the widest of the schema, Interface, has some forty.
const COLUMNS_MAX: usize = 256;

/// Objects in a dump, one a table: a cell is never one.
const OBJECTS_MAX: usize = 1_024;
/// Lists and values in a dump: five thousand interfaces have 450,000 and 850,000. Each takes memory, however short.
const LISTS_MAX: usize = 500_000;
const VALUES_MAX: usize = 1_000_000;

/// More than a database has; what stands inside strings is counted too.
fn is_heavy(dump: &str) -> bool {
    let mut counts = [0_usize; 3];
    for byte in dump.bytes() {
        match byte {
            b'{' => counts[0] += 1,
            b'[' => counts[1] += 1,
            b',' => counts[2] += 1,
            _ => {}
        }
    }
    counts.iter().zip([OBJECTS_MAX, LISTS_MAX, VALUES_MAX]).any(|(count, max)| *count > max)
}

pub(super) fn read<T>(dump: &str, item: &RawItem<'_>, parsed: &mut Parsed<T>) -> Rows {
    let mut tables = Rows::default();
    if is_heavy(dump) {
        parsed.give_up(item, "more values than fit in memory; the database is ignored");
        return tables;
    }
    let mut rows_left = ENTRIES_MAX;
    for table in serde_json::Deserializer::from_str(dump).into_iter::<Table>() {
        match table {
            Ok(table) if table.headings.len() > COLUMNS_MAX => {
                parsed.give_up(item, format!("a table of {} columns is ignored", table.headings.len()));
            }
            Ok(table) => tables.take(&table, &mut rows_left),
            Err(error) => {
                parsed.defect(item, error.line(), format!("not a table of an OVSDB dump: {error}"));
                break;
            }
        }
    }
    if rows_left == 0 {
        parsed.give_up(item, format!("more than {ENTRIES_MAX} rows; the rest is ignored"));
    }
    tables
}

impl Rows {
    fn take(&mut self, table: &Table, rows_left: &mut usize) {
        let name = table.caption.trim_end_matches(" table");
        for cells in &table.data {
            if *rows_left == 0 {
                return;
            }
            *rows_left -= 1;
            let row = Row { headings: &table.headings, cells };
            match name {
                "Open_vSwitch" => self.root = root(&row),
                "Bridge" => self.bridges.push(BridgeRow {
                    bridge: bridge(&row),
                    ports: row.references("ports"),
                    mirrors: row.references("mirrors"),
                }),
                "Mirror" => {
                    if let Some(id) = row.uuid() {
                        self.mirrors.insert(id, mirror(&row));
                    }
                }
                "Port" => {
                    if let Some(id) = row.uuid() {
                        self.ports.insert(id, (port(&row), row.references("interfaces")));
                    }
                }
                "Interface" => {
                    if let Some(id) = row.uuid() {
                        self.interfaces.insert(id, interface(&row));
                    }
                }
                _ => {}
            }
        }
    }

    /// Puts every row where it belongs. A row belongs to one parent (it is garbage-collected without), so it is moved.
    pub(super) fn join<T>(mut self, item: &RawItem<'_>, parsed: &mut Parsed<T>) -> Ovsdb {
        let mut missing = 0_usize;
        for BridgeRow { mut bridge, ports, mirrors } in std::mem::take(&mut self.bridges) {
            for id in mirrors {
                match self.mirrors.remove(&id) {
                    Some(row) => bridge.mirrors.push(self.named(row)),
                    None => missing += 1,
                }
            }
            bridge.mirrors.sort_by(|a, b| natural(&a.name, &b.name));
            for port_id in ports {
                let Some((mut port, interface_ids)) = self.ports.remove(&port_id) else {
                    missing += 1;
                    continue;
                };
                for id in interface_ids {
                    match self.interfaces.remove(&id) {
                        Some(interface) => port.interfaces.push(interface),
                        None => missing += 1,
                    }
                }
                port.interfaces.sort_by(|a, b| natural(&a.name, &b.name));
                bridge.ports.push(port);
            }
            bridge.ports.sort_by(|a, b| natural(&a.name, &b.name));
            self.root.bridges.push(bridge);
        }
        if missing > 0 {
            parsed.defect(item, 0, format!("{missing} rows are referred to but not in the dump"));
        }
        self.root.bridges.sort_by(|a, b| natural(&a.name, &b.name));
        self.root
    }

    /// A mirror with the names of its ports, which are all still there: those of a bridge are moved after its mirrors.
    fn named(&self, row: MirrorRow) -> Mirror {
        let names = |ids: &[String]| {
            ids.iter().filter_map(|id| self.ports.get(id)).map(|(port, _)| port.name.clone()).collect()
        };
        let output: Vec<String> = names(&row.output);
        Mirror {
            output_port: output.into_iter().next(),
            select_src: names(&row.sources),
            select_dst: names(&row.destinations),
            ..row.mirror
        }
    }
}

fn root(row: &Row<'_>) -> Ovsdb {
    Ovsdb {
        ovs_version: row.text("ovs_version"),
        external_ids: row.map("external_ids"),
        other_config: row.map("other_config"),
        bridges: Vec::new(),
    }
}

fn bridge(row: &Row<'_>) -> Bridge {
    Bridge {
        name: row.text("name").unwrap_or_default(),
        datapath_type: row.text("datapath_type").unwrap_or_else(|| "system".to_owned()),
        datapath_id: row.text("datapath_id"),
        fail_mode: row.text("fail_mode"),
        stp_enable: row.flag("stp_enable"),
        rstp_enable: row.flag("rstp_enable"),
        mcast_snooping_enable: row.flag("mcast_snooping_enable"),
        mirrors: Vec::new(),
        controllers: row.references("controller").len(),
        other_config: row.map("other_config"),
        external_ids: row.map("external_ids"),
        ports: Vec::new(),
    }
}

fn mirror(row: &Row<'_>) -> MirrorRow {
    MirrorRow {
        mirror: Mirror {
            name: row.text("name").unwrap_or_default(),
            output_vlan: row.number("output_vlan"),
            select_all: row.flag("select_all"),
            select_vlan: row.numbers("select_vlan"),
            ..Mirror::default()
        },
        output: row.references("output_port"),
        sources: row.references("select_src_port"),
        destinations: row.references("select_dst_port"),
    }
}

fn port(row: &Row<'_>) -> Port {
    Port {
        name: row.text("name").unwrap_or_default(),
        tag: row.number("tag"),
        trunks: row.numbers("trunks"),
        vlan_mode: row.text("vlan_mode"),
        bond_mode: row.text("bond_mode"),
        lacp: row.text("lacp"),
        bond_active_member: row.mac("bond_active_slave").or_else(|| row.mac("bond_active_member")),
        bond_updelay_ms: row.number("bond_updelay").unwrap_or(0),
        bond_downdelay_ms: row.number("bond_downdelay").unwrap_or(0),
        other_config: row.map("other_config"),
        external_ids: row.map("external_ids"),
        interfaces: Vec::new(),
    }
}

fn interface(row: &Row<'_>) -> Interface {
    Interface {
        name: row.text("name").unwrap_or_default(),
        kind: row.text("type").unwrap_or_else(|| "system".to_owned()),
        ofport: row.number("ofport").map(OfPort),
        ifindex: row.number("ifindex").filter(|index| *index != 0),
        mac: row.mac("mac"),
        mac_in_use: row.mac("mac_in_use"),
        mtu: row.number("mtu"),
        admin_up: row.up("admin_state"),
        link_up: row.up("link_state"),
        link_resets: row.number("link_resets"),
        link_speed: row.number("link_speed"),
        duplex: row.text("duplex"),
        error: row.text("error"),
        lacp_current: row.flag_if_set("lacp_current"),
        ingress_policing_rate: row.number("ingress_policing_rate").unwrap_or(0),
        options: row.map("options"),
        other_config: row.map("other_config"),
        external_ids: row.map("external_ids"),
        status: row.map("status"),
        statistics: row.counters("statistics"),
    }
}
