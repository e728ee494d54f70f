//! Loss: packets and pings that did not arrive.

pub mod packet_loss;
pub mod ping_loss;
