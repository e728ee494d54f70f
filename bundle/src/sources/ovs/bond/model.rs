//! Bonds and what LACP says of them.

use serde::Serialize;

use crate::Mac;

/// Bonds and their LACP state, in the daemon's order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct OvsBond {
    /// From `bond/show`.
    pub bonds: Vec<Bond>,
    /// From `lacp/show`; only bonds with LACP configured are there.
    pub lacp: Vec<Lacp>,
}

/// One bond of `bond/show`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Bond {
    /// Port name.
    pub name: String,
    /// How traffic is spread.
    pub mode: BondMode,
    /// What became of LACP.
    pub lacp_status: LacpStatus,
    /// Falls back to active-backup when LACP cannot be negotiated.
    pub lacp_fallback_ab: Option<bool>,
    /// Milliseconds a member must be up before it is used.
    pub updelay_ms: Option<u64>,
    /// Milliseconds a member must be down before it is given up.
    pub downdelay_ms: Option<u64>,
    /// The member preferred in active-backup mode, if one is configured.
    pub primary: Option<String>,
    /// Name of the active member: from `active member mac: MAC(name)`, or from the mark at the member.
    pub active: Option<String>,
    /// MAC of the active member.
    pub active_mac: Option<Mac>,
    /// In the order printed.
    pub members: Vec<Member>,
}

/// One member of a bond.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Member {
    /// Interface name.
    pub name: String,
    /// The bond uses it.
    pub enabled: bool,
    /// It is the active member.
    pub active: bool,
    /// Link and LACP would allow its use.
    pub may_enable: Option<bool>,
}

/// How a bond spreads traffic (`bond_mode` in vswitchd.conf.db(5)).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BondMode {
    /// One member carries all; the switch needs no configuration.
    ActiveBackup,
    /// By source MAC and VLAN; the switch needs no configuration.
    BalanceSlb,
    /// By L2-L4 hash; the switch must speak LACP.
    BalanceTcp,
    /// Not said.
    #[default]
    Unknown,
    /// A word this reader does not know.
    Other(String),
}

/// `lacp_status` of a bond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LacpStatus {
    /// Static bond.
    Off,
    /// LACP is asked for but no partner has agreed.
    Configured,
    /// A partner has agreed.
    Negotiated,
    /// Not said.
    #[default]
    Unknown,
}

/// One bond of `lacp/show`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Lacp {
    /// Port name.
    pub bond: String,
    /// Sends without being asked (`active`, not `passive`).
    pub active: bool,
    /// A partner has agreed.
    pub negotiated: bool,
    /// Own system id.
    pub sys_id: Option<Mac>,
    /// Own system priority.
    pub sys_priority: Option<u16>,
    /// Own aggregation key.
    pub key: Option<u16>,
    /// `fast` (1 s) or `slow` (30 s).
    pub time: Option<String>,
    /// In the order printed.
    pub members: Vec<LacpMember>,
}

/// One member in `lacp/show`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LacpMember {
    /// Interface name.
    pub name: String,
    /// How fresh the partner's information is.
    pub status: LacpInfo,
    /// Attached to the aggregator: may carry traffic.
    pub attached: bool,
    /// LACP would allow its use.
    pub may_enable: Option<bool>,
    /// Our side.
    pub actor: LacpParty,
    /// The other side; all zero while it has never been heard.
    pub partner: LacpParty,
}

/// How fresh a member's information about its partner is (lib/lacp.c, `enum member_status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LacpInfo {
    /// Partner heard within its time-out.
    Current,
    /// Partner not heard for three intervals.
    Expired,
    /// Partner never heard, or not for long.
    Defaulted,
    /// Not said.
    #[default]
    Unknown,
}

/// One side of an LACP conversation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LacpParty {
    /// System id.
    pub sys_id: Option<Mac>,
    /// System priority.
    pub sys_priority: Option<u16>,
    /// Number of the port within its system (IEEE 802.1AX, 6.3.4).
    pub port_id: Option<u16>,
    /// The lower is preferred.
    pub port_priority: Option<u16>,
    /// Aggregation key.
    pub key: Option<u16>,
    /// `activity`, `timeout`, `aggregation`, `synchronized`, `collecting`, `distributing`, `defaulted`, `expired`.
    pub state: Vec<String>,
}

impl OvsBond {
    /// The bond of that name.
    pub fn bond(&self, name: &str) -> Option<&Bond> {
        self.bonds.iter().find(|bond| bond.name == name)
    }

    /// The bond an interface is a member of, and that member.
    pub fn member(&self, iface: &str) -> Option<(&Bond, &Member)> {
        self.bonds
            .iter()
            .find_map(|bond| bond.members.iter().find(|m| m.name == iface).map(|member| (bond, member)))
    }

    /// The LACP state of the bond of that name.
    pub fn lacp(&self, bond: &str) -> Option<&Lacp> {
        self.lacp.iter().find(|lacp| lacp.bond == bond)
    }
}
