//! What is wrong with a command line, in the user's language: clap says it in English.

use clap::error::{ContextKind, ErrorKind};

use super::Lang;
use super::help::Catalogue;
use crate::text::foreign::clean;

/// What clap found wrong, if it is one of the mistakes that people make; its own words say the others. Keys:
/// `help.frame.wrong.…`.
pub fn refusal(error: &clap::Error, catalogue: Catalogue, lang: Lang) -> Option<String> {
    let found = |kind| error.get(kind).map(ToString::to_string).filter(|text| !text.is_empty());
    let (key, what) = match error.kind() {
        ErrorKind::ValueValidation => ("value", Some(std::error::Error::source(error)?.to_string())),
        ErrorKind::InvalidValue => match found(ContextKind::ValidValue) {
            Some(choices) => ("choice", Some(choices)),
            None => ("empty", None),
        },
        ErrorKind::UnknownArgument => match found(ContextKind::SuggestedArg) {
            Some(similar) => ("similar", Some(similar)),
            None => ("unknown", None),
        },
        ErrorKind::MissingRequiredArgument => ("missing", None),
        ErrorKind::ArgumentConflict => ("conflict", found(ContextKind::PriorArg)),
        _ => return None,
    };
    let sentence = catalogue(&format!("help.frame.wrong.{key}"), lang)?;
    let sentence = sentence.replace("%{option}", &found(ContextKind::InvalidArg)?);
    Some(clean(&sentence.replace("%{what}", &what.unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, ArgAction, Command};

    fn catalogue(key: &str, lang: Lang) -> Option<String> {
        let key = key.strip_prefix("help.frame.wrong.")?;
        Some(format!("{} {key} %{{option}} %{{what}}", lang.code()))
    }

    fn said(words: &[&str]) -> Option<String> {
        let number = |text: &str| text.parse::<u8>().map_err(|_| "a number".to_owned());
        let command = Command::new("tool")
            .arg(Arg::new("size").long("size").value_parser(number))
            .arg(Arg::new("colour").long("colour").value_parser(["red", "blue"]).conflicts_with("all"))
            .arg(Arg::new("all").long("all").action(ArgAction::SetTrue))
            .arg(Arg::new("dir").value_name("DIR").required(true));
        let error = command.try_get_matches_from([&["tool"], words].concat()).unwrap_err();
        refusal(&error, catalogue, Lang::Zh)
    }

    #[test]
    fn mistakes_are_said_in_the_users_language() {
        for (words, wanted) in [
            (&["--size=x", "."][..], "zh-CN value --size <size> a number"),
            (&["--size=", "."], "zh-CN value --size <size> a number"),
            (&["--colour=green", "."], "zh-CN choice --colour <colour> red, blue"),
            (&["--size"], "zh-CN empty --size <size> "),
            (&["--nonsense\u{1b}[2J", "."], "zh-CN unknown --nonsense\u{fffd}[2J "),
            (&["--colour=red", "--all", "."], "zh-CN conflict --colour <colour> --all"),
            (&[], "zh-CN missing <DIR> "),
        ] {
            assert_eq!(said(words).as_deref(), Some(wanted), "{words:?}");
        }
        assert_eq!(said(&["--help"]), None);
    }
}
