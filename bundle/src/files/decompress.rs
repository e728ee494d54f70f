//! Opening a file that may be compressed, whatever its name says, with bounds on what it may unfold into.

use std::io::{self, BufReader, Read};
use std::sync::{Condvar, Mutex, PoisonError};

use super::ahead::read_ahead;
use super::place::Stream;

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BUFFER: usize = 256 * 1024;
/// Largest zstd window accepted, as a power of two: 128 MiB, what `zstd -d` accepts without `--long`.
const WINDOW_LOG_MAX: u32 = 27;
/// Windows up to 8 MiB, those of all levels below 20, may be open side by side; wider ones one at a time, for each takes
/// its size in memory.
const WINDOW_LOG_SHARED: u32 = 23;
/// Magic and the longest frame header (RFC 8878, section 3.1.1.1).
const HEAD_MAX: u64 = 18;
/// A compressed capture of real traffic unfolds 3 to 30 times, an idle one up to a few hundred. Beyond this factor and
/// the free allowance it is a bomb.
const RATIO_MAX: u64 = 1_000;
/// Bytes that may always be unfolded, so that tiny files are not judged by their ratio.
pub(crate) const FREE_BYTES: u64 = 64 * 1024 * 1024;

/// Decompresses zstd and gzip by their magic; everything else passes as it is.
pub fn open(raw: Stream) -> io::Result<Stream> {
    open_within(raw, FREE_BYTES)
}

/// As [`open`] for one of many files, of which each may unfold only so many bytes before it is judged by its ratio.
pub fn open_within(raw: Stream, free: u64) -> io::Result<Stream> {
    unfold(raw, free).map(|(stream, _)| stream)
}

/// As [`open_within`], but what has to be unfolded is so in a thread of its own: for a file that has cores to spare. Bytes
/// that only have to be read are not worth a copy more: the kernel reads them ahead by itself.
pub fn open_ahead(raw: Stream, free: u64) -> io::Result<Stream> {
    let (stream, folded) = unfold(raw, free)?;
    Ok(if folded { read_ahead(stream) } else { stream })
}

/// The stream, and whether it is compressed.
fn unfold(mut raw: Stream, free: u64) -> io::Result<(Stream, bool)> {
    let mut head = Vec::with_capacity(4);
    raw.by_ref().take(HEAD_MAX).read_to_end(&mut head)?;
    let counter = Counted { inner: io::Cursor::new(head.clone()).chain(raw), bytes: 0 };
    if head.starts_with(&ZSTD_MAGIC) {
        let wide = window_of(&head).is_none_or(|window| window > 1 << WINDOW_LOG_SHARED);
        let permit = wide.then(Wide::wait);
        let mut decoder =
            zstd::stream::read::Decoder::with_buffer(BufReader::with_capacity(BUFFER, counter))?;
        decoder.window_log_max(if wide { WINDOW_LOG_MAX } else { WINDOW_LOG_SHARED })?;
        Ok((Box::new(Bounded { inner: Zstd(decoder), out: 0, free, _permit: permit }), true))
    } else if head.starts_with(&GZIP_MAGIC) {
        let decoder = flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(BUFFER, counter));
        Ok((Box::new(Bounded { inner: Gzip(decoder), out: 0, free, _permit: None }), true))
    } else {
        Ok((Box::new(counter), false))
    }
}

/// Bytes of the window that a zstd frame asks for (RFC 8878, sections 3.1.1.1.1 and 3.1.1.1.2); `None` when the header
/// is cut. Without a window of its own a frame is one segment, and its window is all of it.
fn window_of(head: &[u8]) -> Option<u64> {
    let descriptor = *head.get(4)?;
    if descriptor & 0x20 == 0 {
        let window = *head.get(5)?;
        let base = 1u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    let at = 5 + [0, 1, 2, 4].get(usize::from(descriptor & 3))?;
    let field = |bytes: usize| {
        let bytes = head.get(at..at + bytes)?;
        Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    };
    match descriptor >> 6 {
        0 => field(1),
        1 => field(2).map(|size| size + 256),
        2 => field(4),
        _ => field(8),
    }
}

/// Whether a stream with a wide window is open.
static WIDE: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

/// The right to have a stream with a wide window open.
struct Wide;

impl Wide {
    /// Waits for it. Nobody who has it waits for anybody else: a stream is read to its end or dropped.
    fn wait() -> Self {
        let (open, closed) = &WIDE;
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        while *open {
            open = closed.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
        *open = true;
        Self
    }
}

impl Drop for Wide {
    fn drop(&mut self) {
        *WIDE.0.lock().unwrap_or_else(PoisonError::into_inner) = false;
        WIDE.1.notify_one();
    }
}

struct Counted<R> {
    inner: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.bytes += n as u64;
        Ok(n)
    }
}

/// A decoder that knows how much it has eaten.
trait Eaten: Read {
    fn eaten(&self) -> u64;
}

struct Zstd<R: Read>(zstd::stream::read::Decoder<'static, BufReader<Counted<R>>>);
struct Gzip<R: Read>(flate2::bufread::MultiGzDecoder<BufReader<Counted<R>>>);

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl<R: Read> Eaten for Zstd<R> {
    fn eaten(&self) -> u64 {
        self.0.get_ref().get_ref().bytes
    }
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl<R: Read> Eaten for Gzip<R> {
    fn eaten(&self) -> u64 {
        self.0.get_ref().get_ref().bytes
    }
}

struct Bounded<D> {
    inner: D,
    out: u64,
    free: u64,
    /// Given back when the decoder, and with it the window, is gone.
    _permit: Option<Wide>,
}

impl<D: Eaten> Read for Bounded<D> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.out += n as u64;
        if self.out > self.free && self.out / RATIO_MAX > self.inner.eaten() {
            return Err(io::Error::other(format!(
                "unfolds more than {RATIO_MAX} times its size: treated as a decompression bomb"
            )));
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn all(data: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        open(Box::new(io::Cursor::new(data)))?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn the_magic_decides() {
        let plain = b"some bytes".to_vec();
        assert_eq!(all(plain.clone()).unwrap(), plain);
        assert_eq!(all(zstd::encode_all(&plain[..], 1).unwrap()).unwrap(), plain);
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&plain).unwrap();
        assert_eq!(all(gz.finish().unwrap()).unwrap(), plain);
        assert_eq!(all(Vec::new()).unwrap(), Vec::<u8>::new());
    }

    #[test]
    fn wide_windows_are_open_one_at_a_time() {
        let packed = |window: u32, size: u64| {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
            encoder.window_log(window).unwrap();
            encoder.set_pledged_src_size((size > 0).then_some(size)).unwrap();
            io::copy(&mut io::repeat(7).take(100_000), &mut encoder).unwrap();
            encoder.finish().unwrap()
        };
        let narrow = packed(20, 0);
        assert_eq!(window_of(&narrow), Some(1 << 20));
        let wide = packed(26, 0);
        assert_eq!(window_of(&wide), Some(1 << 26));
        assert_eq!(window_of(&packed(26, 100_000)), Some(100_000), "a frame in one segment");
        assert_eq!(window_of(&wide[..5]), None);
        let held = open(Box::new(io::Cursor::new(wide.clone()))).unwrap();
        assert_eq!(all(narrow).unwrap().len(), 100_000, "a narrow one does not wait");
        let waiting = std::thread::spawn(move || all(wide).unwrap().len());
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(!waiting.is_finished());
        drop(held);
        assert_eq!(waiting.join().unwrap(), 100_000);
    }

    #[test]
    fn a_bomb_is_refused_without_unfolding_it() {
        let bomb = zstd::encode_all(io::repeat(0).take(1 << 30), 19).unwrap();
        assert!(bomb.len() < 200_000, "{}", bomb.len());
        let mut stream = open(Box::new(io::Cursor::new(bomb))).unwrap();
        let err = io::copy(&mut stream, &mut io::sink()).unwrap_err();
        assert!(err.to_string().contains("bomb"), "{err}");
    }
}
