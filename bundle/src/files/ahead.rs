//! Reading ahead: the stream is unfolded in a thread of its own while its packets are looked at.
//!
//! Worth it where there are fewer files than cores; with more, each file has a core of its own anyway.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::place::Stream;

/// Bytes of a piece.
const PIECE: usize = 256 * 1024;
/// Pieces that may be ahead: together 1 MiB, enough to even out the two sides.
const PIECES: usize = 4;

/// Hands the stream to a thread and returns its reading end; without a thread to be had, the stream itself.
pub(super) fn read_ahead(stream: Stream) -> Stream {
    let (full, pieces) = sync_channel(PIECES);
    let (back, empty) = sync_channel(PIECES + 1);
    // In a slot, because a thread that cannot be started drops what was moved into it.
    let slot = std::sync::Arc::new(std::sync::Mutex::new(Some(stream)));
    let theirs = std::sync::Arc::clone(&slot);
    let started = thread::Builder::new().name("read-ahead".into()).spawn(move || {
        let stream = theirs.lock().ok().and_then(|mut slot| slot.take());
        if let Some(stream) = stream {
            run(stream, &full, &empty);
        }
    });
    match started {
        Ok(_) => Box::new(Ahead { pieces, back, piece: Vec::new(), at: 0, ended: false }),
        Err(_) => slot.lock().ok().and_then(|mut slot| slot.take()).unwrap_or_else(|| Box::new(io::empty())),
    }
}

type Piece = io::Result<Vec<u8>>;

/// Fills pieces until the end, an error, or until nobody reads them any more.
fn run(mut stream: Stream, full: &SyncSender<Piece>, empty: &Receiver<Vec<u8>>) {
    loop {
        let mut piece = empty.try_recv().unwrap_or_default();
        piece.resize(PIECE, 0);
        let mut filled = 0;
        let end = loop {
            match stream.read(piece.get_mut(filled..).unwrap_or_default()) {
                Ok(0) => break Some(Ok(())),
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Some(Err(e)),
            }
            if filled == PIECE {
                break None;
            }
        };
        piece.truncate(filled);
        // What was read before an error is worth having.
        if filled > 0 && full.send(Ok(piece)).is_err() {
            return;
        }
        match end {
            None => {}
            Some(Ok(())) => return,
            Some(Err(e)) => {
                let _ = full.send(Err(e));
                return;
            }
        }
    }
}

struct Ahead {
    pieces: Receiver<Piece>,
    back: SyncSender<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Read for Ahead {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.piece.len() && !self.ended {
            let used = std::mem::take(&mut self.piece);
            let _ = self.back.try_send(used);
            self.at = 0;
            match self.pieces.recv() {
                Ok(Ok(piece)) => self.piece = piece,
                Ok(Err(e)) => {
                    self.ended = true;
                    return Err(e);
                }
                Err(_) => self.ended = true,
            }
        }
        let rest = self.piece.get(self.at..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives its bytes in pieces of odd sizes, then an error or the end.
    struct Uneven {
        left: Vec<u8>,
        fails: bool,
    }

    impl Read for Uneven {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            if self.left.is_empty() && self.fails {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "cut"));
            }
            let n = self.left.len().min(buf.len()).min(1 + self.left.len() % 70_001);
            buf[..n].copy_from_slice(&self.left[..n]);
            self.left.drain(..n);
            Ok(n)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_bytes_and_the_end_are_those_of_the_stream(len in 0usize..1_500_000, fails: bool) {
            let bytes: Vec<u8> = (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let mut ahead = read_ahead(Box::new(Uneven { left: bytes.clone(), fails }));
            let mut got = Vec::new();
            let end = ahead.read_to_end(&mut got);
            prop_assert!(got == bytes);
            prop_assert_eq!(end.is_err(), fails);
            prop_assert_eq!(ahead.read(&mut [0; 8]).unwrap(), 0, "the end stays the end");
        }
    }

    #[test]
    fn a_reader_that_goes_away_ends_the_thread() {
        let mut ahead = read_ahead(Box::new(io::repeat(7)));
        let mut some = [0; 10];
        ahead.read_exact(&mut some).unwrap();
        drop(ahead);
    }
}
