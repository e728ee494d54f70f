//! Filter expressions: lexed, rewritten, compiled; an error points into the expression.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netcap_filters::{Filter, Options};

fuzz_target!(|text: &str| {
    match Filter::compile(text, Options::default()) {
        Ok(filter) => {
            let _ = filter.matches(&[0; 60], 60);
            let _ = filter.describe();
        }
        Err(error) => drop(error.to_string()),
    }
});
