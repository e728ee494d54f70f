//! Every option that takes a number, at its ends.

use std::any::TypeId;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, CommandFactory, FromArgMatches};
use netcap_words::Lang;

use super::help;
use super::options::{Other, Record};

/// What an option that takes a number takes, and what it refuses with its bound in the sentence.
struct Bounds {
    /// The command; nothing for recording.
    command: &'static str,
    option: &'static str,
    /// Its least, its most, and other ways to write them.
    takes: &'static [&'static str],
    /// What is just below and above, each with the bound that the user is told.
    refuses: &'static [(&'static str, &'static str)],
}

const TIMES: &[&str] = &["1", "1s", "3650d", "87600h"];
const NO_TIMES: &[(&str, &str)] = &[
    ("0", "at least 1s"),
    ("0d", "at least 1s"),
    ("3651d", "at most 3650d"),
    ("4294967296d", "at most 3650d"),
];
const LARGE: (&str, &str) = ("1025T", "at most 1024T");

/// An option that takes a number and is not here fails the test.
const ALL: &[Bounds] = &[
    Bounds { command: "", option: "duration", takes: TIMES, refuses: NO_TIMES },
    Bounds {
        command: "",
        option: "until",
        takes: &["00:00", "23:59:59"],
        refuses: &[
            ("1970-01-01 00:00", "is over already"),
            ("9990-01-01 00:00", "within 3650d"),
            ("24:00", "write it like 06:00"),
        ],
    },
    Bounds {
        command: "",
        option: "max-packets",
        takes: &["1", "18446744073709551615"],
        refuses: &[("0", "from 1 to"), ("18446744073709551616", "to 18446744073709551615")],
    },
    Bounds {
        command: "",
        option: "rotate-size",
        takes: &["64K", "65536", "1024T"],
        refuses: &[("0", "at least 64KiB"), ("1", "at least 64KiB"), ("65535", "at least 64KiB"), LARGE],
    },
    Bounds { command: "", option: "rotate-time", takes: TIMES, refuses: NO_TIMES },
    Bounds {
        command: "",
        option: "snaplen",
        takes: &["0", "1", "262144"],
        refuses: &[("262145", "from 0 to 262144"), ("4294967296", "from 0 to 262144")],
    },
    Bounds {
        command: "",
        option: "buffer",
        takes: &["256K", "1024T"],
        refuses: &[("0", "at least 256KiB"), ("262143", "at least 256KiB"), LARGE],
    },
    // What is too little depends on the points, and is said when they are known.
    Bounds { command: "", option: "max-memory", takes: &["0", "1024T"], refuses: &[LARGE] },
    Bounds {
        command: "",
        option: "cpu-limit",
        takes: &["1", "1%", "100000%"],
        refuses: &[("0", "from 1% to 100000%"), ("100001", "from 1% to 100000%")],
    },
    Bounds { command: "", option: "max-disk", takes: &["0", "1024T"], refuses: &[LARGE] },
    Bounds { command: "", option: "max-disk-total", takes: &["0", "1024T"], refuses: &[LARGE] },
    Bounds {
        command: "",
        option: "min-free",
        takes: &["0", "0%", "99%", "1024T"],
        refuses: &[("100%", "from 0% to 99%"), LARGE],
    },
    Bounds {
        command: "",
        option: "level",
        takes: &["1", "9"],
        refuses: &[("0", "from 1 to 9"), ("10", "from 1 to 9"), ("4294967297", "from 1 to 9")],
    },
    Bounds { command: "", option: "state-interval", takes: TIMES, refuses: NO_TIMES },
    Bounds { command: "stop", option: "timeout", takes: TIMES, refuses: NO_TIMES },
];

/// Refused by each, with a sentence of its own and not the library's.
const NO_NUMBERS: [&str; 12] =
    ["", " ", "-1", "-0", "0.5", "1.5h", "1e3", "0x10", "NaN", "inf", "99999999999999999999999999", "１"];

fn is_number(arg: &Arg) -> bool {
    let texts = [
        TypeId::of::<String>(),
        TypeId::of::<PathBuf>(),
        TypeId::of::<OsString>(),
        TypeId::of::<IpAddr>(),
        TypeId::of::<Lang>(),
    ];
    let kind = arg.get_value_parser().type_id();
    arg.get_action().takes_values() && !texts.iter().any(|text| kind == *text)
}

fn parse<T: CommandFactory + FromArgMatches>(words: &[OsString]) -> Result<(), clap::Error> {
    help::parse::<T>(words).map(drop)
}

/// Reads a command line with that option.
fn given(bounds: &Bounds, value: &str) -> Result<(), clap::Error> {
    let option = format!("--{}", bounds.option);
    let words: Vec<OsString> = ["netcap", bounds.command, &option, value]
        .into_iter()
        .enumerate()
        .filter(|(place, word)| *place != 1 || !word.is_empty())
        .map(|(_, word)| word.into())
        .collect();
    if bounds.command.is_empty() { parse::<Record>(&words) } else { parse::<Other>(&words) }
}

#[test]
fn every_option_that_takes_a_number_has_its_bounds() {
    let record = Record::command();
    let other = Other::command();
    let commands = std::iter::once(("", &record))
        .chain(other.get_subcommands().map(|command| (command.get_name(), command)));
    let mut there = Vec::new();
    for (name, command) in commands {
        for arg in command.get_arguments().filter(|arg| is_number(arg)) {
            there.push((name.to_owned(), arg.get_long().unwrap_or_default().to_owned()));
        }
    }
    let declared: Vec<_> = ALL.iter().map(|b| (b.command.to_owned(), b.option.to_owned())).collect();
    assert_eq!(there, declared, "each with what it takes and refuses, in the order of the help");
}

#[test]
fn numbers_are_taken_up_to_their_ends_and_refused_beyond_with_the_bound() {
    rust_i18n::set_locale("en");
    for bounds in ALL {
        for value in bounds.takes {
            let taken = given(bounds, value);
            assert!(taken.is_ok(), "--{} {value}: {}", bounds.option, taken.unwrap_err());
        }
        let nonsense = NO_NUMBERS.iter().map(|value| (*value, "'"));
        for (value, bound) in bounds.refuses.iter().copied().chain(nonsense) {
            let refused = given(bounds, value).expect_err(&format!("--{} {value}", bounds.option));
            let said = super::help::refusal(&refused);
            assert_eq!(refused.kind(), ErrorKind::ValueValidation, "--{} {value}: {refused}", bounds.option);
            let said = said.unwrap_or_default();
            assert!(
                said.contains(bound) && said.contains(bounds.option),
                "--{} {value}: {said}",
                bounds.option
            );
        }
    }
}
