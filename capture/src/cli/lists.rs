//! What there is to choose from: `netcap points`, `netcap sources`, `netcap presets`.

use netcap_bundle::{Role, sources};
use netcap_words::foreign::clean;
use netcap_words::quote;
use rust_i18n::t;
use unicode_width::UnicodeWidthStr;

use super::runtime::{self, block_on};
use crate::error::Result;
use crate::host::available::Available;
use crate::host::inventory::Inventory;
use crate::ui::{self, wording};

/// What is recorded of the host's state.
pub(super) fn sources() {
    for def in sources::ALL.iter().map(|source| source.def) {
        ui::answer(&format!("{:<16} {}", def.id, wording::about(def)));
    }
}

/// The ready-made filters.
pub(super) fn presets() {
    for preset in netcap_filters::list() {
        ui::answer(&format!(
            "{:<20} {}\n{:20}   {}",
            preset.usage(),
            wording::matches(preset),
            "",
            preset.expression
        ));
    }
}

/// What could be recorded here, and how.
pub(super) fn points(ovs_rundir: Option<std::path::PathBuf>) -> Result<u8> {
    let host = runtime::host(ovs_rundir)?;
    let mut inventory = block_on(Inventory::take(&host))?;
    inventory.note_unasked(&host);
    let available = &inventory.available;
    ui::answer(inventory.table().trim_end());
    for text in &available.unasked {
        ui::answer(text);
    }
    ui::answer("");
    ui::answer(&t!("points.how"));
    let examples = examples(available);
    let width = examples.iter().map(|example| example.command.width()).max().unwrap_or(0);
    for Example { command, about } in examples {
        let pad = " ".repeat(width.saturating_sub(command.width()));
        ui::answer(&format!("  {command}{pad}  # {}", clean(&about)));
    }
    ui::answer(&t!("points.more"));
    Ok(0)
}

/// A command and what it means.
struct Example {
    command: String,
    about: String,
}

/// Commands that would record here, each with what it means.
fn examples(available: &Available) -> Vec<Example> {
    let mut out = Vec::new();
    let mut add = |command: String, about: String| out.push(Example { command, about });
    for name in available.switches.keys() {
        add(quote::command(["netcap", "--vswitch", name]), available.describe(name));
    }
    let vms: std::collections::BTreeSet<&str> =
        available.points.iter().filter_map(|p| vm_of(&p.role)).collect();
    if let Some(vm) = vms.first() {
        add(quote::command(["netcap", "--vm", vm]), t!("points.vm", count = vms.len()).into_owned());
    }
    let mac = available.points.iter().find_map(|p| match &p.role {
        Role::Vnet { guest_mac, .. } => *guest_mac,
        _ => None,
    });
    if let Some(mac) = mac {
        add(quote::command(["netcap", "--iface_mac", &mac.to_string()]), t!("points.mac").into_owned());
    }
    let others: Vec<&str> =
        available.points.iter().filter(|p| p.vswitch.is_none()).map(|p| p.iface.as_str()).collect();
    if let Some(first) = others.first() {
        add(quote::command(["netcap", "--iface", first]), others.join(" "));
    }
    out
}

fn vm_of(role: &Role) -> Option<&str> {
    match role {
        Role::Vnet { vm, .. } => vm.as_deref(),
        _ => None,
    }
}
