//! The one parallel pass: segments are read side by side, each packet is decoded once, folds keep what they need.

pub mod decode;
pub mod fold;
pub mod follow;
pub mod identity;
mod line;
pub mod nat;
mod pass;
pub mod points;
pub mod progress;
pub mod view;

pub use fold::Fold;
pub use line::ALIVE_MAX;
pub use pass::{FileStats, Outcome, run};
pub use points::{DomainId, HostId, PointId, PointInfo, Points};
pub use progress::Progress;
pub use view::{Arp, Echo, EchoKind, Eth, Failure, FrameRef, Ip, L4, Nd, NdKind, Net, PacketView, Tags};
