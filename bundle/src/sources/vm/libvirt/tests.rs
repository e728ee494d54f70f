use crate::Mac;
use netcap_words::wire::{ether_type, ip_protocol};
use proptest::prelude::*;

use super::*;
use crate::sources::shared::testing::{corpus_texts, hostile, item, parse_one, score, survives};
use crate::sources::shared::{PacketFields, VlanTag};

pub(crate) const DOMAIN: &str = "<domain type='kvm' id='3'>
  <name>邮件服务器 E0513</name>
  <uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none'/>
      <source file='/vms/images/E0513' index='1'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='bridge'>
      <mac address='0c:da:41:1d:56:a7'/>
      <source bridge='vswitch0'/>
      <vlan>
        <tag id='1'/>
      </vlan>
      <virtualport type='openvswitch'>
        <parameters interfaceid='bfcd8333-2282-4d08-a0bb-cc14a37ff1e9'/>
      </virtualport>
      <target dev='vnet0'/>
      <model type='virtio'/>
      <driver name='vhost'/>
      <filterref filter='acl-test'>
        <parameter name='IP' value='172.16.51.20'/>
        <parameter name='IP' value='172.16.51.21'/>
      </filterref>
      <mtu size='1500'/>
      <link state='down'/>
      <alias name='net0'/>
    </interface>
    <graphics type='vnc' port='5902' autoport='yes' listen='0.0.0.0'>
      <listen type='address' address='0.0.0.0'/>
    </graphics>
  </devices>
</domain>
";

/// As a manual prints it, its remarks included.
pub(crate) const ACL: &str = "<filter name='acl-test' chain='root'> ACL 名称 acl-test
  <uuid>41f62fca-275b-4a72-8ad8-515d9e9589c1</uuid>
  <rule action='accept' direction='in' priority='4' statematch='false'> //入方向默认放行
<all/>
</rule>
<rule action='accept' direction='out' priority='5' statematch='false'>//出方向默认放行
<all/>
</rule>
<rule action='accept' direction='in' priority='6' statematch='false'>
<all-ipv6/>
</rule>
<rule action='accept' direction='out' priority='7' statematch='false'>
<all-ipv6/>
</rule>
<rule action='drop' direction='in' priority='10' statematch='false'>
<icmp dstipaddr='172.16.51.6' dstipmask='32' />//丢弃目的地址为 172.16.51.6 的 icmp 报文
</rule>
</filter>
";

const SPOOF: &str = "<filter name='no-arp-spoofing' chain='arp-mac' priority='-520'>
  <filterref filter='acl-test'/>
  <filterref filter='no-arp-spoofing'/>
  <rule action='return' direction='out' priority='350'><arp match='no' arpsrcmacaddr='$MAC'/></rule>
  <rule action='drop' direction='out'><arp match='no' arpsrcipaddr='$IP'/></rule>
  <rule action='drop' direction='inout' priority='1000'/>
</filter>";

const LIST: &str = " UUID                                   Name
-----------------------------------------------------------------
 cedb6b89-d1f0-49a5-ad50-49f7d3867882   allow-arp
 41f62fca-275b-4a72-8ad8-515d9e9589c1   acl test
";

fn ping(dst: [u8; 4]) -> PacketFields {
    PacketFields {
        eth_type: Some(ether_type::IPV4),
        vlan: VlanTag::None,
        ip_src: Some([172, 16, 51, 20].into()),
        ip_dst: Some(dst.into()),
        ip_proto: Some(ip_protocol::ICMP),
        icmp_type: Some(8),
        icmp_code: Some(0),
        ..PacketFields::default()
    }
}

fn filter(text: &str) -> Nwfilter {
    let parsed = parse_one::<Libvirt>("nwfilter", "f", text);
    assert_eq!(parsed.defects, []);
    parsed.value.nwfilters.into_iter().next().unwrap()
}

#[test]
fn a_machine_with_its_interface_console_and_disk() {
    let parsed = parse_one::<Libvirt>("domain", "x", DOMAIN);
    assert_eq!(parsed.defects, []);
    let (domain, iface) = parsed.value.by_mac("0c:da:41:1d:56:a7".parse().unwrap()).unwrap();
    assert_eq!((domain.name.as_str(), domain.running), ("邮件服务器 E0513", true));
    assert_eq!((iface.source.as_deref(), iface.target_dev.as_deref()), (Some("vswitch0"), Some("vnet0")));
    assert_eq!((iface.vlans.as_slice(), iface.mtu, iface.link_down), ([1].as_slice(), Some(1500), true));
    let reference = iface.filter.as_ref().unwrap();
    assert_eq!((reference.name.as_str(), reference.parameters["IP"].len()), ("acl-test", 2));
    assert_eq!((domain.graphics[0].kind.as_str(), domain.graphics[0].port), ("vnc", Some(5902)));
    assert_eq!(domain.disks[0].source.as_deref(), Some("/vms/images/E0513"));
    assert!(parsed.value.by_target("vnet0").is_some() && parsed.value.by_target("vnet1").is_none());
}

#[test]
fn a_filter_with_a_manuals_remarks() {
    let acl = filter(ACL);
    assert_eq!((acl.name.as_str(), acl.chain.as_deref(), acl.rules.len()), ("acl-test", Some("root"), 5));
    let last = &acl.rules[4];
    assert_eq!((last.index, last.priority, last.direction, last.statematch), (5, 10, Direction::In, false));
    assert_eq!(last.describe(), "drop in priority 10 icmp dstipaddr=172.16.51.6 dstipmask=32");
}

#[test]
fn the_drop_rule_is_named_with_its_direction_although_libvirt_would_accept_first() {
    let acl = filter(ACL);
    let gateway = ping([172, 16, 51, 6]);
    let ends = acl.ends(&gateway, &Parameters::new());
    assert_eq!(
        ends.iter().map(|rule| (rule.index, rule.direction)).collect::<Vec<_>>(),
        [(5, Direction::In)]
    );
    for way in [Direction::In, Direction::Out] {
        let verdict = acl.verdict(&gateway, way, &Parameters::new()).unwrap();
        assert!(verdict.certain && verdict.rule.action == Action::Accept);
    }
    assert!(acl.ends(&ping([172, 16, 51, 7]), &Parameters::new()).is_empty());
    let tcp = PacketFields { ip_proto: Some(ip_protocol::TCP), icmp_type: None, ..gateway.clone() };
    assert!(acl.ends(&tcp, &Parameters::new()).is_empty());
    let unknown = PacketFields { ip_dst: None, ..gateway };
    assert!(acl.ends(&unknown, &Parameters::new()).is_empty());
}

#[test]
fn variables_negation_and_rules_without_protocol() {
    let spoof = filter(SPOOF);
    let arp = PacketFields {
        eth_type: Some(ether_type::ARP),
        arp_sha: Some(Mac([1, 2, 3, 4, 5, 6])),
        arp_spa: Some([10, 0, 0, 9].into()),
        ..PacketFields::default()
    };
    let parameters = |ip: &str, mac: &str| {
        Parameters::from([
            ("IP".to_owned(), vec!["10.0.0.1".to_owned(), ip.to_owned()]),
            ("MAC".to_owned(), vec![mac.to_owned()]),
        ])
    };
    let own = spoof.verdict(&arp, Direction::Out, &parameters("10.0.0.9", "1:2:3:4:5:6")).unwrap();
    assert_eq!((own.rule.index, own.certain), (3, true));
    let stranger = spoof.verdict(&arp, Direction::Out, &parameters("10.0.0.8", "1:2:3:4:5:6")).unwrap();
    assert_eq!((stranger.rule.index, stranger.rule.action), (2, Action::Drop));
    let unknown = spoof.verdict(&arp, Direction::Out, &Parameters::new()).unwrap();
    assert_eq!((unknown.rule.index, unknown.certain), (3, false));
}

#[test]
fn ports_and_masks() {
    let text = "<filter name='p'><rule action='reject' direction='out'>
        <tcp srcipaddr='10.0.0.0' srcipmask='255.0.0.0' dstportstart='20' dstportend='22'/></rule></filter>";
    let filter = filter(text);
    let packet = |port, src: [u8; 4]| PacketFields {
        eth_type: Some(ether_type::IPV4),
        ip_proto: Some(ip_protocol::TCP),
        ip_src: Some(src.into()),
        l4_dst: Some(port),
        ..PacketFields::default()
    };
    assert_eq!(filter.ends(&packet(22, [10, 9, 9, 9]), &Parameters::new()).len(), 1);
    assert_eq!(filter.ends(&packet(23, [10, 9, 9, 9]), &Parameters::new()).len(), 0);
    assert_eq!(filter.ends(&packet(22, [11, 9, 9, 9]), &Parameters::new()).len(), 0);
}

#[test]
fn a_rule_that_is_not_understood_is_named_and_makes_the_verdict_uncertain() {
    let text = ACL.replace("<rule action='accept' direction='in'", "<rule action='queue' direction='in'");
    let parsed = parse_one::<Libvirt>("nwfilter", "f", &text);
    assert_eq!((parsed.defects.len(), parsed.value.nwfilters[0].unread.as_slice()), (2, [1, 3].as_slice()));
    let verdict =
        parsed.value.nwfilters[0].verdict(&ping([9; 4]), Direction::Out, &Parameters::new()).unwrap();
    assert_eq!((verdict.rule.index, verdict.certain), (2, false));
}

#[test]
fn lists_give_names_and_references_are_followed_once() {
    let parsed = Libvirt::parse(&[
        item("domains", "", "vm1\n邮件服务器 E0513\n\n"),
        item("nwfilters", "", LIST),
        item("nwfilter", "a", ACL),
        item("nwfilter", "s", SPOOF),
    ]);
    assert_eq!(parsed.defects, []);
    assert_eq!(parsed.value.domain_names, ["vm1", "邮件服务器 E0513"]);
    assert_eq!(parsed.value.nwfilter_names, ["allow-arp", "acl test"]);
    let names: Vec<&str> =
        parsed.value.nwfilter_with_refs("no-arp-spoofing").iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["no-arp-spoofing", "acl-test"]);
}

#[test]
fn hostile_xml_is_refused() {
    let bomb = "<!DOCTYPE d [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><domain><name>&b;</name></domain>";
    let deep = format!("<domain>{}", "<a>".repeat(200_000));
    let wide = format!("<domain><name>x</name>{}</domain>", "<a/>".repeat(200_000));
    let attributes = " a='1'".repeat(200_000);
    let heavy = format!("<domain><name x='>'{attributes}>x</name></domain>");
    for text in [bomb, &deep, &wide, &heavy, "<filter name='x'/>", "error: failed to get domain"] {
        let parsed = parse_one::<Libvirt>("domain", "x", text);
        assert_eq!((parsed.value.domains.len(), parsed.defects.len()), (0, 1));
    }
}

#[test]
fn corpus_parses() {
    let all = |needles: &[&str], root: &str| -> Vec<(String, String)> {
        let texts = ["text/canonical+hotsos", "text/libvirt+libvirt-tck", "text/oVirt+vdsm"];
        let found = texts.into_iter().flat_map(|folder| corpus_texts(folder, needles));
        found.filter(|(_, text)| text.trim_start().starts_with(&format!("<{root}"))).collect()
    };
    let (files, clean) = score::<Libvirt>("nwfilter", &all(&["nwfilter/"], "filter"));
    assert_eq!(files, clean);
    let (files, clean) = score::<Libvirt>("domain", &all(&[".xml"], "domain"));
    assert_eq!(files, clean);
}

proptest! {
    #[test]
    fn hostile_text_never_panics(
        bytes in prop_oneof![hostile(DOMAIN), hostile(ACL), hostile(SPOOF), hostile(LIST)],
        cut: bool,
    ) {
        survives::<Libvirt>(&bytes, cut);
        for filter in parse_one::<Libvirt>("nwfilter", "", &String::from_utf8_lossy(&bytes)).value.nwfilters {
            let _ = filter.verdict(&ping([172, 16, 51, 6]), Direction::Out, &Parameters::new());
        }
    }
}
