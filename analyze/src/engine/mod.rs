//! The one parallel pass: segments are read side by side, each packet is decoded once, folds keep what they need.

pub(crate) mod copies;
pub(crate) mod decode;
pub(crate) mod facts;
pub(crate) mod flow;
pub(crate) mod fold;
pub(crate) mod follow;
pub(crate) mod hash;
pub(crate) mod identity;
mod ids;
mod line;
pub(crate) mod nat;
mod pass;
pub(crate) mod points;
pub(crate) mod progress;
pub(crate) mod sides;
pub(crate) mod view;

pub(crate) use decode::opaque::Opaque;
pub(crate) use facts::{Facts, PacketKind};
pub(crate) use flow::FlowKey;
pub(crate) use fold::{Fold, folds};
pub(crate) use ids::{DomainId, HostId, PointId};
pub(crate) use line::ALIVE_MAX;
pub(crate) use pass::{FileStats, run};
pub(crate) use points::{PointInfo, Points};
pub(crate) use progress::Progress;
pub(crate) use view::{
    Arp, CopyOf, EchoKind, Eth, Failure, FrameRef, Ip, L4, Nd, NdKind, Net, PacketView, Tags,
};
