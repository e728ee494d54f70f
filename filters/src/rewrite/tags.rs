//! `vlan` without a live handle.
//!
//! libpcap's own `vlan` asks the payload offline, and payload or metadata on a live handle; each `vlan` moves all later
//! offsets, so `vlan 10 or vlan 20` looks for 20 in the second tag, and the same expression means two things. Here the
//! rest of an expression does not move: `vlan` is a question about the frame's tags and nothing else.
//!
//! | written | true when |
//! |---|---|
//! | `vlan` | the frame has a tag, in metadata or in the payload |
//! | `vlan 10` | one of its tags has the id 10 |
//! | `vlan 10 and vlan 20` | its outer tag has the id 10 and the next one 20 (a chain, as in libpcap) |
//! | `ether proto 0x88a8` | one of its tags has this ethertype (0x8100, 0x88a8, 0x9100) |
//!
//! To get there, the words are replaced before compilation by comparisons of bytes at offsets that no frame has, and
//! the loads of these "bytes" are replaced afterwards by code that finds the answer.

use super::layout::{ETHERTYPE, TAG_BYTES};
use crate::program::assemble::Assembler;
use crate::program::instruction::{
    Instruction, METADATA_VLAN_PRESENT, METADATA_VLAN_TCI, METADATA_VLAN_TPID, op,
};

/// Offsets from here up are questions. 2 GiB frames do not exist, and libpcap takes offsets up to 31 bits.
const MARK: u32 = 0x7ff0_0000;
/// What a question about a tag that is not there gives: more than any 16 bits.
const NO_TAG: u32 = 0x1_0000;
/// Tags that are asked: one in metadata and two in the payload.
const TAGS_MAX: u32 = 3;
/// The VLAN id in a TCI (IEEE 802.1Q clause 9.6).
const VID_MASK: u32 = 0x0fff;
/// Highest VLAN id that can be written.
pub(crate) const VID_MAX: u32 = VID_MASK;

/// A question about the tags of a frame. Positions count from 1, the outermost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Query {
    /// How many tags there are.
    Count,
    /// The VLAN id of the tag at a position.
    Id(u32),
    /// The ethertype of the tag at a position.
    Tpid(u32),
}

impl Query {
    const fn mark(self) -> u32 {
        match self {
            Self::Count => MARK,
            Self::Id(position) => MARK + 0x10 + position,
            Self::Tpid(position) => MARK + 0x20 + position,
        }
    }

    /// The question that this load stands for, if it is one.
    pub(crate) fn of(instruction: Instruction) -> Option<Self> {
        if instruction.code != op::LD_W_ABS {
            return None;
        }
        let positions = (1..=TAGS_MAX).flat_map(|p| [Self::Id(p), Self::Tpid(p)]);
        positions.chain([Self::Count]).find(|query| query.mark() == instruction.k)
    }

    fn equals(self, value: u32) -> String {
        format!("ether[{}:4]={value}", self.mark())
    }
}

/// The text that libpcap compiles for `vlan`, as the `position`-th of a chain of `and`s (0: not in a chain).
pub(crate) fn vlan_text(id: Option<u32>, position: u32) -> String {
    match (id, position) {
        (None, _) => format!("(ether[{}:4]>{})", Query::Count.mark(), position.saturating_sub(1)),
        (Some(id), 0) => any_position(|p| Query::Id(p).equals(id)),
        (Some(id), _) => format!("({})", Query::Id(position).equals(id)),
    }
}

/// The text that libpcap compiles for "one of the tags has this ethertype".
pub(crate) fn tpid_text(tpid: u32) -> String {
    any_position(|p| Query::Tpid(p).equals(tpid))
}

/// Whether a chain of `vlan … and vlan …` of this length can be asked.
pub(crate) const fn chain_fits(position: u32) -> bool {
    position <= TAGS_MAX
}

fn any_position(ask: impl Fn(u32) -> String) -> String {
    let alternatives: Vec<String> = (1..=TAGS_MAX).map(ask).collect();
    format!("({})", alternatives.join(" or "))
}

/// Emits the answer into A for a frame with `payload` tags in it and perhaps one in metadata. Touches nothing but A.
pub(crate) fn ask(asm: &mut Assembler, query: Query, payload: u32) {
    let (position, metadata) = match query {
        Query::Count => {
            asm.plain(op::LD_W_ABS, METADATA_VLAN_PRESENT);
            return asm.plain(op::ADD, payload);
        }
        Query::Id(position) => (position, METADATA_VLAN_TCI),
        Query::Tpid(position) => (position, METADATA_VLAN_TPID),
    };
    let [absent, present, end] = asm.labels();
    asm.plain(op::LD_W_ABS, METADATA_VLAN_PRESENT);
    asm.branch(op::JEQ, 0, absent, present);
    asm.place(present);
    if position == 1 {
        asm.plain(op::LD_W_ABS, metadata);
        mask(asm, query);
    } else {
        // The tag in metadata is the outermost, so the payload's count from the second.
        payload_tag(asm, query, position - 1, payload);
    }
    asm.goto(end);
    asm.place(absent);
    payload_tag(asm, query, position, payload);
    asm.place(end);
}

fn payload_tag(asm: &mut Assembler, query: Query, position: u32, payload: u32) {
    if position > payload {
        return asm.plain(op::LD_IMM, NO_TAG);
    }
    asm.plain(op::LD_H_ABS, field_offset(query, position));
    mask(asm, query);
}

/// Where the field of the payload's tag at `position` is, from the start of the frame.
pub(crate) const fn field_offset(query: Query, position: u32) -> u32 {
    let tag = ETHERTYPE + TAG_BYTES * (position - 1);
    if matches!(query, Query::Tpid(_)) { tag } else { tag + 2 }
}

/// Keeps the VLAN id of a TCI.
pub(crate) fn mask(asm: &mut Assembler, query: Query) {
    if matches!(query, Query::Id(_)) {
        asm.plain(op::AND, VID_MASK);
    }
}

/// Emits "there is no such tag" into A.
pub(crate) fn none(asm: &mut Assembler) {
    asm.plain(op::LD_IMM, NO_TAG);
}
