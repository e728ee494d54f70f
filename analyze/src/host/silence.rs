//! Sources that were asked and did not answer: which, when, and why.

use std::collections::{BTreeMap, BTreeSet};

use netcap_bundle::Nanos;
use netcap_bundle::input::Input;
use netcap_bundle::source::{Outcome, Reason, Snapshot};
use netcap_bundle::sources::ovs::bond::OvsBond;
use netcap_bundle::sources::ovs::conntrack::OvsConntrack;
use netcap_bundle::sources::ovs::datapath::OvsDatapath;
use netcap_bundle::sources::ovs::fdb::OvsFdb;
use netcap_bundle::sources::ovs::openflow::OvsOpenflow;
use netcap_bundle::sources::ovs::ovsdb::Ovsdb;
use netcap_bundle::sources::vm::libvirt::Libvirt;
use netcap_bundle::state::IndexLine;

/// Items named of one source.
const ITEMS_MAX: usize = 6;

/// How a source failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    /// It did not answer within its time limit, or was not asked any more after that.
    TimedOut,
    /// It could not be read, for that reason.
    Failed(String),
}

/// What a source did not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Silence {
    /// Its id.
    pub source: String,
    /// What was asked for.
    pub items: Vec<String>,
    pub how: How,
    /// The first time and the last time.
    pub first: Nanos,
    /// The last time.
    pub last: Nanos,
    /// How often, each time with all its items.
    pub times: usize,
}

/// How a line failed, if that tells anything: what is not there on this host is missed by nobody.
fn failed(line: &IndexLine) -> Option<How> {
    match &line.outcome {
        Outcome::TimedOut | Outcome::Failed { reason: Reason::NotTried, .. } => Some(How::TimedOut),
        Outcome::Exit { code } => {
            let said = line.stderr.lines().next().unwrap_or_default().trim();
            Some(How::Failed(if said.is_empty() { format!("exit {code}") } else { said.to_owned() }))
        }
        Outcome::Ok
        | Outcome::Failed { reason: Reason::NoProgram | Reason::NoService | Reason::NoFile, .. } => None,
        Outcome::Failed { why, .. } => Some(How::Failed(why.clone())),
    }
}

/// All of them, in order of source.
pub(crate) fn read(input: &Input) -> Vec<Silence> {
    let mut silences: BTreeMap<(&str, How), (Silence, BTreeSet<u32>)> = BTreeMap::new();
    for line in input.state.lines() {
        let Some(how) = failed(line) else { continue };
        let (silence, rounds) = silences.entry((&line.source, how.clone())).or_insert_with(|| {
            let silence = Silence {
                source: line.source.clone(),
                items: Vec::new(),
                how,
                first: line.at,
                last: line.at,
                times: 0,
            };
            (silence, BTreeSet::new())
        });
        rounds.insert(line.round);
        silence.times = rounds.len();
        (silence.first, silence.last) = (silence.first.min(line.at), silence.last.max(line.at));
        if silence.items.len() < ITEMS_MAX && !silence.items.contains(&line.item) {
            silence.items.push(line.item.clone());
        }
    }
    silences.into_values().map(|(silence, _)| silence).collect()
}

/// A source was asked, and never answered within its time limit.
pub(crate) fn is_silent(input: &Input, source: &str) -> bool {
    let lines = || input.state.lines().filter(|line| line.source == source);
    lines().any(|line| failed(line) == Some(How::TimedOut))
        && !lines().any(|line| line.outcome == Outcome::Ok)
}

/// A time in which a daemon answered nothing that it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hung {
    /// It was asked first then, and did not answer.
    pub from: Nanos,
    /// It was asked last then, and did not answer.
    pub last: Nanos,
    /// It answered then again; `None`: not to the end.
    pub until: Option<Nanos>,
    /// Questions that ran into their time limit, in order of time.
    pub asked: Vec<Question>,
}

/// A question that was not answered in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    /// Id of the source.
    pub source: String,
    /// What was asked for.
    pub item: String,
    pub at: Nanos,
}

/// When the daemon behind these sources was silent.
fn hung(input: &Input, sources: &[&str]) -> Vec<Hung> {
    let mine = input.state.lines().filter(|line| sources.contains(&line.source.as_str()));
    let mut lines: Vec<&IndexLine> = mine.collect();
    lines.sort_by_key(|line| (line.at, &line.source, &line.item));
    let mut all: Vec<Hung> = Vec::new();
    for line in lines {
        let open = all.last_mut().filter(|hung| hung.until.is_none());
        let question = || Question { source: line.source.clone(), item: line.item.clone(), at: line.at };
        match (&line.outcome, open) {
            (Outcome::Ok, Some(hung)) => hung.until = Some(line.at),
            (Outcome::TimedOut, Some(hung)) => {
                hung.last = line.at;
                hung.asked.push(question());
            }
            (Outcome::TimedOut, None) => {
                all.push(Hung { from: line.at, last: line.at, until: None, asked: vec![question()] });
            }
            _ => {}
        }
    }
    all
}

/// A daemon, and the sources that it answers.
#[derive(Debug)]
pub(crate) struct Daemon {
    /// Name of its program.
    pub name: &'static str,
    /// Ids of the sources that it answers.
    pub sources: &'static [&'static str],
    /// Packets die without it.
    pub forwards: bool,
}

const DAEMONS: &[Daemon] = &[
    Daemon {
        name: "ovs-vswitchd",
        sources: &[
            OvsBond::DEF.id,
            OvsConntrack::DEF.id,
            OvsDatapath::DEF.id,
            OvsFdb::DEF.id,
            OvsOpenflow::DEF.id,
        ],
        forwards: true,
    },
    Daemon { name: "ovsdb-server", sources: &[Ovsdb::DEF.id], forwards: false },
    Daemon { name: "libvirtd", sources: &[Libvirt::DEF.id], forwards: false },
];

/// A daemon while it was silent.
#[derive(Debug)]
pub(crate) struct SilentDaemon {
    /// Which one.
    pub daemon: &'static Daemon,
    /// From when to when.
    pub hung: Hung,
    /// When it answered last before that; zero when it never did.
    pub answered: Nanos,
}

/// When each of them was silent.
pub(crate) fn daemons(input: &Input) -> Vec<SilentDaemon> {
    let of = |daemon: &'static Daemon| {
        let ok =
            |line: &&IndexLine| line.outcome == Outcome::Ok && daemon.sources.contains(&line.source.as_str());
        let mut answers: Vec<Nanos> = input.state.lines().filter(ok).map(|line| line.at).collect();
        answers.sort_unstable();
        let before = move |at: Nanos| {
            let next = answers.partition_point(|answer| *answer < at);
            next.checked_sub(1).and_then(|last| answers.get(last)).copied().unwrap_or_default()
        };
        let all = hung(input, daemon.sources).into_iter();
        all.map(move |hung| SilentDaemon { daemon, answered: before(hung.from), hung })
    };
    DAEMONS.iter().flat_map(of).collect()
}
