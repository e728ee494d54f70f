//! What the helper has handed over, and what it may still hand over.
//!
//! The recording has its packet sockets before it is confined, idle ones; of each the helper keeps a descriptor, through which
//! it gives the socket a ring, a filter and an interface, and takes all of it away again. So it knows what lives: one ring
//! for an interface, and all of them within the plan's memory. A ring that the recording no longer maps is freed, whoever
//! still holds its descriptor.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use netcap_bundle::run::ShedLevel;
use nix::net::if_::{if_indextoname, if_nametoindex};
use nix::sys::utsname::uname;

use super::limits::{Limits, is_run_name};
use super::rate::Rate;
use crate::shed::Cut;
use crate::sys::{self, RingSize};

/// How long a recording may take to map a ring that it was given.
const UNMAPPED_MAX: Duration = Duration::from_secs(10);
/// How often the datapaths are asked at most: the ledger asks once a second.
const DATAPATHS: Rate = Rate { burst: 4, each: Duration::from_millis(500) };
/// How often rings are opened at most, besides once for each interface of the plan: one that is gone is tried each second.
const RINGS: Rate = Rate { burst: 600, each: Duration::from_secs(1) };
/// Names that the interfaces of a run may have had.
const NAMES_MAX: usize = 2048;

/// What was granted of a plan.
#[derive(Debug)]
pub(super) struct Grants<'a> {
    limits: &'a Limits,
    /// Sockets for rings, and how many of them the recording has.
    sockets: Vec<OwnedFd>,
    handed: usize,
    /// Interfaces that belong to the run, under all names they have had since.
    names: BTreeSet<String>,
    rings: Vec<Held>,
    /// Those that have no socket yet.
    pings: Vec<IpAddr>,
    listening: bool,
    datapaths: Option<Instant>,
    opened: Option<Instant>,
}

/// A ring that a recording was given.
#[derive(Debug)]
pub(super) struct Granted {
    /// Which of the sockets has it.
    pub(super) socket: usize,
    pub(super) size: RingSize,
    /// The interface's index.
    pub(super) index: u32,
}

/// The same, for as long as it lives.
#[derive(Debug)]
struct Held {
    socket: usize,
    index: u32,
    bytes: u64,
    /// Its filter: the recording may not attach one itself.
    cut: Cut,
    since: Instant,
}

impl Held {
    /// Whether it still lives; one that nobody maps is freed. `used`: the recording has given it up, if it is honest.
    fn lives(&self, sockets: &[OwnedFd], used: bool) -> bool {
        let may_be_mapped_yet = !used && self.since.elapsed() < UNMAPPED_MAX;
        let free = |fd: &OwnedFd| sys::free_unmapped_ring(fd.as_fd(), self.index).unwrap_or(false);
        // A ring that cannot be freed is one that counts.
        may_be_mapped_yet || !sockets.get(self.socket).is_some_and(free)
    }
}

impl<'a> Grants<'a> {
    /// Nothing was granted yet.
    pub(super) fn new(limits: &'a Limits, sockets: Vec<OwnedFd>) -> Self {
        Self {
            limits,
            sockets,
            handed: 0,
            names: limits.ifaces.clone(),
            pings: limits.pings.clone(),
            rings: Vec::new(),
            listening: false,
            datapaths: None,
            opened: None,
        }
    }

    /// How many sockets there are for rings.
    pub(super) fn spares(&self) -> u32 {
        u32::try_from(self.sockets.len()).unwrap_or(u32::MAX)
    }

    /// The next of them, each once.
    pub(super) fn spare(&mut self) -> io::Result<OwnedFd> {
        let spare = self.sockets.get(self.handed).ok_or_else(|| refused("all sockets were handed over"))?;
        self.handed += 1;
        spare.try_clone()
    }

    /// Grants a ring if the plan has room for it; `joins` says whether an interface that is not known yet belongs to the
    /// run, and `listen` gives a socket its ring.
    pub(super) fn ring(
        &mut self,
        iface: &str,
        size: RingSize,
        cut: Cut,
        joins: impl FnOnce(&Limits) -> bool,
        listen: impl FnOnce(BorrowedFd<'_>, u32) -> io::Result<RingSize>,
    ) -> io::Result<Granted> {
        let index = if_nametoindex(iface)?;
        self.free(Some(index));
        if !self.names.contains(iface) && !joins(self.limits) {
            return Err(refused("the interface is not in the plan"));
        }
        if self.rings.iter().any(|held| held.index == index) {
            return Err(refused("the interface has a ring already"));
        }
        let held: u64 = self.rings.iter().map(|held| held.bytes).sum();
        if held.saturating_add(size.bytes() as u64) > self.limits.ring_bytes {
            return Err(refused("the plan has no memory left for another ring"));
        }
        let planned = u32::try_from(self.limits.ifaces.len()).unwrap_or(u32::MAX);
        let rate = Rate { burst: RINGS.burst.saturating_add(planned), ..RINGS };
        if !rate.admits(&mut self.opened, Instant::now()) {
            return Err(refused("too many rings in a short time"));
        }
        let idle = |socket: &usize| self.rings.iter().all(|held| held.socket != *socket);
        let socket = (0..self.sockets.len()).find(idle);
        let socket = socket.ok_or_else(|| refused("the plan has no socket left for another ring"))?;
        let fd = self.sockets.get(socket).ok_or(io::ErrorKind::NotFound)?;
        let listening = listen(fd.as_fd(), index);
        let bytes = listening.as_ref().map_or(size.bytes(), |size| size.bytes()) as u64;
        let held = Held { socket, index, bytes, cut, since: Instant::now() };
        match listening {
            Ok(size) => {
                self.rings.push(held);
                self.knows(iface.to_owned());
                Ok(Granted { socket, size, index })
            }
            Err(e) => {
                // What came of it is taken back, unless somebody was quick to map it.
                if held.lives(&self.sockets, true) {
                    self.rings.push(held);
                }
                Err(e)
            }
        }
    }

    /// Keeps of the frames of a ring what this level leaves.
    pub(super) fn cut(&self, index: u32, level: ShedLevel) -> io::Result<()> {
        let held = self.rings.iter().find(|held| held.index == index);
        let held = held.ok_or_else(|| refused("the interface has no ring"))?;
        let fd = self.sockets.get(held.socket).ok_or(io::ErrorKind::NotFound)?;
        sys::attach_filter(fd.as_fd(), &held.cut.program(level))
    }

    /// Frees what the recording no longer maps; it has no use any more for a ring on `wanted`, or on an interface that is
    /// gone.
    pub(super) fn free(&mut self, wanted: Option<u32>) {
        let mut names = Vec::new();
        self.rings.retain(|held| {
            let name = if_indextoname(held.index).ok();
            let used = name.is_none() || wanted == Some(held.index);
            names.extend(name.map(|name| name.to_string_lossy().into_owned()));
            held.lives(&self.sockets, used)
        });
        // An interface that was renamed comes back under its new name.
        for name in names {
            self.knows(name);
        }
    }

    fn knows(&mut self, name: String) {
        if self.names.len() < NAMES_MAX {
            self.names.insert(name);
        }
    }

    /// Whether any ring may have to be freed later.
    pub(super) fn holds_rings(&self) -> bool {
        !self.rings.is_empty()
    }

    /// One socket for each address of the plan.
    pub(super) fn ping(&mut self, address: IpAddr) -> io::Result<()> {
        let at = self.pings.iter().position(|planned| *planned == address);
        self.pings
            .swap_remove(at.ok_or_else(|| refused("the address is not in the plan, or has its socket"))?);
        Ok(())
    }

    /// One control socket, under a name that a run of this host may have.
    pub(super) fn listen(&mut self, run: &str) -> io::Result<()> {
        let host = uname()?.nodename().to_string_lossy().into_owned();
        if self.listening || !is_run_name(run, &host) {
            return Err(refused("one control socket, under the name of the run"));
        }
        self.listening = true;
        Ok(())
    }

    /// The datapaths, as often as the ledger asks.
    pub(super) fn datapaths(&mut self) -> io::Result<()> {
        let fits = DATAPATHS.admits(&mut self.datapaths, Instant::now());
        if fits { Ok(()) } else { Err(refused("too many questions in a short time")) }
    }
}

/// Not what the plan says.
pub(super) fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, format!("the helper refuses: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use netcap_filters::Instruction;

    const ALL: [Instruction; 1] = [Instruction { code: 6, jt: 0, jf: 0, k: 100 }];
    const SIZE: RingSize = RingSize { block_bytes: 4096, blocks: 4 };

    fn limits() -> Limits {
        Limits {
            ifaces: BTreeSet::from(["lo".to_owned(), "none0".to_owned()]),
            ring_bytes: SIZE.bytes() as u64,
            rings: 1,
            pings: vec!["10.0.0.1".parse().unwrap()],
            ..Limits::default()
        }
    }

    /// With something that has a descriptor and is no socket, so a ring of it cannot be freed.
    fn grants(limits: &Limits) -> Grants<'_> {
        Grants::new(limits, vec![tempfile::tempfile().unwrap().into()])
    }

    fn ask(grants: &mut Grants<'_>, iface: &str, size: RingSize, joins: bool) -> io::Result<Granted> {
        grants.ring(iface, size, Cut::new(&ALL), |_| joins, |_, _| Ok(size))
    }

    fn why(done: io::Result<Granted>) -> String {
        done.unwrap_err().to_string()
    }

    #[test]
    fn rings_of_the_plan_and_no_others() {
        let limits = limits();
        let mut grants = grants(&limits);
        let large = RingSize { blocks: 5, ..SIZE };
        assert!(why(ask(&mut grants, "lo", large, false)).contains("no memory left"));
        assert!(ask(&mut grants, "lo", SIZE, false).is_ok());
        assert!(why(ask(&mut grants, "lo", SIZE, false)).contains("a ring already"));
        let none = ask(&mut grants, "none0", SIZE, false);
        assert_eq!(none.unwrap_err().raw_os_error(), Some(libc::ENODEV));
    }

    #[test]
    fn each_socket_is_handed_over_once() {
        let limits = limits();
        let mut grants = grants(&limits);
        assert!(grants.spare().is_ok());
        assert!((0..2000).all(|_| grants.spare().is_err()));
    }

    #[test]
    fn an_interface_that_is_not_in_the_plan_must_belong_to_the_run() {
        let limits = limits();
        let mut grants = grants(&limits);
        grants.names.clear();
        assert!(why(ask(&mut grants, "lo", SIZE, false)).contains("not in the plan"));
        assert!(ask(&mut grants, "lo", SIZE, true).is_ok());
        grants.rings.clear();
        assert!(ask(&mut grants, "lo", SIZE, false).is_ok(), "it belongs to it from then on");
    }

    #[test]
    fn rings_are_not_opened_and_closed_without_end() {
        let limits = limits();
        let mut grants = grants(&limits);
        let done = (0..2000).filter(|_| {
            grants.rings.clear();
            ask(&mut grants, "lo", SIZE, false).is_ok()
        });
        assert!((600..700).contains(&done.count()));
    }

    #[test]
    fn a_ring_that_nobody_maps_costs_nothing_for_long() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let limits = limits();
        let mut grants = Grants::new(&limits, vec![sys::Ring::idle().unwrap()]);
        let socket = std::sync::Arc::new(grants.spare().unwrap());
        let listen = |fd: BorrowedFd<'_>, index| sys::Ring::listen(fd, index, &ALL, SIZE).map(|()| SIZE);
        let ask = |grants: &mut Grants<'_>| grants.ring("lo", SIZE, Cut::new(&ALL), |_| false, listen);
        let map = || sys::Ring::map(socket.clone(), SIZE);
        assert!(map().is_err(), "it has no ring yet");
        assert_eq!(ask(&mut grants).unwrap().socket, 0);
        let first = map().unwrap();
        assert!(why(ask(&mut grants)).contains("a ring already"), "it is mapped");
        drop(first);
        let second = ask(&mut grants).unwrap();
        assert!(grants.cut(second.index, ShedLevel::Cut128).is_ok());
        assert!(grants.cut(second.index + 1000, ShedLevel::Cut128).is_err());
        grants.free(None);
        assert!(grants.holds_rings(), "it was just handed over");
        grants.free(Some(second.index));
        assert!(!grants.holds_rings());
        assert!(map().is_err(), "there is nothing to map any more");
        // What could not be used is taken back.
        let foreign = |fd: BorrowedFd<'_>, index| {
            sys::Ring::listen(fd, index, &ALL, SIZE)?;
            Err(io::Error::from_raw_os_error(libc::EMEDIUMTYPE))
        };
        let refused = grants.ring("lo", SIZE, Cut::new(&ALL), |_| false, foreign);
        assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EMEDIUMTYPE));
        assert!(!grants.holds_rings() && map().is_err());
        ask(&mut grants).unwrap();
        assert!(map().is_ok());
    }

    #[test]
    fn one_socket_for_each_ping_and_one_for_control() {
        let limits = limits();
        let mut grants = grants(&limits);
        assert!(grants.ping("10.0.0.2".parse().unwrap()).is_err());
        assert!(grants.ping("10.0.0.1".parse().unwrap()).is_ok());
        assert!(grants.ping("10.0.0.1".parse().unwrap()).is_err());
        let host = uname().unwrap().nodename().to_string_lossy().into_owned();
        let run = netcap_bundle::layout::run_name(&host, "20261128070000");
        assert!(grants.listen("elsewhere-20261128070000").is_err());
        assert!(grants.listen(&run).is_ok());
        assert!((0..2000).all(|_| grants.listen(&run).is_err()));
    }

    #[test]
    fn the_datapaths_are_asked_twice_a_second_at_most() {
        let limits = limits();
        let mut grants = grants(&limits);
        let granted = (0..1000).filter(|_| grants.datapaths().is_ok()).count();
        assert!((1..10).contains(&granted), "{granted}");
    }
}
