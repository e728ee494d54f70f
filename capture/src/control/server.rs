//! The side that answers: a thread that sleeps until somebody connects.
//!
//! It shares nothing with the packet path but atomics, holds at most `WAITING_MAX` connections, and reads at most
//! [`REQUEST_MAX`] bytes in `PATIENCE` from somebody whom the kernel has vouched for. The directory of the sockets lets
//! root in and nobody else; should somebody else come all the same, he gets one sentence, whatever he sends.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{Shutdown, getsockopt, shutdown, sockopt::PeerCredentials};
use rust_i18n::t;

use super::board::Board;
use super::protocol::{self, Answer, Ask, Ended, REQUEST_MAX};
use crate::privileged::Privileged;

/// Time a client has for its line, and for taking in the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Clients that wait for the end of the run at the same time.
const WAITING_MAX: usize = 32;
/// Rest after an error: it may not make this thread busy.
const REST: Duration = Duration::from_millis(10);
/// The control socket of a run; gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    listener: Arc<UnixListener>,
    shared: Arc<Shared>,
}

/// What the thread that answers and those who end the run have in common.
#[derive(Debug)]
pub(super) struct Shared {
    board: Arc<Board>,
    /// Besides root: the user who started the run.
    owner: u32,
    ending: Mutex<Waiting>,
    privileged: Arc<dyn Privileged>,
}

/// Who waits for the end, and what it was.
#[derive(Debug, Default)]
struct Waiting {
    clients: Vec<UnixStream>,
    ended: Option<Ended>,
}

impl Server {
    /// Begins to listen. Besides root it answers `owner`, who started the run.
    pub(crate) fn open(board: Arc<Board>, privileged: Arc<dyn Privileged>, owner: u32) -> io::Result<Self> {
        let listener = Arc::new(privileged.control(board.run())?);
        let shared = Arc::new(Shared { board, owner, ending: Mutex::default(), privileged });
        let (socket, for_thread) = (listener.clone(), shared.clone());
        thread::Builder::new().name("control".into()).spawn(move || {
            for stream in socket.incoming() {
                match stream {
                    Ok(stream) => {
                        let _ = for_thread.serve(stream);
                    }
                    // After `shutdown`; accept(2) names no other reason for it.
                    Err(e) if e.kind() == io::ErrorKind::InvalidInput => return,
                    Err(_) => thread::sleep(REST),
                }
            }
        })?;
        Ok(Self { listener, shared })
    }

    /// Those who wait for the end of the run.
    pub(super) fn waiting(&self) -> Arc<Shared> {
        self.shared.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.privileged.forget_control();
        // The thread sleeps in accept(2) and holds the socket: this wakes it.
        let _ = shutdown(self.listener.as_raw_fd(), Shutdown::Both);
    }
}

impl Shared {
    /// The run is over: its name goes, then all who wait for it hear so. The other way round, who was told of the end and
    /// looks again would find it still there.
    pub(super) fn finish(&self, ended: Ended) {
        self.privileged.forget_control();
        let mut waiting = self.waiting();
        let line = Answer { ended: Some(ended.clone()), ..Answer::new() }.line();
        waiting.ended = Some(ended);
        for mut client in waiting.clients.drain(..) {
            let _ = client.write_all(&line);
        }
    }

    fn serve(&self, mut stream: UnixStream) -> io::Result<()> {
        stream.set_write_timeout(Some(PATIENCE))?;
        let uid = getsockopt(&stream, PeerCredentials)?.uid();
        if uid != 0 && uid != self.owner {
            let why = t!("control.stranger", owner = self.owner, uid = uid);
            return stream.write_all(&Answer::error(why).line());
        }
        let line = match read_line(&mut stream) {
            Err(e) if [io::ErrorKind::TimedOut, io::ErrorKind::WouldBlock].contains(&e.kind()) => {
                let why = t!("control.no_line", seconds = PATIENCE.as_secs());
                return stream.write_all(&Answer::error(why).line());
            }
            line => line?,
        };
        let answer = match line.as_slice() {
            // It only looked whether somebody is here.
            [] => return Ok(()),
            line => match protocol::request(line) {
                Ok(request) if request.ask == Ask::Stop && request.wait => return self.stop(stream),
                Ok(request) => self.answer(request.ask),
                Err(why) => Answer::error(why),
            },
        };
        stream.write_all(&answer.line())
    }

    fn answer(&self, ask: Ask) -> Answer {
        match ask {
            Ask::Status => Answer { status: Some(self.board.status()), ..Answer::new() },
            Ask::Stop => {
                self.board.ask_stop();
                Answer { done: true, ..Answer::new() }
            }
            Ask::Rotate if self.board.ask_rotate() => Answer { done: true, ..Answer::new() },
            Ask::Rotate => Answer::error(t!("control.ending")),
        }
    }

    /// Says that it was heard, and keeps the client until the run is sealed.
    fn stop(&self, mut stream: UnixStream) -> io::Result<()> {
        self.board.ask_stop();
        stream.write_all(&Answer { done: true, ..Answer::new() }.line())?;
        let mut waiting = self.waiting();
        if let Some(ended) = waiting.ended.clone() {
            return stream.write_all(&Answer { ended: Some(ended), ..Answer::new() }.line());
        }
        if waiting.clients.len() >= WAITING_MAX {
            waiting.clients.retain(still_there);
        }
        if waiting.clients.len() >= WAITING_MAX {
            return stream.write_all(&Answer::error(t!("control.crowd")).line());
        }
        waiting.clients.push(stream);
        Ok(())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the other side has not hung up. Who went without reading the answer leaves `ECONNRESET`, not an end.
fn still_there(stream: &UnixStream) -> bool {
    let look = || -> io::Result<bool> {
        stream.set_nonblocking(true)?;
        let read = (&*stream).read(&mut [0; 16]);
        stream.set_nonblocking(false)?;
        Ok(match read {
            Ok(n) => n > 0,
            Err(e) => e.kind() == io::ErrorKind::WouldBlock,
        })
    };
    look().unwrap_or(false)
}

/// Reads up to a newline or the end, within the time and the size; what is longer is cut and refused by its parser.
fn read_line(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let until = Instant::now() + PATIENCE;
    let mut line = Vec::new();
    let mut piece = [0; 1024];
    while line.len() <= REQUEST_MAX && !line.contains(&b'\n') {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece)? {
            0 => break,
            n => line.extend_from_slice(piece.get(..n).unwrap_or_default()),
        }
    }
    if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
        line.truncate(end);
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use std::io::BufRead;
    use std::path::{Path, PathBuf};
    use std::sync::LazyLock;

    use super::*;
    use crate::control::board::tests::board;
    use crate::control::protocol::{Request, Status};
    use crate::control::signals::Action;
    use crate::host::services::Host;
    use crate::privileged::Direct;

    /// Sockets of these tests; the threads of a test share it.
    static SOCKETS: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

    fn path(run: &str) -> PathBuf {
        SOCKETS.path().join("netcap").join(run)
    }

    fn name(test: &str) -> String {
        format!("test-{test}-{}", std::process::id())
    }

    fn open(board: Arc<Board>) -> Server {
        let owner = nix::unistd::getuid().as_raw();
        let sockets = SOCKETS.path().join("netcap");
        Server::open(board, Arc::new(Direct::with_sockets(Host::this(None), sockets)), owner).unwrap()
    }

    fn connect(run: &str) -> UnixStream {
        let stream = UnixStream::connect(path(run)).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        stream
    }

    fn said(stream: &UnixStream) -> Answer {
        let mut line = Vec::new();
        io::BufReader::with_capacity(1, stream).read_until(b'\n', &mut line).unwrap();
        protocol::answer(&line).unwrap()
    }

    fn ask(run: &str, bytes: &[u8]) -> Answer {
        let mut stream = connect(run);
        let _ = stream.write_all(bytes);
        said(&stream)
    }

    fn status(run: &str) -> Status {
        ask(run, &Request::new(Ask::Status, false).line()).status.unwrap()
    }

    #[test]
    fn it_answers_what_is_asked_and_the_name_goes_with_it() {
        let run = name("answers");
        let (board, mut inbox) = board(&run);
        let control = open(board);
        assert_eq!(status(&run).run, run);
        assert!(ask(&run, &Request::new(Ask::Rotate, false).line()).done);
        assert_eq!(inbox.try_recv(), Ok(Action::Rotate));
        assert!(ask(&run, &Request::new(Ask::Stop, false).line()).done);
        assert_eq!(inbox.try_recv(), Ok(Action::End("netcap stop")));
        drop(control);
        assert!(!Path::exists(&path(&run)), "the name goes with it");
    }

    #[test]
    fn all_who_wait_hear_of_the_end_and_so_do_late_ones() {
        let run = name("waiters");
        let (board, mut inbox) = board(&run);
        let control = open(board);
        let wait = Request::new(Ask::Stop, true).line();
        let mut early: Vec<UnixStream> = (0..3).map(|_| connect(&run)).collect();
        for stream in &mut early {
            stream.write_all(&wait).unwrap();
        }
        // Served in order: once this is answered, the three are waiting.
        status(&run);
        assert_eq!(inbox.try_recv(), Ok(Action::End("netcap stop")));
        assert!(inbox.try_recv().is_err(), "asked once, whoever asks");
        // One that has connected and asks when all is over.
        let mut late = connect(&run);
        let ended = Ended { path: "/x.tar".into(), bytes: 7, ..Ended::default() };
        control.waiting().finish(ended.clone());
        for stream in &early {
            assert!(said(stream).done, "it was heard");
            assert_eq!(said(stream).ended, Some(ended.clone()));
        }
        assert!(!Path::exists(&path(&run)), "who looks after the answer finds nothing");
        late.write_all(&wait).unwrap();
        assert!(said(&late).done);
        assert_eq!(said(&late).ended, Some(ended));
    }

    #[test]
    fn garbage_slowness_and_crowds_do_no_harm() {
        let run = name("hostile");
        let (board, _inbox) = board(&run);
        let _control = open(board);
        assert!(ask(&run, b"GET / HTTP/1.1\r\n\r\n").error.is_some());
        assert!(ask(&run, &[0xff; 3 * REQUEST_MAX]).error.unwrap().contains("more than"));
        assert!(ask(&run, &[&[b'['; 1000][..], b"\n"].concat()).error.is_some());
        // One that says nothing is let go after its time; the next is served.
        let silent = connect(&run);
        let mut drip = connect(&run);
        drip.write_all(b"{").unwrap();
        let began = Instant::now();
        assert_eq!(status(&run).run, run);
        assert!(began.elapsed() < 3 * PATIENCE, "{:?}", began.elapsed());
        assert!(said(&drip).error.unwrap().contains("no line"));
        drop(silent);
        // Those who wait and go away make room for others.
        let wait = Request::new(Ask::Stop, true).line();
        for at in 0..3 * WAITING_MAX {
            let mut stream = connect(&run);
            stream.write_all(&wait).unwrap();
            // Some go with the answer unread, which a socket tells in another way than an end.
            if at % 2 == 0 {
                let (fd, peek) = (stream.as_raw_fd(), nix::sys::socket::MsgFlags::MSG_PEEK);
                assert_eq!(nix::sys::socket::recv(fd, &mut [0], peek), Ok(1));
            }
        }
        let crowd: Vec<UnixStream> = (0..WAITING_MAX).map(|_| connect(&run)).collect();
        for mut stream in &crowd {
            stream.write_all(&wait).unwrap();
        }
        let mut last = connect(&run);
        last.write_all(&wait).unwrap();
        assert!(said(&last).done && said(&last).error.unwrap().contains("too many"));
        assert_eq!(status(&run).run, run);
    }
}
