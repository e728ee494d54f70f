use std::io::BufRead;

use super::*;
use crate::control::board::tests::board;
use crate::control::protocol::{Request, Status};
use crate::signals::Asked;

/// Names are shared by the whole network namespace.
fn name(test: &str) -> String {
    format!("test-{test}-{}", std::process::id())
}

fn connect(run: &str) -> UnixStream {
    let address = SocketAddr::from_abstract_name(format!("{NAME}{run}")).unwrap();
    let stream = UnixStream::connect_addr(&address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn said(stream: &UnixStream) -> Answer {
    let mut line = Vec::new();
    io::BufReader::new(stream).read_until(b'\n', &mut line).unwrap();
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
    let control = Control::open(board).unwrap();
    assert_eq!(status(&run).run, run);
    assert!(ask(&run, &Request::new(Ask::Rotate, false).line()).done);
    assert_eq!(inbox.try_recv(), Ok(Asked::Rotate));
    assert!(ask(&run, &Request::new(Ask::Stop, false).line()).done);
    assert_eq!(inbox.try_recv(), Ok(Asked::End("netcap stop")));
    drop(control);
    let address = SocketAddr::from_abstract_name(format!("{NAME}{run}")).unwrap();
    let until = Instant::now() + Duration::from_secs(5);
    while UnixListener::bind_addr(&address).is_err() {
        assert!(Instant::now() < until, "the name is still taken");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn all_who_wait_hear_of_the_end_and_so_do_late_ones() {
    let run = name("waiters");
    let (board, mut inbox) = board(&run);
    let control = Control::open(board).unwrap();
    let wait = Request::new(Ask::Stop, true).line();
    let mut early: Vec<UnixStream> = (0..3).map(|_| connect(&run)).collect();
    for stream in &mut early {
        stream.write_all(&wait).unwrap();
    }
    // Served in order: once this is answered, the three are waiting.
    status(&run);
    assert_eq!(inbox.try_recv(), Ok(Asked::End("netcap stop")));
    assert!(inbox.try_recv().is_err(), "asked once, whoever asks");
    let ended = Ended { path: "/x.tar".into(), bytes: 7, ..Ended::default() };
    control.finish(ended.clone());
    for stream in &early {
        assert_eq!(said(stream).ended, Some(ended.clone()));
    }
    assert_eq!(ask(&run, &wait).ended, Some(ended));
}

#[test]
fn garbage_slowness_and_crowds_do_no_harm() {
    let run = name("hostile");
    let (board, _inbox) = board(&run);
    let _control = Control::open(board).unwrap();
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
    for _ in 0..3 * WAITING_MAX {
        connect(&run).write_all(&wait).unwrap();
    }
    let crowd: Vec<UnixStream> = (0..WAITING_MAX).map(|_| connect(&run)).collect();
    for mut stream in &crowd {
        stream.write_all(&wait).unwrap();
    }
    assert!(ask(&run, &wait).error.unwrap().contains("too many"));
    assert_eq!(status(&run).run, run);
}

#[test]
fn a_name_that_somebody_holds_does_not_keep_a_run_from_being_asked() {
    let run = name("squatted");
    let address = SocketAddr::from_abstract_name(format!("{NAME}{run}")).unwrap();
    let _squatter = UnixListener::bind_addr(&address).unwrap();
    let (board, _inbox) = board(&run);
    let _control = Control::open(board).unwrap();
    assert_eq!(status(&format!("{run}/2")).run, run);
}
