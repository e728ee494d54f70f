//! Work side by side, jobs made and results taken one after the other: what is finished early waits, and only so much may
//! wait.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Results that may exist at the same time, those being made included. A constant, not the number of threads: it bounds
/// the memory whatever the machine (measured: 25 to 45 MB for each, the allocator's own share included), and the share of it that each fold may use depends on nothing but the input.
pub(crate) const ALIVE_MAX: usize = 3;

struct Line<R, T> {
    /// The next job nobody has begun.
    next: usize,
    /// Results taken so far.
    taken: usize,
    /// Finished before their turn.
    waiting: BTreeMap<usize, R>,
    /// Absent while somebody hands it a result.
    take: Option<T>,
}

/// Does all jobs on the current rayon pool and hands the results to `take` in the order of the jobs. The jobs are made one
/// at a time, by whoever is free; at most `alive_max` jobs and results exist at the same time.
pub(super) fn in_order<J: Send, R: Send, T: FnMut(R) + Send>(
    alive_max: usize,
    jobs: impl Iterator<Item = J> + Send,
    work: impl Fn(J) -> R + Sync,
    take: T,
) {
    let jobs = Mutex::new(jobs);
    let line = Mutex::new(Line { next: 0, taken: 0, waiting: BTreeMap::new(), take: Some(take) });
    let moved = Condvar::new();
    let workers = rayon::current_num_threads().min(alive_max);
    rayon::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|_| {
                while let Some((at, job)) = begin(&line, &moved, &jobs, alive_max) {
                    let result = work(job);
                    hand_in(&line, &moved, at, result);
                }
            });
        }
    });
}

/// The next job, as soon as its result may exist beside those that wait.
fn begin<J, R, T>(
    line: &Mutex<Line<R, T>>,
    moved: &Condvar,
    jobs: &Mutex<impl Iterator<Item = J>>,
    alive_max: usize,
) -> Option<(usize, J)> {
    let mut jobs = lock(jobs);
    let mut state = lock(line);
    // Nobody else can begin meanwhile, and results are taken without the right to begin.
    while state.next >= state.taken + alive_max {
        state = moved.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    drop(state);
    let job = jobs.next()?;
    let mut state = lock(line);
    let at = state.next;
    state.next += 1;
    Some((at, job))
}

/// Leaves a result, and hands over all whose turn it is unless somebody else is doing so already.
fn hand_in<R, T: FnMut(R)>(line: &Mutex<Line<R, T>>, moved: &Condvar, at: usize, result: R) {
    let mut state = lock(line);
    state.waiting.insert(at, result);
    while let Some(mut take) = state.take.take() {
        let turn = state.taken;
        let Some(result) = state.waiting.remove(&turn) else {
            state.take = Some(take);
            break;
        };
        drop(state);
        take(result);
        state = lock(line);
        state.take = Some(take);
        state.taken += 1;
        moved.notify_all();
    }
}

/// A panic elsewhere ends the scope anyway; the state is whole between its changes.
fn lock<S>(mutex: &Mutex<S>) -> MutexGuard<'_, S> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn results_come_in_order_and_few_are_alive() {
        for threads in [1, 2, 16] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let jobs: Vec<usize> = (0..200).collect();
            let (alive, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let mut got = Vec::new();
            pool.install(|| {
                in_order(
                    ALIVE_MAX,
                    jobs.iter(),
                    |job| {
                        most.fetch_max(alive.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        // Early jobs take longer, so that later ones have to wait.
                        std::thread::sleep(std::time::Duration::from_micros(((job % 7) * 150) as u64));
                        *job
                    },
                    |job| {
                        alive.fetch_sub(1, Ordering::SeqCst);
                        got.push(job);
                    },
                );
            });
            assert_eq!(got, jobs);
            assert!(most.load(Ordering::SeqCst) <= ALIVE_MAX, "{threads} threads");
        }
    }

    #[test]
    fn no_jobs_are_no_work() {
        in_order(1, std::iter::empty::<()>(), |()| 1, |_| panic!("nothing was done"));
    }
}
