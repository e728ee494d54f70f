//! Lines of the loss ledger: what a point, and the host before any point, took in and lost in one span of time.
//!
//! One line covers the time since the line before it, so a quiet hour costs a line a minute (the heartbeat, which tells
//! silence from death), and the sums over all lines are the sums of the run. Keys are short because a busy night has many
//! lines: about 2 MB for a point that is busy all eight hours. Lines of other kinds may lie between ([`ShedLine`](super::shed::ShedLine)); a reader
//! leaves out those it does not know.
//!
//! What the filter did not want is counted nowhere in the kernel: a packet socket's statistics begin behind its filter
//! (`packet_rcv`/`tpacket_rcv` return before any counter, net/packet/af_packet.c), and a second socket that counts
//! everything would cost every frame of the host another clone. So [`PointSpan::filtered`] is what crossed the interface
//! less what the socket received, and it is as good as the interface's counters are:
//! - the two are not read in the same instant, so a frame may be counted one second late, never twice;
//! - with receive offload (GRO, LRO) a NIC counts wire frames and the socket gets the joined one; with segmentation
//!   offload (TSO) a driver counts segments and the socket saw one frame before them: the difference is too large;
//! - frames that a driver does not count (dropped while sending) make it too small, never negative;
//! - tags do not matter: a tagged frame is one frame, on the interface and on the socket.
//!
//! On taps, veths and internal ports of a switch, which carry the same frames that the socket sees, it is exact. A point
//! without a filter filters nothing, so there it is zero and not derived.

use serde::{Deserialize, Serialize};

use super::drops::OvsDrops;
use crate::Nanos;

/// What one point did in one span of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointSpan {
    /// End of the span.
    pub at: Nanos,
    /// Its length in milliseconds.
    pub ms: u64,
    /// Packets past the filter as the kernel counted them for the socket, dropped ones included.
    #[serde(rename = "r", default, skip_serializing_if = "super::zero::is_zero")]
    pub received: u64,
    /// Packets the kernel dropped because the ring was full.
    #[serde(rename = "d", default, skip_serializing_if = "super::zero::is_zero")]
    pub dropped: u64,
    /// Packets written. A block of the ring may lie between two spans, so only sums balance.
    #[serde(rename = "w", default, skip_serializing_if = "super::zero::is_zero")]
    pub written: u64,
    /// Packets taken from the ring and not recorded, because the point was shed (`ShedLevel::Off`).
    #[serde(rename = "s", default, skip_serializing_if = "super::zero::is_zero")]
    pub shed: u64,
    /// Bytes on the wire of the packets written.
    #[serde(rename = "b", default, skip_serializing_if = "super::zero::is_zero")]
    pub wire_bytes: u64,
    /// Packets that crossed the interface and that the filter did not want, derived as the module says; absent where
    /// nobody can tell, and in ledgers of older recorders.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub filtered: Option<u64>,
    /// What the interface counted meanwhile; absent when it could not be asked.
    #[serde(rename = "if", default, skip_serializing_if = "Option::is_none")]
    pub iface: Option<IfaceCounts>,
    /// What Open vSwitch dropped at this port meanwhile; absent when it could not be asked or the port is not its own.
    #[serde(rename = "ovs", default, skip_serializing_if = "Option::is_none")]
    pub ovs: Option<OvsDrops>,
    /// The name of the interface from this line on; said when it is not the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The interface was down or gone at the end of the span.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub away: bool,
}

/// Counters of a network interface (`/proc/net/dev`, net/core/net-procfs.c), as differences over a span.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IfaceCounts {
    /// Packets received.
    #[serde(rename = "rx", default, skip_serializing_if = "super::zero::is_zero")]
    pub rx_packets: u64,
    /// Packets sent.
    #[serde(rename = "tx", default, skip_serializing_if = "super::zero::is_zero")]
    pub tx_packets: u64,
    /// Received packets dropped, by the NIC (`rx_missed_errors`) or the stack.
    #[serde(rename = "rxd", default, skip_serializing_if = "super::zero::is_zero")]
    pub rx_dropped: u64,
    /// Packets to send dropped.
    #[serde(rename = "txd", default, skip_serializing_if = "super::zero::is_zero")]
    pub tx_dropped: u64,
    /// Errors while receiving.
    #[serde(rename = "rxe", default, skip_serializing_if = "super::zero::is_zero")]
    pub rx_errors: u64,
    /// Errors while sending.
    #[serde(rename = "txe", default, skip_serializing_if = "super::zero::is_zero")]
    pub tx_errors: u64,
}

/// What the host lost in one span before any point: the kernel's receive path (`/proc/net/softnet_stat`, all CPUs
/// together) and the datapaths of Open vSwitch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSpan {
    /// End of the span.
    pub at: Nanos,
    /// Its length in milliseconds.
    pub ms: u64,
    /// Packets processed.
    #[serde(default)]
    pub processed: u64,
    /// Packets dropped because the backlog of a CPU was full (`net.core.netdev_max_backlog`).
    #[serde(default, skip_serializing_if = "super::zero::is_zero")]
    pub dropped: u64,
    /// Times a CPU ran out of its budget with work left (`net.core.netdev_budget`).
    #[serde(default, skip_serializing_if = "super::zero::is_zero")]
    pub squeezed: u64,
    /// Packets that found no flow in a datapath of Open vSwitch and had to ask ovs-vswitchd; absent when it could not be
    /// asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upcalls: Option<u64>,
    /// Packets lost because ovs-vswitchd could not take such a question (`lost` of dpctl/show).
    #[serde(default, skip_serializing_if = "super::zero::is_zero")]
    pub upcalls_lost: u64,
}

impl IfaceCounts {
    /// What was added since `before`; `None` when a counter went back, for then the interface is a new one.
    pub fn since(self, before: Self) -> Option<Self> {
        Some(Self {
            rx_packets: self.rx_packets.checked_sub(before.rx_packets)?,
            tx_packets: self.tx_packets.checked_sub(before.tx_packets)?,
            rx_dropped: self.rx_dropped.checked_sub(before.rx_dropped)?,
            tx_dropped: self.tx_dropped.checked_sub(before.tx_dropped)?,
            rx_errors: self.rx_errors.checked_sub(before.rx_errors)?,
            tx_errors: self.tx_errors.checked_sub(before.tx_errors)?,
        })
    }

    /// The sum.
    pub(crate) fn plus(self, more: Self) -> Self {
        Self {
            rx_packets: self.rx_packets.saturating_add(more.rx_packets),
            tx_packets: self.tx_packets.saturating_add(more.tx_packets),
            rx_dropped: self.rx_dropped.saturating_add(more.rx_dropped),
            tx_dropped: self.tx_dropped.saturating_add(more.tx_dropped),
            rx_errors: self.rx_errors.saturating_add(more.rx_errors),
            tx_errors: self.tx_errors.saturating_add(more.tx_errors),
        }
    }

    /// Packets in both directions.
    pub fn packets(self) -> u64 {
        self.rx_packets.saturating_add(self.tx_packets)
    }
}

impl PointSpan {
    /// Start of the span.
    pub fn begin(&self) -> Nanos {
        self.at.plus(i64::try_from(self.ms).unwrap_or(i64::MAX).saturating_mul(-1_000_000))
    }

    /// Packets that came to the point's socket, wanted or not; absent where nobody can tell.
    pub fn seen(&self) -> Option<u64> {
        self.filtered.map(|filtered| filtered.saturating_add(self.received))
    }
}
