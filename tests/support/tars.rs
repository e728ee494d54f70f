//! Tars that only an attacker writes: members twice, members with holes, headers without end.

use std::io::Read;

pub use tar::EntryType;

/// Bytes of a header that is longer than any name.
const HEADER: usize = 40 << 20;
/// Bytes that a file of holes pretends to have.
const HOLES: u64 = 1 << 40;

/// Each with its name; the first ones say the same as the bundle they are made of.
///
/// # Panics
/// When that is no bundle.
#[must_use]
pub fn hostile(bundle: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let own = members(bundle);
    let twice: Vec<_> = own.iter().chain(&own).cloned().collect();
    let emptied = own.iter().map(|(name, content)| (name.clone(), vec![b'x'; content.len()]));
    let manifest = own.iter().find(|(name, _)| name.ends_with("/manifest.json")).expect("it is sealed");
    let again = vec![(manifest.0.clone(), b"{}".to_vec()); 20_000];
    vec![
        ("members twice", tar_of(&twice)),
        ("members twice, the first not its own", tar_of(&emptied.chain(own.clone()).collect::<Vec<_>>())),
        ("a manifest many times", tar_of(&own.iter().cloned().chain(again).collect::<Vec<_>>())),
        ("members with holes, as GNU tar has them", own.iter().flat_map(gnu_holes).collect()),
        (
            "members with holes, as PAX 1.0 has them",
            with_pax(&own, |name, _| {
                vec![
                    ("GNU.sparse.major", "1".into()),
                    ("GNU.sparse.minor", "0".into()),
                    ("GNU.sparse.name", name.into()),
                    ("GNU.sparse.realsize", HOLES.to_string()),
                ]
            }),
        ),
        (
            "members with holes, as PAX 0.1 has them",
            with_pax(&own, |name, size| {
                vec![
                    ("GNU.sparse.name", name.into()),
                    ("GNU.sparse.size", HOLES.to_string()),
                    ("GNU.sparse.numblocks", "1".into()),
                    ("GNU.sparse.map", format!("{},{size}", HOLES - 1)),
                ]
            }),
        ),
        ("sizes that are no number", with_pax(&own, |_, _| vec![("size", "99999999999999999999999".into())])),
        ("sizes below nothing", with_pax(&own, |_, _| vec![("size", "-5".into())])),
        ("a remark without end", with_pax(&own[..1], |_, _| vec![("comment", "a".repeat(HEADER))])),
        ("a path without end", with_pax(&own[..1], |_, _| vec![("path", "p/".repeat(HEADER / 2))])),
        ("remarks without end", with_pax(&own[..1], |_, _| vec![("comment", "a".into()); 200_000])),
        ("long names of nothing", repeated(EntryType::GNULongName, b"abc\0", bundle)),
        (
            "remarks on all that follows",
            repeated(EntryType::XGlobalHeader, b"21 path=/etc/../../x\n", bundle),
        ),
    ]
}

/// Members with records of the PAX format in front (POSIX.1-2001, pax).
fn with_pax(
    own: &[(String, Vec<u8>)],
    records: impl Fn(&str, usize) -> Vec<(&'static str, String)>,
) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in own {
        let records: Vec<u8> =
            records(name, content.len()).into_iter().flat_map(|(key, value)| record(key, &value)).collect();
        let head = header("PaxHeaders/x", EntryType::XHeader, records.len() as u64);
        tar.append(&head, records.as_slice()).expect("memory");
        tar.append(&header(name, EntryType::Regular, content.len() as u64), content.as_slice())
            .expect("memory");
    }
    tar.into_inner().expect("memory")
}

/// `LENGTH KEY=VALUE\n`, where the length counts its own digits.
fn record(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}").into_bytes()
}

/// A member of type S (GNU tar, `struct oldgnu_header`): its data behind a hole.
fn gnu_holes((name, content): &(String, Vec<u8>)) -> Vec<u8> {
    let mut head = header(name, EntryType::GNUSparse, content.len() as u64);
    let gnu = head.as_gnu_mut().expect("it is one");
    let octal = |number: u64| -> [u8; 12] {
        format!("{number:011o}\0").into_bytes().try_into().expect("eleven digits")
    };
    gnu.sparse[0].offset = octal(HOLES / 1024 - content.len() as u64);
    gnu.sparse[0].numbytes = octal(content.len() as u64);
    gnu.realsize = octal(HOLES / 1024);
    head.set_cksum();
    let mut out = head.as_bytes().to_vec();
    out.extend(content);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

/// Many times the same header that is about another, then the bundle.
fn repeated(kind: EntryType, body: &[u8], bundle: &[u8]) -> Vec<u8> {
    let mut one = header("x", kind, body.len() as u64).as_bytes().to_vec();
    one.extend(body);
    one.resize(1024, 0);
    [one.repeat(30_000), bundle.to_vec()].concat()
}

/// Name and content of each member.
#[must_use]
pub fn members(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(bytes);
    let Ok(entries) = archive.entries() else { return Vec::new() };
    let read = |entry: Result<tar::Entry<'_, &[u8]>, _>| {
        let mut entry = entry.ok()?;
        let name = entry.path().ok()?.to_string_lossy().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).ok()?;
        Some((name, content))
    };
    entries.map_while(read).collect()
}

/// A tar of them, names as they are.
///
/// # Panics
/// When memory is short.
#[must_use]
pub fn tar_of(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in members {
        tar.append(&header(name, EntryType::Regular, content.len() as u64), content.as_slice())
            .expect("memory");
    }
    tar.into_inner().expect("memory")
}

/// Written past the library's own check of names: that is what an attacker does.
pub fn header(name: &str, kind: EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o600);
    let bytes = name.as_bytes();
    let cut = bytes.len().min(100);
    header.as_mut_bytes()[..cut].copy_from_slice(&bytes[..cut]);
    header.set_cksum();
    header
}
