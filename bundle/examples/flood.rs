//! Traffic made to fill every table of the explainer: `flood pcap OUT BYTES`, `flood run DIR BYTES` or `flood mirror DIR BYTES`,
//! what the host at the other end of the wires of that run recorded.
//!
//! Addresses, MACs, VLANs, echo identifiers, ports, times and losses that hardly ever repeat, at points of every role. The
//! same arguments give the same bytes. For `scripts/prove-memory`.
#![allow(clippy::print_stderr)]

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use netcap_bundle::packets::{Direction, Frame, SegmentMeta, SegmentWriter};
use netcap_bundle::{Nanos, layout};

/// Bytes of frames in one segment.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// Points of a run: members of a bond, ports of VMs, the switch's own port.
const POINTS: [(&str, &str); 8] = [
    ("eth2", r#"{"kind":"uplink","bond":"bond0"}"#),
    ("eth3", r#"{"kind":"uplink","bond":"bond0"}"#),
    ("vswitch0", r#"{"kind":"internal"}"#),
    ("vnet0", r#"{"kind":"vnet"}"#),
    ("vnet1", r#"{"kind":"vnet"}"#),
    ("vnet2", r#"{"kind":"vnet"}"#),
    ("vnet3", r#"{"kind":"vnet"}"#),
    ("odd0", r#"{"kind":"other"}"#),
];

/// xorshift64*, Vigna 2016: any numbers will do, the same ones every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, most: u64) -> u64 {
        (self.next() >> 16) % most
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let value = self.next().to_be_bytes();
        std::array::from_fn(|at| value[(at + 2) % 8])
    }

    fn mac(&mut self) -> [u8; 6] {
        let mut mac = self.bytes::<6>();
        mac[0] = mac[0] & 0xfc | 2;
        mac
    }
}

/// One frame into `out`.
fn frame(n: &mut Numbers, out: &mut Vec<u8>) {
    out.clear();
    let (from, to) = (n.mac(), n.mac());
    let kind = n.below(8);
    let lldp = [0x01, 0x80, 0xc2, 0, 0, 0x0e];
    out.extend(if kind == 7 {
        lldp
    } else if kind < 3 {
        [0xff; 6]
    } else {
        to
    });
    out.extend(from);
    if n.below(4) == 0 {
        out.extend([0x81, 0]);
        out.extend(u16::try_from(1 + n.below(4_000)).unwrap_or(1).to_be_bytes());
    }
    match kind {
        0 => arp(n, out, from, None),
        1 => arp(n, out, from, Some(200)),
        2 => arp(n, out, from, Some(3)),
        3 | 4 => ipv4(n, out, 1),
        5 => ipv4(n, out, 6),
        6 => ipv4(n, out, 17),
        _ => {
            out.extend([0x88, 0xcc, 2, 7, 4]);
            out.extend(from);
            out.extend([4, 2, 5, b'x', 6, 2, 0, 120, 0, 0]);
        }
    }
    let more = if kind == 6 { 1_300 } else { n.below(400) };
    let (size, filler) = (out.len() + usize::try_from(more).unwrap_or(0), n.bytes::<8>());
    while out.len() < size {
        out.extend(filler);
    }
}

/// Requests, replies, announcements and probes; of `few` addresses, or of any.
fn arp(n: &mut Numbers, out: &mut Vec<u8>, mac: [u8; 6], few: Option<u64>) {
    let own = match few {
        Some(few) => [10, 0, 0, u8::try_from(n.below(few)).unwrap_or(0)],
        None => n.bytes::<4>(),
    };
    let own = if n.below(4) == 0 { [0; 4] } else { own };
    let asked = if n.below(3) == 0 { own } else { n.bytes::<4>() };
    out.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0]);
    out.push(1 + u8::try_from(n.below(2)).unwrap_or(0));
    out.extend(mac);
    out.extend(own);
    out.extend([0; 6]);
    out.extend(asked);
}

fn ipv4(n: &mut Numbers, out: &mut Vec<u8>, protocol: u8) {
    let (from, to) = (n.bytes::<4>(), n.bytes::<4>());
    out.extend([0x08, 0, 0x45, 0, 0, 60, 0, 0, 0, 0, 64, protocol, 0, 0]);
    out.extend(from);
    out.extend(to);
    match protocol {
        1 => {
            out.extend([if n.below(3) == 0 { 0 } else { 8 }, 0, 0, 0]);
            out.extend(n.bytes::<4>());
        }
        6 => {
            out.extend(n.bytes::<8>());
            out.extend([0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0]);
        }
        _ => out.extend(n.bytes::<8>()),
    }
    out.extend([0; 24]);
}

/// Mostly forwards, now and then far ahead or back.
fn tick(n: &mut Numbers, at: &mut i64) -> Nanos {
    *at += i64::try_from(n.below(2_000_000)).unwrap_or(0);
    let jump = i64::try_from(n.below(600_000_000_000)).unwrap_or(0);
    Nanos(if n.below(50) == 0 { *at - jump } else { *at })
}

fn pcap(path: &Path, bytes: u64) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    for word in [0xa1b2_3c4du32, 0x0004_0002, 0, 0, 262_144, 1] {
        out.write_all(&word.to_le_bytes())?;
    }
    let (mut n, mut at, mut data, mut written) = (Numbers(7), 1_795_219_200_000_000_000, Vec::new(), 0);
    while written < bytes {
        frame(&mut n, &mut data);
        let stamp = tick(&mut n, &mut at).0;
        let size = u32::try_from(data.len()).unwrap_or(0);
        let part = |value: i64| u32::try_from(value).unwrap_or(0);
        for word in [part(stamp / 1_000_000_000), part(stamp % 1_000_000_000), size, size] {
            out.write_all(&word.to_le_bytes())?;
        }
        out.write_all(&data)?;
        written += 16 + u64::from(size);
    }
    out.flush()
}

fn run(dir: &Path, bytes: u64, mirror: bool) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let points: Vec<String> = POINTS
        .iter()
        .map(|(id, role)| format!(r#"{{"id":"{id}","iface":"{id}","vswitch":"vswitch0","role":{role}}}"#))
        .collect();
    let host = if mirror { "mirror" } else { "flood" };
    let info = format!(
        r#"{{"schema":1,"tool":"flood","run":"{host}","host":"{host}","started":{{"realtime":0,"monotonic_ns":0}},"points":[{}]}}"#,
        points.join(",")
    );
    fs::write(dir.join(layout::RUN), info)?;
    let (mut n, mut written, mut number, mut data) = (Numbers(11), 0, 0, Vec::new());
    while written < bytes {
        number += 1;
        for (id, _) in POINTS {
            fs::create_dir_all(dir.join(layout::point_dir(id)))?;
            let meta = SegmentMeta { point: id.into(), iface: id.into(), ..SegmentMeta::default() };
            let file = File::create(dir.join(layout::segment(id, number)))?;
            let mut at = 1_795_219_200_000_000_000 + i64::from(number) * 60_000_000_000;
            let mut segment = SegmentWriter::new(file, &meta, number, 1, Nanos(at))?;
            let mut size = 0;
            while size < SEGMENT_BYTES {
                frame(&mut n, &mut data);
                let comes = n.below(2) == 0;
                let wire_len = u32::try_from(data.len()).unwrap_or(0);
                let stamp = tick(&mut n, &mut at);
                let lost = u64::from(n.below(16) == 0);
                // The other clock is 100 us ahead, and the wire takes 50.
                let leaves = comes == id.starts_with("vnet");
                let later = if leaves { 150_000 } else { 50_000 };
                let (comes, stamp) = if mirror { (!comes, stamp.plus(later)) } else { (comes, stamp) };
                let direction = if comes { Direction::In } else { Direction::Out };
                segment.packet(&Frame { at: stamp, direction, wire_len, vlan: None, data: &data }, lost)?;
                segment.count(1 + lost, lost);
                size += u64::from(wire_len);
            }
            written += size;
            segment.finish(Nanos(at))?;
        }
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let bytes = args.get(2).and_then(|text| text.parse().ok());
    match (args.first().map(String::as_str), args.get(1), bytes) {
        (Some("pcap"), Some(out), Some(bytes)) => pcap(Path::new(out), bytes),
        (Some("run"), Some(dir), Some(bytes)) => run(Path::new(dir), bytes, false),
        (Some("mirror"), Some(dir), Some(bytes)) => run(Path::new(dir), bytes, true),
        _ => {
            eprintln!("flood pcap OUT BYTES | flood run DIR BYTES | flood mirror DIR BYTES");
            std::process::exit(2);
        }
    }
}
