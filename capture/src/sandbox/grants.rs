//! What the helper has handed over, and what it may still hand over.
//!
//! Of each ring it keeps a descriptor, so it knows what lives: one ring for an interface, and all of them within the
//! plan's memory. A ring that the recording no longer maps is freed, whoever still holds its descriptor.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::net::if_::{if_indextoname, if_nametoindex};
use nix::sys::utsname::uname;

use super::limits::{Limits, is_run_name};
use super::rate::Rate;
use crate::privileged::RingSocket;
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
pub(super) struct Grants {
    pub(super) limits: Limits,
    /// Interfaces that belong to the run, under all names they have had since.
    names: BTreeSet<String>,
    rings: Vec<Held>,
    /// Those that have no socket yet.
    pings: Vec<IpAddr>,
    listening: bool,
    datapaths: Option<Instant>,
    opened: Option<Instant>,
}

/// A ring that was handed over.
#[derive(Debug)]
struct Held {
    index: u32,
    bytes: u64,
    fd: OwnedFd,
    since: Instant,
}

impl Held {
    /// Whether it still lives; one that nobody maps is freed. `used`: the recording has given it up, if it is honest.
    fn lives(&self, used: bool) -> bool {
        let may_be_mapped_yet = !used && self.since.elapsed() < UNMAPPED_MAX;
        // A ring that cannot be freed is one that counts.
        may_be_mapped_yet || !sys::free_unmapped_ring(self.fd.as_fd()).unwrap_or(false)
    }
}

impl Grants {
    /// Nothing was granted yet.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            names: limits.ifaces.clone(),
            pings: limits.pings.clone(),
            limits,
            rings: Vec::new(),
            listening: false,
            datapaths: None,
            opened: None,
        }
    }

    /// Opens a ring if the plan has room for it; `joins` says whether an interface that is not known yet belongs to the run.
    pub(super) fn ring(
        &mut self,
        iface: &str,
        size: RingSize,
        joins: impl FnOnce(&Limits) -> bool,
        open: impl FnOnce() -> io::Result<RingSocket>,
    ) -> io::Result<RingSocket> {
        let index = if_nametoindex(iface)?;
        self.free(Some(index));
        if !self.names.contains(iface) && !joins(&self.limits) {
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
        let ring = open()?;
        self.knows(iface.to_owned());
        let (fd, bytes) = (ring.fd.try_clone()?, ring.size.bytes() as u64);
        self.rings.push(Held { index: ring.index, bytes, fd, since: Instant::now() });
        Ok(ring)
    }

    /// Frees what the recording no longer maps; it has no use any more for a ring on `wanted`, or on an interface that is
    /// gone.
    pub(super) fn free(&mut self, wanted: Option<u32>) {
        let mut names = Vec::new();
        self.rings.retain(|held| {
            let name = if_indextoname(held.index).ok();
            let used = name.is_none() || wanted == Some(held.index);
            names.extend(name.map(|name| name.to_string_lossy().into_owned()));
            held.lives(used)
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

    fn grants() -> Grants {
        Grants::new(Limits {
            ifaces: BTreeSet::from(["lo".to_owned(), "none0".to_owned()]),
            ring_bytes: SIZE.bytes() as u64,
            pings: vec!["10.0.0.1".parse().unwrap()],
            ..Limits::default()
        })
    }

    /// Something with a descriptor that is no ring, and so cannot be freed.
    fn opened() -> io::Result<RingSocket> {
        Ok(RingSocket { fd: tempfile::tempfile()?.into(), size: SIZE, index: if_nametoindex("lo")? })
    }

    fn why(done: io::Result<RingSocket>) -> String {
        done.unwrap_err().to_string()
    }

    #[test]
    fn rings_of_the_plan_and_no_others() {
        let mut grants = grants();
        let mut ask = |iface, size, joins| grants.ring(iface, size, |_| joins, opened);
        let large = RingSize { blocks: 5, ..SIZE };
        assert!(why(ask("lo", large, false)).contains("no memory left"));
        assert!(ask("lo", SIZE, false).is_ok());
        assert!(why(ask("lo", SIZE, false)).contains("a ring already"));
        assert_eq!(ask("none0", SIZE, false).unwrap_err().raw_os_error(), Some(libc::ENODEV));
    }

    #[test]
    fn an_interface_that_is_not_in_the_plan_must_belong_to_the_run() {
        let mut grants = grants();
        grants.names.clear();
        assert!(why(grants.ring("lo", SIZE, |_| false, opened)).contains("not in the plan"));
        assert!(grants.ring("lo", SIZE, |_| true, opened).is_ok());
        grants.rings.clear();
        assert!(grants.ring("lo", SIZE, |_| false, opened).is_ok(), "it belongs to it from then on");
    }

    #[test]
    fn rings_are_not_opened_and_closed_without_end() {
        let mut grants = grants();
        let done = (0..2000).filter(|_| {
            grants.rings.clear();
            grants.ring("lo", SIZE, |_| false, opened).is_ok()
        });
        assert!((600..700).contains(&done.count()));
    }

    #[test]
    fn a_ring_that_nobody_maps_costs_nothing_for_long() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let open = || {
            let index = if_nametoindex("lo")?;
            Ok(RingSocket { fd: sys::Ring::socket(index, &ALL, SIZE)?, size: SIZE, index })
        };
        let mut grants = grants();
        let first = sys::Ring::map(grants.ring("lo", SIZE, |_| false, open).unwrap().fd, SIZE).unwrap();
        assert!(why(grants.ring("lo", SIZE, |_| false, open)).contains("a ring already"), "it is mapped");
        drop(first);
        let second = grants.ring("lo", SIZE, |_| false, open).unwrap();
        grants.free(None);
        assert!(grants.holds_rings(), "it was just handed over");
        grants.free(Some(second.index));
        assert!(!grants.holds_rings());
        assert!(sys::Ring::map(second.fd, SIZE).is_err(), "there is nothing to map any more");
    }

    #[test]
    fn one_socket_for_each_ping_and_one_for_control() {
        let mut grants = grants();
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
        let mut grants = grants();
        let granted = (0..1000).filter(|_| grants.datapaths().is_ok()).count();
        assert!((1..10).contains(&granted), "{granted}");
    }
}
