//! The ports of a bridge as far as the way of a packet depends on them.

use super::model::Dumps;
use crate::sources::ovs::openflow::OfPortDesc;
use crate::sources::ovs::ovsdb::Port;
use crate::sources::shared::OfPort;

/// One bridge's ports.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports<'a> {
    dumps: Dumps<'a>,
    bridge: &'a str,
    described: &'a [OfPortDesc],
}

impl<'a> Ports<'a> {
    /// `None` when no rules of that bridge were dumped.
    pub(super) fn of(dumps: Dumps<'a>, bridge: &str) -> Option<Self> {
        let (name, flows) = dumps.openflow.bridges.get_key_value(bridge)?;
        Some(Self { dumps, bridge: name, described: &flows.ports })
    }

    /// All ports, when they were dumped.
    pub(super) fn all(&self) -> Option<&'a [OfPortDesc]> {
        (!self.described.is_empty()).then_some(self.described)
    }

    pub(super) fn by_number(&self, number: OfPort) -> Option<&'a OfPortDesc> {
        self.described.iter().find(|port| port.number == number)
    }

    pub(super) fn by_name(&self, name: &str) -> Option<OfPort> {
        self.described.iter().find(|port| port.name == name).map(|port| port.number)
    }

    /// The OVSDB port an interface belongs to: a bond, or the interface alone.
    pub(super) fn config(&self, iface: &str) -> Option<&'a Port> {
        let bridge = self.dumps.ovsdb?.bridge(self.bridge)?;
        bridge.ports.iter().find(|port| port.interfaces.iter().any(|i| i.name == iface))
    }

    /// Every OVSDB port of the bridge.
    pub(super) fn configs(&self) -> Option<&'a [Port]> {
        Some(&self.dumps.ovsdb?.bridge(self.bridge)?.ports)
    }

    /// The bridge passes frames to reserved addresses on.
    pub(super) fn forwards_reserved(&self) -> bool {
        let bridge = self.dumps.ovsdb.and_then(|db| db.bridge(self.bridge));
        bridge.is_some_and(|b| b.other_config.get("forward-bpdu").is_some_and(|v| v == "true"))
    }

    /// Something in the bridge's configuration makes its switching more than FDB and VLANs.
    pub(super) fn switches_oddly(&self) -> bool {
        let bridge = self.dumps.ovsdb.and_then(|db| db.bridge(self.bridge));
        bridge.is_none_or(|b| b.stp_enable || b.rstp_enable || b.mcast_snooping_enable)
    }

    /// The interface at the other end of a patch port.
    pub(super) fn peer(&self, iface: &str) -> Option<&'a str> {
        let by_db = || {
            let (_, _, port) = self.dumps.ovsdb?.interface(iface)?;
            (port.kind == "patch").then(|| port.options.get("peer").map(String::as_str)).flatten()
        };
        let by_datapath = || {
            let port = self.dumps.datapath?.port(iface).filter(|port| port.kind == "patch")?;
            port.options.split(',').find_map(|option| option.trim().strip_prefix("peer="))
        };
        by_db().or_else(by_datapath)
    }

    /// The bridge of an interface, and its number there.
    pub(super) fn home(&self, iface: &str) -> Option<(&'a str, OfPort)> {
        self.dumps.openflow.bridges.iter().find_map(|(name, bridge)| {
            let port = bridge.ports.iter().find(|port| port.name == iface)?;
            Some((name.as_str(), port.number))
        })
    }

    /// Frames that come in there may have come through a tunnel.
    pub(super) fn is_tunnel(&self, iface: &str) -> bool {
        let kind =
            self.dumps.ovsdb.and_then(|db| db.interface(iface)).map(|(_, _, iface)| iface.kind.as_str());
        let kind = kind.or_else(|| Some(self.dumps.datapath?.port(iface)?.kind.as_str()));
        matches!(
            kind,
            Some(
                "vxlan"
                    | "gre"
                    | "geneve"
                    | "stt"
                    | "lisp"
                    | "erspan"
                    | "gtpu"
                    | "bareudp"
                    | "ip6gre"
                    | "ip6erspan"
            )
        )
    }
}
