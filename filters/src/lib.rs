//! Capture filters that mean what people mean.
//!
//! libpcap compiles `icmp` to "the ethertype at offset 12 is IPv4 and …". A frame with a VLAN tag has its ethertype
//! four bytes further on, and on Linux whether the tag is in the frame at all depends on the NIC, the direction and the
//! program that looks (the kernel moves the outer tag into metadata; libpcap puts it back when it writes a file). So
//! the same filter matches different packets live and offline, and an uplink trunk looks silent (libpcap issue 390,
//! tcpdump issue 1261).
//!
//! [`Filter::compile`] lets libpcap compile the expression, and then rewrites the program so that it matches the same
//! packets untagged, tagged in offload metadata, tagged in the payload, and in both (QinQ). The one program runs in the
//! kernel ([`Filter::instructions`]) and offline ([`Filter::matches`]), so both give the same answer.
//!
//! The way through the crate: expression → `language` (`lexer`, then `names` and `questions` for words that libpcap must
//! not see) → `program::libpcap` → `rewrite` (`tags`, `inner`) → `program` (verified) → kernel or its interpreter. A
//! failure anywhere comes back as a [`FilterError`] that points at its place, with the sentences of `filter::english`.

mod filter;
mod language;
mod program;
mod rewrite;

pub use filter::{Filter, FilterError, Options, VlanMode};
pub use language::combine::any_of;
pub use language::diagnosis::{Diagnosis, Reason, Suggestion};
pub use language::presets::{Argument, Preset, PresetError, list, preset};
pub use program::instruction::{INSTRUCTIONS_MAX, Instruction, SNAPLEN_MAX_BYTES};
pub use program::verified::Unsound;
pub use program::vm::VlanTag;
pub use rewrite::{Advice, Unfit};
