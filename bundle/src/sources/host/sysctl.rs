//! `sysctl`: kernel settings that decide whether a host forwards, filters or answers what it should not.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::source::{Cadence, Each, How, Parsed, RawItem, Reason, Recipe, Snapshot, SourceDef};
use crate::sources::shared::text::usable;

/// The settings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Sysctl {
    /// By item name; a setting the kernel does not have (module not loaded) is absent.
    pub values: BTreeMap<String, i64>,
}

impl Sysctl {
    /// A setting by its item name.
    pub fn get(&self, item: &str) -> Option<i64> {
        self.values.get(item).copied()
    }

    /// IPv4 forwarding is on.
    pub fn ip_forward(&self) -> Option<bool> {
        self.get("ip-forward").map(|value| value != 0)
    }
}

const fn setting(item: &'static str, path: &'static str) -> Recipe {
    Recipe { item, each: Each::Once, how: How::File(path), bytes_max: 4 << 10, timeout_ms: 1_000 }
}

impl Snapshot for Sysctl {
    const DEF: SourceDef = SourceDef {
        id: "sysctl",
        about: "Kernel settings: forwarding, bridge netfilter, reverse path, ARP",
        cadence: Cadence::StartEnd,
        recipes: &[
            setting("ip-forward", "/proc/sys/net/ipv4/ip_forward"),
            setting("ipv6-forwarding", "/proc/sys/net/ipv6/conf/all/forwarding"),
            setting("bridge-nf-call-iptables", "/proc/sys/net/bridge/bridge-nf-call-iptables"),
            setting("bridge-nf-call-ip6tables", "/proc/sys/net/bridge/bridge-nf-call-ip6tables"),
            setting("bridge-nf-call-arptables", "/proc/sys/net/bridge/bridge-nf-call-arptables"),
            setting("rp-filter", "/proc/sys/net/ipv4/conf/all/rp_filter"),
            setting("rp-filter-default", "/proc/sys/net/ipv4/conf/default/rp_filter"),
            setting("arp-ignore", "/proc/sys/net/ipv4/conf/all/arp_ignore"),
            setting("arp-announce", "/proc/sys/net/ipv4/conf/all/arp_announce"),
            setting("icmp-echo-ignore-all", "/proc/sys/net/ipv4/icmp_echo_ignore_all"),
            setting("netdev-max-backlog", "/proc/sys/net/core/netdev_max_backlog"),
            setting("conntrack-max", "/proc/sys/net/netfilter/nf_conntrack_max"),
            setting("conntrack-count", "/proc/sys/net/netfilter/nf_conntrack_count"),
            setting("neigh-gc-thresh3", "/proc/sys/net/ipv4/neigh/default/gc_thresh3"),
        ],
    };

    fn parse(items: &[RawItem<'_>]) -> Parsed<Self> {
        let mut parsed = Parsed::default();
        let mut values = BTreeMap::new();
        for item in
            items.iter().filter(|item| Self::DEF.recipes.iter().any(|recipe| recipe.item == item.item))
        {
            // A file that is not there is an answer: the module is not loaded.
            if item.outcome.reason() == Some(Reason::NoFile) {
                continue;
            }
            let text = usable(item, &mut parsed);
            match text.trim().parse() {
                Ok(value) => {
                    values.insert(item.item.to_owned(), value);
                }
                Err(_) => parsed.defect(item, 1, format!("not a number: {}", text.trim())),
            }
        }
        parsed.value = Self { values };
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Nanos;
    use crate::source::Outcome;
    use crate::sources::shared::testing::{hostile, item, survives};
    use proptest::prelude::*;

    #[test]
    fn numbers_absences_and_strangers() {
        let missing = Outcome::Failed { reason: Reason::NoFile, why: "No such file or directory".to_owned() };
        let absent = RawItem {
            item: "bridge-nf-call-iptables",
            arg: "",
            at: Nanos(0),
            outcome: &missing,
            bytes: b"",
            truncated: false,
        };
        let parsed = Sysctl::parse(&[item("ip-forward", "", "1\n"), absent, item("rp-filter", "", "many\n")]);
        assert_eq!(parsed.value.ip_forward(), Some(true));
        assert_eq!(parsed.defects.len(), 1);
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics(bytes in hostile("1\n"), cut: bool) {
            survives::<Sysctl>(&bytes, cut);
        }
    }
}
