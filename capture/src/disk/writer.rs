//! The thread that writes segments, so that a slow disk does not stop the threads that take packets.
//!
//! Packet threads compress and hand over bytes; this thread opens, writes, closes and removes. What waits is bounded in
//! bytes: when a disk stands still for longer than that, packet threads wait and the rings take what comes. So the ring
//! stays the one place where packets are lost, and the kernel counts it.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use netcap_bundle::held::Dir;
use netcap_bundle::layout;
use netcap_bundle::run::{SegmentInfo, json_line};
use netcap_bundle::seal::index::Shorter;

use super::budget::{Budget, Metered};
use super::syncer::explain;

/// Bytes handed over at a time; a flush hands over less.
const PIECE: usize = 256 * 1024;
/// Empty buffers kept for the next piece.
const SPARE_MAX: usize = 16;
/// Lines of a point's index after which those of segments that are gone are drawn together: some 100 KB.
const LINES_MAX: u32 = 300;

/// The way to the writing thread.
#[derive(Clone)]
pub(crate) struct Disk(Arc<Shared>);

struct Shared {
    dir: Dir,
    budget: Arc<Budget>,
    /// Bytes that may wait.
    most: usize,
    queue: Mutex<Queue>,
    /// Something waits, or all is over.
    work: Condvar,
    /// There is room again, or nothing will be written any more.
    room: Condvar,
}

#[derive(Default)]
struct Queue {
    work: VecDeque<(u64, Work)>,
    bytes: usize,
    spare: Vec<Vec<u8>>,
    files: u64,
    over: bool,
    failed: bool,
}

enum Work {
    Open(String),
    Bytes(Vec<u8>),
    Close(Box<SegmentInfo>),
}

/// The writing has failed and [`crate::disk::syncer::Syncer::failure`] says why.
#[derive(Debug, thiserror::Error)]
#[error("the disk failed")]
struct Failed;

/// Whether this error only repeats what the writing thread has reported.
pub(crate) fn is_reported(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Failed>)
}

impl Disk {
    /// For the run in `dir`; at most `most` bytes wait.
    pub(crate) fn new(dir: &Dir, budget: &Arc<Budget>, most: usize) -> Self {
        Self(Arc::new(Shared {
            dir: dir.clone(),
            budget: budget.clone(),
            most: most.max(PIECE),
            queue: Mutex::default(),
            work: Condvar::new(),
            room: Condvar::new(),
        }))
    }

    /// Starts the thread.
    pub(crate) fn start(&self) -> io::Result<WriterThread> {
        let shared = self.0.clone();
        let thread = thread::Builder::new().name("writer".into()).spawn(move || {
            // As the packet threads: what waits here becomes what they cannot take.
            let _ = crate::sys::nice_this_thread(0);
            let _ = crate::sys::io_goes_last();
            Writer { shared, open: BTreeMap::new(), lines: BTreeMap::new() }.run();
        })?;
        Ok(WriterThread { disk: self.clone(), thread })
    }

    /// A new segment file, by its path in the run.
    pub(crate) fn open(&self, path: &str) -> io::Result<SegmentFile> {
        let id = {
            let mut queue = self.0.queue();
            queue.files += 1;
            queue.files
        };
        self.0.put(id, Work::Open(path.to_owned()))?;
        Ok(SegmentFile { disk: self.clone(), id, buffer: Vec::new() })
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room, then appends.
    fn put(&self, id: u64, work: Work) -> io::Result<()> {
        let bytes = if let Work::Bytes(data) = &work { data.len() } else { 0 };
        let mut queue = self.queue();
        while !queue.failed && queue.bytes > 0 && queue.bytes + bytes > self.most {
            queue = self.room.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if queue.failed {
            return Err(io::Error::other(Failed));
        }
        queue.bytes += bytes;
        queue.work.push_back((id, work));
        drop(queue);
        self.work.notify_one();
        Ok(())
    }

    fn spare(&self) -> Vec<u8> {
        self.queue().spare.pop().unwrap_or_else(|| Vec::with_capacity(PIECE * 2))
    }

    /// The next piece of work; `None` when all is done. The bytes still count as waiting until [`Shared::done`].
    fn next(&self) -> Option<(u64, Work)> {
        let mut queue = self.queue();
        loop {
            if let Some(work) = queue.work.pop_front() {
                return Some(work);
            }
            if queue.over {
                return None;
            }
            queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self, mut buffer: Vec<u8>) {
        let mut queue = self.queue();
        queue.bytes = queue.bytes.saturating_sub(buffer.len());
        buffer.clear();
        if queue.spare.len() < SPARE_MAX {
            queue.spare.push(buffer);
        }
        drop(queue);
        self.room.notify_all();
    }

    /// From now on nothing is taken; nobody waits for room that will never come.
    fn fail(&self) {
        let mut queue = self.queue();
        queue.failed = true;
        queue.work.clear();
        queue.bytes = 0;
        drop(queue);
        self.room.notify_all();
    }
}

/// A segment file on the packet thread's side.
pub(crate) struct SegmentFile {
    disk: Disk,
    id: u64,
    buffer: Vec<u8>,
}

impl SegmentFile {
    /// The segment is complete: its file is closed, noted in the point's index, and may be removed from now on.
    pub(crate) fn close(mut self, info: SegmentInfo) -> io::Result<()> {
        self.flush()?;
        self.disk.0.put(self.id, Work::Close(Box::new(info)))
    }
}

impl Write for SegmentFile {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.buffer.capacity() == 0 {
            self.buffer = self.disk.0.spare();
        }
        self.buffer.extend_from_slice(data);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.disk.0.put(self.id, Work::Bytes(std::mem::take(&mut self.buffer)))
    }
}

/// The running thread.
pub(crate) struct WriterThread {
    disk: Disk,
    thread: JoinHandle<()>,
}

impl WriterThread {
    /// Waits until everything that was handed over is written.
    pub(crate) fn end(self) {
        self.disk.0.queue().over = true;
        self.disk.0.work.notify_all();
        let _ = self.thread.join();
    }
}

struct Writer {
    shared: Arc<Shared>,
    open: BTreeMap<u64, (String, Metered)>,
    /// Lines written to the index of each point since it was last made shorter.
    lines: BTreeMap<String, u32>,
}

impl Writer {
    fn run(mut self) {
        while let Some((id, work)) = self.shared.next() {
            if let Err(e) = self.carry_out(id, work) {
                self.shared.fail();
                self.shared.budget.syncer().fail(explain(&e));
            }
        }
    }

    fn carry_out(&mut self, id: u64, work: Work) -> io::Result<()> {
        match work {
            Work::Open(path) => {
                self.shared.budget.open_segment()?;
                let file = self.shared.dir.create_new(&path)?;
                if let Some((folder, _)) = path.rsplit_once('/') {
                    self.shared.budget.syncer().path(folder.to_owned());
                }
                self.open.insert(id, (path, Metered::new(file, &self.shared.budget)));
                Ok(())
            }
            Work::Bytes(data) => {
                let written = self.open.get_mut(&id).map_or(Ok(()), |(_, file)| file.write_all(&data));
                self.shared.done(data);
                written
            }
            Work::Close(info) => self.close(id, &info),
        }
    }

    fn close(&mut self, id: u64, info: &SegmentInfo) -> io::Result<()> {
        let Some((path, file)) = self.open.remove(&id) else { return Ok(()) };
        file.close(&path);
        let budget = &self.shared.budget;
        let index = layout::segment_index(&info.point);
        let mut lines = Metered::lines(self.shared.dir.append(&index)?, budget);
        lines.write_all(&json_line(info)?)?;
        lines.close(&index);
        // Only now: what is removed must be in the index, or nobody would know that it was there.
        budget.closed(&info.point, path, info.file_bytes);
        let lines = self.lines.entry(info.point.clone()).or_default();
        *lines += 1;
        if *lines >= LINES_MAX {
            *lines = 0;
            // The long index is as good: there may be no room for a moment.
            let _ = self.shorten(&info.point);
        }
        Ok(())
    }

    /// Makes the index of a point as short as what it still holds, now that much of it may be gone.
    fn shorten(&self, point: &str) -> io::Result<()> {
        let Some(shorter) = Shorter::of(&self.shared.dir, point)? else { return Ok(()) };
        let budget = &self.shared.budget;
        budget.take(shorter.bytes())?;
        let done = shorter.put(&self.shared.dir);
        budget.give_back(if done.is_ok() { shorter.freed } else { shorter.bytes() });
        budget.syncer().path(layout::point_dir(point));
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    use crate::disk::budget::Bounds;
    use std::time::Duration;

    fn disk(dir: &Path, max: u64, most: usize) -> (Disk, Arc<Budget>, WriterThread) {
        let held = Dir::open(dir).unwrap();
        let budget = Budget::new(&held, Bounds { max, floor: 0, segment: 64 << 10 }, 0);
        std::fs::create_dir_all(dir.join(layout::point_dir("p"))).unwrap();
        let disk = Disk::new(&held, &budget, most);
        let writing = disk.start().unwrap();
        (disk, budget, writing)
    }

    fn info(number: u32, bytes: u64) -> SegmentInfo {
        SegmentInfo { point: "p".into(), number, file_bytes: bytes, ..SegmentInfo::default() }
    }

    #[test]
    fn what_is_handed_over_is_written_in_order_and_noted() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, budget, writing) = disk(dir.path(), 64 << 20, 1 << 20);
        for number in 1..=5 {
            let mut file = disk.open(&layout::segment("p", number)).unwrap();
            for n in 0..50u8 {
                file.write_all(&vec![n; 50_000]).unwrap();
            }
            file.close(info(number, 2_500_000)).unwrap();
        }
        writing.end();
        assert_eq!(budget.syncer().failure(), None);
        let last = std::fs::read(dir.path().join(layout::segment("p", 5))).unwrap();
        assert!(
            last.len() == 2_500_000 && last.chunks(50_000).zip(0..).all(|(c, n)| c.iter().all(|b| *b == n))
        );
        let index = std::fs::read_to_string(dir.path().join(layout::segment_index("p"))).unwrap();
        assert_eq!(index.lines().count(), 5);
    }

    #[test]
    fn the_index_is_as_short_as_what_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, budget, writing) = disk(dir.path(), 1 << 20, 1 << 20);
        for number in 1..=1000 {
            let mut file = disk.open(&layout::segment("p", number)).unwrap();
            file.write_all(&vec![7; 20_000]).unwrap();
            file.close(info(number, 20_000)).unwrap();
        }
        writing.end();
        assert_eq!(budget.syncer().failure(), None);
        let found = netcap_bundle::seal::index::read(&Dir::open(dir.path()).unwrap()).unwrap();
        assert_eq!(found.pruned[0].segments + found.there.len() as u64, 1000);
        let index = std::fs::read_to_string(dir.path().join(layout::segment_index("p"))).unwrap();
        let lines = u32::try_from(index.lines().count()).unwrap();
        assert!(lines < LINES_MAX && found.there.len() > 5, "{lines} lines");
    }

    #[test]
    fn a_failure_is_reported_once_and_nobody_waits_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, budget, writing) = disk(dir.path(), 1 << 20, 256 << 10);
        let mut file = disk.open(&layout::segment("p", 1)).unwrap();
        let failed = (0..1000).find_map(|_| {
            std::thread::sleep(Duration::from_millis(1));
            file.write_all(&vec![7; 100_000]).err()
        });
        assert!(failed.is_some_and(|e| is_reported(&e)));
        assert!(disk.open(&layout::segment("p", 2)).is_err());
        writing.end();
        assert!(budget.syncer().failure().is_some_and(|why| why.contains("--max-disk")));
    }
}
