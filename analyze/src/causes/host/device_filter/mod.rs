//! `device-filter`: a rule of nftables at a port's device drops packets before the switch gets them, or after it let them go.
//!
//! Symptom: packets come in at a port and never reach the switch, or leave it and never reach the wire, while no rule of the
//! switch, of the bridge or of the host's firewall for routed packets drops any: chains of the family netdev (hooks `ingress` and
//! `egress`) are in none of their lists.
//!
//! Looked at: packets that entered at a port and were seen at none where they had to leave, and the chains at the device of that
//! port, and at those of all ports where they had to leave.
//!
//! Proven: two packets or more, and a rule that certainly drops them and counted them. Likely: a rule that does not count.
//! Cannot tell: a rule that may drop them and is not understood in full.
//!
//! Exonerated: rules for other devices, addresses or protocols; rules that count and let pass; the userspace datapath of Open
//! vSwitch, which gets a frame before these hooks do.
//!
//! Remedy: change the rule where it was made: the finding names table and chain.
//!
//! Sources: nft(8) "netdev address family"; Linux net/core/dev.c `__netif_receive_skb_core` (`nf_ingress` behind the taps,
//! before the handler of a bridge), `__dev_queue_xmit` (`nf_hook_egress` before the taps).
//!
//! 中文：端口设备上的 nftables 规则（netdev 族，ingress/egress 钩子）在交换机收到报文之前或放出之后将其丢弃，交换机、网桥与主机防火墙的
//! 规则中均看不到。处理：在规则的来源处修改，finding 中列出表与链。

use netcap_bundle::sources::network::bridge_filter::{BridgeFilter, BridgedFrame};
use netcap_bundle::state::Round;
use netcap_bundle::topology::SwitchKind;

use crate::causes::{Cause, Claim, Ruling, Rung, harms_nobody, reads_nothing};
use crate::deaths::filtered::{Filtered, Filtering, line, short};
use crate::deaths::flows::packet_fields;
use crate::deaths::{Case, Way, shown};
use crate::finding::{Evidence, Finding, Severity};
use crate::host::file_of;
use crate::tables::hops::Side;
use crate::text::Text;
use crate::unit::{FINDINGS_MAX, SWITCH_POINT, Unit};

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "device-filter",
        severity: Some((Severity::Info, Severity::Error)),
        most: Some(FINDINGS_MAX),
        needs: &[SWITCH_POINT],
        source: include_str!("mod.rs"),
    },
    rung: Rung::LinuxBridge,
    judge,
    reads: reads_nothing,
    harms: harms_nobody,
};

fn judge(case: &Case<'_, '_>) -> Ruling {
    if !is_concerned(case) {
        return Ruling::NotConcerned;
    }
    let packet = packet_fields(case.view, case.group);
    let ending = case.filtering(&|round: &Round<BridgeFilter>, leaves: &str| {
        round.parsed.value.drops_at_devices(&BridgedFrame { packet: &packet, enters: case.port(), leaves })
    });
    let ports = |text: Text| text.with("port", case.port()).with_list("exits", case.exit_names());
    match ending {
        Filtering::Ends(filtered) if !filtered.end.certain => {
            let open = Text::new("device-filter.open.rule").with("rule", line(&filtered.end));
            Ruling::CannotTell(vec![open])
        }
        Filtering::Ends(filtered) => claim(case, filtered),
        Filtering::Passes(round) => match round.parsed.value.devices_complete {
            Some(true) if round.parsed.value.device_chains.is_empty() => Ruling::NotConcerned,
            Some(true) => Ruling::RuledOut(ports(Text::new("device-filter.out.none"))),
            Some(false) => Ruling::CannotTell(vec![ports(Text::new("device-filter.open.cut"))]),
            None => Ruling::NotConcerned,
        },
        Filtering::Unread => Ruling::NotConcerned,
    }
}

/// They entered a switch whose ports hand them over behind these hooks.
fn is_concerned(case: &Case<'_, '_>) -> bool {
    let place = &case.group.place;
    let entered = matches!(place.way, Way::Switch | Way::Learned)
        && matches!(place.from.side(&case.view.context), Side::Enter(_));
    let name = case.info().and_then(|info| info.vswitch.as_deref());
    let switch = name.and_then(|name| case.view.host.topology_at(case.span().0).switch(name));
    entered
        && switch.is_some_and(|switch| match switch.kind {
            SwitchKind::LinuxBridge => true,
            SwitchKind::Ovs => matches!(switch.datapath.as_deref(), None | Some("" | "system")),
        })
}

fn claim(case: &Case<'_, '_>, filtered: Filtered<'_>) -> Ruling {
    let Filtered { round, end, counter, counted } = filtered;
    let (table, chain, rule) = (&end.chain.table, &end.chain.name, short(&end));
    let hook = end.chain.hook.as_deref().unwrap_or("ingress");
    let words =
        |key| Text::new(key).with("table", table).with("chain", chain).with("rule", &rule).with("hook", hook);
    let file = file_of(round, "netdev").unwrap_or_default();
    let what = words("device-filter.evidence.rule");
    let mut evidence = vec![Evidence::Snapshot { file, at: Some(round.at), line: line(&end), what }];
    evidence.extend(counter);
    evidence.extend(case.packets());
    let finding = Finding {
        claim: words("device-filter.claim")
            .with_list("devices", end.chain.devices.iter().map(Text::verbatim).collect())
            .with_text("what", shown::what(case.group))
            .with_text("who", case.who())
            .with_list("exits", case.exit_names()),
        evidence,
        exonerations: case.recorded(),
        remedy: words("device-filter.remedy"),
        ..case.finding(CAUSE.unit.id, case.confidence(counted))
    };
    Claim::of(format!("{table} {chain} {rule}"), case.rest, finding)
}

#[cfg(test)]
mod tests;
