//! Starting and ending netcap, and reading what it left.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use netcap_bundle::files::Files;
use netcap_bundle::input::Input;
use netcap_bundle::packets::{Direction, PacketReader};
use netcap_bundle::{Manifest, layout};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::life::status_of;
use crate::net::Net;

pub(crate) use netcap_tests::wait_for;

/// netcap at work.
pub(crate) struct Run {
    child: Child,
    /// Where it writes.
    pub(crate) out: TempDir,
}

/// The program with its arguments inside the namespace, with no Open vSwitch but its own.
pub(crate) fn netcap(net: &Net, words: &[&str]) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &net.near, env!("CARGO_BIN_EXE_netcap")]).args(words);
    command.env("OVS_RUNDIR", "/nonexistent").env("LC_ALL", "C").stdin(Stdio::null());
    command
}

impl Run {
    /// Starts recording `cap0` and waits until it does.
    pub(crate) fn start(net: &Net, words: &[&str]) -> Self {
        let out = tempfile::tempdir().expect("a place to write");
        let place = out.path().display().to_string();
        let mut all = vec!["--iface=cap0", "--out", &place, "--disk-reserve=1M"];
        all.extend_from_slice(words);
        let mut command = netcap(net, &all);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("netcap starts");
        let run = Self { child, out };
        wait_for("the first segment", || {
            run.dir().is_some_and(|d| d.join("packets/cap0/000001.pcapng.zst").exists())
        });
        run
    }

    /// The run's directory while it records.
    pub(crate) fn dir(&self) -> Option<PathBuf> {
        entries(self.out.path()).into_iter().find(|path| path.is_dir())
    }

    /// What it says of one of its points.
    pub(crate) fn point(&self, iface: &str) -> Option<Value> {
        let status = status_of(&self.dir()?.display().to_string())?;
        status["points"].as_array()?.iter().find(|point| point["iface"] == iface).cloned()
    }

    /// Waits until it says this of `cap0`.
    pub(crate) fn wait_point(&self, what: &str, so: impl Fn(&Value) -> bool) {
        wait_for(what, || self.point("cap0").is_some_and(|point| so(&point)));
    }

    /// Waits until it has taken so many packets in.
    pub(crate) fn took(&self, packets: u64) {
        let took = |point: &Value| point["packets"].as_u64() >= Some(packets);
        self.wait_point(&format!("{packets} packets"), took);
    }

    /// Waits until so many packets lie in its files, where a kill does not reach them.
    pub(crate) fn wrote(&self, packets: usize) {
        let dir = self.dir().expect("it records");
        wait_for(&format!("{packets} packets on the disk"), || lying(&dir) >= packets);
    }

    /// Waits until so many packets of one point lie in its files.
    pub(crate) fn wrote_at(&self, point: &str, packets: usize) {
        let segment = self.dir().expect("it records").join(layout::segment(point, 1));
        let what = format!("{packets} packets of {point} on the disk");
        wait_for(&what, || lying(&segment) >= packets);
    }

    /// Waits for a segment of `cap0`.
    pub(crate) fn segment(&self, number: u32) {
        let segment = self.dir().expect("it records").join(layout::segment("cap0", number));
        wait_for(&format!("segment {number}"), || segment.is_file());
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        kill(Pid::from_raw(pid), signal).expect("netcap is there");
    }

    /// Ends it with a signal; gives its output and the path of the bundle.
    pub(crate) fn end(self, signal: Signal) -> (Output, Bundle) {
        self.signal(signal);
        self.finish()
    }

    /// Waits for the end of a run that has been told to end.
    pub(crate) fn finish(mut self) -> (Output, Bundle) {
        let output = finished(&mut self.child);
        let tar =
            entries(self.out.path()).into_iter().find(|path| path.extension().is_some_and(|e| e == "tar"));
        let path = tar.unwrap_or_else(|| panic!("no bundle: {output:?}"));
        (output, Bundle::open(&path, Some(self.out)))
    }

    /// Kills it; gives the directory it leaves behind.
    pub(crate) fn kill(mut self) -> (PathBuf, TempDir) {
        self.signal(Signal::SIGKILL);
        let _ = self.child.wait();
        (self.dir().expect("a directory is left"), self.out)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it if it is still there; gives the place it wrote to.
    pub(crate) fn kill_any(mut self) -> TempDir {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.out
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

/// Waits for the end of a program that was told to end, with its output.
fn finished(child: &mut Child) -> Output {
    use std::io::Read;
    let mut output = Output { status: child.wait().expect("an end"), stdout: Vec::new(), stderr: Vec::new() };
    let _ = child.stdout.take().map(|mut pipe| pipe.read_to_end(&mut output.stdout));
    let _ = child.stderr.take().map(|mut pipe| pipe.read_to_end(&mut output.stderr));
    output
}

/// One packet as it was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Which way.
    pub(crate) direction: Direction,
    /// Its bytes.
    pub(crate) data: Vec<u8>,
    /// Its length on the wire.
    pub(crate) wire_len: u32,
    /// Lost before it.
    pub(crate) lost: u64,
}

/// What is in a bundle.
pub(crate) struct Bundle {
    /// Its manifest.
    pub(crate) manifest: Manifest,
    /// All packets of all segments.
    pub(crate) packets: Vec<Seen>,
    /// Where it is.
    pub(crate) path: PathBuf,
    _out: Option<TempDir>,
}

impl Bundle {
    /// Reads a tar or a directory.
    pub(crate) fn open(path: &Path, out: Option<TempDir>) -> Self {
        let input = Input::open(path).expect("netcap's own bundle opens");
        let manifest = manifest(path);
        let mut packets = Vec::new();
        for segment in &input.segments {
            let reader =
                PacketReader::open(segment.open().expect("the segment opens")).expect("it is readable");
            let Some(mut reader) = reader else { continue };
            while let Some(packet) = reader.next_packet() {
                packets.push(Seen {
                    direction: packet.direction,
                    data: packet.data.to_vec(),
                    wire_len: packet.wire_len,
                    lost: packet.lost_before,
                });
            }
        }
        Self { manifest, packets, path: path.to_owned(), _out: out }
    }

    /// How many packets have this direction and content.
    pub(crate) fn count(&self, direction: Direction, data: &[u8]) -> usize {
        self.packets.iter().filter(|p| p.direction == direction && p.data == data).count()
    }
}

/// Packets in the files of a run that is not sealed, and may still be written to.
pub(crate) fn lying(dir: &Path) -> usize {
    let Ok(input) = Input::open(dir) else { return 0 };
    let packets = |segment: &netcap_bundle::input::Segment| {
        let mut reader = PacketReader::open(segment.open().ok()?).ok()??;
        let mut count = 0;
        while reader.next_packet().is_some() {
            count += 1;
        }
        Some(count)
    };
    input.segments.iter().filter_map(packets).sum()
}

/// The manifest of a bundle.
pub(crate) fn manifest(path: &Path) -> Manifest {
    let files = if path.is_dir() { Files::directory(path).map(Some) } else { Files::tar(path) };
    let files = files.expect("the bundle opens").expect("it is a bundle");
    let text = files.text(layout::MANIFEST).expect("it is sealed");
    serde_json::from_str(&text).expect("the manifest is readable")
}

/// The entries of a directory, sorted.
pub(crate) fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut list: Vec<PathBuf> =
        std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
    list.sort();
    list
}
