//! Writes a capture anew as netcap would have recorded it: `segments IN.pcap RUN_DIR POINT [BYTES_A_SEGMENT
//! [in|out]]`; the last word gives every packet that direction.
//!
//! For benchmarks: segments of real traffic without a host to record it on.
#![allow(clippy::print_stderr)]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use netcap_bundle::files::decompress;
use netcap_bundle::packets::{Direction, Frame, PacketReader, SegmentMeta, SegmentWriter};
use netcap_bundle::run::json_line;
use netcap_bundle::{Nanos, layout};

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [input, dir, point, rest @ ..] = args.as_slice() else {
        eprintln!("segments IN.pcap RUN_DIR POINT [BYTES_A_SEGMENT [in|out]]");
        std::process::exit(2);
    };
    let bytes_max = rest.first().and_then(|b| b.parse().ok()).unwrap_or(64 * 1024 * 1024);
    let way = match rest.get(1).map(String::as_str) {
        Some("in") => Some(Direction::In),
        Some("out") => Some(Direction::Out),
        _ => None,
    };
    let dir = Path::new(dir);
    fs::create_dir_all(dir.join(layout::point_dir(point)))?;
    let stream = decompress::open(Box::new(File::open(input)?))?;
    let mut reader = PacketReader::open(stream)?.ok_or_else(|| io::Error::other("not a capture"))?;
    let meta = SegmentMeta { point: point.clone(), iface: point.clone(), ..SegmentMeta::default() };
    let mut index =
        OpenOptions::new().create(true).append(true).open(dir.join(layout::segment_index(point)))?;
    let mut writer: Option<SegmentWriter<File>> = None;
    let mut number = 0;
    let mut last = Nanos::default();
    while let Some(packet) = reader.next_packet() {
        last = packet.at;
        let mut segment = if let Some(segment) = writer.take() {
            segment
        } else {
            number += 1;
            let file = File::create(dir.join(layout::segment(point, number)))?;
            SegmentWriter::new(file, &meta, number, 1, packet.at)?
        };
        let (at, wire_len, data) = (packet.at, packet.wire_len, packet.data);
        let direction = way.unwrap_or(packet.direction);
        segment.packet(&Frame { at, direction, wire_len, vlan: None, data }, 0)?;
        segment.count(1, 0);
        if segment.bytes() >= bytes_max {
            index.write_all(&json_line(&segment.finish(last)?.1)?)?;
        } else {
            writer = Some(segment);
        }
    }
    if let Some(segment) = writer {
        index.write_all(&json_line(&segment.finish(last)?.1)?)?;
    }
    Ok(())
}
