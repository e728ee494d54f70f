//! Opening a file that may be compressed, whatever its name says, with bounds on what it may unfold into.

use std::io::{self, BufReader, Read};

use super::ahead::read_ahead;

/// A stream of bytes that can be handed to another thread.
pub type Stream = Box<dyn Read + Send>;

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BUFFER: usize = 256 * 1024;
/// Largest zstd window accepted, as a power of two: 128 MiB, what `zstd -d` accepts without `--long`.
const WINDOW_LOG_MAX: u32 = 27;
/// A compressed capture of real traffic unfolds 3 to 30 times, an idle one up to a few hundred. Beyond this factor and
/// the free allowance it is a bomb.
const RATIO_MAX: u64 = 2_000;
/// Bytes that may always be unfolded, so that tiny files are not judged by their ratio.
const FREE_BYTES: u64 = 256 * 1024 * 1024;

/// Decompresses zstd and gzip by their magic; everything else passes as it is.
pub fn open(raw: Stream) -> io::Result<Stream> {
    unfold(raw)
}

/// As [`open`], but the stream is read and unfolded in a thread of its own: for a file that has cores to spare.
pub fn open_ahead(raw: Stream) -> io::Result<Stream> {
    Ok(read_ahead(unfold(raw)?))
}

fn unfold(mut raw: Stream) -> io::Result<Stream> {
    let mut head = Vec::with_capacity(4);
    raw.by_ref().take(4).read_to_end(&mut head)?;
    let counter = Counted { inner: io::Cursor::new(head.clone()).chain(raw), bytes: 0 };
    if head == ZSTD_MAGIC {
        let mut decoder =
            zstd::stream::read::Decoder::with_buffer(BufReader::with_capacity(BUFFER, counter))?;
        decoder.window_log_max(WINDOW_LOG_MAX)?;
        Ok(Box::new(Bounded { inner: Zstd(decoder), out: 0 }))
    } else if head.starts_with(&GZIP_MAGIC) {
        let decoder = flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(BUFFER, counter));
        Ok(Box::new(Bounded { inner: Gzip(decoder), out: 0 }))
    } else {
        Ok(Box::new(counter))
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
}

impl<D: Eaten> Read for Bounded<D> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.out += n as u64;
        if self.out > FREE_BYTES && self.out / RATIO_MAX > self.inner.eaten() {
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
    fn a_bomb_is_refused_without_unfolding_it() {
        let bomb = zstd::encode_all(io::repeat(0).take(1 << 30), 19).unwrap();
        assert!(bomb.len() < 200_000, "{}", bomb.len());
        let mut stream = open(Box::new(io::Cursor::new(bomb))).unwrap();
        let err = io::copy(&mut stream, &mut io::sink()).unwrap_err();
        assert!(err.to_string().contains("bomb"), "{err}");
    }
}
