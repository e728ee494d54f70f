//! The helper of a confined recording: a process that stays privileged and never sees a packet.
//!
//! It does what is on a list and nothing else: take a sample by a recipe of the registry, give a socket its ring, open that
//! of pings and hand it over, run the analyzer on a result. What it goes by comes from before the recording was confined,
//! its limits (`limits.rs`) among that; everything after that is checked against them (`grants.rs`), and against what it
//! has seen of the host itself (`seen.rs`). Its own hands are tied too where the kernel can: it and all commands it runs may
//! read every file and write none, so a command that turns out not to be read-only fails instead of changing the host.
//!
//! It ends when the recording ends, however that ends: the kernel kills it with its parent, and its channels close.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use netcap_bundle::source::{Recipe, is_interface};
use netcap_bundle::sources;
use netcap_filters::Instruction;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::files;
use super::grants::{Granted, Grants, refused};
use super::limits::Limits;
use super::seen::Seen;
use super::wire::{self, Answer, Request, WireInstruction};
use crate::control::signals::Signals;
use crate::host::sample::Sampler;
use crate::host::services::Host;
use crate::privileged::{self, Direct, Privileged, analyzer_command, control};
use crate::shed::Cut;
use crate::sys;
use crate::sys::{Ring, RingSize};

/// Instructions of a filter at most (`BPF_MAXINSNS`, include/uapi/linux/bpf_common.h).
const PROGRAM_MAX: usize = 4096;
/// Largest block of a ring that is asked for.
const BLOCK_MAX: u32 = 4 << 20;

/// Time between two looks for rings that nobody uses any more, in milliseconds.
const FREE_EVERY_MS: u16 = 5000;

/// What both channels share. What was granted belongs to that of sockets alone, for it may have to wait, for the kernel or
/// for Open vSwitch.
struct Bounds {
    direct: Direct,
    /// Absent until the plan is known.
    limits: OnceLock<Limits>,
    seen: Mutex<Seen>,
}

/// What the helper goes by.
struct Duties {
    bounds: Arc<Bounds>,
    out: PathBuf,
    analyzer: Option<PathBuf>,
    lang: String,
}

/// Runs the helper until its recording is gone; gives the exit status.
pub(crate) fn main() -> u8 {
    // There is nobody to report an error to: the recording notices that its helper is gone.
    u8::from(serve().is_err())
}

fn serve() -> io::Result<()> {
    // The kernel's name for it would be that of the link it was started by.
    let _ = nix::sys::prctl::set_name(c"netcap-helper");
    let channel = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let hello = wire::receive(&channel)?;
    let Some((Request::Hello { ovs_rundir, out, analyzer, lang }, Some(sockets))) = hello else {
        return Err(io::Error::other("not started by a recording"));
    };
    // A file system that somebody wants to unmount must not be busy for the directory netcap was started in.
    let _ = nix::unistd::chdir("/");
    rust_i18n::set_locale(&lang);
    let host = Host { root: "/".into(), ovs_rundir };
    let _ = control::prepare(Path::new(control::DIR));
    // Best effort: what a kernel cannot do here it could not do before either.
    let _ = files::read_only(&host.ovs_rundir, Path::new(control::DIR));
    let bounds = Arc::new(Bounds::of(Direct::new(host)));
    let duties = Duties { bounds: bounds.clone(), out, analyzer, lang };
    let sockets = UnixStream::from(sockets);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Ctrl-C reaches the whole group of a terminal; what it means is decided by the recording.
        let _signals = Signals::take()?;
        thread::Builder::new().name("sockets".into()).spawn(move || bounds.serve(&sockets))?;
        channel.set_nonblocking(true)?;
        let mut channel = tokio::net::UnixStream::from_std(channel)?;
        while let Some((request, _)) = wire::read::<Request>(&mut channel).await? {
            let (answer, body) = duties.carry_out(request).await;
            wire::write(&mut channel, &answer, &body).await?;
        }
        Ok(())
    })
}

impl Bounds {
    fn of(direct: Direct) -> Self {
        Self { direct, limits: OnceLock::new(), seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens sockets, and asks Open vSwitch what it dropped, until nobody wants it any more.
    fn serve(&self, channel: &UnixStream) {
        let mut grants = None;
        loop {
            wait(channel, grants.as_mut());
            let Ok(Some((request, _))) = wire::receive::<Request>(channel) else { return };
            let (answer, fd) = match self.carry_out(&mut grants, request) {
                Ok(done) => done,
                Err(e) => (Answer::refused(&e), None),
            };
            if wire::send(channel, &answer, fd.as_ref().map(AsFd::as_fd)).is_err() {
                return;
            }
        }
    }

    /// `granted` is absent until the plan is known: then nothing is.
    fn carry_out<'a>(
        &'a self,
        granted: &mut Option<Grants<'a>>,
        request: Request,
    ) -> io::Result<(Answer, Option<OwnedFd>)> {
        let Some(grants) = granted.as_mut() else {
            let Request::Limits(limits) = request else { return Err(not_on_the_list()) };
            let sockets = (0..limits.rings).map_while(|_| Ring::idle().ok()).collect();
            let grants = granted.insert(Grants::new(self.limits.get_or_init(|| *limits), sockets));
            return Ok((Answer::Limited { spares: grants.spares() }, None));
        };
        match request {
            Request::Spare => Ok((Answer::Spare, Some(grants.spare()?))),
            Request::Ring { iface, program, block_bytes, blocks } => {
                let (program, size) = checked(&iface, &program, block_bytes, blocks)?;
                if grants.spares() == 0 {
                    // The reason why there is no socket.
                    Ring::idle()?;
                }
                let joins = |limits: &Limits| self.seen().joins(limits, &iface);
                let listen = |fd: BorrowedFd<'_>, index| privileged::listen(fd, index, &program, size);
                let granted = grants.ring(&iface, size, Cut::new(&program), joins, listen)?;
                let Granted { socket, size, index } = granted;
                let spare = u32::try_from(socket).map_err(io::Error::other)?;
                Ok((Answer::Ring { spare, index, blocks: size.blocks }, None))
            }
            Request::Cut { index, level } => grants.cut(index, level).map(|()| (Answer::Cut, None)),
            Request::Ping { address, id } => {
                grants.ping(address)?;
                Ok((Answer::Ping, Some(self.direct.ping(address, id)?)))
            }
            Request::Listen { run } => {
                grants.listen(&run)?;
                Ok((Answer::Listening, Some(self.direct.control(&run)?.into())))
            }
            Request::Forget => {
                self.direct.forget_control();
                Ok((Answer::Forgotten, None))
            }
            Request::Datapaths => {
                grants.datapaths()?;
                Ok((Answer::Datapaths { text: self.direct.datapaths()? }, None))
            }
            _ => Err(not_on_the_list()),
        }
    }

    /// Whether a sample may be taken; all of them before the recording is confined.
    fn admits(&self, source: &'static str, recipe: &'static Recipe, arg: &str) -> bool {
        self.limits.get().is_none_or(|limits| self.seen().admits(limits, source, recipe, arg))
    }
}

/// Waits for a request. Meanwhile the memory of rings that are not used any more is freed.
fn wait(channel: &UnixStream, mut grants: Option<&mut Grants<'_>>) {
    loop {
        let held = grants.as_mut().filter(|grants| grants.holds_rings()).map(|grants| grants.free(None));
        let timeout = if held.is_some() { FREE_EVERY_MS.into() } else { PollTimeout::NONE };
        match poll(&mut [PollFd::new(channel.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) | Err(Errno::EINTR) => {}
            _ => return,
        }
    }
}

/// Filter and size of a ring, if a recording could ask for it.
fn checked(
    iface: &str,
    program: &[WireInstruction],
    block_bytes: u32,
    blocks: u32,
) -> io::Result<(Vec<Instruction>, RingSize)> {
    let sound = is_interface(iface)
        && program.len() <= PROGRAM_MAX
        && (1..=BLOCK_MAX).contains(&block_bytes)
        && (1..=*RingSize::BLOCKS.end()).contains(&blocks);
    if !sound {
        return Err(not_on_the_list());
    }
    Ok((wire::from_wire(program), RingSize { block_bytes, blocks }))
}

fn not_on_the_list() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the helper does not do that")
}

impl Duties {
    async fn carry_out(&self, request: Request) -> (Answer, Vec<u8>) {
        match request {
            Request::Recipe { source, item, arg } => self.sample(&source, &item, &arg).await,
            Request::Analyze { path } => (self.analyze(&path).await, Vec::new()),
            _ => (Answer::refused(&not_on_the_list()), Vec::new()),
        }
    }

    async fn sample(&self, source: &str, item: &str, arg: &str) -> (Answer, Vec<u8>) {
        let Some((source, recipe)) = recipe(source, item, arg) else {
            return (Answer::refused(&not_on_the_list()), Vec::new());
        };
        if !self.bounds.admits(source, recipe, arg) {
            return (Answer::refused(&refused("the plan does not ask for this now")), Vec::new());
        }
        let taken = self.bounds.direct.take(source, recipe, arg).await;
        self.bounds.seen().note(&taken);
        let mut bytes = taken.bytes;
        bytes.extend_from_slice(&taken.stderr);
        let stderr = u32::try_from(taken.stderr.len()).unwrap_or(u32::MAX);
        let (at, took_ns, outcome, truncated) = (taken.at, taken.took_ns, taken.outcome, taken.truncated);
        (Answer::Sample { at, took_ns, outcome, truncated, stderr }, bytes)
    }

    async fn analyze(&self, path: &Path) -> Answer {
        let program = self.analyzer.as_deref().ok_or_else(not_on_the_list);
        let done = match program.and_then(|program| Ok((program, self.result(path)?))) {
            Ok((program, path)) => {
                let mut command = analyzer_command(program, &path, &self.lang);
                sys::die_with_parent(command.stdin(std::process::Stdio::null()));
                tokio::process::Command::from(command).status().await
            }
            Err(e) => Err(e),
        };
        done.as_ref().map(ExitStatus::code).map_or_else(Answer::refused, |status| Answer::Analyzed { status })
    }

    /// The path as it was given, if it lies where results lie, wherever links lead.
    fn result(&self, path: &Path) -> io::Result<PathBuf> {
        let real = path.canonicalize()?;
        if real.starts_with(self.out.canonicalize()?) { Ok(path.to_owned()) } else { Err(not_on_the_list()) }
    }
}

/// The recipe of the registry, if what it would be repeated over cannot mean anything else to its command.
fn recipe(source: &str, item: &str, arg: &str) -> Option<(&'static str, &'static Recipe)> {
    let def = sources::by_id(source)?;
    let recipe = def.recipes.iter().find(|recipe| recipe.item == item)?;
    recipe.each.admits(arg).then_some((def.id, recipe))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::unixctl::ANSWER_MAX;
    use std::os::unix::net::UnixListener;
    use std::time::Instant;

    #[test]
    fn only_recipes_of_the_registry_with_names_that_are_names() {
        assert!(recipe("ovsdb", "dump", "").is_some());
        assert!(recipe("ovs-openflow", "dump-flows", "vswitch0").is_some());
        assert!(recipe("libvirt", "domain", "虚拟机 1").is_some());
        for (source, item, arg) in [
            ("ovsdb", "dump", "x"),
            ("ovsdb", "nothing", ""),
            ("sh", "dump", ""),
            ("ovs-openflow", "dump-flows", ""),
            ("ovs-openflow", "dump-flows", "tcp:10.0.0.1:6653"),
            ("ovs-openflow", "dump-flows", "/tmp/sock"),
            ("ovs-openflow", "dump-flows", "-h"),
            ("libvirt", "domain", "--help"),
            ("libvirt", "domain", "../x"),
        ] {
            assert!(recipe(source, item, arg).is_none(), "{source} {item} {arg}");
        }
    }

    #[test]
    fn rings_that_no_recording_asks_for_are_refused() {
        let step = WireInstruction { code: 6, jt: 0, jf: 0, k: 1 };
        assert!(checked("eth0", &[step], 256 << 10, 4).is_ok());
        assert!(checked("../eth0", &[step], 256 << 10, 4).is_err());
        assert!(checked("eth0", &vec![step; PROGRAM_MAX + 1], 256 << 10, 4).is_err());
        assert!(checked("eth0", &[step], BLOCK_MAX + 1, 4).is_err());
        assert!(checked("eth0", &[step], 4096, 0).is_err());
    }

    #[test]
    fn a_sample_does_not_wait_for_a_daemon_that_hangs() {
        let dir = tempfile::tempdir().unwrap();
        let me = std::process::id();
        std::fs::write(dir.path().join("ovs-vswitchd.pid"), me.to_string()).unwrap();
        let daemon = UnixListener::bind(dir.path().join(format!("ovs-vswitchd.{me}.ctl"))).unwrap();
        let host = Host { root: "/".into(), ovs_rundir: dir.path().to_owned() };
        let bounds = Arc::new(Bounds::of(Direct::new(host)));
        let (ours, theirs) = UnixStream::pair().unwrap();
        let sockets = thread::spawn({
            let bounds = bounds.clone();
            move || bounds.serve(&theirs)
        });
        let answered = || wire::receive::<Answer>(&ours).unwrap().unwrap().0;
        wire::send(&ours, &Request::Limits(Box::default()), None).unwrap();
        assert_eq!(answered(), Answer::Limited { spares: 0 });
        let (source, links) = recipe("links", "addr", "").unwrap();
        let waits = [(); 3].map(|()| {
            wire::send(&ours, &Request::Datapaths, None).unwrap();
            let _hangs = daemon.accept().unwrap();
            let began = Instant::now();
            assert!(bounds.admits(source, links, ""));
            let waited = began.elapsed();
            assert!(matches!(answered(), Answer::Refused { .. }));
            waited
        });
        assert!(waits.iter().any(|waited| *waited < ANSWER_MAX / 2), "{waits:?}");
        drop(ours);
        sockets.join().unwrap();
    }

    #[test]
    fn only_results_are_explained() {
        let (out, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let duties = Duties {
            bounds: Arc::new(Bounds::of(Direct::new(Host::this(None)))),
            out: out.path().to_owned(),
            analyzer: None,
            lang: String::new(),
        };
        for dir in [&out, &other] {
            std::fs::write(dir.path().join("x.tar"), "").unwrap();
        }
        std::os::unix::fs::symlink(other.path().join("x.tar"), out.path().join("link.tar")).unwrap();
        assert!(duties.result(&out.path().join("x.tar")).is_ok());
        assert!(duties.result(&other.path().join("x.tar")).is_err());
        assert!(duties.result(&out.path().join("link.tar")).is_err());
        assert!(duties.result(&out.path().join("../x.tar")).is_err());
    }
}
