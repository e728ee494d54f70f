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

pub use kernel::{parse_net_dev, parse_softnet};
pub use ovs::{Datapaths, parse_dpctl_show};
pub use read::{Ledger, PointLedger};
pub use sums::Sums;
