//! The rule that sends such packets where it says, as one of them met it in the dumps: no switching decides, and a rule may
//! be wrong.

use netcap_bundle::Nanos;
use netcap_bundle::replay::{Cause, End, Exit, Replay};
use netcap_bundle::sources::ovs::openflow::{Flow, OvsOpenflow};

/// Rules of the way that are kept.
const CHAIN_MAX: usize = 12;
/// Actions that give a packet another destination.
const READDRESS: [&str; 3] = ["mod_dl_dst", "eth_dst", "ETH_DST"];

/// What the rules do with packets, where no switching has a say.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// The bridge in which that is decided: another than the port's behind a patch port.
    pub bridge: String,
    /// The last rule they met; none where the first table has no rule for them.
    pub rule: Option<SendingRule>,
    pub way: SentTo,
    /// When it was dumped first and last.
    pub times: (Nanos, Nanos),
}

/// Where rules send a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SentTo {
    /// To these ports, each as the database names it: a bond by its own name.
    Ports(Vec<String>),
    /// To the port at which it came in, which a switch refuses.
    Back,
    /// To a table without a rule for it, of that number.
    NoRule(u8),
}

/// A rule with its counter.
#[derive(Debug, Clone)]
pub(crate) struct SendingRule {
    /// Table, priority, match and actions.
    pub rule: String,
    pub cookie: u64,
    /// The line of the dump.
    pub line: String,
    pub file: String,
    /// Its counter at the first and the last dump it was in.
    pub packets: (u64, u64),
    /// The rules met before it, in short, and the file each is in.
    pub chain: Vec<(String, String)>,
    flow: Flow,
}

impl Sent {
    /// Of a replay that ended at ports; `None` where switching chose them, where something on the way is not known, or where
    /// the packet got another destination.
    pub(super) fn forwarded(
        replay: &Replay<'_>,
        exits: &[Exit],
        tables: &OvsOpenflow,
        at: Nanos,
        file: &impl Fn(&str) -> String,
    ) -> Option<Self> {
        let named = replay.chain.last().is_some_and(|flow| aims(flow));
        let own = replay.chain.iter().all(|flow| !switches(flow) && !readdresses(flow, tables));
        let known = replay.complete && exits.iter().all(|exit| exit.port != "CONTROLLER");
        if !(named && own && known) {
            return None;
        }
        let ports = exits.iter().map(|exit| exit.port.clone()).collect();
        Some(Self::of(replay, SentTo::Ports(ports), at, file))
    }

    /// Of a replay that ended because of where the rules send the packet.
    pub(super) fn ended(
        replay: &Replay<'_>,
        end: &End<'_>,
        at: Nanos,
        file: &impl Fn(&str) -> String,
    ) -> Option<Self> {
        let way = match end.cause {
            Cause::InputPort if end.rule.is_some_and(aims) => SentTo::Back,
            Cause::Miss => SentTo::NoRule(end.table),
            _ => return None,
        };
        let bridge = end.bridge.clone();
        Some(Self { bridge, ..Self::of(replay, way, at, file) })
    }

    fn of(replay: &Replay<'_>, way: SentTo, at: Nanos, file: &impl Fn(&str) -> String) -> Self {
        let (last, before) =
            replay.chain.split_last().map_or((None, &[] as &[&Flow]), |(l, b)| (Some(*l), b));
        let chain = before.iter().take(CHAIN_MAX).map(|step| (step.describe(), file(&step.bridge)));
        let rule = last.map(|flow| SendingRule {
            rule: flow.describe(),
            cookie: flow.cookie,
            line: flow.raw.clone(),
            file: file(&flow.bridge),
            packets: (flow.n_packets, flow.n_packets),
            chain: chain.collect(),
            flow: flow.clone(),
        });
        let bridge = last.map(|flow| flow.bridge.clone()).unwrap_or_default();
        Self { bridge, rule, way, times: (at, at) }
    }

    /// What an earlier dump said of it, when that is the same.
    pub(super) fn after(mut self, before: Option<Self>) -> Self {
        let Some(before) = before.filter(|before| before.way == self.way) else { return self };
        let (mine, had) = (self.rule.as_mut(), before.rule.as_ref());
        match (mine, had) {
            (Some(rule), Some(had)) if had.flow.same_rule(&rule.flow) && had.packets.1 <= rule.packets.1 => {
                rule.packets.0 = had.packets.0;
                self.times.0 = before.times.0;
            }
            (None, None) => self.times.0 = before.times.0,
            _ => {}
        }
        self
    }
}

/// The rule names the ports or the group to which it sends; the bridge's own switching does not.
pub(super) fn aims(flow: &Flow) -> bool {
    let named = ["output", "group:", "enqueue"].iter().any(|word| flow.actions.contains(word));
    named && !flow.actions.contains("NORMAL")
}

/// The bridge's own switching, or all ports.
fn switches(flow: &Flow) -> bool {
    ["NORMAL", "FLOOD", "ALL"].iter().any(|word| flow.actions.contains(word))
}

fn readdresses(flow: &Flow, tables: &OvsOpenflow) -> bool {
    let words = |text: &str| READDRESS.iter().any(|word| text.contains(word));
    let groups = || tables.bridges.get(&flow.bridge).and_then(|bridge| bridge.groups.as_ref());
    let buckets = || groups().into_iter().flatten().flat_map(|group| &group.buckets);
    words(&flow.actions) || (flow.actions.contains("group:") && buckets().any(|bucket| words(bucket)))
}
