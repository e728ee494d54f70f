//! What the libraries say in English, in the language that is set: filters, presets, bundles, and the sources of host state.
//!
//! The libraries know no languages. What registries say has keys by the names of their members
//! (`locales/registries.yml`), what errors say is matched value by value (`locales/filters.yml`); tests hold the
//! English of both to that of the libraries.

mod bundles;
mod files;
mod filters;

use netcap_bundle::Role;
use netcap_bundle::source::SourceDef;
use netcap_filters::Preset;
use rust_i18n::t;

pub(crate) use bundles::{bundle, operation};
pub(crate) use files::{io, mistrusted};
pub(crate) use filters::{filter, preset};

/// What a point is to its switch.
pub(crate) fn role(role: &Role) -> String {
    match role {
        Role::Internal => t!("role.int"),
        Role::Uplink { bond: Some(_) } => t!("role.bond"),
        Role::Uplink { bond: None } => t!("role.uplink"),
        Role::Vnet { .. } => t!("role.vnet"),
        Role::Patch { .. } => t!("role.patch"),
        Role::Tunnel { .. } => t!("role.tunnel"),
        Role::Other => t!("role.iface"),
    }
    .into_owned()
}

pub(crate) fn matches(preset: &Preset) -> String {
    let key = format!("preset.{}", preset.name);
    t!(&key).into_owned()
}

/// What a source records.
pub(crate) fn about(source: &SourceDef) -> String {
    let key = format!("source.{}", source.id);
    t!(&key).into_owned()
}

#[cfg(test)]
mod tests;
