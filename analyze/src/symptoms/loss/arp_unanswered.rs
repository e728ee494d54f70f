//! `arp-unanswered`: a machine or the host asks for an address by ARP, again and again, and nobody answers.
//!
//! Symptom: no way out of a VM, or no way to one of its neighbours. Nothing but ARP requests leaves it for that address, so no
//! ping and no connection is lost that could be counted. Most often the address is its gateway's.
//!
//! Looked at: ARP requests where they enter the switch, at the port of who asks. The answer has to leave by the same port, so
//! ports that nobody recorded do not matter. The finding says who asks, for which address, how often, and where the requests
//! were last seen.
//!
//! Counted: three requests in a row and more, over a second and a half at least and at most ten seconds from one to the next,
//! none of them answered within two seconds. Three are what a kernel sends before it gives an address up.
//! Warning: more than three of them: who asks began again, so somebody still wants to get there.
//! Info: no more than three, for addresses that nobody has are asked for on every healthy network; or a cause explains them,
//! or lost pings between the same two. Proven: the port of who asks was recorded without loss.
//! Likely: nothing says whether it was.
//!
//! Exonerated: single questions that were not answered among others that were; probes and announcements, which ask for one's
//! own address (RFC 5227); who asks for eight addresses or more in vain looks who is there; requests at the edge of the
//! recording, and where a filter hides the answer.
//!
//! Remedy: look behind the place where the requests were last seen; is it the gateway's address, its owner and its VLAN first.
//!
//! Sources: RFC 826; RFC 5227 sections 1.1 and 2; Linux arp(7) (`mcast_solicit`), net/core/neighbour.c.
//!
//! 中文：虚拟机或主机反复用 ARP 查询某个地址（多为网关），始终无人应答，因此没有任何 ping 或连接可供统计。结论给出谁在查询、
//! 查询哪个地址、次数，以及请求最后出现的位置。处理：从请求最后出现的位置向后排查；若是网关地址，先核对网关与 VLAN。

use std::collections::BTreeMap;
use std::net::IpAddr;

use netcap_bundle::input::PingLog;
use netcap_bundle::run::Answer;
use netcap_bundle::{Mac, Role};

use crate::deaths::{Death, Deaths, Group, Standing, WAIT_NS, Way};
use crate::engine::PacketKind;
use crate::fidelity::Trust;
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Severity, Subject};
use crate::symptoms::Symptom;
use crate::tables::claims::ClaimKind;
use crate::tables::questions::{ArpSight, QuestionKey};
use crate::text::Text;
use crate::unit::{Need, Unit};
use crate::view::View;

/// The registry's line.
pub(crate) const SYMPTOM: Symptom = Symptom {
    unit: Unit {
        id: "arp-unanswered",
        severity: Some((Severity::Info, Severity::Warning)),
        most: Some(FINDINGS_MAX),
        needs: &[Need { key: "need.vm-port", met: |view| Some(has_own_port(view)) }],
        source: include_str!("arp_unanswered.rs"),
    },
    run,
};

/// Findings made of one input.
const FINDINGS_MAX: usize = 50;
/// Requests that a kernel sends before it gives up (arp(7) `mcast_solicit`).
const SOLICITATIONS: usize = 3;
/// Requests shown.
const FRAMES_MAX: usize = 3;

/// Who asks for whom.
type Pair = (IpAddr, IpAddr, Option<Mac>);

fn has_own_port(view: &View<'_>) -> bool {
    view.points
        .iter()
        .any(|(_, info)| info.vswitch.is_some() && matches!(info.role, Role::Vnet { .. } | Role::Internal))
}

fn run(view: &View<'_>, deaths: &Deaths<'_>, findings: &mut Vec<Finding>) {
    let mut pairs: BTreeMap<Pair, Vec<&Group<'_>>> = BTreeMap::new();
    let unanswered = |group: &&Group<'_>| {
        group.kind == PacketKind::ArpRequest && group.deaths.iter().any(|death| !death.followed)
    };
    for group in deaths.groups.iter().filter(unanswered) {
        let mac = group.eth.map(|eth| eth.src);
        pairs.entry((group.src, group.dst, mac)).or_default().push(group);
    }
    let mut pairs: Vec<(Pair, Vec<&Group<'_>>)> =
        pairs.into_iter().filter(|((src, dst, _), _)| !is_pinged(view, *src, *dst)).collect();
    let count = |groups: &[&Group<'_>]| groups.iter().map(|group| group.deaths.len()).sum::<usize>();
    pairs.sort_by_key(|(pair, groups)| (std::cmp::Reverse(count(groups)), *pair));
    findings
        .extend(pairs.iter().take(FINDINGS_MAX).filter_map(|(pair, groups)| finding(view, *pair, groups)));
}

/// The host's own pings of the address are in a log, and it says what is lost.
fn is_pinged(view: &View<'_>, src: IpAddr, dst: IpAddr) -> bool {
    let lost =
        |log: &PingLog| log.records.iter().any(|r| matches!(r.answer, Answer::Lost | Answer::Error { .. }));
    let logged = view.input.pings.iter().any(|log| log.address == dst.to_string() && lost(log));
    logged && view.host.owns_ip(src) == Some(true)
}

fn finding(view: &View<'_>, (src, dst, mac): Pair, groups: &[&Group<'_>]) -> Option<Finding> {
    let most = groups.iter().max_by_key(|group| (group.deaths.len(), std::cmp::Reverse(group.place.from)))?;
    let mut lost: Vec<Death> = groups.iter().flat_map(|group| &group.deaths).copied().collect();
    lost.sort_unstable();
    let (first, last) = (lost.first()?, lost.last()?);
    let asked = Asked::of(view, src, dst, mac)?;
    let trust = view.fidelity.trust(asked.origin.point, first.at, last.at.plus(WAIT_NS));
    let claim = Text::new("arp-unanswered.claim")
        .with_text("who", named(view, asked.origin))
        .with("src", src)
        .with("dst", dst)
        .with("lost", lost.len())
        .with("asked", asked.requests)
        .with_text("place", place(view, most));
    Some(Finding {
        detector: SYMPTOM.unit.id,
        severity: if lost.len() > SOLICITATIONS { Severity::Warning } else { Severity::Info },
        confidence: if trust == Trust::Sound { Confidence::Proven } else { Confidence::Likely },
        subject: Subject::Pair { src: Some(src), dst: dst.to_string() },
        from: Some(first.at),
        to: Some(last.at),
        claim,
        evidence: evidence(view, most, &asked, &lost),
        exonerations: exonerations(&asked),
        remedy: remedy(view, most, dst),
        victims: Vec::new(),
        explained_by: None,
        consequences: Vec::new(),
        deaths: lost.iter().map(|death| death.frame).collect(),
        ruled: Vec::new(),
    })
}

/// The questions of one for another where they enter the switch.
struct Asked<'a> {
    origin: &'a ArpSight,
    requests: usize,
    /// Replies that reached the port of who asks.
    answered: usize,
}

impl<'a> Asked<'a> {
    fn of(view: &'a View<'_>, src: IpAddr, dst: IpAddr, mac: Option<Mac>) -> Option<Self> {
        let (IpAddr::V4(asker), IpAddr::V4(target)) = (src, dst) else { return None };
        let questions = view.tables.questions.pairs.get(&QuestionKey { mac: mac?, asker, target })?;
        let own = |sight: &&ArpSight| {
            let info = view.points.get(sight.point);
            info.is_some_and(|info| matches!(info.role, Role::Vnet { .. } | Role::Internal))
        };
        // Others hear the flood; the one who asks is heard first.
        let origin = questions.requests.iter().find(own)?;
        let here = |sight: &&ArpSight| (sight.point, sight.direction) == (origin.point, origin.direction);
        let back = questions.replies.iter().filter(|reply| reply.point == origin.point);
        Some(Self {
            origin,
            requests: questions.requests.iter().filter(here).count(),
            answered: back.count(),
        })
    }
}

fn named(view: &View<'_>, origin: &ArpSight) -> Text {
    let port = view.points.name(origin.point);
    match view.points.get(origin.point).map(|info| &info.role) {
        Some(Role::Vnet { vm: Some(vm), .. }) => Text::new("place.vm").with("port", port).with("vm", vm),
        _ => Text::verbatim(port),
    }
}

/// Where most of them were last seen, and where they are missing.
fn place(view: &View<'_>, group: &Group<'_>) -> Text {
    let point = view.points.name(group.place.from.point);
    let exits: Vec<Text> = group.exits().iter().map(|id| Text::verbatim(view.points.name(*id))).collect();
    let sure = group.deaths.iter().any(|death| matches!(death.standing, Standing::Sure(_)));
    match group.place.way {
        Way::Switch | Way::Learned if sure && !exits.is_empty() => {
            Text::new("arp-unanswered.place.inside").with("point", point).with_list("exits", exits)
        }
        Way::Switch | Way::Learned => Text::new("arp-unanswered.place.entry").with("point", point),
        Way::Backup | Way::Beyond if is_machine(view, group) => {
            Text::new("arp-unanswered.place.machine").with("point", point)
        }
        Way::Backup | Way::Beyond => Text::new("arp-unanswered.place.left").with("point", point),
    }
}

/// They were delivered at a port of a machine or of the host.
fn is_machine(view: &View<'_>, group: &Group<'_>) -> bool {
    let role = view.points.get(group.place.from.point).map(|info| &info.role);
    matches!(role, Some(Role::Vnet { .. } | Role::Internal))
}

fn evidence(view: &View<'_>, most: &Group<'_>, asked: &Asked<'_>, lost: &[Death]) -> Vec<Evidence> {
    let point = most.place.from.point;
    let what = || Text::new("arp-unanswered.evidence.request").with("point", view.points.name(point));
    let shown = most.deaths.iter().take(FRAMES_MAX);
    let mut out: Vec<Evidence> = shown.map(|death| view.frame(Group::sight(death), point, what())).collect();
    let (Some(first), Some(last)) = (lost.first(), lost.last()) else { return out };
    let port = view.points.name(asked.origin.point);
    let missing = Text::new("arp-unanswered.evidence.reply").with("port", port).with("count", lost.len());
    out.push(view.absence(asked.origin.point, first.at, last.at.plus(WAIT_NS), missing));
    out.extend(speaks(view, most));
    out
}

/// The address is in use: somebody else was heard with it.
fn speaks(view: &View<'_>, group: &Group<'_>) -> Option<Evidence> {
    let mut known = view.tables.claims.addresses.iter().filter(|(key, _)| key.ip == group.dst);
    let claim = known.find_map(|(_, address)| {
        address
            .claims
            .iter()
            .find(|claim| claim.kind != ClaimKind::Probe && Some(claim.mac) != group.eth.map(|eth| eth.src))
    })?;
    let (point, run) = (claim.seen.first()?.0, claim.runs.runs().first()?.first);
    let what = Text::new("arp-unanswered.evidence.speaks").with("dst", group.dst).with("mac", claim.mac);
    Some(view.frame(run, point, what))
}

fn exonerations(asked: &Asked<'_>) -> Vec<Exoneration> {
    let mut out = vec![
        Exoneration::RuledOut(Text::new("arp-unanswered.not.capture")),
        Exoneration::RuledOut(Text::new("arp-unanswered.not.scan")),
    ];
    if asked.answered > 0 {
        out.push(Exoneration::Counted(
            Text::new("arp-unanswered.not.answered").with("count", asked.answered),
        ));
    }
    out
}

fn remedy(view: &View<'_>, group: &Group<'_>, dst: IpAddr) -> Text {
    let point = view.points.name(group.place.from.point);
    let key = match group.place.way {
        Way::Switch | Way::Learned => "arp-unanswered.remedy.inside",
        Way::Backup | Way::Beyond if is_machine(view, group) => "arp-unanswered.remedy.machine",
        Way::Backup | Way::Beyond => "arp-unanswered.remedy.left",
    };
    Text::new(key).with("point", point).with("dst", dst)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use netcap_bundle::Role;
    use netcap_bundle::packets::Direction::{In, Out};
    use netcap_tests::bundle::BundleBuilder;
    use netcap_tests::packets::{arp_probe, arp_reply, arp_request, mac};

    use crate::finding::{Confidence, Severity};
    use crate::testing::{found, only};

    const VM: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
    const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 254);
    const GUEST: &str = "0c:da:41:1d:56:a7";

    fn bundle(filter: &str) -> BundleBuilder {
        let mut bundle = BundleBuilder::new(30_000);
        let vnet = Role::Vnet { vm: Some("web".into()), guest_mac: Some(mac(GUEST)) };
        bundle.point("vnet0", vnet, filter).point("eth3", Role::Uplink { bond: None }, filter);
        bundle
    }

    /// Asks at these seconds; `leaves` says whether the question is flooded.
    fn ask(bundle: &mut BundleBuilder, seconds: std::ops::Range<i64>, target: Ipv4Addr, leaves: bool) {
        for second in seconds {
            let request = arp_request(mac(GUEST), VM, target);
            bundle.frame_us("vnet0", second * 1_000_000, In, &request);
            if leaves {
                bundle.frame_us("eth3", second * 1_000_000 + 40, Out, &request);
            }
        }
    }

    fn answer(bundle: &mut BundleBuilder, second: i64) {
        let reply = arp_reply(mac("a0:36:9f:97:76:b8"), GATEWAY, mac(GUEST), VM);
        bundle.frame_us("eth3", second * 1_000_000 + 300, In, &reply);
        bundle.frame_us("vnet0", second * 1_000_000 + 340, Out, &reply);
    }

    #[test]
    fn a_gateway_that_never_answers_is_found_without_any_ping() {
        let mut bundle = bundle("");
        ask(&mut bundle, 5..12, GATEWAY, true);
        let findings = found(&bundle.seal(), "arp-unanswered");
        assert_eq!(only(&findings), (Severity::Warning, Confidence::Proven));
        assert_eq!(
            findings[0].claim.english(),
            "vnet0, VM web (172.16.51.20) asked for 172.16.51.254 by ARP, and 7 of 7 requests were not answered: they left \
             the host at eth3."
        );
    }

    #[test]
    fn an_address_that_is_asked_for_once_and_given_up_is_no_warning() {
        for (seconds, severity) in [(5..8, Severity::Info), (5..9, Severity::Warning)] {
            let mut bundle = bundle("");
            ask(&mut bundle, seconds, GATEWAY, true);
            assert_eq!(only(&found(&bundle.seal(), "arp-unanswered")), (severity, Confidence::Proven));
        }
    }

    #[test]
    fn a_question_that_leaves_nowhere_died_in_the_switch() {
        let mut bundle = bundle("");
        ask(&mut bundle, 5..9, GATEWAY, false);
        let findings = found(&bundle.seal(), "arp-unanswered");
        assert!(findings[0].claim.english().ends_with("they entered at vnet0 and appeared at none of eth3."));
    }

    #[test]
    fn questions_that_are_answered_in_between_are_no_fault() {
        let mut bundle = bundle("");
        ask(&mut bundle, 5..15, GATEWAY, true);
        for second in [7, 10, 13] {
            answer(&mut bundle, second);
        }
        assert!(found(&bundle.seal(), "arp-unanswered").is_empty());
    }

    #[test]
    fn a_gateway_that_falls_silent_is_found() {
        let mut bundle = bundle("");
        ask(&mut bundle, 5..15, GATEWAY, true);
        answer(&mut bundle, 5);
        let findings = found(&bundle.seal(), "arp-unanswered");
        // What was asked two seconds before an answer may have been answered by it.
        assert!(findings[0].claim.english().contains("9 of 10 requests"), "{}", findings[0].claim.english());
    }

    #[test]
    fn probes_scans_and_edges_are_no_questions() {
        let mut probing = bundle("");
        for second in 5..12 {
            probing.frame("vnet0", second * 1_000, In, &arp_probe(mac(GUEST), GATEWAY));
        }
        assert!(found(&probing.seal(), "arp-unanswered").is_empty());
        let mut scanning = bundle("");
        for host in 1..20 {
            ask(&mut scanning, 5..9, Ipv4Addr::new(172, 16, 51, 100 + host), true);
        }
        assert!(found(&scanning.seal(), "arp-unanswered").is_empty());
        let mut edge = bundle("");
        ask(&mut edge, 28..30, GATEWAY, true);
        assert!(found(&edge.seal(), "arp-unanswered").is_empty());
    }

    #[test]
    fn a_filter_that_hides_answers_says_nothing() {
        let mut hiding = bundle("arp[6:2] = 1");
        ask(&mut hiding, 5..12, GATEWAY, true);
        assert!(found(&hiding.seal(), "arp-unanswered").is_empty());
    }

    /// The flood leaves the host as well, but its target was heard at a port of it, and nothing arrives there.
    #[test]
    fn a_neighbour_on_the_same_host_is_not_looked_for_outside() {
        let mut bundle = bundle("");
        let other = mac("0c:da:41:1d:56:a8");
        let vnet = Role::Vnet { vm: Some("db".into()), guest_mac: Some(other) };
        bundle.point("vnet1", vnet, "");
        let target = Ipv4Addr::new(172, 16, 51, 21);
        bundle.frame("vnet1", 1_000, In, &arp_request(other, target, GATEWAY));
        ask(&mut bundle, 5..9, target, true);
        let findings = found(&bundle.seal(), "arp-unanswered");
        assert!(
            findings[0].claim.english().ends_with("they entered at vnet0 and appeared at none of vnet1.")
        );
    }

    #[test]
    fn whoever_asks_beyond_the_uplink_is_not_judged() {
        let mut bundle = bundle("");
        for second in 5..12 {
            let request = arp_request(mac("a0:36:9f:97:76:b8"), GATEWAY, Ipv4Addr::new(172, 16, 51, 77));
            bundle.frame("eth3", second * 1_000, In, &request).frame(
                "vnet0",
                second * 1_000 + 1,
                Out,
                &request,
            );
        }
        assert!(found(&bundle.seal(), "arp-unanswered").is_empty());
    }
}
