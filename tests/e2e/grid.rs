//! The VLAN grid, live: each preset and many expressions as programs in the kernel, on a real interface, over frames of
//! all kinds in all encapsulations. What comes in has its outer 802.1Q or 802.1ad tag in metadata, for the kernel takes
//! it off on every received frame; what goes out still has it in the payload. Live, offline and libpcap's own answer are
//! compared frame by frame.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use netcap::testing::{Frames, Ring, RingSize};
use netcap_bundle::packets::Direction;
use netcap_filters::{Filter, Instruction, Options, VlanMode};
use netcap_tests::frames::{
    ENCAPSULATIONS, expressions, frames, libpcap_says, stripped, tagged, tunnels, without_names,
};
use netcap_tests::{PATIENCE, privileged, wait_for};
use nix::sched::{CloneFlags, setns};
use pcap::{Active, Capture, Linktype};

use crate::net::{Net, ip};

/// Rings open at a time.
const AT_ONCE: usize = 40;
/// Frames sent at a time where libpcap listens: its ring holds 32 of them.
const FEW: usize = 14;
/// Holds all frames of a pass in both directions.
const RING: RingSize = RingSize { block_bytes: 1 << 18, blocks: 8 };
/// A frame as it came: which way, whether its outer tag was beside it, its bytes with that tag in place.
type Came = (bool, bool, Vec<u8>);

/// A pair of interfaces that carries the longest of the frames.
fn wide() -> Net {
    let net = Net::new();
    ip(&format!("-n {} link set cap0 mtu 9500", net.near));
    ip(&format!("-n {} link set peer0 mtu 9500", net.far));
    net
}

/// Does something in a thread that has moved into the near namespace.
fn inside<T: Send>(net: &Net, what: impl FnOnce() -> T + Send) -> T {
    let moved = || {
        let file = File::open(format!("/run/netns/{}", net.near)).expect("the namespace is there");
        setns(file, CloneFlags::CLONE_NEWNET).expect("root may enter it");
        what()
    };
    thread::scope(|scope| scope.spawn(moved).join().expect("it was done"))
}

fn whole(data: &[u8], tag: Option<(u16, u16)>) -> Vec<u8> {
    let Some((tpid, tci)) = tag else { return data.to_vec() };
    [&data[..12], &tpid.to_be_bytes(), &tci.to_be_bytes(), &data[12..]].concat()
}

/// All that came into a ring: as many frames as the kernel counted.
fn drain(ring: &mut Ring) -> Vec<Came> {
    let (mut out, mut due, until) = (Vec::new(), 0, Instant::now() + PATIENCE);
    loop {
        while let Some(block) = ring.take() {
            out.extend(Frames::new(block.bytes()).map(|frame| {
                (frame.direction == Direction::In, frame.vlan.is_some(), whole(frame.data, frame.vlan))
            }));
        }
        let counted = ring.counted().expect("it is counted");
        assert_eq!(counted.dropped, 0, "the ring is large enough");
        due += counted.received;
        if out.len() as u64 >= due {
            return out;
        }
        assert!(Instant::now() < until, "{} of {due} frames came", out.len());
        thread::sleep(Duration::from_millis(20));
    }
}

/// Sends frames in and out under these programs; gives what came for each.
fn live(net: &Net, programs: &[Vec<Instruction>], sent: &[Vec<u8>], at_once: usize) -> Vec<Vec<Came>> {
    // The kernel shows a frame to the socket that came first after all others: once it has counted them all, so have
    // those. It need not keep them.
    let everything = Filter::compile("", Options::default()).expect("it compiles");
    let (last, mut rings): (Ring, Vec<Ring>) = inside(net, || {
        let index = nix::net::if_::if_nametoindex("cap0").expect("it is there");
        let open = |program: &[Instruction]| Ring::open(index, program, RING).expect("a ring");
        (open(everything.instructions()), programs.iter().map(|program| open(program)).collect())
    });
    for some in sent.chunks(at_once) {
        net.send_each_in(some.to_vec());
        net.send_each_out(some.to_vec());
        if at_once < sent.len() {
            thread::sleep(Duration::from_millis(20));
        }
    }
    let mut counted = 0;
    wait_for("all frames", || {
        counted += last.counted().expect("it is counted").received;
        counted >= 2 * sent.len() as u64
    });
    rings.iter_mut().map(drain).collect()
}

/// A frame before it is sent: its name, and whether the filter should want it.
struct Due {
    name: String,
    wanted: Vec<bool>,
}

/// Compares what came under each filter with what was due, by the bytes of the frames.
fn compare(filters: &[(String, Filter)], came: &[Vec<Came>], due: &BTreeMap<Vec<u8>, Due>) {
    for (at, ((text, filter), came)) in filters.iter().zip(came).enumerate() {
        let got: BTreeSet<(bool, &[u8])> =
            came.iter().map(|(inward, _, data)| (*inward, data.as_slice())).collect();
        for (frame, due) in due {
            for inward in [true, false] {
                let live = got.contains(&(inward, frame));
                let way = if inward { "in" } else { "out" };
                let context = || format!("`{text}` on {} {way}\n{}", due.name, filter.describe());
                assert_eq!(live, due.wanted[at], "live: {}", context());
                assert_eq!(filter.matches(frame, frame.len()), due.wanted[at], "offline: {}", context());
            }
        }
        assert!(
            got.iter().all(|(_, frame)| due.contains_key(*frame)),
            "`{text}` kept a frame that nobody sent"
        );
    }
}

#[test]
fn live_and_offline_say_what_libpcap_says_of_the_frame_without_tags() {
    if !privileged("live_and_offline_say_what_libpcap_says_of_the_frame_without_tags") {
        return;
    }
    let net = wide();
    let handle = Capture::dead(Linktype::ETHERNET).unwrap();
    let compile = |text: String| (text.clone(), Filter::compile(&text, Options::default()).unwrap());
    let filters: Vec<(String, Filter)> = expressions().into_iter().map(compile).collect();
    assert!(filters.len() > 100, "all presets are among them: {}", filters.len());
    for some in filters.chunks(AT_ONCE) {
        let references: Vec<_> =
            some.iter().map(|(text, _)| handle.compile(&without_names(text), true).unwrap()).collect();
        let mut due = BTreeMap::new();
        for (name, frame) in frames() {
            let wanted: Vec<bool> = references.iter().map(|reference| reference.filter(&frame)).collect();
            for tpids in ENCAPSULATIONS {
                let name = format!("{name} in {tpids:04x?}");
                due.insert(tagged(&frame, tpids), Due { name, wanted: wanted.clone() });
            }
        }
        let sent: Vec<Vec<u8>> = due.keys().cloned().collect();
        let programs: Vec<_> = some.iter().map(|(_, filter)| filter.instructions().to_vec()).collect();
        let came = live(&net, &programs, &sent, sent.len());
        compare(some, &came, &due);
        the_kernel_moves_tags(&came);
    }
}

/// What the grid rests on: a received tag is beside the frame, unless its ethertype is none of the kernel's; one that is
/// sent is in it.
fn the_kernel_moves_tags(came: &[Vec<Came>]) {
    for (inward, beside, frame) in came.iter().flatten() {
        let kernels = matches!(frame[12..14], [0x81, 0] | [0x88, 0xa8]);
        assert_eq!(*beside, *inward && kernels, "inward: {inward}, {:02x?}", &frame[..20]);
    }
    assert!(came.iter().flatten().any(|(_, beside, _)| *beside));
}

#[test]
fn inner_frames_match_live_as_if_they_were_alone() {
    if !privileged("inner_frames_match_live_as_if_they_were_alone") {
        return;
    }
    let net = wide();
    let texts =
        ["arp", "icmp", "host 172.16.51.23 and tcp", "ip6", "ether proto 0x88cc", "tcp port 22 or 443"];
    let options = Options { inner: true, ..Options::default() };
    let filters: Vec<(String, Filter)> =
        texts.iter().map(|text| ((*text).to_owned(), Filter::compile(text, options).unwrap())).collect();
    let mut due = BTreeMap::new();
    for (name, frame) in frames().into_iter().filter(|(_, frame)| frame.len() < 2000).step_by(3) {
        for inner in [&[][..], &[0x8100], &[0x88a8, 0x8100]] {
            for (tunnel, packet) in tunnels(&tagged(&frame, inner)) {
                let says = |text: &&str| libpcap_says(text, &frame) || libpcap_says(text, &packet);
                let wanted: Vec<bool> = texts.iter().map(says).collect();
                for outer in [&[][..], &[0x88a8, 0x8100]] {
                    let name = format!("{name} {inner:04x?} in {tunnel} {outer:04x?}");
                    due.insert(tagged(&packet, outer), Due { name, wanted: wanted.clone() });
                }
            }
        }
    }
    let programs: Vec<_> = filters.iter().map(|(_, filter)| filter.instructions().to_vec()).collect();
    let sent: Vec<Vec<u8>> = due.keys().cloned().collect();
    // Larger frames: fewer at a time, so that no ring has to hold more than it can.
    for some in sent.chunks(700) {
        let came = live(&net, &programs, some, some.len());
        let mine: BTreeMap<Vec<u8>, Due> = some.iter().filter_map(|frame| due.remove_entry(frame)).collect();
        compare(&filters, &came, &mine);
    }
}

/// Opens libpcap's own live capture with its own program.
fn libpcap_live(net: &Net, text: &str) -> Capture<Active> {
    inside(net, || {
        let capture = Capture::from_device("cap0")
            .expect("it is there")
            .snaplen(65_535)
            .timeout(50)
            .immediate_mode(true);
        let mut capture = capture.open().expect("libpcap opens it");
        capture.filter(text, true).expect("libpcap compiles it");
        capture.setnonblock().expect("it does not wait")
    })
}

/// Everything libpcap captures until all is sent and nothing more comes. Its ring is small: it is read meanwhile.
fn read(capture: &mut Capture<Active>, sent: &AtomicBool) -> Vec<Vec<u8>> {
    let (mut out, mut quiet) = (Vec::new(), 0);
    while quiet < 100 {
        if let Ok(packet) = capture.next_packet() {
            quiet = 0;
            out.push(packet.data.to_vec());
        } else {
            quiet += usize::from(sent.load(Relaxed));
            thread::sleep(Duration::from_millis(2));
        }
    }
    assert_eq!(capture.stats().expect("it is counted").dropped, 0, "libpcap kept up");
    out.sort();
    out
}

#[test]
fn the_literal_meaning_is_libpcaps_own_live() {
    if !privileged("the_literal_meaning_is_libpcaps_own_live") {
        return;
    }
    let net = wide();
    let some: Vec<_> = frames().into_iter().step_by(5).collect();
    let sent: Vec<Vec<u8>> =
        some.iter().flat_map(|(_, frame)| ENCAPSULATIONS.iter().map(|tpids| tagged(frame, tpids))).collect();
    let options = Options { vlan: VlanMode::Literal, inner: false };
    for text in ["icmp", "ether proto 0x8100"] {
        let mut own = libpcap_live(&net, text);
        let filter = Filter::compile(text, options).unwrap();
        let all_sent = AtomicBool::new(false);
        let (ours, theirs) = thread::scope(|scope| {
            let theirs = scope.spawn(|| read(&mut own, &all_sent));
            let ours = live(&net, &[filter.instructions().to_vec()], &sent, FEW).remove(0);
            all_sent.store(true, Relaxed);
            (ours, theirs.join().unwrap())
        });
        let mut ours: Vec<Vec<u8>> = ours.into_iter().map(|(_, _, frame)| frame).collect();
        ours.sort();
        assert_eq!(ours.len(), theirs.len(), "`{text}`");
        assert!(ours == theirs && !ours.is_empty(), "`{text}`");
        let says = |(frame, tpids): (&Vec<u8>, &&[u16])| {
            let (bare, tag) = stripped(frame, tpids);
            let inward = match tag.filter(|tag| tag.tpid != 0x9100) {
                Some(tag) => filter.matches_with_tag(&bare, bare.len(), tag),
                None => filter.matches(&tagged(frame, tpids), tagged(frame, tpids).len()),
            };
            usize::from(inward)
                + usize::from(filter.matches(&tagged(frame, tpids), tagged(frame, tpids).len()))
        };
        let pairs = some.iter().flat_map(|(_, frame)| ENCAPSULATIONS.iter().map(move |tpids| (frame, tpids)));
        assert_eq!(ours.len(), pairs.map(says).sum::<usize>(), "offline: `{text}`");
    }
}
