//! Capture points: the interfaces that are recorded, and what each one is to the host.

use serde::{Deserialize, Serialize};

use crate::Mac;

/// One recorded interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// Name in the bundle: the interface name, made safe for a file name.
    pub id: String,
    /// Interface name on the host.
    pub iface: String,
    /// What it is.
    pub role: Role,
    /// The virtual switch it belongs to, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vswitch: Option<String>,
    /// The interface's own MAC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// MTU in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Access VLAN: frames are untagged here and belong to this VLAN behind the switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// The filter as the user wrote it; empty means everything.
    #[serde(default)]
    pub filter: String,
    /// Bytes kept of each frame.
    #[serde(default)]
    pub snaplen: u32,
}

/// What a point is to the host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Role {
    /// The switch's own port: the host's side (an OVS internal port, or a Linux bridge itself).
    Internal,
    /// A physical port of the switch.
    Uplink {
        /// The bond it is a member of, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bond: Option<String>,
    },
    /// A virtual machine's port.
    Vnet {
        /// The VM, when known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vm: Option<String>,
        /// The guest's MAC (not the tap's).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        guest_mac: Option<Mac>,
    },
    /// A cable between two switches of this host; nothing can be captured on it.
    Patch {
        /// The port at the other end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<String>,
    },
    /// A tunnel's end inside the switch; nothing can be captured on it, its packets are at the uplink.
    Tunnel {
        /// `vxlan`, `gre`, `geneve`, …
        proto: String,
        /// The other end's address, if it is fixed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remote: Option<String>,
    },
    /// Named by the user; its place is not known.
    Other,
}

impl Role {
    /// The field's short word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Internal => "int",
            Self::Uplink { bond: Some(_) } => "bond",
            Self::Uplink { bond: None } => "uplink",
            Self::Vnet { .. } => "vnet",
            Self::Patch { .. } => "patch",
            Self::Tunnel { .. } => "tunnel",
            Self::Other => "iface",
        }
    }
}

/// An interface name made safe for a file name: letters, digits, `.`, `_`, `-`; anything else becomes `_`.
///
/// Linux forbids `/` in interface names but allows nearly everything else (`dev_valid_name`, net/core/dev.c), and a
/// bundle from another host is hostile input, so a leading dot is replaced as well.
pub fn safe_name(name: &str) -> String {
    let mut out: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' })
        .take(64)
        .collect();
    if out.starts_with('.') {
        out.replace_range(..1, "_");
    }
    if out.is_empty() {
        out.push('_');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_their_folder() {
        for (name, want) in
            [("eth2", "eth2"), ("..", "_."), ("a/b", "a_b"), ("", "_"), ("eth0.100", "eth0.100")]
        {
            assert_eq!(safe_name(name), want);
        }
    }
}
