//! Random rules, packets and connections. Each rule has a cookie and a priority of its own in its table, so that both
//! sides must choose the same one.

use netcap_bundle::Nanos;
use netcap_bundle::source::{Outcome, RawItem, Snapshot};
use netcap_bundle::sources::ovs::conntrack::OvsConntrack;

use crate::dice::Dice;

const LAST_TABLE: u64 = 5;
const HOSTS: [&str; 3] = ["10.0.0.1", "10.0.0.2", "10.0.1.3"];
const SIX: [&str; 3] = ["fc00::1", "fc00::2", "fc01::3"];
const MACS: [&str; 3] = ["02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"];
const PORTS: [&str; 3] = ["22", "53", "8080"];

/// A packet as bytes and as `ofproto/trace` wants it.
pub(crate) struct Probe {
    pub(crate) in_port: u16,
    pub(crate) frame: Vec<u8>,
    pub(crate) flow: String,
    tuple: Option<(&'static str, [String; 2], [u16; 2])>,
}

pub(crate) fn groups() -> Vec<String> {
    vec![
        "group_id=1,type=all,bucket=actions=output:2,bucket=actions=set_field:7->reg2,resubmit(,5)"
            .to_owned(),
        "group_id=2,type=indirect,bucket=actions=mod_nw_ttl:9,output:3".to_owned(),
    ]
}

/// `stateful`: with `ct()`, else with action sets; the switch (3.1) aborts on both together.
pub(crate) fn rules(dice: &mut Dice, first_bridge: bool, stateful: bool) -> Vec<String> {
    let mut out = Vec::new();
    let bridge = u64::from(!first_bridge);
    for table in 0..=LAST_TABLE {
        for number in 0..4 + dice.below(8) {
            let cookie = 1 + bridge * 10_000 + table * 100 + number;
            // The lowest priorities come with few conditions, so that most lookups find something.
            let (wanted, proto) = wanted(dice, number < 2);
            let actions = actions(dice, table, proto, first_bridge, stateful);
            // What is invalid cannot be sent through conntrack, says the switch.
            let bad = wanted.contains("+inv") && actions.contains("ct(");
            let actions = if bad { "drop".to_owned() } else { actions };
            out.push(format!(
                "table={table},cookie={cookie},priority={}{wanted},actions={actions}",
                10 + number * 3
            ));
        }
        if dice.one_in(2) {
            let id = 100 + table;
            for (cookie, text) in [
                format!("ip,nw_src=10.0.0.0/24,actions=conjunction({id},1/2)"),
                format!("ip,nw_dst={},actions=conjunction({id},2/2)", dice.pick(&HOSTS)),
                format!("conj_id={id},ip,actions={}", actions(dice, table, "ip", first_bridge, stateful)),
            ]
            .iter()
            .enumerate()
            {
                let cookie = 1 + bridge * 10_000 + table * 100 + 50 + cookie as u64;
                out.push(format!("table={table},cookie={cookie},priority=21,{text}"));
            }
        }
    }
    out
}

/// The match of a rule, with a leading comma, and its protocol.
fn wanted(dice: &mut Dice, plain: bool) -> (String, &'static str) {
    let mut out = String::new();
    let proto = if plain {
        dice.pick(&["", "", "ip", "ipv6"])
    } else {
        dice.pick(&["", "ip", "icmp", "tcp", "udp", "arp", "ipv6", "tcp6"])
    };
    let mut add = |text: String| {
        out.push(',');
        out.push_str(&text);
    };
    if !proto.is_empty() {
        add(proto.to_owned());
    }
    if plain {
        return (out, proto);
    }
    let four = matches!(proto, "ip" | "icmp" | "tcp" | "udp");
    if four && dice.one_in(2) {
        add(format!(
            "nw_dst={}",
            dice.pick(&["10.0.0.1", "10.0.0.2", "10.0.0.0/24", "10.0.1.0/255.255.255.0", "0.0.0.1/0.0.0.1"])
        ));
    }
    if four && dice.one_in(3) {
        add(format!("nw_src={}", dice.pick(&["10.0.0.1", "10.0.0.0/23", "10.0.1.3"])));
    }
    if proto == "arp" && dice.one_in(2) {
        add(dice.pick(&["arp_op=1", "arp_spa=10.0.0.0/24", "arp_tpa=10.0.0.2", "arp_op=2"]).to_owned());
    }
    if proto.ends_with('6') && dice.one_in(2) {
        add(dice.pick(&["ipv6_dst=fc00::2", "ipv6_src=fc00::/16", "ipv6_dst=fc01::/16"]).to_owned());
    }
    if matches!(proto, "tcp" | "udp" | "tcp6") && dice.one_in(2) {
        add(format!("tp_dst={}", dice.pick(&["22", "53", "0x16/0xfffe", "8080"])));
    }
    if proto.starts_with("tcp") && dice.one_in(4) {
        add(format!("tcp_flags={}", dice.pick(&["+syn", "-ack", "+syn-ack", "+ack"])));
    }
    if (four || proto == "ipv6") && dice.one_in(3) {
        add(format!(
            "ct_state={}",
            dice.pick(&["-trk", "+trk", "+trk+new", "+trk+est", "+est-rpl+trk", "+inv+trk", "+trk-inv"])
        ));
    }
    if dice.one_in(5) {
        add(format!("in_port={}", dice.pick(&["1", "2", "3", "9"])));
    }
    if dice.one_in(6) {
        add(dice
            .pick(&[
                "dl_vlan=5",
                "dl_vlan=6",
                "vlan_tci=0x0000/0x1fff",
                "vlan_tci=0x1000/0x1000",
                "dl_vlan_pcp=3",
            ])
            .to_owned());
    }
    if dice.one_in(4) {
        add(dice
            .pick(&["reg1=0x5", "reg1=0/0xf", "reg2=7", "metadata=0x3/0xff", "reg2=0", "xreg1=0"])
            .to_owned());
    }
    if dice.one_in(6) {
        add(format!(
            "dl_dst={}",
            dice.pick(&["02:00:00:00:00:02", "01:00:00:00:00:00/01:00:00:00:00:00", "02:00:00:00:00:03"])
        ));
    }
    if (four || proto == "ipv6") && dice.one_in(8) {
        add(dice.pick(&["nw_ttl=64", "nw_ttl=63", "nw_tos=0", "ip_frag=no", "nw_ttl=9"]).to_owned());
    }
    (out, proto)
}

fn actions(dice: &mut Dice, table: u64, proto: &str, first_bridge: bool, stateful: bool) -> String {
    let ip = matches!(proto, "ip" | "icmp" | "tcp" | "udp" | "ipv6" | "tcp6");
    let four = ip && !proto.ends_with('6');
    // A copy that is frozen after `exit` takes the exit along: nobody writes that, and it is not followed.
    let exit = if stateful { "set_tunnel:6" } else { "exit" };
    let mut out: Vec<String> = Vec::new();
    for _ in 0..=dice.below(3) {
        out.push(match dice.below(25) {
            0 | 1 => format!("output:{}", dice.pick(&["1", "2", "3", "4", "LOCAL"])),
            2 | 3 if first_bridge => "output:9".to_owned(),
            4 | 5 => dice.pick(&["NORMAL", "NORMAL", "FLOOD", "ALL", "IN_PORT"]).to_owned(),
            6 => format!("set_field:{}->reg1", dice.pick(&["0x5", "0x2/0xf", "3"])),
            7 => format!(
                "load:{}->NXM_NX_REG2[{}]",
                dice.pick(&["7", "1", "0"]),
                dice.pick(&["", "0..7", "4..6"])
            ),
            8 => "move:NXM_NX_REG1[0..7]->NXM_NX_REG2[0..7]".to_owned(),
            9 => "output:NXM_NX_REG1[0..15]".to_owned(),
            10 => dice
                .pick(&[
                    "mod_vlan_vid:5",
                    "mod_vlan_vid:6",
                    "mod_vlan_pcp:3",
                    "push_vlan:0x8100,set_field:4101->vlan_vid",
                ])
                .to_owned(),
            11 => "strip_vlan".to_owned(),
            12 if four => format!("mod_nw_dst:{}", dice.pick(&HOSTS)),
            13 if matches!(proto, "tcp" | "udp") => format!("mod_tp_dst:{}", dice.pick(&PORTS)),
            14 if ip => "dec_ttl".to_owned(),
            15 => format!("mod_dl_dst:{}", dice.pick(&MACS)),
            16 | 22 if ip && stateful && table < LAST_TABLE => {
                let to = table + 1 + dice.below(LAST_TABLE - table);
                format!(
                    "ct({}zone={},table={to})",
                    dice.pick(&["", "commit,"]),
                    dice.pick(&["7", "NXM_NX_REG1[0..15]", "0"])
                )
            }
            17 if ip => dice
                .pick(&["ct(commit,zone=7)", "ct_clear", "ct(commit,exec(set_field:3->ct_mark))"])
                .to_owned(),
            18 => format!("clone(set_field:9->reg1,output:{})", dice.pick(&["2", "3"])),
            19 if first_bridge && ip => format!("group:{}", dice.pick(&["1", "2"])),
            20 => dice
                .pick(&["push:NXM_NX_REG1[],pop:NXM_NX_REG2[]", "CONTROLLER:128", exit, "set_tunnel:5"])
                .to_owned(),
            21 => "resubmit(2,5)".to_owned(),
            _ if table < LAST_TABLE => format!("resubmit(,{})", table + 1 + dice.below(LAST_TABLE - table)),
            _ => format!("set_field:{}->metadata", dice.pick(&["3", "0x103"])),
        });
    }
    if stateful && ip && table < 2 && dice.one_in(2) {
        out.insert(0, format!("ct(zone={},table={})", dice.pick(&["7", "0"]), table + 1 + dice.below(2)));
    }
    if dice.one_in(4) {
        return "drop".to_owned();
    }
    // OpenFlow 1.0 takes a tag from whatever comes; later versions want a match on it first, and only they have the rest.
    if out.iter().any(|action| crate::switch::is_old(action)) {
        out.retain(|action| !action.starts_with("group") && !action.starts_with("push_vlan"));
        return out.join(",");
    }
    if dice.one_in(12) {
        out.push("clear_actions".to_owned());
    }
    if !stateful && dice.one_in(6) {
        let set = dice.pick(&[
            "output:2",
            "push_vlan:0x8100,output:3",
            "set_field:5->reg1,output:9",
            "output:IN_PORT",
        ]);
        out.push(format!("write_actions({set})"));
    }
    if dice.one_in(8) {
        out.push(format!("write_metadata:{}", dice.pick(&["0x3", "0x100/0xf00"])));
    }
    if table < LAST_TABLE && dice.one_in(3) {
        out.push(format!("goto_table:{}", table + 1 + dice.below(LAST_TABLE - table)));
    }
    out.join(",")
}

pub(crate) fn probe(dice: &mut Dice) -> Probe {
    let in_port = u16::try_from(1 + dice.below(4)).unwrap();
    let (src, dst) =
        (dice.pick(&MACS), dice.pick(&[MACS[0], MACS[1], MACS[2], "ff:ff:ff:ff:ff:ff", "01:80:c2:00:00:0e"]));
    let mut frame: Vec<u8> =
        [dst, src].iter().flat_map(|mac| mac.parse::<netcap_bundle::Mac>().unwrap().0).collect();
    let mut flow = format!("in_port={in_port},dl_src={src},dl_dst={dst}");
    if dice.one_in(3) {
        let (vid, pcp) = (5 + dice.below(3), dice.below(8));
        frame.extend([0x81, 0]);
        frame.extend(u16::try_from(pcp << 13 | vid).unwrap().to_be_bytes());
        flow += &format!(",dl_vlan={vid},dl_vlan_pcp={pcp}");
    }
    let tuple = match dice.below(8) {
        0 => arp(dice, &mut frame, &mut flow),
        1 | 2 => six(dice, &mut frame, &mut flow),
        _ => four(dice, &mut frame, &mut flow),
    };
    Probe { in_port, frame, flow, tuple }
}

type Tuple = Option<(&'static str, [String; 2], [u16; 2])>;

fn arp(dice: &mut Dice, frame: &mut Vec<u8>, flow: &mut String) -> Tuple {
    let (spa, tpa, op) = (dice.pick(&HOSTS), dice.pick(&HOSTS), u8::try_from(1 + dice.below(2)).unwrap());
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, op]);
    for (mac, ip) in [(MACS[0], spa), (MACS[1], tpa)] {
        frame.extend(mac.parse::<netcap_bundle::Mac>().unwrap().0);
        frame.extend(ip.parse::<std::net::Ipv4Addr>().unwrap().octets());
    }
    *flow += &format!(",arp,arp_op={op},arp_spa={spa},arp_tpa={tpa},arp_sha={},arp_tha={}", MACS[0], MACS[1]);
    None
}

fn four(dice: &mut Dice, frame: &mut Vec<u8>, flow: &mut String) -> Tuple {
    let (src, dst) = (dice.pick(&HOSTS), dice.pick(&HOSTS));
    let (proto, l4) = transport(dice);
    let ttl = if dice.one_in(8) { 1 } else { 64 };
    frame.extend([8, 0, 0x45, 0, 0, 60, 0, 1, 0, 0, ttl, proto, 0, 0]);
    for ip in [src, dst] {
        frame.extend(ip.parse::<std::net::Ipv4Addr>().unwrap().octets());
    }
    frame.extend(&l4.bytes);
    *flow += &format!(",{},nw_src={src},nw_dst={dst},nw_ttl={ttl}{}", l4.name, l4.words);
    Some((l4.name, [src.to_owned(), dst.to_owned()], l4.ports))
}

fn six(dice: &mut Dice, frame: &mut Vec<u8>, flow: &mut String) -> Tuple {
    let (src, dst) = (dice.pick(&SIX), dice.pick(&SIX));
    let (mut proto, mut l4) = transport(dice);
    while proto == 1 {
        (proto, l4) = transport(dice);
    }
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, proto, 64]);
    for ip in [src, dst] {
        frame.extend(ip.parse::<std::net::Ipv6Addr>().unwrap().octets());
    }
    frame.extend(&l4.bytes);
    *flow += &format!(",{}6,ipv6_src={src},ipv6_dst={dst},nw_ttl=64{}", l4.name, l4.words);
    Some((l4.name, [src.to_owned(), dst.to_owned()], l4.ports))
}

struct Layer {
    name: &'static str,
    bytes: Vec<u8>,
    words: String,
    ports: [u16; 2],
}

fn transport(dice: &mut Dice) -> (u8, Layer) {
    let ports = [40_000 + u16::try_from(dice.below(3)).unwrap(), dice.pick(&PORTS).parse().unwrap()];
    let both = [ports[0].to_be_bytes(), ports[1].to_be_bytes()].concat();
    let words = |name: &str| format!(",{name}_src={},{name}_dst={}", ports[0], ports[1]);
    match dice.below(4) {
        0 => {
            let bytes = [&both[..], &[0, 8, 0, 0]].concat();
            (17, Layer { name: "udp", bytes, words: words("udp"), ports })
        }
        1 => {
            let kind = if dice.one_in(4) { 0 } else { 8 };
            let words = format!(",icmp_type={kind},icmp_code=0");
            (1, Layer { name: "icmp", bytes: vec![kind, 0, 0, 0, 0, 7, 0, 1], words, ports })
        }
        _ => {
            let (flags, name) =
                [(0x02, "syn"), (0x10, "ack"), (0x12, "syn|ack")][usize::try_from(dice.below(3)).unwrap()];
            let bytes = [&both[..], &[0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0, 64, 0, 0, 0, 0]].concat();
            (6, Layer { name: "tcp", bytes, words: format!("{},tcp_flags={name}", words("tcp")), ports })
        }
    }
}

/// A dump of connections in which the packet's own may be, as its first packet or as an answer.
pub(crate) fn connections(dice: &mut Dice, probe: &Probe) -> OvsConntrack {
    let mut text = String::new();
    if let Some((proto @ "tcp", [src, dst], [sport, dport])) = &probe.tuple
        && dice.one_in(2)
    {
        let line = |a: &str, b: &str, p: u16, q: u16| {
            format!("orig=(src={a},dst={b},sport={p},dport={q}),reply=(src={b},dst={a},sport={q},dport={p})")
        };
        let both =
            if dice.one_in(2) { line(src, dst, *sport, *dport) } else { line(dst, src, *dport, *sport) };
        let zone = dice.pick(&["", ",zone=7", ",zone=5"]);
        text =
            format!("{proto},{both}{zone},protoinfo=(state={})\n", dice.pick(&["SYN_SENT", "ESTABLISHED"]));
    }
    let item = RawItem {
        item: "dump",
        arg: "",
        at: Nanos(0),
        outcome: &Outcome::Ok,
        bytes: text.as_bytes(),
        truncated: false,
    };
    OvsConntrack::parse(&[item]).value
}
