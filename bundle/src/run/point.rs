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
    /// What it is to the host: a machine's port, an uplink, the host's own.
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
    /// The filter was taken literally (`--no-vlan`): it did not look behind VLAN tags.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_vlan: bool,
    /// The filter also looked into VXLAN and Geneve (`--inner`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inner: bool,
    /// Bytes kept of each frame.
    #[serde(default)]
    pub snaplen: u32,
}

impl Point {
    /// A point of which nothing but its interface is known.
    pub fn bare(iface: &str) -> Self {
        Self {
            id: safe_name(iface),
            iface: iface.to_owned(),
            role: Role::Other,
            vswitch: None,
            mac: None,
            mtu: None,
            vlan: None,
            filter: String::new(),
            no_vlan: false,
            inner: false,
            snaplen: 0,
        }
    }
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

/// Bytes of a file name made of a foreign name, at most; 255 is the limit of file systems, and items carry more words.
const NAME_BYTES_MAX: usize = 120;

/// A foreign name made safe for a file name: letters and digits of any script, `.`, `_`, `-`.
///
/// Different names stay different: where a character had to be replaced or the name cut, eight digits of its hash
/// follow. Linux forbids `/` in interface names but allows nearly everything else (`dev_valid_name`,
/// net/core/dev.c), VMs are called anything, and a bundle from another host is hostile input. A safe name is its own.
pub fn safe_name(name: &str) -> String {
    let safe = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    let fits = !name.is_empty() && !name.starts_with('.') && name.len() <= NAME_BYTES_MAX;
    if fits && name.chars().all(safe) {
        return name.to_owned();
    }
    let mut out = String::new();
    for c in name.chars().map(|c| if safe(c) { c } else { '_' }) {
        if out.len() + c.len_utf8() > NAME_BYTES_MAX - 10 {
            break;
        }
        out.push(if out.is_empty() && c == '.' { '_' } else { c });
    }
    let hash = blake3::hash(name.as_bytes()).to_hex();
    format!("{out}-{}", hash.get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in ["eth2", "eth0.100", "vm_1", "财务系统-测试机01"] {
            assert_eq!(safe_name(name), name);
        }
    }

    #[test]
    fn names_that_look_alike_stay_apart() {
        let names = ["a/b", "a_b", "a b", "..", ".", "", "_", "a\u{0}b"];
        let safe: std::collections::BTreeSet<String> = names.iter().map(|n| safe_name(n)).collect();
        assert_eq!(safe.len(), names.len(), "{safe:?}");
    }

    proptest! {
        #[test]
        fn a_safe_name_is_one_part_of_a_path_and_its_own(name in "\\PC{0,200}|[./]{0,9}") {
            let safe = safe_name(&name);
            prop_assert!(!safe.is_empty() && safe.len() <= NAME_BYTES_MAX && !safe.contains('/'));
            prop_assert!(!safe.starts_with('.'));
            prop_assert_eq!(safe_name(&safe), safe.clone());
        }
    }
}
