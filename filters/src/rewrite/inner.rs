//! Into VXLAN and Geneve: the same program on the frame that a tunnel carries.
//!
//! Where the inner frame begins is only known at run time (outer tags, IP options, Geneve options), so its start and
//! the start of what follows its own tags are computed once and kept in scratch memory, and each load adds one of them.
//! Sources: RFC 7348 section 5 (VXLAN), RFC 8926 section 3 (Geneve).

use netcap_words::wire::{ether_type, ip_protocol, tunnel_port};

use super::copy::{Geometry, Unfit, copy};
use super::layout::{ETHERTYPE, PAYLOAD_TAGS_MAX, TAG_BYTES, TPIDS, widened};
use super::tags::{self, Query};
use crate::program::assemble::{Assembler, Label};
use crate::program::instruction::{Instruction, SCRATCH_SLOTS, op};

const ETHERNET_BYTES: u32 = 14;
const UDP_BYTES: u32 = 8;
/// Bytes of a VXLAN header, and of a Geneve header without options.
const TUNNEL_BYTES: u32 = 8;
const IPV6_BYTES: u32 = 40;
const VXLAN_PORTS: [u32; 2] = widened(tunnel_port::VXLAN);
const GENEVE_PORTS: [u32; 1] = widened(tunnel_port::GENEVE);

/// Scratch slots that the program itself leaves free.
#[derive(Clone, Copy)]
struct Slots {
    /// Start of the inner frame.
    base: u32,
    /// The same plus the bytes of its tags: what is added to offsets behind the MAC addresses.
    behind_tags: u32,
    saved_x: u32,
    saved_a: u32,
}

/// Emits: find the tunnel, else reject; then the program on what it carries.
pub(crate) fn look_inside(asm: &mut Assembler, program: &[Instruction], tags: bool) -> Result<(), Unfit> {
    let slots = Slots::free_in(program).ok_or(Unfit::Scratch)?;
    let rejected = asm.label();
    outer_ip(asm, tags, rejected);
    inner_start(asm, rejected);
    inner_tags(asm, slots, tags);
    copy(asm, program, None, &slots)?;
    asm.place(rejected);
    asm.plain(op::RET_K, 0);
    Ok(())
}

/// Leaves in X where the UDP header is, less the 14 bytes of Ethernet; rejects everything that is not UDP.
fn outer_ip(asm: &mut Assembler, tags: bool, rejected: Label) {
    let [ip, v4, v6, udp] = asm.labels();
    let tags_max = if tags { PAYLOAD_TAGS_MAX } else { 0 };
    for tags in 0..=tags_max {
        let one_more = asm.label();
        asm.plain(op::LDX_IMM, TAG_BYTES * tags);
        asm.plain(op::LD_H_ABS, ETHERTYPE + TAG_BYTES * tags);
        if tags < tags_max {
            asm.branch_any(&TPIDS, one_more);
        }
        asm.goto(ip);
        asm.place(one_more);
    }
    asm.place(ip);
    asm.branch_any(&widened([ether_type::IPV4]), v4);
    asm.branch(op::JEQ, u32::from(ether_type::IPV6), v6, rejected);

    asm.place(v6);
    require(asm, op::LD_B_IND, ETHERNET_BYTES + 6, u32::from(ip_protocol::UDP), rejected);
    asm.plain(op::TXA, 0);
    asm.plain(op::ADD, IPV6_BYTES);
    asm.goto(udp);

    asm.place(v4);
    require(asm, op::LD_B_IND, ETHERNET_BYTES + 9, u32::from(ip_protocol::UDP), rejected);
    let first_fragment = asm.label();
    asm.plain(op::LD_H_IND, ETHERNET_BYTES + 6);
    asm.branch(op::JSET, 0x1fff, rejected, first_fragment);
    asm.place(first_fragment);
    asm.plain(op::LD_B_IND, ETHERNET_BYTES);
    asm.plain(op::AND, 0x0f);
    asm.plain(op::LSH, 2);
    asm.plain(op::ADD | op::WITH_X, 0);

    asm.place(udp);
    asm.plain(op::TAX, 0);
}

/// Leaves in A where the inner frame begins.
fn inner_start(asm: &mut Assembler, rejected: Label) {
    let [vxlan, geneve, found] = asm.labels();
    let udp = ETHERNET_BYTES;
    let tunnel = udp + UDP_BYTES;
    asm.plain(op::LD_H_IND, udp + 2);
    asm.branch_any(&VXLAN_PORTS, vxlan);
    asm.branch_any(&GENEVE_PORTS, geneve);
    asm.goto(rejected);

    asm.place(vxlan);
    let has_vni = asm.label();
    asm.plain(op::LD_B_IND, tunnel);
    asm.branch(op::JSET, 0x08, has_vni, rejected);
    asm.place(has_vni);
    asm.plain(op::TXA, 0);
    asm.goto(found);

    asm.place(geneve);
    require(asm, op::LD_H_IND, tunnel + 2, u32::from(ether_type::BRIDGED), rejected);
    let version_0 = asm.label();
    asm.plain(op::LD_B_IND, tunnel);
    asm.branch(op::JSET, 0xc0, rejected, version_0);
    asm.place(version_0);
    asm.plain(op::AND, 0x3f);
    asm.plain(op::LSH, 2);
    asm.plain(op::ADD | op::WITH_X, 0);

    asm.place(found);
    asm.plain(op::ADD, tunnel + TUNNEL_BYTES);
}

/// Takes the start from A, counts the inner frame's tags and fills the slots.
fn inner_tags(asm: &mut Assembler, slots: Slots, tags: bool) {
    let counted = asm.label();
    asm.plain(op::ST, slots.base);
    asm.plain(op::TAX, 0);
    let tags_max = if tags { PAYLOAD_TAGS_MAX } else { 0 };
    for tags in 0..tags_max {
        let one_more = asm.label();
        asm.plain(op::LD_H_IND, ETHERTYPE + TAG_BYTES * tags);
        asm.branch_any(&TPIDS, one_more);
        asm.plain(op::LD_IMM, TAG_BYTES * tags);
        asm.goto(counted);
        asm.place(one_more);
    }
    asm.plain(op::LD_IMM, TAG_BYTES * tags_max);
    asm.place(counted);
    asm.plain(op::ADD | op::WITH_X, 0);
    asm.plain(op::ST, slots.behind_tags);
}

fn require(asm: &mut Assembler, code: u16, offset: u32, value: u32, rejected: Label) {
    let good = asm.label();
    asm.plain(code, offset);
    asm.branch(op::JEQ, value, good, rejected);
    asm.place(good);
}

impl Slots {
    fn free_in(program: &[Instruction]) -> Option<Self> {
        let used = |slot: u32| {
            let scratch = |i: &Instruction| matches!(i.code, op::ST | op::STX | op::LD_MEM | op::LDX_MEM);
            program.iter().any(|i| scratch(i) && i.k == slot)
        };
        let mut free = (0..SCRATCH_SLOTS).rev().filter(|slot| !used(*slot));
        Some(Self {
            base: free.next()?,
            behind_tags: free.next()?,
            saved_x: free.next()?,
            saved_a: free.next()?,
        })
    }

    /// The slot to add for a constant offset.
    const fn start_for(self, offset: u32) -> u32 {
        if offset < ETHERTYPE { self.base } else { self.behind_tags }
    }

    /// `[x + k]`: X is the program's own, and what is added depends on where it points.
    fn load_indirect(self, asm: &mut Assembler, code: u16, k: u32) {
        asm.plain(op::STX, self.saved_x);
        if k >= ETHERTYPE {
            asm.plain(op::LD_MEM, self.behind_tags);
        } else {
            let [behind, before, end] = asm.labels();
            asm.plain(op::TXA, 0);
            asm.branch(op::JGE, ETHERTYPE - k, behind, before);
            asm.place(behind);
            asm.plain(op::LD_MEM, self.behind_tags);
            asm.goto(end);
            asm.place(before);
            asm.plain(op::LD_MEM, self.base);
            asm.place(end);
        }
        asm.plain(op::ADD | op::WITH_X, 0);
        asm.plain(op::TAX, 0);
        asm.plain(code, k);
        asm.plain(op::LDX_MEM, self.saved_x);
    }
}

impl Geometry for Slots {
    fn load(&self, asm: &mut Assembler, instruction: Instruction) {
        let Instruction { code, k, .. } = instruction;
        let indirect = match code {
            op::LD_W_ABS => op::LD_W_IND,
            op::LD_H_ABS => op::LD_H_IND,
            op::LD_B_ABS => op::LD_B_IND,
            op::LDX_MSH => {
                asm.plain(op::ST, self.saved_a);
                asm.plain(op::LDX_MEM, self.start_for(k));
                asm.plain(op::LD_B_IND, k);
                asm.plain(op::AND, 0x0f);
                asm.plain(op::LSH, 2);
                asm.plain(op::TAX, 0);
                return asm.plain(op::LD_MEM, self.saved_a);
            }
            _ => return self.load_indirect(asm, code, k),
        };
        asm.plain(op::STX, self.saved_x);
        asm.plain(op::LDX_MEM, self.start_for(k));
        asm.plain(indirect, k);
        asm.plain(op::LDX_MEM, self.saved_x);
    }

    fn length(&self, asm: &mut Assembler) {
        asm.plain(op::STX, self.saved_x);
        asm.plain(op::LD_LEN, 0);
        asm.plain(op::LDX_MEM, self.behind_tags);
        asm.plain(op::SUB | op::WITH_X, 0);
        asm.plain(op::LDX_MEM, self.saved_x);
    }

    /// An inner frame has no tag in metadata, and the bytes of its tags are `behind_tags - base`.
    fn tag(&self, asm: &mut Assembler, query: Query) {
        asm.plain(op::STX, self.saved_x);
        asm.plain(op::LDX_MEM, self.base);
        asm.plain(op::LD_MEM, self.behind_tags);
        asm.plain(op::SUB | op::WITH_X, 0);
        match query {
            Query::Count => asm.plain(op::RSH, 2),
            Query::Id(position) | Query::Tpid(position) => {
                let [there, absent, end] = asm.labels();
                asm.branch(op::JGE, TAG_BYTES * position, there, absent);
                asm.place(there);
                asm.plain(op::LD_H_IND, tags::field_offset(query, position));
                tags::mask(asm, query);
                asm.goto(end);
                asm.place(absent);
                tags::none(asm);
                asm.place(end);
            }
        }
        asm.plain(op::LDX_MEM, self.saved_x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::vm::{Packet, run};
    use crate::rewrite::{Reach, rewrite};

    /// libpcap rarely keeps A across `ldxb`, but nothing forbids it.
    #[test]
    fn both_registers_survive_a_load_into_the_other() {
        let plain = Instruction::plain;
        let unless = |k| Instruction { code: op::JEQ, jt: 0, jf: 1, k };
        let program = [
            plain(op::LDX_IMM, 7),
            plain(op::LD_B_ABS, 23),
            plain(op::STX, 0),
            plain(op::LDX_MSH, 14),
            plain(op::ADD | op::WITH_X, 0),
            plain(op::LDX_MEM, 0),
            plain(op::ADD | op::WITH_X, 0),
            unless(1 + 20 + 7),
            plain(op::RET_K, 1),
            plain(op::RET_K, 0),
        ];
        let mut packet = vec![0; 100];
        packet[12] = 0x08;
        packet[14] = 0x45;
        packet[23] = 17;
        packet[36..38].copy_from_slice(&[0x12, 0xb5]);
        packet[42] = 0x08;
        packet[50 + 12] = 0x08;
        packet[50 + 14] = 0x45;
        packet[50 + 23] = 1;
        let program = rewrite(&program, Reach { tags: true, inner: true }).unwrap();
        let answer = |bytes: &[u8]| run(&program, Packet { bytes, wire_len: 100, tag: None });
        assert!(answer(&packet) > 0);
        packet[50 + 23] = 2;
        assert_eq!(answer(&packet), 0);
    }
}
