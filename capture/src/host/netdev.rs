//! What the kernel counts outside our sockets: interfaces and the receive path of the whole host.

use std::collections::BTreeMap;

use netcap_bundle::ledger::{parse_net_dev, parse_softnet};
use netcap_bundle::run::IfaceCounts;

/// Counters of the interfaces of our network namespace; empty when the kernel does not answer.
pub(crate) fn interfaces() -> BTreeMap<String, IfaceCounts> {
    std::fs::read_to_string("/proc/net/dev").map(|text| parse_net_dev(&text)).unwrap_or_default()
}

/// Losses of the receive path, all CPUs together, since the last look. The kernel's columns are 32 bits wide and wrap:
/// only differences mean something.
#[derive(Debug, Default)]
pub(crate) struct Softnet {
    before: Vec<[u32; 3]>,
}

impl Softnet {
    /// Packets processed, dropped and budgets overrun since the last look; nothing the first time.
    pub(crate) fn since_last(&mut self) -> [u64; 3] {
        let text = std::fs::read_to_string("/proc/net/softnet_stat").unwrap_or_default();
        self.step(parse_softnet(&text))
    }

    fn step(&mut self, now: Vec<[u32; 3]>) -> [u64; 3] {
        let mut out = [0; 3];
        // A CPU that went or came changes the rows: start again.
        if now.len() == self.before.len() {
            for (now, before) in now.iter().zip(&self.before) {
                for ((sum, now), before) in out.iter_mut().zip(now).zip(before) {
                    *sum += u64::from(now.wrapping_sub(*before));
                }
            }
        }
        self.before = now;
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_wrap_and_cpus_come_and_go() {
        let mut softnet = Softnet::default();
        assert_eq!(softnet.step(vec![[u32::MAX, 7, 0]]), [0; 3]);
        assert_eq!(softnet.step(vec![[4, 9, 0]]), [5, 2, 0]);
        assert_eq!(softnet.step(vec![[4, 9, 0], [1, 1, 1]]), [0; 3]);
        assert!(interfaces().contains_key("lo"));
    }
}
