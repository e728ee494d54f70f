//! The side that asks: reaches a run wherever it is, within a time, and believes only root and itself.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::geteuid;
use rust_i18n::t;

use super::find::{self, Socket};
use super::protocol::{self, ANSWER_MAX, Answer, Ask, Request, Status};
use crate::error::Error;
use crate::privileged::control::DIR;
use netcap_words::foreign::clean;

/// Time that all runs together have to say how they are: the thread that answers does nothing else.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a run did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// Nobody is there, or somebody who may not speak for a run.
    Gone,
    /// It hung up without a word: it died, or was over at that moment.
    HungUp,
    /// It does not answer in time, or not in words that are understood.
    Because(String),
    /// It has heard what it was asked, and does not say in time that it is done.
    Unfinished,
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

/// All runs of this host, by name. All are asked at the same time, and all have one time to answer.
pub(crate) fn runs() -> Result<Vec<Run>, Error> {
    let sockets = find::sockets(Path::new(DIR)).map_err(|e| match e.kind() {
        io::ErrorKind::PermissionDenied => Error::Other(t!("control.root").into_owned()),
        _ => Error::Other(t!("status.unreadable", dir = DIR, why = e).into_owned()),
    })?;
    let until = Instant::now() + PATIENCE;
    let asked: Vec<(Socket, Receiver<Result<Answer, NoAnswer>>)> = sockets
        .into_iter()
        .map(|socket| (socket.clone(), start(socket, Request::new(Ask::Status, false), PATIENCE)))
        .collect();
    let mut out: Vec<Run> =
        asked.into_iter().filter_map(|(socket, answer)| run(socket, &answer, until)).collect();
    out.sort_by(|a, b| a.name().cmp(b.name()));
    Ok(out)
}

fn run(socket: Socket, answer: &Receiver<Result<Answer, NoAnswer>>, until: Instant) -> Option<Run> {
    let status = match wait(answer, until.saturating_duration_since(Instant::now())) {
        Ok(Answer { status: Some(status), .. }) => Ok(harmless(status)),
        Ok(answer) => Err(clean(&answer.error.unwrap_or_else(|| "?".into()))),
        Err(NoAnswer::Gone | NoAnswer::HungUp) => return None,
        Err(NoAnswer::Because(why)) => Err(why),
        Err(NoAnswer::Unfinished) => Err(t!("control.slow").into_owned()),
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
    let mut stream = connect(socket)?;
    let _ = stream.set_write_timeout(Some(PATIENCE));
    let _ = stream.set_read_timeout(Some(PATIENCE));
    // A run that refuses us answers without having listened.
    let _ = stream.write_all(&request.line());
    let answer = line(&stream)?;
    if !(request.wait && answer.done) {
        return Ok(answer);
    }
    // It was heard: what it waits for may take its time.
    let _ = stream.set_read_timeout(Some(patience));
    line(&stream).map_err(|silent| match silent {
        NoAnswer::Because(_) => NoAnswer::Unfinished,
        other => other,
    })
}

/// Connects to who can be believed.
fn connect(socket: &Socket) -> Result<UnixStream, NoAnswer> {
    let stream = UnixStream::connect(&socket.path).map_err(|e| {
        if e.kind() == io::ErrorKind::ConnectionRefused {
            // What a killed recorder left; its directory tells the rest.
            let _ = std::fs::remove_file(&socket.path);
        }
        NoAnswer::Gone
    })?;
    let uid = getsockopt(&stream, PeerCredentials).map_err(|_| NoAnswer::Gone)?.uid();
    if uid == 0 || uid == geteuid().as_raw() { Ok(stream) } else { Err(NoAnswer::Gone) }
}

/// The next line. Up to the newline and no further: one who refuses does not read, and the kernel tells that by a reset.
fn line(stream: &UnixStream) -> Result<Answer, NoAnswer> {
    let failed = |e: io::Error| match e.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            NoAnswer::Because(t!("control.slow").into_owned())
        }
        _ => NoAnswer::HungUp,
    };
    let mut line = Vec::new();
    let most = ANSWER_MAX as u64 + 1;
    // One byte at a time, so that nothing of a second line is taken: answers are short and rare.
    BufReader::with_capacity(1, stream.take(most)).read_until(b'\n', &mut line).map_err(failed)?;
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
