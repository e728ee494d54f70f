//! The rings that the kernel writes frames into: how much memory they take, how they are opened, and what lies in a block.

pub mod frames;
pub mod listener;
pub mod memory;
