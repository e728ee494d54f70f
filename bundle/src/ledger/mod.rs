//! Reading the loss ledger: what each point took in, lost and wrote, second by second, beside what its interface counted.

mod balance;
mod joined;
mod kernel;
mod ovs;
mod read;
mod shed;
mod sums;

#[cfg(test)]
mod tests;

pub use crate::run::drops::OvsDrops;
pub use crate::run::line::line;
pub use crate::run::span::{HostSpan, IfaceCounts, PointSpan};
pub use crate::run::step::{Shed, Step, StepLine, Why};
pub use kernel::{parse_net_dev, parse_softnet};
pub use ovs::{Datapaths, parse_dpctl_show};
pub use read::{Ledger, PointLedger};
pub use sums::Sums;
