//! The control socket of a run: how `netcap status`, `netcap stop` and `netcap rotate` find runs and talk to them.
//!
//! Each run listens on a unix socket in a directory that is root's alone (`/run/netcap/RUN`), so nobody else can take a
//! name, answer in a run's place, or flood it. It is reached from every network namespace. The file goes with the run; one
//! that a killed recorder left has nobody who listens, and is taken away by whoever finds it ([`find`]).
//!
//! Both sides ask the kernel who the other is as well (`SO_PEERCRED`): a run answers root and the user who started it
//! ([`server`]), and only root or oneself is believed.
//!
//! One line of JSON asks, one line answers ([`protocol`]).

pub(crate) mod ask;
pub(crate) mod board;
pub(crate) mod dead;
pub(crate) mod find;
pub(crate) mod pick;
pub(crate) mod protocol;
pub(crate) mod server;
pub(crate) mod show;
pub(crate) mod signals;
pub(crate) mod stop;

use std::net::IpAddr;
use std::sync::Arc;

use board::{About, Board};
use protocol::{Ended, Phase};
use server::{Server, Shared};

use crate::disk::budget::Budget;
use crate::disk::rundir::RunDir;
use crate::finish::RunResult;
use crate::ping::Tally;
use crate::plan::Plan;
use crate::point::counters::Counters;
use crate::privileged::Process;
use signals::Signals;

impl Ended {
    /// Of a run that is sealed; who asked for its end may be in another directory.
    pub(crate) fn sealed(outcome: &RunResult, status: u8) -> Self {
        let path = std::path::absolute(&outcome.path).unwrap_or_else(|_| outcome.path.clone());
        let RunResult { bytes, no_tar, left, .. } = outcome.clone();
        Self { path, bytes, no_tar, left, unsealed: None, status }
    }
}

/// A run's side: what it says of itself, and the socket through which it is asked.
#[derive(Debug)]
pub(crate) struct Control {
    /// What the run says of itself.
    pub board: Arc<Board>,
    /// Why nobody can ask: recording does not depend on it.
    pub closed: Option<String>,
    socket: Option<Server>,
}

impl Control {
    /// Opens it for a run that has just got its directory.
    pub(crate) fn open(
        plan: &Plan,
        run: &RunDir,
        budget: &Arc<Budget>,
        process: &Process,
        signals: &mut Signals,
    ) -> Self {
        let dir = std::path::absolute(&run.path).unwrap_or_else(|_| run.path.clone());
        let about = About {
            duration: plan.duration,
            until: plan.until,
            max_packets: plan.max_packets,
            bundle: plan.bundle,
            ..About::new(&run.info, dir, plan.filter.expression())
        };
        let (board, asked) = Board::new(about, budget.clone());
        signals.listen(asked);
        let (socket, closed) = match Server::open(board.clone(), process.privileged.clone(), process.owner) {
            Ok(socket) => (Some(socket), None),
            Err(e) => (None, Some(e.to_string())),
        };
        Self { board, closed, socket }
    }

    /// What is recorded from the start.
    pub(crate) fn watch(
        &self,
        points: impl Iterator<Item = (String, Arc<Counters>)>,
        pings: &[(IpAddr, Arc<Tally>)],
    ) {
        for (iface, counters) in points {
            self.board.watch_point(&iface, counters);
        }
        for (address, tally) in pings {
            self.board.watch_ping(*address, tally.clone());
        }
    }

    /// The run is over: answers all who wait for it.
    pub(crate) fn finish(&self, ended: Ended) {
        self.board.phase(Phase::Sealed);
        self.farewell().say(ended);
    }

    /// How those who wait for the end are answered by somebody else.
    pub(crate) fn farewell(&self) -> Farewell {
        Farewell(self.socket.as_ref().map(Server::waiting))
    }
}

/// Answers all who wait for the end of a run.
pub(crate) struct Farewell(Option<Arc<Shared>>);

impl Farewell {
    /// This became of it.
    pub(crate) fn say(&self, ended: Ended) {
        if let Some(shared) = &self.0 {
            shared.finish(ended);
        }
    }
}
