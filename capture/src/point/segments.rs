//! The files of one point: segments one after the other, each with a line in the point's index once it is closed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use netcap_bundle::held::Dir;
use netcap_bundle::packets::{Frame, SegmentMeta, SegmentWriter};
use netcap_bundle::run::NS_PER_S;
use netcap_bundle::{Nanos, layout};

use super::counters::Counters;
use crate::disk::writer::{Disk, SegmentFile};
use crate::host::clock;
use crate::plan::Rotation;

/// Nanoseconds between two flushes: all that a crash can take.
const SYNC_NS: i64 = NS_PER_S / 2;

/// Writes the segments of one point.
pub(crate) struct Segments {
    meta: SegmentMeta,
    rotation: Rotation,
    counters: Arc<Counters>,
    disk: Disk,
    open: Option<SegmentWriter<SegmentFile>>,
    number: u32,
    synced: Nanos,
    /// Dropped by the kernel since the last packet that was written.
    lost: u64,
}

impl Segments {
    /// Prepares the point's folder in the run's directory; the first segment is opened by [`Segments::begin`].
    pub(crate) fn create(
        dir: &Dir,
        meta: SegmentMeta,
        rotation: Rotation,
        counters: Arc<Counters>,
        disk: Disk,
    ) -> io::Result<Self> {
        dir.make_dir(&layout::point_dir(&meta.point))?;
        let synced = clock::now();
        Ok(Self { meta, rotation, counters, disk, open: None, number: 0, synced, lost: 0 })
    }

    /// The level that was asked for.
    pub(crate) fn asked_level(&self) -> i32 {
        self.rotation.level
    }

    /// Opens the next segment if none is open: from here on silence means silence.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        if self.open.is_some() {
            return Ok(());
        }
        self.number += 1;
        let file = self.disk.open(&layout::segment(&self.meta.point, self.number))?;
        let now = clock::now();
        self.open = Some(SegmentWriter::new(file, &self.meta, self.number, self.rotation.level, now)?);
        self.counters.segment.store(self.number, Relaxed);
        Ok(())
    }

    /// The interface has another name: the segments from here on carry it.
    pub(crate) fn rename(&mut self, iface: &str) -> io::Result<()> {
        let open = self.open.is_some();
        self.end()?;
        iface.clone_into(&mut self.meta.iface);
        if open { self.begin() } else { Ok(()) }
    }

    /// Appends a frame.
    pub(crate) fn packet(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.packet(frame, self.lost)?;
        self.lost = 0;
        self.counters.packets.fetch_add(1, Relaxed);
        self.counters.wire_bytes.fetch_add(u64::from(frame.wire_len), Relaxed);
        Ok(())
    }

    /// Counts packets that are not recorded on purpose.
    pub(crate) fn shed(&mut self, packets: u64) {
        self.counters.shedding.packets.fetch_add(packets, Relaxed);
        if let Some(open) = &mut self.open {
            open.shed(packets);
        }
    }

    /// Compresses at this level from now on. A segment is one frame of one level, so another one begins.
    pub(crate) fn level(&mut self, level: i32) -> io::Result<()> {
        if level == self.rotation.level {
            return Ok(());
        }
        self.rotation.level = level;
        if self.open.is_some() {
            self.end()?;
            self.begin()?;
        }
        Ok(())
    }

    /// The next packet bears so many drops.
    pub(crate) fn lost(&mut self, dropped: u64) {
        self.lost += dropped;
    }

    /// Adds what the kernel counted, for the ledger and the segment's statistics.
    pub(crate) fn counted(&mut self, received: u64, dropped: u64) {
        self.counters.received.fetch_add(received, Relaxed);
        self.counters.dropped.fetch_add(dropped, Relaxed);
        if let Some(open) = &mut self.open {
            open.count(received, dropped);
        }
        self.counters.settle();
    }

    /// Flushes when it is time to, and goes on to the next segment when this one is old or large enough.
    pub(crate) fn tick(&mut self) -> io::Result<()> {
        if self.open.is_some() && self.counters.rotate.swap(false, Relaxed) {
            self.end()?;
            return self.begin();
        }
        let now = clock::now();
        // A clock that was set back must not stop the flushing.
        let since = now.since(self.synced);
        if (0..SYNC_NS).contains(&since) {
            return Ok(());
        }
        self.synced = now;
        let Some(open) = &mut self.open else { return Ok(()) };
        open.sync(now)?;
        let (bytes, opened) = (open.bytes(), open.opened());
        self.counters.open_bytes.store(bytes, Relaxed);
        let age = now.since(opened);
        if bytes >= self.rotation.bytes || age >= self.rotation.ns || age < 0 {
            self.end()?;
            self.begin()?;
        }
        Ok(())
    }

    /// Goes on to the next segment at once when this one is large enough; cheap, for the hot path.
    pub(crate) fn rotate_by_size(&mut self) -> io::Result<()> {
        match &self.open {
            Some(open) if open.bytes() >= self.rotation.bytes => {
                self.end()?;
                self.begin()
            }
            _ => Ok(()),
        }
    }

    /// Closes the open segment and notes it in the index.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let (file, info) = open.finish(clock::now())?;
        self.counters.open_bytes.store(0, Relaxed);
        self.counters.closed_bytes.fetch_add(info.file_bytes, Relaxed);
        file.close(info)
    }
}
