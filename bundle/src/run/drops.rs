//! What a port of Open vSwitch dropped.

use serde::{Deserialize, Serialize};

/// What a port of a datapath dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OvsDrops {
    /// Packets received at the port.
    #[serde(rename = "rxd", default, skip_serializing_if = "super::zero::is_zero")]
    pub rx_dropped: u64,
    /// Packets to send.
    #[serde(rename = "txd", default, skip_serializing_if = "super::zero::is_zero")]
    pub tx_dropped: u64,
}

impl OvsDrops {
    /// What was added since `before`; `None` when a counter went back, for then the port is a new one.
    pub fn since(self, before: Self) -> Option<Self> {
        Some(Self {
            rx_dropped: self.rx_dropped.checked_sub(before.rx_dropped)?,
            tx_dropped: self.tx_dropped.checked_sub(before.tx_dropped)?,
        })
    }

    /// Both directions.
    pub fn both(self) -> u64 {
        self.rx_dropped.saturating_add(self.tx_dropped)
    }

    /// Adds a difference.
    pub fn add(&mut self, new: Self) {
        self.rx_dropped = self.rx_dropped.saturating_add(new.rx_dropped);
        self.tx_dropped = self.tx_dropped.saturating_add(new.tx_dropped);
    }
}
