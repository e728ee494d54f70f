//! From raw claims to suspects: who is left after everybody with an excuse has gone.

use std::collections::{BTreeMap, BTreeSet};

use netcap_bundle::packets::Direction;
use netcap_bundle::{Mac, Role};

use super::context::{Context, is_link_local};
use crate::engine::PointId;
use crate::host::OwnAddress;
use crate::host::macs::is_virtual_router;
use crate::tables::claims::{Address, AddressKey, Claim, ClaimKind, ClaimRuns};
use crate::view::View;

/// One suspect: a MAC with its claims by kind.
#[derive(Debug, Clone)]
pub(super) struct Suspect {
    pub mac: Mac,
    pub probe: ClaimRuns,
    /// Frames of `probe`.
    pub probes: u64,
    pub announce: ClaimRuns,
    /// Answers and use as a sender.
    pub using: ClaimRuns,
    /// The part of `using` that is no claim of the address protocol: conversations opened with it.
    pub opens: ClaimRuns,
    /// Everything but probes.
    pub all: ClaimRuns,
    /// Frames of `all`: one that passes several points is one.
    pub frames: u64,
    /// It never used or announced the address, it only answered for it.
    pub only_answers: bool,
    pub seen: Vec<(PointId, Direction)>,
}

/// One address with its suspects.
#[derive(Debug)]
pub(super) struct ContestedAddress {
    pub key: AddressKey,
    pub suspects: Vec<Suspect>,
    /// The recorded host has this address itself.
    pub own: Option<OwnAddress>,
    /// MACs of the host that claim it, and are one claimant.
    pub host_macs: BTreeSet<Mac>,
}

/// Somebody said something of the address in its own protocol: without any such packet in the capture silence means
/// nothing.
pub(super) fn has_protocol_claims(address: &Address) -> bool {
    address.claims.iter().any(|c| c.kind != ClaimKind::Opens)
}

impl ContestedAddress {
    /// `None` when fewer than two sides are left.
    pub(super) fn new(
        view: &View<'_>,
        context: &Context,
        key: AddressKey,
        address: &Address,
    ) -> Option<Self> {
        if is_link_local(key.ip) {
            return None;
        }
        let mut suspects = suspects(view, context, key, address);
        let own = own_address(view, key);
        let host_macs: BTreeSet<Mac> =
            suspects.iter().map(|s| s.mac).filter(|m| view.host.owns_mac(*m)).collect();
        merge_same(&mut suspects, |a, b| same_side(view, context, key, a, b));
        let foreign = suspects.iter().filter(|s| !host_macs.contains(&s.mac)).count();
        let sides = suspects.len().max(usize::from(own.is_some()) + foreign);
        (sides >= 2).then_some(Self { key, suspects, own, host_macs })
    }
}

/// Who claims an address and has no excuse, by MAC.
pub(super) fn suspects(
    view: &View<'_>,
    context: &Context,
    key: AddressKey,
    address: &Address,
) -> Vec<Suspect> {
    let mut suspects: BTreeMap<Mac, Suspect> = BTreeMap::new();
    for claim in address.claims.iter().filter(|c| counts(view, context, key, c, &address.claims)) {
        suspects.entry(claim.mac).or_insert_with(|| Suspect::new(claim.mac)).take(claim);
    }
    suspects.values_mut().for_each(Suspect::settle);
    suspects.into_values().collect()
}

/// Two MACs that are one device: both the host's, both one VM's, or neighbouring ports of a multihomed host.
fn same_side(view: &View<'_>, context: &Context, key: AddressKey, a: Mac, b: Mac) -> bool {
    (view.host.owns_mac(a) && view.host.owns_mac(b))
        || vm_of(view, a).is_some_and(|vm| Some(vm) == vm_of(view, b))
        || context.one_host(key, a, b)
}

fn vm_of<'a>(view: &'a View<'_>, mac: Mac) -> Option<&'a str> {
    view.points.iter().find_map(|(_, info)| match &info.role {
        Role::Vnet { vm: Some(vm), guest_mac: Some(m) } if *m == mac => Some(vm.as_str()),
        _ => None,
    })
}

/// Joins suspects that are the same into the first of them.
fn merge_same(suspects: &mut Vec<Suspect>, same: impl Fn(Mac, Mac) -> bool) {
    let mut at = 0;
    while at < suspects.len() {
        let (head, tail) = suspects.split_at_mut(at + 1);
        let Some(first) = head.last_mut() else { break };
        let mut joined = Vec::new();
        for (offset, other) in tail.iter().enumerate() {
            if same(first.mac, other.mac) {
                first.join(other);
                joined.push(at + 1 + offset);
            }
        }
        for index in joined.into_iter().rev() {
            suspects.remove(index);
        }
        at += 1;
    }
}

/// Whether a claim counts against its MAC.
fn counts(view: &View<'_>, context: &Context, key: AddressKey, claim: &Claim, all: &[Claim]) -> bool {
    if claim.kind == ClaimKind::Soft || is_virtual_router(claim.mac) {
        return false;
    }
    if context.is_proxy(key, claim.mac) && claim.kind == ClaimKind::Reply {
        return false;
    }
    if context.is_checker(key, claim.mac) && claim.kind == ClaimKind::Probe {
        return false;
    }
    let Some(sender) = claim.sender else { return true };
    // NLB masks its Ethernet source; balance-alb says another port's MAC; both are one device by design.
    let nlb = sender.is_local() || claim.mac.is_local();
    let one_device = all.iter().any(|c| c.mac == sender && c.sender.is_none());
    let host = view.host.owns_mac(sender) && view.host.owns_mac(claim.mac);
    !(nlb || one_device || host || is_virtual_router(sender))
}

pub(super) fn own_address(view: &View<'_>, key: AddressKey) -> Option<OwnAddress> {
    let vswitch = view.points.domain_name(key.domain);
    let internal = view
        .points
        .iter()
        .find(|(id, info)| view.points.domain(*id) == Some(key.domain) && info.role == Role::Internal);
    let access = internal.map_or(0, |(id, _)| view.access_vlan(id));
    let own = view.host.owner(key.ip, &vswitch, key.vlan.outer, access)?;
    (key.vlan.inner == 0).then_some(own)
}

impl Suspect {
    fn new(mac: Mac) -> Self {
        let none = ClaimRuns::default;
        Self {
            mac,
            probe: none(),
            probes: 0,
            announce: none(),
            using: none(),
            opens: none(),
            all: none(),
            frames: 0,
            only_answers: true,
            seen: Vec::new(),
        }
    }

    fn take(&mut self, claim: &Claim) {
        let into = match claim.kind {
            ClaimKind::Probe => &mut self.probe,
            ClaimKind::Announce => &mut self.announce,
            _ => &mut self.using,
        };
        into.merge(claim.runs.clone());
        if claim.kind == ClaimKind::Probe {
            self.probes = self.probes.saturating_add(claim.frames());
        } else {
            self.frames = self.frames.saturating_add(claim.frames());
            self.all.merge(claim.runs.clone());
        }
        self.only_answers &= matches!(claim.kind, ClaimKind::Reply | ClaimKind::Probe);
        if claim.kind == ClaimKind::Opens {
            self.opens.merge(claim.runs.clone());
        }
        self.seen.extend(&claim.seen);
    }

    fn join(&mut self, other: &Self) {
        self.probe.merge(other.probe.clone());
        self.probes = self.probes.saturating_add(other.probes);
        self.announce.merge(other.announce.clone());
        self.using.merge(other.using.clone());
        self.opens.merge(other.opens.clone());
        self.all.merge(other.all.clone());
        self.frames = self.frames.saturating_add(other.frames);
        self.only_answers &= other.only_answers;
        self.seen.extend(&other.seen);
        self.settle();
    }

    fn settle(&mut self) {
        for runs in [&mut self.probe, &mut self.announce, &mut self.using, &mut self.opens, &mut self.all] {
            runs.settle();
        }
    }
}
