//! `links`: the host's network interfaces, their addresses, counters and routes (`ip link`, `ip addr`, `ip route`).
//!
//! JSON where iproute2 has it (since 4.14, 2017); the same facts from its text elsewhere.

use crate::source::{
    Cadence, Each, Elements, How, Parsed, RawItem, Recipe, Snapshot, SourceDef, is_interface,
};
pub use model::{Address, BondMember, KernelBond, Link, LinkStats, Links, Route, Side};

mod json;
mod model;
mod text;

#[cfg(test)]
mod tests;

/// A command without elements.
const fn command(item: &'static str, argv: &'static [&'static str]) -> Recipe {
    Recipe { item, each: Each::Once, how: How::Command(argv), bytes_max: 8 << 20, timeout_ms: 5_000 }
}

/// Network interfaces of the host's network namespace.
pub const INTERFACES: Elements = Elements {
    id: "interface",
    listed_by: "links",
    names: |items| Links::parse(items).value.links.into_iter().map(|link| link.name).collect(),
    is_name: is_interface,
};

impl Snapshot for Links {
    const DEF: SourceDef = SourceDef {
        id: "links",
        about: "Network interfaces: state, addresses, counters, routes",
        cadence: Cadence::Periodic,
        recipes: &[
            command("link", &["ip", "-j", "-d", "-s", "-s", "link", "show"]),
            command("addr", &["ip", "-j", "addr", "show"]),
            command("route", &["ip", "-j", "route", "show", "table", "all"]),
            command("text", &["ip", "-d", "addr", "show"]),
        ],
    };

    fn parse(items: &[RawItem<'_>]) -> Parsed<Self> {
        let mut parsed = Parsed::default();
        for item in items {
            match item.item {
                "link" | "addr" => json::links(item, &mut parsed),
                "route" => json::routes(item, &mut parsed),
                _ => {}
            }
        }
        // Only an iproute2 without JSON leaves nothing: every host has a loopback interface.
        if parsed.value.links.is_empty() {
            for item in items.iter().filter(|item| item.item == "text") {
                text::links(item, &mut parsed);
            }
        }
        parsed.value.links.sort_by(|a, b| (a.ifindex, &a.name).cmp(&(b.ifindex, &b.name)));
        parsed
    }
}
