//! What the proofs by fault injection share: how often, at which moments, on which stage, and what must be found after.
//!
//! In the tree they run a few times each; `scripts/prove-crash` and `scripts/prove-soak` run them by the hundreds, told by
//! the environment: `NETCAP_PROVE_KILLS=200`. Every moment comes from one seed, which is printed: `NETCAP_PROVE_SEED`
//! repeats it as far as a scheduler repeats anything.

#![allow(clippy::print_stderr, clippy::unwrap_used)] // progress of a proof that takes minutes and ends at the first breach

pub(crate) mod evidence;
pub(crate) mod place;
pub(crate) mod sealed;
pub(crate) mod stage;
pub(crate) mod traffic;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use netcap_tests::privileged;

/// One proof at a time: they measure how long something takes, on few cores.
static TURN: Mutex<()> = Mutex::new(());

/// One proof: a number of rounds.
pub(crate) struct Proof {
    name: &'static str,
    /// Rounds to go through.
    pub(crate) rounds: u64,
    /// Where every random moment comes from.
    pub(crate) dice: Dice,
    begun: Instant,
    _turn: MutexGuard<'static, ()>,
}

impl Proof {
    /// `few` rounds unless `NETCAP_PROVE_variable` says how many; `None` without root.
    pub(crate) fn new(test: &'static str, variable: &str, few: u64) -> Option<Self> {
        if !privileged(test) {
            return None;
        }
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let rounds = number(variable).unwrap_or(few);
        let dice = Dice::new(number("SEED").unwrap_or_else(|| now().unsigned_abs()));
        eprintln!("{test}: {rounds} rounds, NETCAP_PROVE_SEED={}", dice.0);
        Some(Self { name: test, rounds, dice, begun: Instant::now(), _turn: turn })
    }

    /// Says where it is, now and then.
    pub(crate) fn at(&self, round: u64, what: &str) {
        let step = (self.rounds / 20).max(1);
        if round.is_multiple_of(step) || round == self.rounds {
            let seconds = self.begun.elapsed().as_secs();
            eprintln!("{}: {round} of {}, {seconds} s: {what}", self.name, self.rounds);
        }
    }
}

/// A number in the environment.
pub(crate) fn number(variable: &str) -> Option<u64> {
    std::env::var(format!("NETCAP_PROVE_{variable}")).ok()?.parse().ok()
}

/// The clock that stamps packets, in nanoseconds.
pub(crate) fn now() -> i64 {
    netcap::testing::now().0
}

/// Random numbers that a seed repeats: xorshift64* (Vigna 2016).
pub(crate) struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// From `low` to just below `high`.
    pub(crate) fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low).max(1)
    }

    /// Milliseconds from `low` to `high`, to the microsecond.
    pub(crate) fn ms(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_micros(self.within(low * 1000, high * 1000))
    }

    /// One of these.
    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.within(0, of.len() as u64)).unwrap()]
    }

    /// True once in `n`.
    pub(crate) fn once_in(&mut self, n: u64) -> bool {
        self.within(0, n) == 0
    }
}

/// The middle and the largest of what was measured.
pub(crate) fn middle_and_most(values: &mut [i64]) -> (i64, i64) {
    values.sort_unstable();
    (values.get(values.len() / 2).copied().unwrap_or(0), values.last().copied().unwrap_or(0))
}
