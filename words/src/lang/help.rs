//! A command line in the user's language. What clap derives is English; all of it that is for people is replaced by what
//! the catalogue of the program says: each program has one of its own and hands it in.
//!
//! Keys: `help.SCOPE.about`, `help.SCOPE.OPTION`, `help.SCOPE.after`, where the scope is the program or a command of it,
//! and `help.frame.…` for the words around them.

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Command};
use unicode_width::UnicodeWidthStr;

use crate::Lang;

/// What a program's catalogue has for a key in a language, if anything. Programs whose catalogue gives a key back that it
/// does not know are wrapped by [`known`].
pub type Catalogue = fn(key: &str, lang: Lang) -> Option<String>;

/// A sentence of a catalogue that gives a key back that it does not know.
pub fn known(key: &str, sentence: String) -> Option<String> {
    Some(sentence).filter(|sentence| sentence != key)
}

/// A command with all that is for people in this language; `scope` is its part of the catalogue.
pub fn translated(command: Command, scope: &str, catalogue: Catalogue, lang: Lang) -> Command {
    let words = Words { catalogue, lang };
    let flag = |name: &'static str, short, action| {
        Arg::new(name).short(short).long(name).action(action).help(words.get(&format!("help.frame.{name}")))
    };
    let mut command = command.about(words.get(&format!("help.{scope}.about"))).disable_help_flag(true);
    command = command.arg(flag("help", 'h', ArgAction::Help));
    if command.get_version().is_some() {
        command = command.disable_version_flag(true).arg(flag("version", 'V', ArgAction::Version));
    }
    if let Some(after) = words.find(&format!("help.{scope}.after")) {
        command = command.after_help(after);
    }
    command
        .help_template(format!(
            "{{about-with-newline}}\n{}{{usage}}\n\n{{all-args}}{{after-help}}",
            words.get("help.frame.usage")
        ))
        .subcommand_help_heading(words.get("help.frame.commands"))
        .mut_args(|arg| words.argument(arg, scope))
}

/// A catalogue in one language.
#[derive(Clone, Copy)]
struct Words {
    catalogue: Catalogue,
    lang: Lang,
}

impl Words {
    fn find(self, key: &str) -> Option<String> {
        (self.catalogue)(key, self.lang)
    }

    /// The sentence, or its key, which a test notices.
    fn get(self, key: &str) -> String {
        self.find(key).unwrap_or_else(|| key.to_owned())
    }

    fn with_value(self, key: &str, value: &str) -> String {
        self.get(key).replace("%{value}", value)
    }

    fn argument(self, arg: Arg, scope: &str) -> Arg {
        let heading = if arg.is_positional() { "help.frame.arguments" } else { "help.frame.options" };
        let arg = arg.help_heading(self.get(heading));
        let Some(mut help) = self.find(&format!("help.{scope}.{}", arg.get_id())) else { return arg };
        if !arg.get_action().takes_values() {
            return arg.help(folded(&help));
        }
        let default: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        if !default.is_empty() {
            help += &self.with_value("help.frame.default", &default.join(" "));
        }
        let values = arg.get_possible_values();
        let values: Vec<_> =
            values.iter().filter(|value| !value.is_hide_set()).map(PossibleValue::get_name).collect();
        if !values.is_empty() {
            help += &self.with_value("help.frame.values", &values.join(", "));
        }
        if let Some(name) = arg.get_env() {
            help += &self.with_value("help.frame.env", &name.to_string_lossy());
        }
        arg.help(folded(&help)).hide_default_value(true).hide_possible_values(true).hide_env(true)
    }
}

/// Columns for the text of an option beside its name, on a terminal of a hundred.
const COLUMNS: usize = 70;

/// Text of a script that has no blanks, in lines: clap breaks at blanks only.
fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let (mut out, mut columns) = (String::new(), 0);
    for part in text.split_inclusive(['，', '；', '：', '。', '、', '）', ' ']) {
        if columns > 0 && columns + part.trim_end().width() > COLUMNS {
            out.truncate(out.trim_end().len());
            out.push('\n');
            columns = 0;
        }
        out.push_str(part);
        columns += part.width();
    }
    out
}

/// For the tests of a program: what its catalogue (`text`) has not, or has otherwise than the definition of these
/// commands, each with its scope; and what it has about options that are not there any more.
pub fn faults(commands: &[(&str, Command)], catalogue: Catalogue, text: &str) -> Vec<String> {
    let (mut faults, mut defined) = (Vec::new(), Vec::new());
    for (scope, command) in commands {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let options = command.get_arguments().map(|arg| {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            (format!("help.{scope}.{}", arg.get_id()), help)
        });
        for (key, english) in std::iter::once((format!("help.{scope}.about"), about)).chain(options) {
            let [en, zh] = Lang::ALL.map(|lang| catalogue(&key, lang).unwrap_or_default());
            if en != english || zh.is_empty() || zh.is_ascii() {
                faults.push(format!("{key}: defined as {english:?}, in the catalogue {en:?} and {zh:?}"));
            }
            defined.push(key);
        }
    }
    for line in text.lines().filter(|line| line.starts_with("help.")) {
        let key = line.trim_end_matches(':');
        let framed = key.starts_with("help.frame.") || key.rsplit('.').next() == Some("after");
        if !framed && !defined.iter().any(|have| have == key) {
            faults.push(format!("{key}: there is no such option"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue(key: &str, lang: Lang) -> Option<String> {
        let (en, zh) = match key {
            "help.tool.about" => ("Does it", "做这件事"),
            "help.tool.size" => ("How much", "多少"),
            "help.frame.default" => (" [default: %{value}]", "（默认 %{value}）"),
            "help.frame.usage" => ("Usage: ", "用法："),
            _ => return None,
        };
        Some(if lang == Lang::En { en } else { zh }.to_owned())
    }

    fn tool() -> Command {
        Command::new("tool")
            .about("Does it")
            .arg(Arg::new("size").long("size").default_value("1GiB").help("How much"))
    }

    #[test]
    fn the_catalogue_replaces_what_is_for_people() {
        let english = translated(tool(), "tool", catalogue, Lang::En).render_help().to_string();
        assert!(english.contains("Usage: tool") && english.contains("How much [default: 1GiB]"), "{english}");
        let chinese = translated(tool(), "tool", catalogue, Lang::Zh).render_help().to_string();
        assert!(chinese.contains("用法：tool") && chinese.contains("多少（默认 1GiB）"), "{chinese}");
    }

    #[test]
    fn what_differs_from_the_definition_is_a_fault() {
        let all = [("tool", tool())];
        assert_eq!(faults(&all, catalogue, "help.tool.about:\n"), Vec::<String>::new());
        assert_eq!(faults(&all, catalogue, "help.tool.colour:\n").len(), 1);
        let changed = [("tool", tool().about("Does something else"))];
        assert_eq!(faults(&changed, catalogue, "").len(), 1);
    }
}
