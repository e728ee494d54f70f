//! Changes of an input: of its bytes, of a member's bytes inside its tar, and inside the member's compression.

use std::io::Read;

use netcap_bundle::files::decompress;
use netcap_tests::tars::{members, tar_of};

/// xorshift64*, Vigna 2016.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn of(seed: u64, at: u64) -> Self {
        let mut numbers = Self((seed << 32 ^ at).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        numbers.next();
        numbers.next();
        numbers
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() >> 20).unwrap() % most.max(1)
    }
}

/// One input, changed. Half of the changes of a tar are inside one of its members, so that they get past the tar.
pub(crate) fn change(n: &mut Numbers, bytes: Vec<u8>) -> Vec<u8> {
    let members = members(&bytes);
    if members.is_empty() || n.below(4) == 0 {
        return raw(n, bytes);
    }
    let mut members = members;
    // Small members are changed as often as large ones; several at once now and then.
    for _ in 0..=n.below(3) / 2 {
        let at = n.below(members.len());
        match n.below(12) {
            0 => {
                members.remove(at);
                if members.is_empty() {
                    return Vec::new();
                }
            }
            1 => members[at].0 = name(n, &members[at].0),
            2 => {
                let other = n.below(members.len());
                members[at].1 = std::mem::take(&mut members[other].1);
            }
            _ => members[at].1 = inside(n, std::mem::take(&mut members[at].1)),
        }
    }
    tar_of(&members)
}

/// Changed as it is, or unfolded, changed and folded again.
fn inside(n: &mut Numbers, bytes: Vec<u8>) -> Vec<u8> {
    if !bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || n.below(4) == 0 {
        return raw(n, bytes);
    }
    let mut plain = Vec::new();
    let stream = decompress::open(Box::new(std::io::Cursor::new(bytes))).unwrap();
    let _ = stream.take(64 << 20).read_to_end(&mut plain);
    zstd::encode_all(raw(n, plain).as_slice(), 1).unwrap()
}

/// Numbers that programs trip over.
const ODD: [u32; 10] =
    [0, 1, 0xff, 0x7fff_ffff, 0x8000_0000, u32::MAX, u32::MAX - 3, 0x0001_0000, 0x0400_0000, 0x0a0d_0d0a];
/// Words that JSON and text parsers trip over.
const WORDS: [&str; 12] = [
    "-1",
    "1e999",
    "18446744073709551616",
    "null",
    "[[[[[[[[",
    "\"\\u0000\"",
    "{}",
    "\n\n",
    "../../x",
    "\u{1b}[2J",
    "٣",
    "0x1f",
];

fn raw(n: &mut Numbers, mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.is_empty() {
        return (0..n.below(64)).map(|_| n.next().to_le_bytes()[3]).collect();
    }
    let at = n.below(bytes.len());
    match n.below(10) {
        0 => bytes.truncate(at),
        1 | 2 => {
            for _ in 0..=n.below(16) {
                let at = n.below(bytes.len());
                bytes[at] ^= 1 << n.below(8);
            }
        }
        3 | 4 => {
            // Fields of lengths and times are aligned; the beginning has most of them.
            let at = if n.below(2) == 0 { n.below(bytes.len().min(256)) } else { at } & !3;
            let value = ODD[n.below(ODD.len())];
            let value = if n.below(2) == 0 { value.to_le_bytes() } else { value.to_be_bytes() };
            for (to, from) in bytes.iter_mut().skip(at).zip(value) {
                *to = from;
            }
        }
        5 => {
            let end = (at + 1 + n.below(4_096)).min(bytes.len());
            bytes.drain(at..end);
        }
        6 => {
            let end = (at + 1 + n.below(4_096)).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            let to = n.below(bytes.len());
            for _ in 0..=n.below(4) {
                bytes.splice(to..to, piece.iter().copied());
            }
        }
        7 => {
            let word = WORDS[n.below(WORDS.len())].as_bytes();
            let at = digits(&bytes, at).unwrap_or(at..at);
            bytes.splice(at, word.iter().copied());
        }
        8 => {
            let end = (at + 1 + n.below(64)).min(bytes.len());
            bytes[at..end].fill(n.next().to_le_bytes()[5]);
        }
        _ => {
            let digit = |n: &mut Numbers| b'0' + u8::try_from(n.below(10)).unwrap();
            if let Some(at) = digits(&bytes, at) {
                let new: Vec<u8> = (0..=n.below(22)).map(|_| digit(n)).collect();
                bytes.splice(at, new);
            }
        }
    }
    bytes
}

/// The next number in digits.
fn digits(bytes: &[u8], from: usize) -> Option<std::ops::Range<usize>> {
    let start = from + bytes[from..].iter().take(4_096).position(u8::is_ascii_digit)?;
    let end = bytes[start..].iter().position(|b| !b.is_ascii_digit()).map_or(bytes.len(), |len| start + len);
    Some(start..end)
}

/// Names that lead elsewhere, or are another's.
fn name(n: &mut Numbers, name: &str) -> String {
    match n.below(6) {
        0 => "/tmp/netcap-escaped".into(),
        1 => format!("top/../../../tmp/netcap-escaped/{name}"),
        2 => format!("{name}/{}", "x/".repeat(n.below(60))),
        3 => name.replace("packets", "state"),
        4 => name.replace(|c: char| c.is_ascii_digit(), "9"),
        _ => "\u{1b}]0;x\u{7}".into(),
    }
}
