//! The replay against the real thing: random flow tables and packets, and `ovs-appctl ofproto/trace` of a real
//! ovs-vswitchd (its dummy datapath, which needs neither root nor devices) must give the same rules in the same order and
//! the same ports. `NETCAP_REPLAY_TABLES` sets how many tables are made; seeds are fixed, so a failure comes back.

#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::format_push_string,
    clippy::too_many_lines,
    clippy::unnecessary_wraps
)]

mod dice;
mod switch;
mod traced;
mod world;

use std::collections::BTreeSet;

use netcap_bundle::replay::{Dumps, ForwardingDecision, Packet, Replay, replay};
use netcap_bundle::sources::ovs::fdb::OvsFdb;
use netcap_bundle::sources::ovs::openflow::OvsOpenflow;
use netcap_bundle::sources::ovs::ovsdb::Ovsdb;
use netcap_bundle::sources::shared::OfPort;

use dice::Dice;
use switch::Switch;
use world::Probe;

const TABLES: u64 = 8;
const PACKETS: u64 = 25;

/// What both sides tell of a packet: cookies of the rules in the order met, and the ports it leaves by.
#[derive(Debug, PartialEq, Eq)]
struct Way {
    cookies: Vec<u64>,
    ports: BTreeSet<String>,
}

#[test]
fn it_tells_what_the_switch_itself_tells() {
    let Some(switch) = Switch::start() else { return };
    let tables = std::env::var("NETCAP_REPLAY_TABLES").ok().and_then(|n| n.parse().ok()).unwrap_or(TABLES);
    let (mut compared, mut untold, mut dropped, mut tracked) = (0, 0, 0, 0);
    for seed in 1..=tables {
        let mut dice = Dice::new(seed);
        switch.rules("br0", &world::groups(), &world::rules(&mut dice, true, seed % 2 == 0));
        switch.rules("br1", &[], &world::rules(&mut dice, false, seed % 2 == 0));
        let openflow: OvsOpenflow = switch.dump(&["br0", "br1"]);
        let (ovsdb, fdb): (Ovsdb, OvsFdb) = (switch.dump(&[]), switch.dump(&["br0", "br1"]));
        for number in 0..PACKETS {
            let probe = world::probe(&mut dice);
            let table = world::connections(&mut dice, &probe);
            let dumps = Dumps {
                openflow: &openflow,
                ovsdb: Some(&ovsdb),
                datapath: None,
                fdb: Some(&fdb),
                conntrack: Some(&table),
            };
            let packet = Packet::of_frame(Some(OfPort(probe.in_port)), &probe.frame);
            let ours = replay(&dumps, "br0", packet);
            let traced = match trace(&switch, &probe, &ours) {
                Ok(traced) => traced,
                Err(_too_many) => continue,
            };
            compared += 1;
            tracked += usize::from(!ours.tracked.is_empty());
            let ports: BTreeSet<String> = match &ours.decision {
                ForwardingDecision::Forwarded(exits) => exits.iter().map(|exit| exit.port.clone()).collect(),
                ForwardingDecision::Dropped(_) | ForwardingDecision::CannotTell { .. } => BTreeSet::new(),
            };
            if !ours.complete {
                // What it says nevertheless is true.
                let known =
                    ports.iter().filter(|port| *port != "NORMAL").all(|port| traced.way.ports.contains(port));
                assert!(known, "table {seed}, packet {number}: {ports:?}\n{}", traced.text);
                untold += 1;
                continue;
            }
            dropped += usize::from(matches!(ours.decision, ForwardingDecision::Dropped(_)));
            let way = Way { cookies: ours.chain.iter().map(|rule| rule.cookie).collect(), ports };
            assert_eq!(
                way, traced.way,
                "table {seed}, packet {number}: {}\n{:#?}\n{}",
                probe.flow, ours.chain, traced.text
            );
        }
    }
    eprintln!(
        "{compared} packets compared: {dropped} dropped, {tracked} tracked, {untold} that cannot be told"
    );
    assert!(
        dropped * 5 > compared && dropped < compared,
        "{dropped} of {compared} dropped: the tables are too plain"
    );
    assert!(tracked * 20 > compared, "{tracked} of {compared} tracked");
    assert!(untold * 20 < compared, "{untold} of {compared} cannot be told");
}

/// The switch's own answer, with the conntrack states that the replay found.
fn trace(switch: &Switch, probe: &Probe, ours: &Replay<'_>) -> Result<traced::Traced, traced::Refused> {
    let mut words = vec!["ofproto/trace".to_owned(), "br0".to_owned(), probe.flow.clone()];
    for lookup in &ours.tracked {
        words.push("--ct-next".to_owned());
        words.push(lookup.state.trim_start_matches('+').replace('+', ","));
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    traced::read(&switch.appctl(&words), &switch.ports())
}
