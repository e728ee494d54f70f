//! What several sources share: reading recorded text, OpenFlow port numbers, packet fields and three-valued matching.

pub mod fields;
pub mod ofport;
pub mod ternary;

pub(crate) mod json;
pub(crate) mod masked;
pub(crate) mod text;

#[cfg(test)]
pub(crate) mod testing;

pub use fields::{CtKnowledge, PacketFields, VlanTag};
pub use masked::{Masked, MaskedIp, MaskedMac};
pub use ofport::OfPort;
pub use ternary::Ternary;
