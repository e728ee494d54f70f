//! What a recording may still do to its host once packets arrive: nothing.
//!
//! The part that sees packets and the part that is privileged are two processes, as in OpenSSH. Before anything
//! untrusted is read, [`prepare`] starts the [`mod@helper`]: it stays root and never sees a packet. Before the first thread
//! exists, [`Prepared::enter`] takes from the recording all that it does not need: user and capabilities
//! (`privileges.rs`), files outside its results (`files.rs`, or `mounts.rs` where that does not hold), system calls
//! (`calls.rs`). What needs more is asked of the
//! helper (`client.rs`) in terms that leave it no choice (`wire.rs`).
//!
//! Every layer is best effort: kernels without one of them record all the same, and the manifest says which was
//! missing. Nothing here kills the recording: a call that is refused is an error like any other.

use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Arc;

use netcap_bundle::held::Dir;
use netcap_bundle::run::Sandbox;
use rust_i18n::t;

use crate::error::{Error, Result};
use crate::privileged::Privileged;
use crate::sys;
use client::Client;
pub(crate) use limits::Limits;
pub use privileges::User;

mod calls;
mod client;
mod files;
mod grants;
pub(crate) mod helper;
mod limits;
mod mounts;
mod privileges;
mod rate;
mod seen;
mod usage;
mod wire;

/// First word of a helper's command line: not for people.
pub const HELPER: &str = "--helper-of-a-recording";

/// Reads what comes until it ends or makes no sense, as the helper (or, with `answers`, its recording) does: for the fuzz
/// target.
#[cfg(fuzzing)]
pub fn read_all(from: &std::os::unix::net::UnixStream, answers: bool) {
    if answers {
        while let Ok(Some(_)) = wire::receive::<wire::Answer>(from) {}
    } else {
        while let Ok(Some(_)) = wire::receive::<wire::Request>(from) {}
    }
}

/// `--no-sandbox`: nothing is done, and the manifest says so.
pub(crate) fn off() -> Sandbox {
    observed(Sandbox { user: "root".into(), ..Sandbox::default() })
}

/// What a recording asks of its sandbox.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Who to become.
    pub user: User,
    /// Directory of Open vSwitch's sockets.
    pub ovs_rundir: PathBuf,
    /// Where results are written.
    pub out: PathBuf,
    /// The program that explains the run at its end, if that is wanted.
    pub analyzer: Option<PathBuf>,
}

/// A recording whose helper runs and which is not confined yet.
#[derive(Debug)]
pub(crate) struct Prepared {
    user: User,
    writable: Vec<PathBuf>,
    helper: Arc<Client>,
}

/// Starts the helper.
pub(crate) fn prepare(options: Options) -> Result<Prepared> {
    let Options { user, ovs_rundir, out, analyzer } = options;
    let lang = rust_i18n::locale().to_string();
    let out = std::path::absolute(&out).map_err(|e| no_helper(&e))?;
    let client = Client::start(ovs_rundir, out.clone(), analyzer, lang).map_err(|e| no_helper(&e))?;
    Ok(Prepared { user, writable: vec![out], helper: Arc::new(client) })
}

fn no_helper(e: &std::io::Error) -> Error {
    Error::Other(t!("sandbox.no_helper", why = e).into_owned())
}

impl Prepared {
    /// The helper: who does what takes privileges, from now on.
    pub(crate) fn helper(&self) -> Arc<dyn Privileged> {
        self.helper.clone()
    }

    /// Confines this process, for good: see [`confine`]. The helper does what these limits leave, from now on.
    pub(crate) fn enter(self, limits: Limits) -> Result<Sandbox> {
        let rings = self.helper.limit(limits).map_err(|e| no_helper(&e))?;
        confine(&self.user, &self.writable, FileLayer::Best, rings)
    }
}

/// What keeps a recording from files outside its results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileLayer {
    /// Landlock where it holds, else a root of its own.
    Best,
    /// A root of its own.
    Mounts,
}

/// Takes from this process all that a recording does not need, but writing to these directories; descriptors from `rings` on
/// are packet sockets, through which nothing is sent. Must be called before there is a second thread: every layer holds for
/// the calling thread and those it starts later.
pub fn confine(user: &User, writable: &[PathBuf], layer: FileLayer, rings: RawFd) -> Result<Sandbox> {
    for dir in writable {
        Dir::create(dir).map_err(Error::out(dir))?;
    }
    let mut missing = Vec::new();
    if let threads @ 2.. = threads() {
        missing.push(format!("{threads} threads were there before: theirs are not confined"));
    }
    let abi = sys::landlock_abi().filter(|_| layer == FileLayer::Best);
    let sufficient = abi.is_some_and(|abi| abi >= files::SUFFICIENT);
    // While it is root; Landlock would not let it mount anything.
    let mounts = (!sufficient).then(|| mounts::enter(writable));
    privileges::drop_to(user, writable, &mut missing);
    let landlock = match layer {
        FileLayer::Best => files::confine(writable),
        FileLayer::Mounts => Err("not wanted".to_owned()),
    };
    let own_root = matches!(mounts, Some(Ok(())));
    if let (Err(why), false) = (&landlock, own_root) {
        missing.push(format!("landlock: {why}"));
    }
    if let Some(Err(why)) = &mounts {
        missing.push(format!("mount namespace: {why}"));
    }
    let seccomp = calls::filter(rings).map_err(|why| missing.push(format!("seccomp: {why}"))).is_ok();
    Ok(observed(Sandbox {
        on: true,
        user: user.name.clone(),
        landlock_abi: landlock.ok(),
        own_root,
        seccomp,
        missing,
        ..Sandbox::default()
    }))
}

/// What the kernel says of this process, rather than what was tried.
fn observed(mut sandbox: Sandbox) -> Sandbox {
    let status = privileges::status();
    let uid = status.get("Uid").and_then(|uids| uids.split_whitespace().next()).unwrap_or("?");
    if uid == "0" {
        "root".clone_into(&mut sandbox.user);
    }
    // Before Linux 3.8 there is no such line.
    sandbox.seccomp &= status.get("Seccomp").is_none_or(|mode| mode == "2");
    sandbox.capabilities = privileges::effective();
    sandbox
}

/// Threads of this process.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}
