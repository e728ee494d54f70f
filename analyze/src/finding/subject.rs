//! Subjects: what a finding is about, typed for machines, one line for people.

use std::net::IpAddr;

use netcap_bundle::Mac;
use serde::Serialize;

use super::english;
use crate::text::Text;

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Subject {
    /// An address that several MACs claim.
    Address {
        /// The address.
        ip: IpAddr,
        /// Switch or capture point.
        domain: String,
        /// VLAN, `0` when untagged.
        vlan: String,
        /// Who claims it.
        claimants: Vec<Claimant>,
        /// The domain has a name that tells people something.
        #[serde(skip)]
        named: bool,
    },
    /// A MAC that moves between the members of a bond.
    BondMac {
        mac: Mac,
        bond: String,
        /// Its active member.
        active: String,
        /// The member it is also sent from.
        backup: String,
        /// Who sends it there.
        sender: String,
        /// Milliseconds between two of its frames (median).
        interval_ms: Option<i64>,
    },
    /// A bond and its members.
    Bond {
        bond: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        switch: Option<String>,
        members: Vec<String>,
    },
    /// A flow that ends inside the switch.
    Drop {
        /// The VM, if known.
        #[serde(skip_serializing_if = "Option::is_none")]
        vm: Option<String>,
        port: String,
        /// Source.
        src: IpAddr,
        /// Destination.
        dst: IpAddr,
        /// `icmp`, `icmpv6`, `tcp`.
        protocol: String,
        /// The datapath flow that drops it.
        #[serde(skip_serializing_if = "Option::is_none")]
        flow: Option<String>,
        /// The OpenFlow rule that drops it.
        #[serde(skip_serializing_if = "Option::is_none")]
        rule: Option<String>,
        /// The network filter's rule that matches it.
        #[serde(skip_serializing_if = "Option::is_none")]
        filter: Option<String>,
    },
    /// The way from one capture point to the next.
    Hop {
        /// Where packets were last seen.
        from: String,
        /// Where they should have been seen next.
        to: Vec<String>,
        /// Whose packets, when they are of few.
        #[serde(skip_serializing_if = "Option::is_none")]
        flow: Option<Flow>,
    },
    /// A daemon of the host.
    Daemon {
        /// Its name.
        daemon: String,
    },
    /// Ports of a switch, by what they are configured to carry.
    Ports {
        #[serde(skip_serializing_if = "Option::is_none")]
        switch: Option<String>,
        ports: Vec<String>,
    },
    /// Two addresses and the pings between them.
    Pair {
        /// Who pings.
        #[serde(skip_serializing_if = "Option::is_none")]
        src: Option<IpAddr>,
        /// Who is pinged.
        dst: String,
    },
}

/// Packets of one protocol from one address to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Flow {
    /// Source.
    pub src: IpAddr,
    /// Destination.
    pub dst: IpAddr,
    /// `icmp`, `tcp`, `udp`, …
    pub protocol: String,
    #[serde(skip)]
    pub number: u8,
}

/// Somebody who claims an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Claimant {
    pub mac: Mac,
    /// Where it sits.
    #[serde(serialize_with = "english")]
    pub place: Text,
}

impl Claimant {
    /// With its place, where that is known.
    pub(crate) fn words(&self) -> Text {
        if self.place.is("place.unknown") {
            return Text::verbatim(self.mac);
        }
        Text::new("subject.claimant").with("mac", self.mac).with_text("place", self.place.clone())
    }
}

impl Subject {
    /// One line for people.
    pub(crate) fn line(&self) -> Text {
        match self {
            Self::Address { ip, vlan, domain, claimants, named } => {
                let list = claimants.iter().map(Claimant::words).collect();
                let key = match (vlan == "0", *named) {
                    (true, true) => "subject.address",
                    (true, false) => "subject.address-nowhere",
                    (false, true) => "subject.address-vlan",
                    (false, false) => "subject.address-vlan-nowhere",
                };
                Text::new(key)
                    .with("ip", ip)
                    .with("vlan", vlan)
                    .with("domain", domain)
                    .with_clauses("list", list)
            }
            Self::BondMac { mac, bond, active, backup, sender, .. } => Text::new("subject.bond-mac")
                .with("mac", mac)
                .with("bond", bond)
                .with("active", active)
                .with("backup", backup)
                .with("sender", sender),
            Self::Bond { bond, members, .. } => {
                let members = members.iter().map(Text::verbatim).collect();
                Text::new("subject.bond").with("bond", bond).with_list("members", members)
            }
            Self::Drop { vm, port, src, dst, protocol, .. } => {
                let key = if vm.is_some() { "subject.drop-vm" } else { "subject.drop" };
                Text::new(key)
                    .with("vm", vm.as_deref().unwrap_or_default())
                    .with("port", port)
                    .with("src", src)
                    .with("dst", dst)
                    .with("protocol", protocol)
            }
            Self::Hop { from, to, flow } => {
                let to = to.iter().map(Text::verbatim).collect();
                let key = if flow.is_some() { "subject.hop-flow" } else { "subject.hop" };
                let text = Text::new(key).with("from", from).with_list("to", to);
                match flow {
                    Some(flow) => {
                        text.with("protocol", &flow.protocol).with("src", flow.src).with("dst", flow.dst)
                    }
                    None => text,
                }
            }
            Self::Daemon { daemon } => Text::verbatim(daemon),
            Self::Ports { switch, ports } => {
                let key = if switch.is_some() { "subject.ports" } else { "subject.ports-nowhere" };
                let ports = ports.iter().map(Text::verbatim).collect();
                Text::new(key).with("switch", switch.as_deref().unwrap_or_default()).with_list("ports", ports)
            }
            Self::Pair { src: Some(src), dst } => Text::verbatim(format!("{src} → {dst}")),
            Self::Pair { src: None, dst } => Text::new("subject.pair-log").with("dst", dst),
        }
    }
}
