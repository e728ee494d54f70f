//! From instructions with labels to instructions with distances.
//!
//! A conditional jump of classic BPF reaches 255 instructions. Rewriting makes programs longer, so a jump that was
//! short may no longer reach; it then goes over a `ja` behind it, whose distance has 32 bits.

use super::instruction::{Instruction, op};

/// A place in the program, known before it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label(usize);

enum Line {
    Plain(Instruction),
    Goto(Label),
    Branch { code: u16, k: u32, then: Label, otherwise: Label, far_then: bool, far_otherwise: bool },
}

/// Collects lines and places, and turns them into a program.
#[derive(Default)]
pub(crate) struct Assembler {
    lines: Vec<Line>,
    places: Vec<Option<usize>>,
}

impl Assembler {
    /// A new label, to be placed later.
    pub(crate) fn label(&mut self) -> Label {
        self.places.push(None);
        Label(self.places.len() - 1)
    }

    /// As many new labels as are asked for.
    pub(crate) fn labels<const N: usize>(&mut self) -> [Label; N] {
        std::array::from_fn(|_| self.label())
    }

    /// Puts the label before the next line.
    pub(crate) fn place(&mut self, label: Label) {
        if let Some(place) = self.places.get_mut(label.0) {
            *place = Some(self.lines.len());
        }
    }

    /// An instruction without a jump.
    pub(crate) fn plain(&mut self, code: u16, k: u32) {
        self.lines.push(Line::Plain(Instruction::plain(code, k)));
    }

    /// Goes on at the label.
    pub(crate) fn goto(&mut self, label: Label) {
        self.lines.push(Line::Goto(label));
    }

    /// Compares A and goes on at one label or the other.
    pub(crate) fn branch(&mut self, code: u16, k: u32, then: Label, otherwise: Label) {
        let (far_then, far_otherwise) = (false, false);
        self.lines.push(Line::Branch { code, k, then, otherwise, far_then, far_otherwise });
    }

    /// Goes to `then` when A equals one of the values, else falls through.
    pub(crate) fn branch_any(&mut self, values: &[u32], then: Label) {
        for value in values {
            let next = self.label();
            self.branch(op::JEQ, *value, then, next);
            self.place(next);
        }
    }

    /// The program; `None` when a label was never placed or lies behind its jump.
    pub(crate) fn finish(mut self) -> Option<Vec<Instruction>> {
        loop {
            let addresses = self.addresses();
            if !self.lengthen(&addresses)? {
                return self.emit(&addresses);
            }
        }
    }

    /// The address of each line, and of the end.
    fn addresses(&self) -> Vec<usize> {
        let mut addresses = Vec::with_capacity(self.lines.len() + 1);
        let mut at = 0;
        for line in &self.lines {
            addresses.push(at);
            at += match line {
                Line::Plain(_) | Line::Goto(_) => 1,
                Line::Branch { far_then, far_otherwise, .. } => {
                    1 + usize::from(*far_then) + usize::from(*far_otherwise)
                }
            };
        }
        addresses.push(at);
        addresses
    }

    /// Turns jumps that do not reach into far ones; whether there were any. Jumps only ever get longer, so this ends.
    fn lengthen(&mut self, addresses: &[usize]) -> Option<bool> {
        let mut changed = false;
        for (line, address) in self.lines.iter_mut().zip(addresses) {
            if let Line::Branch { then, otherwise, far_then, far_otherwise, .. } = line {
                for (label, far) in [(then, far_then), (otherwise, far_otherwise)] {
                    let distance = distance(&self.places, addresses, *address, *label)?;
                    if !*far && distance > usize::from(u8::MAX) {
                        *far = true;
                        changed = true;
                    }
                }
            }
        }
        Some(changed)
    }

    fn emit(&self, addresses: &[usize]) -> Option<Vec<Instruction>> {
        let mut out = Vec::with_capacity(addresses.last().copied().unwrap_or(0));
        let to = |at: usize, label: Label| distance(&self.places, addresses, at, label);
        for (line, address) in self.lines.iter().zip(addresses) {
            match *line {
                Line::Plain(instruction) => out.push(instruction),
                Line::Goto(label) => out.push(far_jump(to(*address, label)?)?),
                Line::Branch { code, k, then, otherwise, far_then, far_otherwise } => {
                    let hop = u8::from(far_then);
                    let jt = if far_then { 0 } else { u8::try_from(to(*address, then)?).ok()? };
                    let jf = if far_otherwise { hop } else { u8::try_from(to(*address, otherwise)?).ok()? };
                    out.push(Instruction { code, jt, jf, k });
                    if far_then {
                        out.push(far_jump(to(address + 1, then)?)?);
                    }
                    if far_otherwise {
                        out.push(far_jump(to(address + 1 + usize::from(hop), otherwise)?)?);
                    }
                }
            }
        }
        Some(out)
    }
}

fn far_jump(distance: usize) -> Option<Instruction> {
    Some(Instruction::plain(op::JA, u32::try_from(distance).ok()?))
}

/// Instructions to skip to come from `at` to the label.
fn distance(places: &[Option<usize>], addresses: &[usize], at: usize, label: Label) -> Option<usize> {
    let line = places.get(label.0).copied().flatten()?;
    addresses.get(line)?.checked_sub(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::verified::Program;
    use crate::program::vm::{Packet, run};

    /// `if A == first {1} else {2}` with `gap` lines between the jump and its targets.
    fn with_gap(gap: usize) -> Program {
        let mut asm = Assembler::default();
        let [one, two] = asm.labels();
        asm.plain(op::LD_B_ABS, 0);
        asm.branch(op::JEQ, 7, one, two);
        for _ in 0..gap {
            asm.plain(op::TAX, 0);
        }
        asm.place(one);
        asm.plain(op::RET_K, 1);
        asm.place(two);
        asm.plain(op::RET_K, 2);
        Program::new(asm.finish().unwrap()).unwrap()
    }

    #[test]
    fn jumps_arrive_near_and_far() {
        for gap in [0, 1, 253, 254, 255, 256, 257, 3000] {
            let program = with_gap(gap);
            let give = |byte: u8| run(&program, Packet { bytes: &[byte], wire_len: 1, tag: None });
            assert_eq!((give(7), give(8)), (1, 2), "gap {gap}");
        }
    }

    #[test]
    fn a_label_behind_its_jump_or_nowhere_is_refused() {
        let mut asm = Assembler::default();
        let nowhere = asm.label();
        asm.goto(nowhere);
        assert!(asm.finish().is_none());
        let mut asm = Assembler::default();
        let back = asm.label();
        asm.place(back);
        asm.goto(back);
        assert!(asm.finish().is_none());
    }
}
