//! `netcap-analyze`: says what is wrong in a recording, where, how sure it is, and what to do about it.

use std::process::ExitCode;

fn main() -> ExitCode {
    netcap_analyze::main()
}
