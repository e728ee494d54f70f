//! Two that look like rivals and are not, and rivals that look like these.

use netcap_tests::packets::{udp, vrrp};

use super::*;

fn answered(ms: i64) -> [(i64, Vec<u8>); 2] {
    [(ms, arp_probe(a(), IP)), (ms + 1, arp_reply(b(), IP, a(), Ipv4Addr::UNSPECIFIED))]
}

#[test]
fn who_goes_on_asking_at_one_pace_tracks_devices() {
    let tracked: Vec<_> = (0..5).flat_map(|n| answered(n * 30_000)).collect();
    let findings = judged(&tracked);
    assert_eq!(only(&findings), (Severity::Info, Confidence::Likely));
    assert!(findings[0].claim.english().contains("only asks whether it is taken"));
    // The ARP monitor of a bond.
    let monitored: Vec<_> = (0..30).flat_map(|n| answered(n * 1_000)).collect();
    assert_eq!(only(&judged(&monitored)).0, Severity::Info);
    // To one station only, it is no claim at all.
    let unicast = |ms| (ms, arp(1, b(), a(), a(), Ipv4Addr::UNSPECIFIED, Mac::default(), IP));
    assert!(judged(&[unicast(0), (1, says(b())), unicast(30_000), (30_001, says(b()))]).is_empty());
}

#[test]
fn who_wants_an_address_and_is_refused_is_no_tracker() {
    // It tries again when somebody tells it to.
    let again: Vec<_> = [0, 4_000, 95_000, 120_000].into_iter().flat_map(answered).collect();
    assert_eq!(only(&judged(&again)), PROVEN);
    // A client that declines, and is offered the address again.
    let mut client: Vec<_> = (0..5).flat_map(|n| answered(n * 30_000)).collect();
    let discover = udp(a(), Mac::BROADCAST, Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST, (68, 67), b"x");
    client.push((29_000, discover));
    assert_eq!(only(&judged(&client)), PROVEN);
    // At last it takes the address.
    let mut taken: Vec<_> = (0..5).flat_map(|n| answered(n * 30_000)).collect();
    taken.push((125_000, arp_announce(a(), IP)));
    assert_eq!(only(&judged(&taken)), PROVEN);
}

#[test]
fn who_lives_at_another_address_only_asks() {
    let home = Ipv4Addr::new(172, 16, 51, 9);
    let lives = |ms| (ms, arp_request(a(), home, CLIENT_IP));
    let [probe, answer] = answered(5_000);
    let asks = [lives(0), probe.clone(), answer.clone(), lives(9_000)];
    assert_eq!(only(&judged(&asks)).0, Severity::Info);
    // It gave its address up for this one.
    assert_eq!(only(&judged(&[lives(0), probe, answer])), PROVEN);
}

#[test]
fn a_failover_and_its_return_are_announced_and_leave_silence() {
    let there_and_back = |back: &[Vec<u8>]| {
        let mut frames = vec![(0, says(a())), (14_000, says(a()))];
        frames.extend([(21_000, arp_announce(b(), IP)), (26_000, says(b())), (35_000, says(b()))]);
        frames.extend(back.iter().map(|frame| (36_000, frame.clone())));
        frames.push((36_500, says(a())));
        frames
    };
    let announced = judged(&there_and_back(&[arp_announce(a(), IP)]));
    assert_eq!(only(&announced), (Severity::Info, Confidence::Likely));
    assert_eq!(only(&judged(&there_and_back(&[]))), PROVEN);
    // The first one speaks all the while.
    let mut both = there_and_back(&[arp_announce(a(), IP)]);
    both.push((27_000, says(a())));
    assert_eq!(only(&judged(&both)), PROVEN);
    // Nobody was seen to use it.
    let now_and_then = [(0, a()), (15_000, b()), (30_000, a())].map(|(ms, who)| (ms, arp_announce(who, IP)));
    assert_eq!(judged(&now_and_then)[0].severity, Severity::Error);
    // It defends the address.
    let defended = [
        (0, says(a())),
        (14_000, says(a())),
        (30_000, arp_announce(b(), IP)),
        (30_001, arp_announce(a(), IP)),
    ];
    assert_eq!(only(&judged(&defended)), PROVEN);
}

/// Advertisements of group 51 each second.
fn adverts(who: Mac, from: i64, to: i64) -> impl Iterator<Item = (i64, Vec<u8>)> {
    (from..to).map(move |s| (s * 1_000, vrrp(who, 51, 100)))
}

#[test]
fn vrrp_tells_failovers_from_a_conflict() {
    let claims = [(2_500, says(a())), (12_500, says(b())), (18_500, says(a()))];
    let elected = |master: Vec<(i64, Vec<u8>)>| judged(&[&claims[..], &master].concat());
    let turns: Vec<_> = adverts(a(), 0, 8).chain(adverts(b(), 9, 16)).chain(adverts(a(), 17, 30)).collect();
    let findings = elected(turns.clone());
    assert_eq!(only(&findings), (Severity::Info, Confidence::Proven));
    assert!(findings[0].claim.english().contains("and back, and their VRRP"));
    // Both are master at a time.
    assert_eq!(only(&elected(adverts(a(), 0, 30).chain(adverts(b(), 9, 16)).collect())), PROVEN);
    // It still claims the address while the other is the master.
    let usurped = [&turns[..], &[(13_000, says(a()))]].concat();
    assert_eq!(only(&elected(usurped)), PROVEN);
    // One advertisement each, in turns.
    let single = [0, 10, 20, 30].map(|s| (s * 1_000, vrrp(if s % 20 == 0 { a() } else { b() }, 51, 100)));
    assert_eq!(only(&elected(single.to_vec())), PROVEN);
    assert_eq!(only(&elected(Vec::new())), PROVEN);
}

#[test]
fn two_cards_of_one_host_answer_together_for_all_its_addresses() {
    let second = Ipv4Addr::new(172, 16, 51, 24);
    let both = |ms, ip| [a(), b()].map(|who| (ms, arp_reply(who, ip, client(), CLIENT_IP)));
    let flux: Vec<_> = (0..4).flat_map(|n| [both(n * 500, IP), both(n * 500, second)].concat()).collect();
    let findings = judged(&flux);
    assert_eq!(only(&findings), (Severity::Info, Confidence::Likely));
    let claim = findings[0].claim.english();
    assert!(claim.contains(&format!("{IP}, {second}")) && claim.contains("ARP flux"), "{claim}");
    // One address only, or not always both: two devices.
    assert_eq!(only(&judged(&(0..4).flat_map(|n| both(n * 500, IP)).collect::<Vec<_>>())), PROVEN);
    let mut apart = flux;
    apart.push((3_000, arp_reply(a(), second, client(), CLIENT_IP)));
    assert_eq!(judged(&apart).iter().filter(|f| f.severity == Severity::Error).count(), 2);
}

/// A file of cooked frames, each with its interface where the version has it.
fn cooked(link: u16, frames: &[(i64, u32, Vec<u8>)]) -> Vec<Finding> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("any.pcap");
    let frames: Vec<(i64, Vec<u8>)> = frames
        .iter()
        .map(|(ms, index, frame)| {
            let mut header = if link == 276 { vec![0x08, 0x06, 0, 0] } else { vec![0, 0, 0, 1, 0, 6] };
            if link == 276 {
                header.extend(index.to_be_bytes());
                header.extend([0, 1, 0, 6]);
            }
            header.extend(&frame[6..12]);
            header.extend(if link == 276 { [0, 0] } else { [0x08, 0x06] });
            if link != 276 {
                header.splice(12..12, [0, 0]);
            }
            header.extend(&frame[14..]);
            (*ms, header)
        })
        .collect();
    netcap_tests::bundle::pcap_of(&path, link, &frames);
    let verdict = crate::testing::explain_path(&path, 1);
    verdict.findings.into_iter().filter(|finding| finding.detector == "ip-conflict").collect()
}

#[test]
fn interfaces_of_one_capture_are_networks_of_their_own() {
    let turns = |x: u32, y: u32| {
        let of = |n: i64| if n % 2 == 0 { (n * 1_000, x, says(a())) } else { (n * 1_000, y, says(b())) };
        (0..6).map(of).collect::<Vec<_>>()
    };
    assert!(cooked(276, &turns(11, 12)).is_empty());
    assert_eq!(only(&cooked(276, &turns(11, 11))), PROVEN);
    assert_eq!(only(&cooked(113, &turns(11, 12))), (Severity::Warning, Confidence::CannotTell));
    // A bridge and its port show it twice.
    let twice: Vec<_> = [turns(11, 11), turns(12, 12)].concat();
    assert_eq!(only(&cooked(276, &twice)), PROVEN);
}

/// A sentence about two of three counts the third.
#[test]
fn the_sentence_counts_all_who_take_part() {
    let c = mac("0c:da:41:00:00:0c");
    let three = judged(&[(0, arp_probe(a(), IP)), (1, says(b())), (2, says(c))]);
    let claim = three[0].claim.english();
    assert!(claim.contains("is used twice") && claim.ends_with("In all, 3 devices take part."), "{claim}");
    let two = judged(&[(0, arp_probe(a(), IP)), (1, says(b()))]);
    assert!(!two[0].claim.english().contains("In all"), "{}", two[0].claim.english());
}
