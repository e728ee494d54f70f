//! The recorder from outside: the program itself, on a veth pair of its own, checked by what is in its bundle.

mod net;
mod proof;
mod run;

mod attacks_around;
mod attacks_files;
mod attacks_programs;
mod attacks_tars;
mod broken_disk;
mod capture;
mod confined;
mod crash;
mod detach;
mod disk;
mod faults;
mod faults_disk;
mod faults_oom;
mod grid;
mod injected;
mod ledger;
mod life;
mod limits;
mod names;
mod older_kernel;
mod points;
mod powercut;
mod refuse;
mod remote;
mod rings;
mod sandbox;
mod shed;
mod soak;
mod strangers;
mod takeover;
