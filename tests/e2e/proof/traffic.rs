//! Frames that say who they are: each carries its point, its number and the time it was sent, and the sender remembers.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use netcap_tests::Lag;
use nix::sched::{CloneFlags, setns};
use pnet::datalink::{self, Channel, Config, DataLinkSender};

use super::now;
use super::stage::Stage;

/// Begins the payload.
const MAGIC: &[u8; 4] = b"NCPF";
/// Ethertype of local experiments (IEEE Std 802).
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];
/// How often the sender catches up with its rate.
const STEP: Duration = Duration::from_millis(2);
/// How long a frame that nobody takes is tried.
const GONE: Duration = Duration::from_secs(2);
/// Bytes of noise that frames take their payload from: it does not compress.
const NOISE: usize = 1 << 20;

/// A steady stream into every point, until it is dropped.
pub(crate) struct Traffic {
    stop: Arc<AtomicBool>,
    sent: Arc<Vec<Mutex<Vec<i64>>>>,
    thread: Option<JoinHandle<()>>,
    lag: Lag,
    /// Frames a second into each point.
    pub(crate) rate: u64,
}

impl Traffic {
    /// `rate` frames of `length` bytes a second into each point.
    pub(crate) fn start(stage: &Stage, rate: u64, length: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let sent: Arc<Vec<Mutex<Vec<i64>>>> = Arc::new((0..stage.count).map(|_| Mutex::default()).collect());
        let (ns, flag, log) = (stage.net.far.clone(), stop.clone(), sent.clone());
        let thread = thread::spawn(move || {
            let file = File::open(format!("/run/netns/{ns}")).expect("the namespace is there");
            setns(file, CloneFlags::CLONE_NEWNET).expect("root may enter it");
            let noise = noise();
            let mut ways: Vec<_> = (0..log.len()).map(|n| way(&format!("peer{n}"))).collect();
            let begun = Instant::now();
            let mut number = 0;
            while !flag.load(Relaxed) {
                let due = u64::try_from(begun.elapsed().as_micros()).unwrap() * rate / 1_000_000;
                while number < due && !flag.load(Relaxed) {
                    for ((point, way), log) in ways.iter_mut().enumerate().zip(log.iter()) {
                        send(way.as_mut(), log, point, number, length, &noise);
                    }
                    number += 1;
                }
                thread::sleep(STEP);
            }
        });
        Self { stop, sent, thread: Some(thread), lag: Lag::watch(), rate }
    }

    /// By how much what is promised in seconds may have been late, for want of a processor: the recorder's thread may
    /// have waited for one twice, to look and to write.
    pub(crate) fn late_ns(&self) -> i64 {
        i64::try_from(2 * self.lag.longest().as_nanos()).unwrap_or(i64::MAX)
    }

    /// Sends nothing more.
    pub(crate) fn stop(&mut self) {
        self.stop.store(true, Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }

    /// When each frame into this point was sent, by number.
    pub(crate) fn sent(&self, point: usize) -> MutexGuard<'_, Vec<i64>> {
        self.sent[point].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop();
    }
}

fn way(iface: &str) -> Box<dyn DataLinkSender> {
    let iface = datalink::interfaces().into_iter().find(|i| i.name == iface).expect("the interface is there");
    match datalink::channel(&iface, Config { promiscuous: false, ..Config::default() }) {
        Ok(Channel::Ethernet(tx, _)) => tx,
        _ => panic!("no channel"),
    }
}

/// The time is noted before the frame goes: a frame that was noted later than some moment was sent later.
fn send(
    way: &mut dyn DataLinkSender,
    log: &Mutex<Vec<i64>>,
    point: usize,
    number: u64,
    length: usize,
    noise: &[u8],
) {
    let at = now();
    log.lock().unwrap_or_else(PoisonError::into_inner).push(at);
    let mut frame = vec![0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2];
    frame.extend_from_slice(&ETHERTYPE);
    frame.extend_from_slice(MAGIC);
    frame.extend_from_slice(&(point as u64).to_be_bytes());
    frame.extend_from_slice(&number.to_be_bytes());
    frame.extend_from_slice(&at.to_be_bytes());
    let from = usize::try_from(number).unwrap().wrapping_mul(length) % (NOISE - length);
    let rest = length.saturating_sub(frame.len());
    frame.extend_from_slice(&noise[from..from + rest]);
    // A full queue is not an error of the test; a stage that is gone is none either.
    let until = Instant::now() + GONE;
    while !matches!(way.send_to(&frame, None), Some(Ok(()))) && Instant::now() < until {
        thread::yield_now();
    }
}

/// Point and number of a frame of ours.
pub(crate) fn parse(frame: &[u8]) -> Option<(usize, u64)> {
    let payload = frame.get(14..)?.strip_prefix(MAGIC)?;
    let word = |at: usize| Some(u64::from_be_bytes(payload.get(at..at + 8)?.try_into().ok()?));
    Some((usize::try_from(word(0)?).ok()?, word(8)?))
}

fn noise() -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut byte = || {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..NOISE).map(|_| byte()).collect()
}
