//! The side that asks: reaches a run wherever it is, within a time, and believes only root and itself.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::geteuid;
use rust_i18n::t;

use super::find::{self, Socket};
use super::protocol::{self, ANSWER_MAX, Answer, Ask, Request, Status};
use netcap_words::foreign::clean;

/// Time a run has to say how it is.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a run did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// Nobody is there, or somebody who may not speak for a run.
    Gone,
    /// It hung up without a word: it died, or was over at that moment.
    HungUp,
    /// It does not answer in time, or not in words that are understood.
    Because(String),
}

/// A run that is there.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// Where it can be asked.
    pub socket: Socket,
    /// How it is, or why it does not say.
    pub status: Result<Status, String>,
}

impl Run {
    /// Its directory, if it says so.
    pub(crate) fn dir(&self) -> Option<&Path> {
        self.status.as_ref().ok().map(|status| status.dir.as_path())
    }

    pub(crate) fn name(&self) -> &str {
        self.status.as_ref().map_or_else(|_| self.socket.run(), |status| &status.run)
    }
}

/// All runs of this host, by name. All are asked at the same time.
pub(crate) fn runs() -> Vec<Run> {
    let asked: Vec<(Socket, Receiver<Result<Answer, NoAnswer>>)> = find::sockets(Path::new("/proc"))
        .into_iter()
        .map(|socket| (socket.clone(), start(socket, Request::new(Ask::Status, false), PATIENCE)))
        .collect();
    let mut out: Vec<Run> = asked.into_iter().filter_map(|(socket, answer)| run(socket, &answer)).collect();
    out.sort_by(|a, b| a.name().cmp(b.name()));
    out
}

fn run(socket: Socket, answer: &Receiver<Result<Answer, NoAnswer>>) -> Option<Run> {
    let status = match wait(answer, PATIENCE) {
        Ok(Answer { status: Some(status), .. }) => Ok(harmless(status)),
        Ok(answer) => Err(clean(&answer.error.unwrap_or_else(|| "?".into()))),
        Err(NoAnswer::Gone | NoAnswer::HungUp) => return None,
        Err(NoAnswer::Because(why)) => Err(why),
    };
    Some(Run { socket, status })
}

/// Asks one run and waits for the answer.
pub(crate) fn ask(socket: &Socket, ask: Ask) -> Result<Answer, NoAnswer> {
    wait(&start(socket.clone(), Request::new(ask, false), PATIENCE), PATIENCE)
}

/// Asks one run in a thread of its own; the answer comes through the channel. `patience` is the time for the answer once
/// the run was reached.
pub(crate) fn start(
    socket: Socket,
    request: Request,
    patience: Duration,
) -> Receiver<Result<Answer, NoAnswer>> {
    let (sender, answer) = mpsc::channel();
    let asked = move || {
        let _ = sender.send(exchange(&socket, request, patience));
    };
    // Without a thread the sender is dropped, which says it.
    let _ = thread::Builder::new().name("ask".into()).spawn(asked);
    answer
}

fn wait(answer: &Receiver<Result<Answer, NoAnswer>>, patience: Duration) -> Result<Answer, NoAnswer> {
    match answer.recv_timeout(patience) {
        Ok(answer) => answer,
        Err(RecvTimeoutError::Timeout) => Err(NoAnswer::Because(t!("control.slow").into_owned())),
        Err(RecvTimeoutError::Disconnected) => Err(NoAnswer::Because("?".into())),
    }
}

fn exchange(socket: &Socket, request: Request, patience: Duration) -> Result<Answer, NoAnswer> {
    if let Some(netns) = &socket.netns {
        // This thread only: it ends with the answer.
        let entered = File::open(netns).and_then(|ns| Ok(setns(ns, CloneFlags::CLONE_NEWNET)?));
        match entered {
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                return Err(NoAnswer::Because(t!("control.netns").into_owned()));
            }
            Err(_) => return Err(NoAnswer::Gone),
            Ok(()) => {}
        }
    }
    let address = SocketAddr::from_abstract_name(&socket.name).map_err(|_| NoAnswer::Gone)?;
    let mut stream = UnixStream::connect_addr(&address).map_err(|_| NoAnswer::Gone)?;
    let uid = getsockopt(&stream, PeerCredentials).map_err(|_| NoAnswer::Gone)?.uid();
    if uid != 0 && uid != geteuid().as_raw() {
        return Err(NoAnswer::Gone);
    }
    let failed = |e: io::Error| match e.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            NoAnswer::Because(t!("control.slow").into_owned())
        }
        _ => NoAnswer::HungUp,
    };
    let _ = stream.set_write_timeout(Some(PATIENCE));
    let _ = stream.set_read_timeout(Some(patience));
    // A run that refuses us answers without having listened.
    let _ = stream.write_all(&request.line());
    let mut line = Vec::new();
    let most = ANSWER_MAX as u64 + 1;
    // Up to the newline and no further: one who refuses does not read, which the kernel answers with a reset.
    BufReader::new(stream.take(most)).read_until(b'\n', &mut line).map_err(failed)?;
    if line.is_empty() {
        return Err(NoAnswer::HungUp);
    }
    protocol::answer(line.trim_ascii_end()).map_err(NoAnswer::Because)
}

/// Names come from command lines and from who answers: nothing in them may steer a terminal.
fn harmless(mut status: Status) -> Status {
    for text in [&mut status.run, &mut status.filter] {
        *text = clean(text);
    }
    for point in &mut status.points {
        point.iface = clean(&point.iface);
    }
    status
}
