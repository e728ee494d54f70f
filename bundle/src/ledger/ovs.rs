//! What Open vSwitch drops: at a port, and because its daemon could not be asked (`dpctl/show -s`, dpctl.c).

use std::collections::BTreeMap;

use crate::run::OvsDrops;

/// Ports read of one answer: a host has hundreds.
const PORTS_MAX: usize = 16_384;

/// All datapaths of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Datapaths {
    /// Packets that found no flow.
    pub missed: u64,
    /// Packets lost because ovs-vswitchd could not be asked.
    pub lost: u64,
    /// By interface.
    pub ports: BTreeMap<String, OvsDrops>,
}

/// Reads `dpctl/show -s`; lines that are not understood are left out. A counter the datapath does not keep is `?`.
pub fn parse_dpctl_show(text: &str) -> Datapaths {
    let mut out = Datapaths::default();
    let mut port: Option<(String, OvsDrops)> = None;
    for line in text.lines().map(str::trim) {
        if let Some(counts) = line.strip_prefix("lookups:") {
            out.missed = out.missed.saturating_add(number(counts, "missed").unwrap_or(0));
            out.lost = out.lost.saturating_add(number(counts, "lost").unwrap_or(0));
        } else if let Some(name) = port_name(line) {
            keep(&mut out, port.replace((name.to_owned(), OvsDrops::default())));
        } else if let Some((_, drops)) = &mut port {
            if let Some(counts) = line.strip_prefix("RX ") {
                drops.rx_dropped = number(counts, "dropped").unwrap_or(drops.rx_dropped);
            } else if let Some(counts) = line.strip_prefix("TX ") {
                drops.tx_dropped = number(counts, "dropped").unwrap_or(drops.tx_dropped);
            }
        }
    }
    keep(&mut out, port);
    out
}

fn keep(out: &mut Datapaths, port: Option<(String, OvsDrops)>) {
    if out.ports.len() < PORTS_MAX {
        out.ports.extend(port);
    }
}

/// `port 3: vnet0 (tap)` → `vnet0`.
fn port_name(line: &str) -> Option<&str> {
    let (digits, rest) = line.strip_prefix("port ")?.split_once(": ")?;
    digits.parse::<u32>().ok()?;
    rest.split(" (").next().map(str::trim).filter(|name| !name.is_empty())
}

/// The number behind `key:` among words.
fn number(words: &str, key: &str) -> Option<u64> {
    let mut words = words.split_whitespace();
    words.find_map(|word| word.strip_prefix(key)?.strip_prefix(':')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Open vSwitch 3.1, one datapath of each kind.
    const SHOWN: &str = "\
netdev@ovs-netdev:
  lookups: hit:45 missed:36 lost:2
  flows: 0
  port 0: ovs-netdev (tap)
    RX packets:0 errors:0 dropped:0 overruns:0 frame:0
    TX packets:0 errors:0 dropped:0 aborted:0 carrier:0
    collisions:0
    RX bytes:0  TX bytes:0
  port 1: vnet0
    RX packets:14 errors:0 dropped:3 overruns:0 frame:0
    TX packets:19 errors:0 dropped:2 aborted:0 carrier:0
    collisions:0
    RX bytes:1116 (1.1 KiB)  TX bytes:1422 (1.4 KiB)
system@ovs-system:
  lookups: hit:7 missed:4 lost:1
  port 2: vxlan_sys_4789 (vxlan: packet_type=ptap)
    RX packets:? errors:? dropped:? overruns:? frame:?
    TX packets:? errors:? dropped:? aborted:? carrier:?
";

    #[test]
    fn drops_of_ports_and_lost_questions() {
        let got = parse_dpctl_show(SHOWN);
        assert_eq!((got.missed, got.lost, got.ports.len()), (40, 3, 3));
        assert_eq!(got.ports["vnet0"], OvsDrops { rx_dropped: 3, tx_dropped: 2 });
        assert_eq!(got.ports["vxlan_sys_4789"], OvsDrops::default());
        let before = OvsDrops { rx_dropped: 3, tx_dropped: 3 };
        assert_eq!(got.ports["vnet0"].since(before), None, "a new port of that name");
    }

    proptest! {
        #[test]
        fn any_answer_is_read(
            text in "((  )?(port [0-9]{0,11}: [a-z0-9 (]{0,9}|lookups: (missed|lost):[0-9?]{0,22}|[RT]X dropped:[0-9]{0,22}|\\PC{0,30})\n){0,12}"
        ) {
            let _ = parse_dpctl_show(&text);
        }
    }
}
