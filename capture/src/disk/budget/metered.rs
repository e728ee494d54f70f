//! A file whose bytes the budget is asked for.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use super::Budget;
use crate::disk::syncer::{Dirty, explain};

/// Bytes written between two looks at the free space: by so much others can find less than they were left, when they
/// take theirs in the same moment.
const SLICE: usize = 64 * 1024;

/// A file whose bytes are asked for before they are written, and that reaches the disk soon after.
#[derive(Debug)]
pub(crate) struct Metered {
    file: Arc<File>,
    dirty: Dirty,
    budget: Arc<Budget>,
    /// Asked for and not written yet.
    ahead: u64,
    lease: u64,
}

impl Metered {
    /// For a file that is written in large pieces: asks ahead.
    pub(crate) fn new(file: File, budget: &Arc<Budget>) -> Self {
        Self::with_lease(file, budget, budget.lease())
    }

    /// For a file that gets a line now and then.
    pub(crate) fn lines(file: File, budget: &Arc<Budget>) -> Self {
        Self::with_lease(file, budget, 0)
    }

    fn with_lease(file: File, budget: &Arc<Budget>, lease: u64) -> Self {
        let file = Arc::new(file);
        let dirty = budget.syncer.watch(&file);
        Self { file, dirty, budget: budget.clone(), ahead: 0, lease }
    }

    /// Closes the file, which has this path in the run.
    pub(crate) fn close(self, path: &str) {
        self.budget.syncer.closed(&self.file, path);
    }

    /// Asks for what is missing for `bytes`; when there is no room for a lease there may still be room for the bytes.
    fn ask(&mut self, bytes: u64) -> io::Result<()> {
        let Some(missing) = bytes.checked_sub(self.ahead).filter(|missing| *missing > 0) else {
            // The budget was asked ahead; the disk may have been filled by others since.
            return self.budget.spare(bytes);
        };
        let lease = missing.max(self.lease);
        self.ahead += match self.budget.take(lease).map(|()| lease) {
            Err(_) if missing < lease => self.budget.take(missing).map(|()| missing)?,
            took => took?,
        };
        Ok(())
    }
}

impl Write for Metered {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let data = data.get(..SLICE).unwrap_or(data);
        self.ask(data.len() as u64)?;
        let written = match (&*self.file).write(data) {
            // Others have filled the disk: the reserve is for this.
            Err(e) if e.kind() == io::ErrorKind::StorageFull => {
                self.budget.syncer.fail(explain(&e));
                self.budget.ending();
                (&*self.file).write(data)?
            }
            done => done?,
        };
        self.dirty.mark();
        self.budget.wrote(written as u64);
        self.ahead = self.ahead.saturating_sub(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        self.budget.give_back(self.ahead);
    }
}
