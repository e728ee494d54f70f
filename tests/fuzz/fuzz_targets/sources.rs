//! Every source of host state: the first octet chooses the source, the second its item, the rest is what it printed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netcap_bundle::{Nanos, sources};
use netcap_bundle::source::{Outcome, RawItem};

fuzz_target!(|bytes: &[u8]| {
    let [source, item, bytes @ ..] = bytes else { return };
    let source = sources::ALL[usize::from(*source) % sources::ALL.len()];
    let recipes = source.def.recipes;
    let item = recipes[usize::from(*item) % recipes.len()].item;
    let items = [RawItem { item, arg: "vs0", at: Nanos(5), outcome: &Outcome::Ok, bytes, truncated: false }];
    let _ = (source.defects)(&items);
    for kind in sources::listed_by(source.def.id) {
        let _ = (kind.names)(&items);
    }
});
