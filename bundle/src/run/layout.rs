//! Where everything lies in a bundle. No other file spells a bundle path (a tidy law checks it).
//!
//! ```text
//! HOST-STAMP/
//!   manifest.json                      what was recorded, hashes, losses, clocks; last to be written
//!   run.json                           the same as known at the start, so that a killed run can be sealed
//!   points.jsonl                       points that joined, were renamed or left while it was recorded
//!   netcap.log                         what the recorder said
//!   topology.txt                       bridges, ports, bonds, VMs, as ovs_dbg_listports gave them
//!   packets/POINT/000001.pcapng.zst    segments, one zstd frame each
//!   packets/POINT/segments.jsonl       one line per closed segment: counts, losses, hash; one for all that were removed
//!   state/index.jsonl                  one line per sample of host state
//!   state/SOURCE/ITEM[@ARG]/000001.txt what was read, as it came (.zst when large)
//!   ping/ADDRESS.log, ADDRESS.jsonl    for people, for machines
//!   ledger/points/POINT.jsonl          received, dropped, written and the interface's counters, second by second
//!   ledger/softnet.jsonl               what the host's receive path lost before any point
//! ```

use crate::run::safe_name;

/// The manifest of a sealed run.
pub const MANIFEST: &str = "manifest.json";
/// What was known when the run started.
pub const RUN: &str = "run.json";
/// Points that joined, were renamed or left.
pub const CHANGES: &str = "points.jsonl";
/// The recorder's own log.
pub const LOG: &str = "netcap.log";
/// The topology table.
pub const TOPOLOGY: &str = "topology.txt";
/// Folder of the capture points.
pub const PACKETS: &str = "packets";
/// Folder of host state.
pub const STATE: &str = "state";
/// Index of host state.
pub const STATE_INDEX: &str = "state/index.jsonl";
/// Folder of pings.
pub const PING: &str = "ping";
/// Folder of the points' loss ledgers.
pub const LEDGERS: &str = "ledger/points";
/// Losses of the host's receive path.
pub const SOFTNET: &str = "ledger/softnet.jsonl";
/// Digits of a stamp: year to second.
const STAMP_LEN: usize = 14;
/// Ending of a ledger.
const LEDGER_END: &str = ".jsonl";
/// How the name of a segment ends.
pub const SEGMENT_END: &str = ".pcapng.zst";
/// How the name of a file to send ends.
pub const BUNDLE_END: &str = ".tar";
/// Ending of a tar that a run is being moved into: it holds what is no longer elsewhere.
pub const MOVING_END: &str = ".moving";
/// Ending of a file that is not complete yet and may be thrown away.
pub const PARTIAL_END: &str = ".partial";

/// Room held back on the disk for the end of a run: for sealing, and for the ends of files.
pub const RESERVES: [&str; 2] = ["reserve-seal.partial", "reserve-end.partial"];

/// Folder of a point's segments.
pub fn point_dir(point: &str) -> String {
    format!("{PACKETS}/{}", safe_name(point))
}

/// A segment, counted from 1.
pub fn segment(point: &str, number: u32) -> String {
    format!("{}/{number:06}{SEGMENT_END}", point_dir(point))
}

/// The index of a point's closed segments.
pub fn segment_index(point: &str) -> String {
    format!("{}/segments.jsonl", point_dir(point))
}

/// Point and number of a segment path, if it is one.
pub fn parse_segment(path: &str) -> Option<(&str, u32)> {
    let (point, file) = path.strip_prefix(PACKETS)?.strip_prefix('/')?.split_once('/')?;
    let number = file.strip_suffix(SEGMENT_END)?.parse().ok()?;
    Some((point, number))
}

/// What a path of a bundle is about: the source of host state, the capture point, or else the path itself.
pub fn kind(path: &str) -> &str {
    let inside = [STATE, PACKETS].into_iter().find_map(|folder| path.strip_prefix(folder)?.strip_prefix('/'));
    inside.and_then(|rest| rest.split_once('/')).map_or(path, |(name, _)| name)
}

/// The loss ledger of a point.
pub fn ledger(point: &str) -> String {
    format!("{LEDGERS}/{}{LEDGER_END}", safe_name(point))
}

/// The point of a ledger path, if it is one.
pub(crate) fn parse_ledger(path: &str) -> Option<&str> {
    let file = path.strip_prefix(LEDGERS)?.strip_prefix('/')?;
    file.strip_suffix(LEDGER_END).filter(|point| !point.contains('/'))
}

/// A sample of host state; `arg` is empty for items that are taken once.
pub fn sample(source: &str, item: &str, arg: &str, number: u32, compressed: bool) -> String {
    let at = if arg.is_empty() { String::new() } else { format!("@{}", safe_name(arg)) };
    let end = if compressed { "txt.zst" } else { "txt" };
    format!("{STATE}/{}/{}{at}/{number:06}.{end}", safe_name(source), safe_name(item))
}

/// The log of one pinged address for people.
pub fn ping_log(address: &str) -> String {
    format!("{PING}/{}.log", address_name(address))
}

/// The log of one pinged address for machines.
pub fn ping_lines(address: &str) -> String {
    format!("{PING}/{}.jsonl", address_name(address))
}

/// Names that `scripts/check_network.sh` gives to the log of a ping beside the run: `STAMP-ping.log` to the first,
/// `STAMP-ADDRESS-ping.log` to the others. None when the path is no such log.
pub(crate) fn old_ping_names(run: &str, path: &str) -> Vec<String> {
    let address = path.strip_prefix(PING).and_then(|rest| rest.strip_prefix('/')?.strip_suffix(".log"));
    // HOST-STAMP, or HOST-STAMP-2 for the second of a second.
    let digits = |word: &str| word.len() == STAMP_LEN && word.bytes().all(|byte| byte.is_ascii_digit());
    let stamp = run.match_indices('-').map(|(at, _)| run.split_at(at + 1).1).find(|rest| {
        rest.split_once('-')
            .map_or(digits(rest), |(stamp, again)| digits(stamp) && again.parse::<u32>().is_ok())
    });
    let (Some(address), Some(stamp)) = (address, stamp) else { return Vec::new() };
    vec![format!("{stamp}-ping.log"), format!("{stamp}-{address}-ping.log")]
}

/// IPv6 addresses keep their colons out of file names: other systems unpack bundles too.
fn address_name(address: &str) -> String {
    safe_name(&address.replace(':', "-"))
}

/// `HOST-STAMP`: the name of a run, its directory and the top folder of its tar.
pub fn run_name(host: &str, stamp: &str) -> String {
    format!("{}-{stamp}", safe_name(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_found_again() {
        assert_eq!(parse_segment(&segment("eth2", 17)), Some(("eth2", 17)));
        assert_eq!(parse_segment("packets/eth2/segments.jsonl"), None);
        assert_eq!(parse_segment("state/index.jsonl"), None);
    }

    #[test]
    fn ledgers_are_found_again() {
        assert_eq!(parse_ledger(&ledger("eth2")), Some("eth2"));
        assert_eq!(parse_ledger(SOFTNET), None);
        assert_eq!(parse_ledger("ledger/points/a/b.jsonl"), None);
    }

    #[test]
    fn the_old_names_of_pings() {
        let names = old_ping_names("cvk-node-11-20261121081504-2", &ping_log("192.168.12.254"));
        assert_eq!(names, ["20261121081504-2-ping.log", "20261121081504-2-192.168.12.254-ping.log"]);
        assert_eq!(old_ping_names("h-20261121081504", "ping/a.log")[0], "20261121081504-ping.log");
        for (run, path) in
            [("h-20261121081504", "ping/a.jsonl"), ("h-2026", "ping/a.log"), ("h", "netcap.log")]
        {
            assert!(old_ping_names(run, path).is_empty(), "{run} {path}");
        }
    }

    #[test]
    fn foreign_names_cannot_leave_their_folder() {
        let path = sample("../x", "a/b", "../../etc", 1, false);
        assert!(!path.split('/').any(|part| part == ".."), "{path}");
    }
}
