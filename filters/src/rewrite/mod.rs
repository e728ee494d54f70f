//! The same program for frames whose bytes lie elsewhere: behind VLAN tags, or inside a tunnel.
//!
//! libpcap's program addresses a frame without tags. Each address in it is translated when it is loaded: the MAC
//! addresses (below offset 12) stay, everything behind them moves by four bytes for each tag in the payload. A prologue
//! counts the tags and jumps to the copy of the program for that count. The tag that the kernel moved into metadata
//! needs no copy: such a frame looks untagged.
//!
//! Because only addresses are translated and never what is computed from them, this also holds for expressions that
//! walk through headers by themselves (`mpls`, `pppoes`, `geneve`, `ip[ip[0]&0xf]`).

mod copy;
mod inner;
mod layout;
mod tagged;
pub(crate) mod tags;
mod translate;

pub use copy::{Advice, Unfit};
pub(crate) use layout::TPIDS;
pub(crate) use translate::{Reach, rewrite};
