//! The kernel's own tables of counters.

use std::collections::BTreeMap;

use crate::run::IfaceCounts;

/// The counters of every interface in `/proc/net/dev`; lines that are not understood are left out.
pub fn parse_net_dev(text: &str) -> BTreeMap<String, IfaceCounts> {
    let mut out = BTreeMap::new();
    for line in text.lines().skip(2) {
        let Some((name, rest)) = line.rsplit_once(':') else { continue };
        let numbers: Vec<u64> = rest.split_whitespace().map_while(|word| word.parse().ok()).collect();
        // Receive: bytes packets errs drop fifo frame compressed multicast; transmit: bytes packets errs drop …
        let [_, rx_packets, rx_errors, rx_dropped, _, _, _, _, _, tx_packets, tx_errors, tx_dropped, ..] =
            numbers[..]
        else {
            continue;
        };
        let counts = IfaceCounts { rx_packets, tx_packets, rx_dropped, tx_dropped, rx_errors, tx_errors };
        out.insert(name.trim().to_owned(), counts);
    }
    out
}

/// Processed, dropped and squeezed of all CPUs in `/proc/net/softnet_stat`: the first three hexadecimal columns
/// (net/core/net-procfs.c, `softnet_seq_show`). Each column is 32 bits wide and wraps by itself.
pub fn parse_softnet(text: &str) -> Vec<[u32; 3]> {
    let cpu = |line: &str| {
        let mut words = line.split_whitespace().map(|word| u32::from_str_radix(word, 16));
        Some([words.next()?.ok()?, words.next()?.ok()?, words.next()?.ok()?])
    };
    text.lines().filter_map(cpu).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_kernels_tables() {
        let dev = "Inter-|   Receive                                                |  Transmit\n \
            face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n\
            \x20   lo:     100       2    0    0    0     0          0         0      100       2    0    0    0     0       0          0\n\
            vnet0:1 5 6 7 0 0 0 0 1 8 9 10 0 0 0 0\n\
            short: 1 2 3\n";
        let got = parse_net_dev(dev);
        assert_eq!(got.len(), 2);
        let want = IfaceCounts {
            rx_packets: 5,
            rx_errors: 6,
            rx_dropped: 7,
            tx_packets: 8,
            tx_errors: 9,
            tx_dropped: 10,
        };
        assert_eq!(got["vnet0"], want);
        assert_eq!(want.since(want), Some(IfaceCounts::default()));
        assert_eq!(IfaceCounts::default().since(want), None);
        let softnet = "0000c0de 00000002 00000001 00000000\n0000000a 00000000 00000000\nbroken\n";
        assert_eq!(parse_softnet(softnet), [[0xc0de, 2, 1], [10, 0, 0]]);
    }

    proptest! {
        #[test]
        fn any_table_is_answered(text in "([ a-z0-9:@|]{0,20}:? ?([0-9a-f]{0,20} ){0,18}\n){0,6}|\\PC{0,80}") {
            let _ = (parse_net_dev(&text), parse_softnet(&text));
        }
    }
}
