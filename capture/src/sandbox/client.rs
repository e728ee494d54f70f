//! The recording's side of the helper: asking for what only a privileged process can do.
//!
//! A helper that is gone or does not answer is gone for good, for its successor could not be privileged any more: host
//! state is then recorded as failed, interfaces that come back stay unheard, and everything that is open goes on.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use netcap_bundle::run::ShedLevel;
use netcap_bundle::source::{Reason, Recipe};
use netcap_bundle::state::Taken;
use netcap_filters::Instruction;
use nix::sys::resource::{Resource, getrlimit};

use super::HELPER;
use super::limits::Limits;
use super::usage;
use super::wire::{self, Answer, Request};
use crate::host::sample::{Later, Sampler};
use crate::host::{clock, exec, programs};
use crate::privileged::{Privileged, RingSocket, Usage};
use crate::shed::Cut;
use crate::sys;
use crate::sys::{Ring, RingSize};

/// How much longer than its recipe's time-out the helper may take for a sample.
const SLACK: Duration = Duration::from_secs(5);
/// Longest wait for a socket: the kernel may have to look for the memory of a ring.
const SOCKET_MAX: Duration = Duration::from_secs(20);

/// Descriptors of a recording at most: the kernel's table of them is as long as the highest is high.
const DESCRIPTORS_MAX: u64 = 16_384;

/// The connection to the helper.
#[derive(Debug)]
pub(super) struct Client {
    slow: Arc<SlowChannel>,
    /// For sockets, which must not wait behind a command that hangs.
    sockets: Mutex<UnixStream>,
    /// Those of rings, in the order they came, above all other descriptors; absent until the plan is known.
    spares: OnceLock<Vec<Arc<OwnedFd>>>,
    /// What it takes of the host; absent when `/proc` does not say.
    usage: Option<usage::Files>,
    /// Kept, so that its process id is not given to another while we live, and never waited for, so that what it took
    /// can be asked after its end.
    _child: Child,
}

/// For what takes its time.
#[derive(Debug)]
struct SlowChannel {
    /// Made ready for the runtime when it is first used there.
    stream: tokio::sync::Mutex<Slow>,
    /// The helper is gone.
    lost: AtomicBool,
}

#[derive(Debug)]
enum Slow {
    Fresh(UnixStream),
    Ready(tokio::net::UnixStream),
    Gone,
}

impl Client {
    /// Starts the helper: this program once more, with the other ends of two channels.
    pub(super) fn start(
        ovs_rundir: PathBuf,
        out: PathBuf,
        analyzer: Option<PathBuf>,
        lang: String,
    ) -> io::Result<Self> {
        let (slow, slow_there) = UnixStream::pair()?;
        let (sockets, sockets_there) = UnixStream::pair()?;
        sockets.set_read_timeout(Some(SOCKET_MAX))?;
        sockets.set_write_timeout(Some(SOCKET_MAX))?;
        let mut command = Command::new("/proc/self/exe");
        command.arg0("netcap").arg(HELPER).stdin(OwnedFd::from(slow_there));
        if analyzer.is_none() {
            // It has nothing to say, and must not keep a pipe open that somebody reads to its end.
            command.stdout(Stdio::null()).stderr(Stdio::null());
        }
        programs::pass_on(&mut command);
        sys::die_with_parent(&mut command);
        let child = command.spawn()?;
        let hello = Request::Hello { ovs_rundir, out, analyzer, lang };
        wire::send(&slow, &hello, Some(sockets_there.as_fd()))?;
        slow.set_nonblocking(true)?;
        Ok(Self {
            slow: Arc::new(SlowChannel {
                stream: tokio::sync::Mutex::new(Slow::Fresh(slow)),
                lost: AtomicBool::new(false),
            }),
            sockets: Mutex::new(sockets),
            spares: OnceLock::new(),
            usage: usage::Files::of(child.id()).ok(),
            _child: child,
        })
    }

    /// Tells the helper what may be asked for from now on, and takes the sockets of all rings. Gives the number from which
    /// on descriptors are those, and no others.
    pub(super) fn limit(&self, limits: Limits) -> io::Result<RawFd> {
        let spares = match self.socket(&Request::Limits(Box::new(limits)))?.0 {
            Answer::Limited { spares } => spares,
            answer => return Err(answer.error()),
        };
        let (most, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
        let from = most.min(DESCRIPTORS_MAX).saturating_sub(spares.into());
        let from = RawFd::try_from(from).map_err(io::Error::other)?;
        let fetch = |_| match self.socket(&Request::Spare)? {
            (Answer::Spare, Some(fd)) => sys::duplicate_from(fd.as_fd(), from).map(Arc::new),
            (answer, _) => Err(answer.error()),
        };
        let fetched = (0..spares).map(fetch).collect::<io::Result<_>>()?;
        self.spares.set(fetched).map_err(|_| io::ErrorKind::AlreadyExists)?;
        Ok(from)
    }

    fn socket(&self, request: &Request) -> io::Result<(Answer, Option<OwnedFd>)> {
        self.ask_for(request, &self.sockets.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same, unless another thread waits for an answer.
    fn socket_now(&self, request: &Request) -> io::Result<(Answer, Option<OwnedFd>)> {
        match self.sockets.try_lock() {
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Poisoned(channel)) => self.ask_for(request, &channel.into_inner()),
            Ok(channel) => self.ask_for(request, &channel),
        }
    }

    fn ask_for(
        &self,
        request: &Request,
        channel: &MutexGuard<'_, UnixStream>,
    ) -> io::Result<(Answer, Option<OwnedFd>)> {
        if self.slow.lost.load(Relaxed) {
            return Err(gone());
        }
        let asked = wire::send(channel, request, None).and_then(|()| wire::receive(channel));
        // After an answer that did not come, the next would be taken for it.
        asked.ok().flatten().ok_or_else(|| self.slow.lose())
    }

    /// Asks in a task of its own: who does not wait for the answer any more must not leave it to the next.
    async fn ask(&self, request: Request, limit: Option<Duration>) -> io::Result<(Answer, Vec<u8>)> {
        let slow = self.slow.clone();
        tokio::spawn(async move { slow.ask(&request, limit).await }).await.map_err(io::Error::other)?
    }

    async fn sample(&self, source: &'static str, recipe: &'static Recipe, arg: &str) -> Taken {
        let (at, start) = (clock::now(), Instant::now());
        let request =
            Request::Recipe { source: source.into(), item: recipe.item.into(), arg: arg.to_owned() };
        let limit = Duration::from_millis(recipe.timeout_ms) + SLACK;
        let failed = |why: String| {
            let took_ns = i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX);
            Taken { arg: arg.to_owned(), took_ns, ..exec::not_taken(source, recipe, at, Reason::Other, &why) }
        };
        match self.ask(request, Some(limit)).await {
            Err(e) => failed(e.to_string()),
            Ok((Answer::Sample { at, took_ns, outcome, truncated, stderr }, mut bytes)) => {
                let stderr = bytes.split_off(bytes.len().saturating_sub(stderr as usize));
                let item = recipe.item;
                Taken { source, item, arg: arg.to_owned(), at, took_ns, outcome, bytes, truncated, stderr }
            }
            Ok((answer, _)) => failed(answer.error().to_string()),
        }
    }
}

impl Sampler for Client {
    fn take<'a>(&'a self, source: &'static str, recipe: &'static Recipe, arg: &'a str) -> Later<'a, Taken> {
        Box::pin(self.sample(source, recipe, arg))
    }
}

impl Privileged for Client {
    fn ring(&self, iface: &str, program: &[Instruction], size: RingSize) -> io::Result<RingSocket> {
        let RingSize { block_bytes, blocks } = size;
        let program = wire::to_wire(program);
        match self.socket(&Request::Ring { iface: iface.to_owned(), program, block_bytes, blocks })? {
            (Answer::Ring { spare, index, blocks }, _) => {
                let fd = self.spares.get().and_then(|spares| spares.get(spare as usize));
                let fd = fd.ok_or(io::ErrorKind::NotFound)?.clone();
                Ok(RingSocket { fd, size: RingSize { block_bytes, blocks }, index })
            }
            (answer, _) => Err(answer.error()),
        }
    }

    fn cut(&self, _: &Ring, index: u32, _: &Cut, level: ShedLevel) -> io::Result<()> {
        match self.socket_now(&Request::Cut { index, level })?.0 {
            Answer::Cut => Ok(()),
            answer => Err(answer.error()),
        }
    }

    fn ping(&self, address: IpAddr, id: u16) -> io::Result<OwnedFd> {
        match self.socket(&Request::Ping { address, id })? {
            (Answer::Ping, Some(fd)) => Ok(fd),
            (answer, _) => Err(answer.error()),
        }
    }

    fn control(&self, run: &str) -> io::Result<UnixListener> {
        match self.socket(&Request::Listen { run: run.to_owned() })? {
            (Answer::Listening, Some(fd)) => Ok(fd.into()),
            (answer, _) => Err(answer.error()),
        }
    }

    fn forget_control(&self) {
        // A helper that is gone leaves the name to whoever finds it.
        let _ = self.socket(&Request::Forget);
    }

    fn datapaths(&self) -> io::Result<String> {
        match self.socket(&Request::Datapaths)? {
            (Answer::Datapaths { text }, _) => Ok(text),
            (answer, _) => Err(answer.error()),
        }
    }

    /// Its program is the one that the helper was started with.
    fn explain<'a>(&'a self, _: &'a Path, result: &'a Path) -> Later<'a, io::Result<Option<i32>>> {
        Box::pin(async move {
            match self.ask(Request::Analyze { path: std::path::absolute(result)? }, None).await?.0 {
                Answer::Analyzed { status } => Ok(status),
                answer => Err(answer.error()),
            }
        })
    }

    /// The memory of a command that runs at this moment is not in it.
    fn usage(&self) -> Usage {
        let Some(files) = &self.usage else { return Usage::default() };
        Usage { times: files.times().unwrap_or_default(), memory: files.memory().unwrap_or_default() }
    }

    fn is_lost(&self) -> bool {
        self.slow.lost.load(Relaxed)
    }
}

impl SlowChannel {
    async fn ask(&self, request: &Request, limit: Option<Duration>) -> io::Result<(Answer, Vec<u8>)> {
        let mut slow = self.stream.lock().await;
        let exchange = slow.exchange(request);
        let answer = match limit {
            None => exchange.await,
            Some(limit) => tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| Err(gone())),
        };
        if answer.is_err() {
            *slow = Slow::Gone;
        }
        answer.map_err(|_| self.lose())
    }

    fn lose(&self) -> io::Error {
        self.lost.store(true, Relaxed);
        gone()
    }
}

impl Slow {
    async fn exchange(&mut self, request: &Request) -> io::Result<(Answer, Vec<u8>)> {
        if let Self::Fresh(_) = self
            && let Self::Fresh(stream) = std::mem::replace(self, Self::Gone)
        {
            *self = Self::Ready(tokio::net::UnixStream::from_std(stream)?);
        }
        let Self::Ready(stream) = self else { return Err(gone()) };
        wire::write(stream, request, &[]).await?;
        wire::read(stream).await?.ok_or_else(gone)
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the privileged helper is gone")
}
