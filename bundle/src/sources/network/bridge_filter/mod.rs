//! `bridge-filter`: the rules of nftables for bridged frames (`nft list ruleset bridge`, nft(8)), among them those that
//! ebtables and libvirt's network filters become; and those at devices (`nft list ruleset netdev`), which are asked before any
//! switch gets a frame, and after it let one go.
//!
//! Where ebtables still has tables of its own in the kernel (before ebtables-nft), its rules are not in here: listing them
//! would load the kernel's modules for them, and a recorder changes nothing.

use serde::Serialize;

use crate::source::{Cadence, Each, How, Parsed, RawItem, Recipe, Snapshot, SourceDef};

mod text;
mod verdict;

#[cfg(test)]
mod tests;

pub use verdict::{BridgedFrame, FilterEnd};

/// Chains with their rules.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct BridgeFilter {
    /// In the order of the list.
    pub chains: Vec<Chain>,
    /// The list is whole: only then does "no rule drops it" mean anything.
    pub complete: bool,
    /// Chains at devices, and those they jump to.
    pub device_chains: Vec<Chain>,
    /// Their list is whole; `None` when nobody recorded it.
    pub devices_complete: Option<bool>,
}

/// Rules that are looked at one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Chain {
    /// Name of its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// `prerouting`, `forward`, `postrouting`, …; `None` for one that others jump to.
    pub hook: Option<String>,
    /// Devices it is asked at, where it is at some.
    pub devices: Vec<String>,
    /// Chains of one hook are asked in this order, the lowest first.
    pub priority: i64,
    /// What no rule decides is dropped.
    pub drops: bool,
    /// In the order written.
    pub rules: Vec<FilterRule>,
}

/// What a rule matches and what it does, as printed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FilterRule {
    /// What has to hold: words as printed, without counter and verdict.
    pub matches: Vec<String>,
    /// Packets counted, where it counts.
    pub packets: Option<u64>,
    /// What it does.
    pub verdict: Verdict,
    /// The line.
    pub raw: String,
}

/// What a rule does with what matches.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It goes on with the next rule.
    #[default]
    Continue,
    /// The chain's hook is done with it.
    Accept,
    /// It throws it away, with or without telling the sender.
    Drop,
    /// It goes back to where the chain was called.
    Return,
    /// It goes on in a chain, and comes back.
    Jump(String),
    /// It goes on in a chain.
    Goto(String),
    /// Something that this reader does not know.
    Unread,
}

const fn list(item: &'static str, command: &'static [&'static str]) -> Recipe {
    Recipe { item, each: Each::Once, how: How::Command(command), bytes_max: 4 << 20, timeout_ms: 5_000 }
}

impl Snapshot for BridgeFilter {
    const DEF: SourceDef = SourceDef {
        id: "bridge-filter",
        about: "Filter rules for bridged frames: nftables, with those of ebtables and libvirt",
        cadence: Cadence::Periodic,
        recipes: &[
            list("ruleset", &["nft", "list", "ruleset", "bridge"]),
            list("netdev", &["nft", "list", "ruleset", "netdev"]),
        ],
    };

    fn parse(items: &[RawItem<'_>]) -> Parsed<Self> {
        let mut parsed = Parsed::default();
        for item in items.iter().filter(|item| item.item == "ruleset") {
            (parsed.value.chains, parsed.value.complete) = text::ruleset(item, "bridge", &mut parsed);
        }
        for item in items.iter().filter(|item| item.item == "netdev") {
            let (chains, complete) = text::ruleset(item, "netdev", &mut parsed);
            (parsed.value.device_chains, parsed.value.devices_complete) = (chains, Some(complete));
        }
        parsed
    }
}
