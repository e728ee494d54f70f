//! Writing one segment: pcapng inside exactly one zstd frame, flushed often, hashed on the way.
//!
//! One frame, because Wireshark 4.0 stops at the first frame boundary of a multi-frame file; flushed at least every
//! second by the caller, because everything before the last flush can be read back from a file cut anywhere.

use std::io::{self, Write};

use super::block::{self, Statistics};
use super::frame::{Frame, SegmentMeta};
use crate::Nanos;
use crate::run::SegmentInfo;

/// Uncompressed bytes collected before they are handed to the compressor.
const CHUNK: usize = 128 * 1024;

/// At level 1, positions that the compressor moves on after a search in vain (`targetLength` of the strategy `fast`; 0 is
/// the level's own, and means 1). Two take a third off its time; captures of real networks grow by 6 %, where longer
/// strides come near 10 %.
const LEVEL_1_STRIDE: u32 = 2;

/// A segment being written.
pub struct SegmentWriter<W: Write> {
    out: zstd::stream::write::Encoder<'static, Hashed<W>>,
    buffer: Vec<u8>,
    info: SegmentInfo,
    /// Packets dropped by the kernel as the last statistics block in the file has them.
    dropped_stated: u64,
}

impl<W: Write> SegmentWriter<W> {
    /// Starts segment `number` of the point, at zstd `level`, as of time `now`.
    pub fn new(out: W, meta: &SegmentMeta, number: u32, level: i32, now: Nanos) -> io::Result<Self> {
        let mut encoder =
            zstd::stream::write::Encoder::new(Hashed { out, hash: blake3::Hasher::new(), bytes: 0 }, level)?;
        encoder.include_checksum(true)?;
        if level == 1 {
            encoder.set_parameter(zstd::zstd_safe::CParameter::TargetLength(LEVEL_1_STRIDE))?;
        }
        let mut buffer = Vec::with_capacity(CHUNK * 2);
        block::head(&mut buffer, meta);
        let info = SegmentInfo {
            point: meta.point.clone(),
            number,
            opened: now,
            closed: now,
            ..SegmentInfo::default()
        };
        let mut writer = Self { out: encoder, buffer, info, dropped_stated: 0 };
        writer.flush()?;
        Ok(writer)
    }

    /// Appends one frame; `lost` packets were dropped before it.
    pub fn packet(&mut self, frame: &Frame<'_>, lost: u64) -> io::Result<()> {
        block::packet(&mut self.buffer, frame, lost);
        self.info.packets += 1;
        self.info.wire_bytes += u64::from(frame.wire_len);
        self.info.first = Some(self.info.first.map_or(frame.at, |t| t.min(frame.at)));
        self.info.last = Some(self.info.last.map_or(frame.at, |t| t.max(frame.at)));
        if self.buffer.len() >= CHUNK { self.drain() } else { Ok(()) }
    }

    /// Adds what the kernel counted for the socket since the last call; `dropped` is part of `received`.
    pub fn count(&mut self, received: u64, dropped: u64) {
        self.info.received += received;
        self.info.dropped += dropped;
    }

    /// Adds packets that were received and not recorded on purpose.
    pub fn shed(&mut self, packets: u64) {
        self.info.shed += packets;
    }

    /// Makes everything so far readable by others, whatever happens next. New losses get a statistics block.
    pub fn sync(&mut self, now: Nanos) -> io::Result<()> {
        if self.info.dropped != self.dropped_stated {
            self.write_statistics(now);
        }
        self.flush()
    }

    /// Compressed bytes so far.
    pub fn bytes(&self) -> u64 {
        self.out.get_ref().bytes
    }

    /// When it was opened.
    pub fn opened(&self) -> Nanos {
        self.info.opened
    }

    /// Ends the segment: final statistics, end of the frame with its checksum. Returns what goes into the index.
    pub fn finish(mut self, now: Nanos) -> io::Result<(W, SegmentInfo)> {
        self.write_statistics(now);
        self.drain()?;
        let hashed = self.out.finish()?;
        self.info.closed = now;
        self.info.file_bytes = hashed.bytes;
        self.info.blake3 = hashed.hash.finalize().to_hex().to_string();
        Ok((hashed.out, self.info))
    }

    fn write_statistics(&mut self, now: Nanos) {
        let stats = Statistics {
            opened: self.info.opened,
            now,
            received: self.info.received,
            dropped: self.info.dropped,
            written: self.info.packets,
        };
        block::statistics(&mut self.buffer, &stats);
        self.dropped_stated = stats.dropped;
    }

    fn drain(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.drain()?;
        self.out.flush()
    }
}

/// Counts and hashes what passes, so that sealing need not read segments again.
struct Hashed<W: Write> {
    out: W,
    hash: blake3::Hasher,
    bytes: u64,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let n = self.out.write(data)?;
        self.hash.update(data.get(..n).unwrap_or_default());
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests;
