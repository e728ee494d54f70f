//! `libvirt`: virtual machines and network filters (`virsh`, over libvirt's read-only connection).
//!
//! `dumpxml` without `--security-info` leaves passwords out. A definition says what is configured, not what happens:
//! on Open vSwitch ports libvirt's own ebtables are not passed, and a platform may translate filters into flows.

use crate::source::{
    Cadence, Each, Elements, How, Parsed, RawItem, Recipe, Snapshot, SourceDef, is_file_name,
};
use crate::sources::shared::text::{lines, push_capped, usable};

mod domain;
mod filter;
mod model;
mod verdict;
mod xml;

#[cfg(test)]
mod tests;

pub use model::Libvirt;
pub use model::{
    Action, Direction, Disk, Domain, DomainInterface, FilterRef, Graphics, Nwfilter, Parameters, Protocol,
    Rule,
};
pub use verdict::{FilterVerdict, ends};

/// Machines, running or not.
pub(crate) const DOMAINS: Elements = Elements {
    id: "domain",
    listed_by: "libvirt",
    names: |items| Libvirt::parse(items).value.domain_names,
    is_name: is_file_name,
};

/// Network filters.
pub(crate) const NWFILTERS: Elements = Elements {
    id: "nwfilter",
    listed_by: "libvirt",
    names: |items| Libvirt::parse(items).value.nwfilter_names,
    is_name: is_file_name,
};

/// A command of virsh; definitions of large machines reach some hundred kilobytes.
const fn virsh(item: &'static str, each: Each, argv: &'static [&'static str]) -> Recipe {
    Recipe { item, each, how: How::Command(argv), bytes_max: 4 << 20, timeout_ms: 5_000 }
}

impl Snapshot for Libvirt {
    const DEF: SourceDef = SourceDef {
        id: "libvirt",
        about: "Virtual machines and network filters as libvirt defines them",
        cadence: Cadence::StartEnd,
        recipes: &[
            virsh("domains", Each::Once, &["virsh", "-r", "list", "--all", "--name"]),
            virsh("domain", Each::Of(&DOMAINS), &["virsh", "-r", "dumpxml", "--domain", "{}"]),
            virsh("nwfilters", Each::Once, &["virsh", "-r", "nwfilter-list"]),
            virsh("nwfilter", Each::Of(&NWFILTERS), &["virsh", "-r", "nwfilter-dumpxml", "--nwfilter", "{}"]),
        ],
    };

    fn parse(items: &[RawItem<'_>]) -> Parsed<Self> {
        let mut parsed = Parsed::default();
        let mut found = Self::default();
        for item in items {
            let text = usable(item, &mut parsed);
            match item.item {
                "domains" => {
                    for (_, line) in lines(&text) {
                        if !push_capped(&mut found.domain_names, line.trim().to_owned(), item, &mut parsed) {
                            break;
                        }
                    }
                }
                "nwfilters" => filter_names(&text, item, &mut found.nwfilter_names, &mut parsed),
                "domain" => {
                    found.domains.extend(xml::read(&text, "domain", item, &mut parsed, domain::domain));
                }
                "nwfilter" => {
                    let filter = xml::read(&text, "filter", item, &mut parsed, filter::filter);
                    for rule in filter.iter().flat_map(|filter| &filter.unread) {
                        parsed.defect(item, 0, format!("rule {rule}: action or direction not known"));
                    }
                    found.nwfilters.extend(filter);
                }
                _ => {}
            }
        }
        parsed.value = found;
        parsed
    }
}

/// ` UUID   Name`, a line of dashes, then one filter a line; a name may contain blanks.
fn filter_names(text: &str, item: &RawItem<'_>, names: &mut Vec<String>, parsed: &mut Parsed<Libvirt>) {
    for (number, line) in lines(text) {
        let line = line.trim();
        let Some((uuid, name)) = line.split_once(char::is_whitespace) else {
            if !line.starts_with("---") {
                parsed.defect(item, number, format!("not a line of nwfilter-list: {line}"));
            }
            continue;
        };
        // 8-4-4-4-12 hexadecimal digits; the heading is not.
        if uuid.len() == 36 && uuid.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') {
            if !push_capped(names, name.trim().to_owned(), item, parsed) {
                break;
            }
        } else if uuid != "UUID" {
            parsed.defect(item, number, format!("not a line of nwfilter-list: {line}"));
        }
    }
}
