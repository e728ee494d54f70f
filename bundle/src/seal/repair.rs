//! Segments that a crash cut: written anew as far as they go, so that stock tools open them without complaint.

use std::fs::File;
use std::io::{self, Write};

use super::place::{failed, hash, remove_partial, write_json};
use crate::files::decompress;
use crate::held::Dir;
use crate::packets::{Frame, PacketReader, SegmentMeta, SegmentWriter, Tail};
use crate::run::{Manifest, SegmentInfo, layout};
use crate::{BundleError, Nanos, Op, Result};

/// zstd level of a repaired segment: the recorder's own.
const LEVEL: i32 = 1;

/// What the counts of a segment that was not closed leave open.
const AT_LEAST: &str = "the last second's statistics are missing, so drops are at least what is counted";

/// How the remark about a segment that stays cut goes on after its path.
const NO_ROOM: &str = " was not closed, and there was no room to repair it: it can be read as far as it goes";

/// Repairs a segment that is in no index; without room for that, says what it holds as it is. With a remark either way.
pub(super) fn close(dir: &Dir, path: &str, point: &str, number: u32) -> Result<(SegmentInfo, String)> {
    let (info, lost) = match repair(dir, path, point, number) {
        Err(BundleError::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull => {
            let info = examine(dir, path, point, number)?;
            return Ok((info, format!("{path}{NO_ROOM}; {AT_LEAST}")));
        }
        done => done?,
    };
    let colon = if lost.is_empty() { "" } else { ": " };
    Ok((info, format!("{path} was not closed and has been repaired{colon}{lost}; {AT_LEAST}")))
}

/// Tries once more what there was no room for when the run was sealed; the manifest then says what is there now. What there
/// is still no room for stays as it is.
pub fn repair_cut(dir: &Dir, mut manifest: Manifest) -> Result<Manifest> {
    if manifest.segments.iter().all(|segment| !segment.cut) {
        return Ok(manifest);
    }
    remove_partial(dir)?;
    let mut changed = false;
    for segment in manifest.segments.iter_mut().filter(|segment| segment.cut) {
        let path = layout::segment(&segment.point, segment.number);
        // Whatever stands in the way now, what the manifest says of it still holds.
        let Ok((info, remark)) = close(dir, &path, &segment.point, segment.number) else { continue };
        if info.cut {
            continue;
        }
        changed = true;
        *segment = info;
        let before = format!("{path} was not closed");
        if let Some(old) = manifest.remarks.iter_mut().find(|old| old.starts_with(&before)) {
            *old = remark;
        }
    }
    if changed {
        write_json(dir, layout::MANIFEST, &manifest)?;
    }
    Ok(manifest)
}

/// Writes the readable part of a cut segment anew, so that stock tools open it without complaint.
fn repair(dir: &Dir, path: &str, point: &str, number: u32) -> Result<(SegmentInfo, String)> {
    let Ok(Some(mut reader)) = open(dir, path)? else {
        // Killed before the first flush: nothing was promised, nothing is there.
        let (file_bytes, blake3) = hash(dir, path)?;
        let info = SegmentInfo { point: point.into(), number, file_bytes, blake3, ..SegmentInfo::default() };
        return Ok((SegmentInfo { repaired: true, ..info }, "no packet had been written yet".into()));
    };
    let mut info = SegmentInfo::default();
    let written = dir.replace(path, |out: &mut File| {
        info = copy(&mut reader, &*out, point, number)?;
        Ok(())
    });
    written.map_err(failed(Op::Repair, dir, path))?;
    let why = match reader.tail() {
        Some(Tail::Damaged { at, why }) => format!("damaged at byte {at} of its content ({why})"),
        _ => String::new(),
    };
    Ok((info, why))
}

/// The packets of a segment; the inner result tells whether they can be read.
fn open(dir: &Dir, path: &str) -> Result<io::Result<Option<PacketReader>>> {
    let file = dir.read(path).map_err(failed(Op::Open, dir, path))?;
    let stream = decompress::open(Box::new(file)).map_err(failed(Op::Read, dir, path))?;
    Ok(PacketReader::open(stream))
}

/// What a cut segment holds, when it has to stay as it is.
fn examine(dir: &Dir, path: &str, point: &str, number: u32) -> Result<SegmentInfo> {
    let info = match open(dir, path)?.map_err(failed(Op::Read, dir, path))? {
        Some(mut reader) => {
            copy(&mut reader, io::sink(), point, number).map_err(failed(Op::Read, dir, path))?
        }
        None => SegmentInfo { point: point.into(), number, ..SegmentInfo::default() },
    };
    let (file_bytes, blake3) = hash(dir, path)?;
    Ok(SegmentInfo { file_bytes, blake3, repaired: false, cut: true, ..info })
}

fn copy<W: Write>(reader: &mut PacketReader, out: W, point: &str, number: u32) -> io::Result<SegmentInfo> {
    let mut writer: Option<SegmentWriter<W>> = None;
    let mut out = Some(out);
    let mut lost = 0;
    let mut last = Nanos::default();
    while let Some(packet) = reader.next_packet() {
        let frame = Frame {
            at: packet.at,
            direction: packet.direction,
            wire_len: packet.wire_len,
            vlan: None,
            data: packet.data,
        };
        lost += packet.lost_before;
        last = last.max(packet.at);
        // The interface description precedes the first packet, so the writer can be made only now; the borrow of the
        // packet's bytes ends before the reader is asked for the interface.
        let bytes = frame.data.to_vec();
        let lost_before = packet.lost_before;
        let at = frame.at;
        let frame = Frame { data: &[], ..frame };
        if writer.is_none()
            && let Some(out) = out.take()
        {
            writer = Some(SegmentWriter::new(out, &meta_of(reader, point), number, LEVEL, at)?);
        }
        if let Some(writer) = &mut writer {
            writer.packet(&Frame { data: &bytes, ..frame }, lost_before)?;
        }
    }
    let mut writer = match (writer, out) {
        (Some(writer), _) => writer,
        (None, Some(out)) => SegmentWriter::new(out, &meta_of(reader, point), number, LEVEL, last)?,
        (None, None) => return Err(io::Error::other("no output")),
    };
    let written = reader.packets();
    let dropped = reader.interfaces().first().and_then(|i| i.dropped).unwrap_or(0).max(lost);
    writer.count(written.saturating_add(dropped), dropped);
    let (_, info) = writer.finish(last)?;
    Ok(SegmentInfo { repaired: true, ..info })
}

fn meta_of(reader: &PacketReader, point: &str) -> SegmentMeta {
    let iface = reader.interfaces().first().cloned().unwrap_or_default();
    SegmentMeta {
        point: point.into(),
        iface: iface.name,
        description: iface.description,
        mac: iface.mac,
        filter: iface.filter,
        snaplen: iface.snaplen,
        os: String::new(),
        tool: "netcap seal".into(),
    }
}
