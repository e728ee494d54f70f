//! What is said over a control socket: one line of JSON asks, one line answers. Both carry the version; fields that are
//! not known are passed over, so that a newer netcap may add some.
//!
//! ```text
//! {"netcap":1,"ask":"status"}                 {"netcap":1,"status":{"run":"host-20261121040000",…}}
//! {"netcap":1,"ask":"rotate"}                 {"netcap":1,"done":true}
//! {"netcap":1,"ask":"stop","wait":true}       {"netcap":1,"ended":{"path":"/var/lib/netcap/….tar",…}}
//! anything else                               {"netcap":1,"error":"…"}
//! ```
//!
//! `stop` with `wait` is answered when the run is sealed; without, as soon as the run knows.

use std::path::PathBuf;

use netcap_bundle::run::ShedLevel;
use serde::{Deserialize, Serialize};

/// Version of what is said here.
pub(crate) const VERSION: u32 = 1;
/// Bytes of a line that asks, at most.
pub(crate) const REQUEST_MAX: usize = 4096;
/// Bytes of a line that answers, at most: a run of a thousand points needs a fifth of it.
pub(crate) const ANSWER_MAX: usize = 1 << 20;

/// What may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ask {
    /// How the run is doing.
    Status,
    /// New segments, now.
    Rotate,
    /// The end.
    Stop,
}

/// A line that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// [`VERSION`].
    pub netcap: u32,
    pub ask: Ask,
    /// With `stop`: answer only when the run is sealed.
    #[serde(default)]
    pub wait: bool,
}

/// A line that answers: one of the four is there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// [`VERSION`].
    pub netcap: u32,
    /// How the run is doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// What became of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// It was done, or will be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub done: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Where a run is on its way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// Packets are taken in.
    #[default]
    Recording,
    /// The last look at the host.
    Ending,
    /// Manifest and tar are being written.
    Sealing,
    /// All is done.
    Sealed,
}

/// How a run is doing; also what `netcap status --json` prints of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    /// `HOST-STAMP`.
    pub run: String,
    /// Its process.
    pub pid: u32,
    pub state: Phase,
    /// Its directory while it records.
    pub dir: PathBuf,
    /// When it started, nanoseconds since the epoch.
    pub started_ns: i64,
    /// Seconds east of Greenwich where it runs.
    pub utc_offset_s: i32,
    /// Seconds since then, by a clock that does not jump.
    pub recorded_s: u64,
    /// Seconds until `--duration` or `--until` ends it.
    pub left_s: Option<u64>,
    /// `--max-packets`.
    pub max_packets: Option<u64>,
    /// A tar is made in the end.
    pub bundle: bool,
    /// The common filter; empty means everything.
    pub filter: String,
    /// Each point.
    pub points: Vec<PointStatus>,
    /// Each pinged address.
    pub pings: Vec<PingStatus>,
    /// Bytes on the disk so far.
    pub disk_used: u64,
    /// Bytes it may have there.
    pub disk_max: u64,
    /// Bytes free on that disk, and not known when the system does not say.
    pub disk_free: Option<u64>,
    /// Bytes that must stay free.
    pub disk_floor: u64,
    /// Seconds that the disk has not answered; absent while it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_silent_s: Option<u64>,
    /// Segments removed to keep to the budget.
    pub pruned: u64,
}

/// How a point is doing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PointStatus {
    /// Its interface.
    pub iface: String,
    /// Packets written.
    pub packets: u64,
    /// Of them in the last second.
    pub packets_per_s: f64,
    /// Bytes of all packets on the wire.
    pub wire_bytes: u64,
    /// Of them in the last second.
    pub bytes_per_s: f64,
    /// Dropped by the kernel before they could be taken in.
    pub dropped: u64,
    /// Packets that came and were not recorded, to spare the host.
    pub shed: u64,
    /// What the point gives up at this moment; absent when nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<ShedLevel>,
    /// Packets the filter did not want.
    pub filtered: u64,
    /// Dropped by the NIC or the stack at this interface.
    pub nic_dropped: u64,
    /// Dropped by Open vSwitch at this port.
    pub ovs_dropped: u64,
    pub file_bytes: u64,
    /// Number of the open segment.
    pub segment: u32,
    /// The interface is down or gone, and waited for.
    pub away: bool,
    /// The interface is gone and the point is closed: nobody waits for it.
    pub left: bool,
    /// The interface counts packets and none are heard.
    pub deaf: bool,
    /// It could not go on.
    pub ended: bool,
}

/// How a ping is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PingStatus {
    /// Who is pinged.
    pub address: String,
    /// Requests sent.
    pub sent: u64,
    /// Of them answered.
    pub answered: u64,
    /// Of them lost.
    pub lost: u64,
}

/// What became of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Ended {
    /// The tar, or the directory.
    pub path: PathBuf,
    pub bytes: u64,
    /// Why there is no tar although one was wanted.
    pub no_tar: Option<String>,
    /// That the directory of the tar could not be removed, as a sentence.
    pub left: Option<String>,
    /// Why the run could not be sealed.
    pub unsealed: Option<String>,
    /// Exit status of the recorder.
    pub status: u8,
}

impl Answer {
    /// An answer with nothing in it yet.
    pub(crate) fn new() -> Self {
        Self { netcap: VERSION, ..Self::default() }
    }

    /// Why not.
    pub(crate) fn error(text: impl Into<String>) -> Self {
        Self { error: Some(text.into()), ..Self::new() }
    }

    pub(crate) fn line(&self) -> Vec<u8> {
        line(self)
    }
}

impl Request {
    /// Asks for this.
    pub(crate) fn new(ask: Ask, wait: bool) -> Self {
        Self { netcap: VERSION, ask, wait }
    }

    pub(crate) fn line(self) -> Vec<u8> {
        line(&self)
    }
}

fn line(value: &impl Serialize) -> Vec<u8> {
    // Nothing here has a key that is no string, which is all that could fail.
    let mut out = serde_json::to_vec(value).unwrap_or_default();
    out.push(b'\n');
    out
}

/// Reads a line that asks; a sentence when it does not.
pub(crate) fn request(text: &[u8]) -> Result<Request, String> {
    let got: serde_json::Value = json(text, REQUEST_MAX)?;
    versioned(&got)?;
    serde_json::from_value(got).map_err(|e| format!("not a request of netcap: {e}"))
}

/// Reads a line that answers.
pub(crate) fn answer(text: &[u8]) -> Result<Answer, String> {
    let got: serde_json::Value = json(text, ANSWER_MAX)?;
    versioned(&got)?;
    serde_json::from_value(got).map_err(|e| format!("not an answer of netcap: {e}"))
}

/// Reads a line of either side; what was understood is understood again: for the fuzz target.
#[cfg(fuzzing)]
pub fn read_any(bytes: &[u8]) {
    if let Ok(again) = request(bytes).map(|read| (request(&read.line()), read)) {
        assert_eq!(again.0, Ok(again.1));
    }
    if let Ok(read) = answer(bytes) {
        assert!(answer(&read.line()).is_ok(), "what was answered can be answered");
    }
}

fn json(text: &[u8], max: usize) -> Result<serde_json::Value, String> {
    if text.len() > max {
        return Err(format!("a line of more than {max} bytes"));
    }
    serde_json::from_slice(text).map_err(|e| format!("not a line of JSON: {e}"))
}

/// The version comes first: what another one means by its words is not known here.
fn versioned(got: &serde_json::Value) -> Result<(), String> {
    match got.get("netcap").and_then(serde_json::Value::as_u64) {
        Some(n) if n == u64::from(VERSION) => Ok(()),
        Some(n) => Err(format!("version {n} of the control protocol; this netcap speaks {VERSION}")),
        None => Err("no version of the control protocol in it".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read() {
        for ask in [Ask::Status, Ask::Rotate, Ask::Stop] {
            let want = Request::new(ask, ask == Ask::Stop);
            assert_eq!(request(&want.line()), Ok(want));
        }
        let points =
            vec![PointStatus { iface: "虚拟 0".into(), packets_per_s: 1.5, ..PointStatus::default() }];
        let status = Status { points, left_s: Some(3), ..Status::default() };
        let want = Answer { status: Some(status), ..Answer::new() };
        assert_eq!(answer(&want.line()), Ok(want));
    }

    #[test]
    fn versions_and_nonsense_are_reported() {
        assert!(request(br#"{"netcap":2,"ask":"status"}"#).unwrap_err().contains("version 2"));
        assert!(request(br#"{"ask":"status"}"#).unwrap_err().contains("no version"));
        assert!(request(br#"{"netcap":1,"ask":"reboot"}"#).is_err());
        assert!(request(&[b'['; REQUEST_MAX]).is_err(), "deep nesting is refused, not followed");
        assert!(request(&[b' '; REQUEST_MAX + 1]).unwrap_err().contains("more than"));
        assert!(request(br#"{"netcap":1,"ask":"stop","new":[1]}"#).is_ok(), "a newer one may add fields");
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (request(&bytes), answer(&bytes));
        }

        #[test]
        fn nearly_right_lines_are_answered(
            version in "1|2|-1|\"1\"|1e3|null",
            ask in "\"(status|stop|rotate|x)\"|7|\\{\\}",
            wait in "true|false|0|\\[\\]",
            end in "\\}|,|\\}\\}|",
        ) {
            let text = format!("{{\"netcap\":{version},\"ask\":{ask},\"wait\":{wait}{end}");
            let good = version == "1" && ["\"status\"", "\"stop\"", "\"rotate\""].contains(&ask.as_str())
                && (wait == "true" || wait == "false") && end == "}";
            prop_assert_eq!(request(text.as_bytes()).is_ok(), good, "{}", text);
        }
    }
}
