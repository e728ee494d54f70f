//! What several sources share: reading recorded text, OpenFlow port numbers, packet fields and three-valued matching.

mod fields;
mod ofport;
mod ternary;

pub(crate) mod json;
mod masked;
pub(crate) mod text;

#[cfg(test)]
pub(crate) mod testing;

pub use fields::{CtKnowledge, PacketFields, VlanTag};
pub use masked::{Masked, MaskedIp, MaskedMac};
pub use ofport::OfPort;
pub use ternary::Ternary;
