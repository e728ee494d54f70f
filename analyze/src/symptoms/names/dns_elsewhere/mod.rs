//! `dns-elsewhere`: questions of the domain name system are answered from an address that was not asked.
//!
//! Symptom: names are not found or only after seconds, though the name server runs and is seen to answer. A resolver takes
//! answers from the address only that it asked, and throws all others away.
//!
//! Looked at: questions and answers at one point, by the port from which was asked. Counted are questions that were answered by
//! others alone.
//!
//! Warning: two or more. Info: one. Proven: seen at the port of who asks. Likely: seen elsewhere, where a translation
//! between there and who asks may put the address right.
//!
//! Exonerated: questions that were answered by who was asked as well; several servers that were asked from one port; multicast
//! DNS, which has another port.
//!
//! Remedy: have the server answer with the address that was asked, or mend the translation in front of it.
//!
//! Sources: RFC 1035 section 4.2.1; RFC 5452 section 9.1; RFC 2181 section 4.
//!
//! 中文：DNS 查询由未被查询的地址应答：解析器只接受来自所查询地址的应答，其余丢弃，因此域名解析失败或缓慢。处理：让服务器以被查询的地址
//! 应答，或修正其前面的地址转换。

use std::collections::BTreeMap;
use std::net::IpAddr;

use netcap_bundle::Role;

use crate::deaths::Deaths;
use crate::finding::{Confidence, Finding, Severity, Subject};
use crate::symptoms::Symptom;
use crate::tables::lookups::{Elsewhere, ElsewhereKey};
use crate::text::Text;
use crate::unit::{FINDINGS_MAX, Need, Unit};
use crate::view::View;

/// The registry's line.
pub(crate) const SYMPTOM: Symptom = Symptom {
    unit: Unit {
        id: "dns-elsewhere",
        severity: Some((Severity::Info, Severity::Warning)),
        most: Some(FINDINGS_MAX),
        needs: &[Need { key: "need.dns", met: |view| Some(has_answers(view)) }],
        source: include_str!("mod.rs"),
    },
    run,
};

/// Questions that make it more than a stray answer.
const QUESTIONS_MIN: u64 = 2;

fn has_answers(view: &View<'_>) -> bool {
    let table = &view.tables.lookups;
    !table.answered.is_empty() || !table.elsewhere.is_empty()
}

fn run(view: &View<'_>, _deaths: &Deaths<'_>, findings: &mut Vec<Finding>) {
    // One exchange passes several points: the port of who asks tells most.
    let rank = |(key, found): (&ElsewhereKey, &Elsewhere)| (is_own(view, key), found.count);
    let mut best: BTreeMap<[IpAddr; 3], (&ElsewhereKey, &Elsewhere)> = BTreeMap::new();
    for new in &view.tables.lookups.elsewhere {
        let mine = best.entry([new.0.client, new.0.server, new.0.other]).or_insert(new);
        if rank(*mine) < rank(new) {
            *mine = new;
        }
    }
    let mut best: Vec<(&ElsewhereKey, &Elsewhere)> = best.into_values().collect();
    best.sort_by_key(|(key, found)| (std::cmp::Reverse(found.count), *key));
    findings.extend(best.into_iter().take(FINDINGS_MAX).map(|(key, found)| finding(view, key, found)));
}

/// The point is the port of the machine, or of the host, that asks.
fn is_own(view: &View<'_>, key: &ElsewhereKey) -> bool {
    match view.points.get(key.point).map(|info| &info.role) {
        Some(Role::Vnet { .. }) => view.host.owns_ip(key.client) != Some(true) && !is_server(view, key),
        Some(Role::Internal) => view.host.owns_ip(key.client) == Some(true),
        _ => false,
    }
}

/// The machine at that port is the one that is asked.
fn is_server(view: &View<'_>, key: &ElsewhereKey) -> bool {
    let port = view.host.topology().by_iface(view.points.name(key.point)).map(|(_, port)| port);
    port.is_some_and(|port| port.guest_ips.contains(&key.server) || port.guest_ips.contains(&key.other))
}

fn finding(view: &View<'_>, key: &ElsewhereKey, found: &Elsewhere) -> Finding {
    let words =
        |name| Text::new(name).with("client", key.client).with("server", key.server).with("other", key.other);
    let (asked, answer) = found.first;
    let right = view.tables.lookups.answered.get(&(key.client, key.server)).copied().unwrap_or_default();
    let rest = match right {
        0 => Text::verbatim(""),
        _ => words("dns-elsewhere.rest").with("right", right),
    };
    let place = found.mac.map(|mac| view.place(mac, &[]));
    let one = found.count == 1;
    Finding {
        from: Some(asked.at),
        to: Some(found.last.at),
        claim: words(if one { "dns-elsewhere.claim-one" } else { "dns-elsewhere.claim" })
            .with("count", found.count)
            .with_text("rest", rest),
        evidence: vec![
            view.frame(asked, key.point, words("dns-elsewhere.evidence.asked")),
            view.frame(
                answer,
                key.point,
                match place {
                    Some(place) => words("dns-elsewhere.evidence.answered-at").with_text("place", place),
                    None => words("dns-elsewhere.evidence.answered"),
                },
            ),
        ],
        remedy: words("dns-elsewhere.remedy"),
        ..Finding::new(
            SYMPTOM.unit.id,
            if found.count >= QUESTIONS_MIN { Severity::Warning } else { Severity::Info },
            if is_own(view, key) { Confidence::Proven } else { Confidence::Likely },
            Subject::Pair { src: Some(key.client), dst: key.server.to_string() },
        )
    }
}

#[cfg(test)]
mod tests;
