//! The rings that the kernel writes frames into: how much memory they take, how they are opened, and what lies in a block.

pub(crate) mod frames;
pub(crate) mod listener;
pub(crate) mod memory;
