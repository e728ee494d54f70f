//! The recorder from outside: the program itself, on a veth pair of its own, checked by what is in its bundle.

mod net;
mod run;

mod capture;
mod crash;
mod disk;
mod ledger;
mod limits;
mod refuse;
