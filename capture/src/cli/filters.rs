//! From the words of the command line to compiled filters.

use std::collections::BTreeMap;

use netcap_filters::{Filter, Options, VlanMode, any_of, preset};
use rust_i18n::t;

use super::options::{Behaviour, Record};
use crate::error::{Error, Result};

/// Filter and presets, joined by "or": each preset adds something to see.
pub(super) fn filter(options: &Record) -> Result<Filter> {
    let mut parts =
        options.preset.iter().map(|text| preset(text)).collect::<std::result::Result<Vec<_>, _>>()?;
    let typed = options.filter.join(" ");
    if !typed.trim().is_empty() {
        parts.push(typed);
    }
    compile(&any_of(parts), &options.behaviour)
}

fn compile(expression: &str, behaviour: &Behaviour) -> Result<Filter> {
    let vlan = if behaviour.no_vlan { VlanMode::Literal } else { VlanMode::AsMeant };
    let filter = Filter::compile(expression, Options { vlan, inner: behaviour.inner })?;
    if filter.differs_live() {
        return Err(Error::Usage(t!("usage.literal_vlan").into_owned()));
    }
    Ok(filter)
}

/// Filters of single interfaces, which replace the common one there.
pub(super) type Own = BTreeMap<String, Filter>;

/// Takes the filters out of `--iface NAME:FILTER`. A colon is in no interface's name (`dev_valid_name`, net/core/dev.c).
pub(super) fn own_filters(options: &mut Record) -> Result<Own> {
    let mut own = Own::new();
    for word in &mut options.iface {
        let Some((name, expression)) = word.split_once(':') else { continue };
        let (name, filter) = (name.trim().to_owned(), compile(expression, &options.behaviour)?);
        if own.insert(name.clone(), filter).is_some() {
            return Err(Error::Usage(t!("usage.two_filters", iface = name).into_owned()));
        }
        *word = name;
    }
    Ok(own)
}
