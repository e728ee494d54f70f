//! What comes over the control socket, from either side, and what a confined recorder says to its helper.
#![no_main]

use std::io::Write;
use std::os::unix::net::UnixStream;

use libfuzzer_sys::fuzz_target;
use netcap::testing::fuzzed;

fuzz_target!(|bytes: &[u8]| {
    fuzzed::control(bytes);
    // More than a socket holds would wait for a reader.
    let bytes = &bytes[..bytes.len().min(32_768)];
    for answers in [false, true] {
        let (mut writer, reader) = UnixStream::pair().expect("sockets");
        writer.write_all(bytes).expect("room in the socket");
        drop(writer);
        fuzzed::sandbox(&reader, answers);
    }
});
