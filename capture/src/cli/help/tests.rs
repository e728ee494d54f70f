use super::*;
use crate::cli::options::{Other, Record};
use unicode_width::UnicodeWidthStr;

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

#[test]
fn every_option_is_told_in_every_language_and_nothing_else_is() {
    let record = (PROGRAM, Record::command());
    let other = Other::command();
    let others = other.get_subcommands().map(|command| (command.get_name(), command.clone()));
    let commands: Vec<_> = std::iter::once(record).chain(others).collect();
    let faults = translated::faults(&commands, include_str!("../../../locales/help.yml"));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn help_is_in_the_language_that_is_set_and_fits() {
    for (locale, words) in [
        ("en", ["Usage: netcap", "Options:", "[default: 1GiB]", "Print help", "Exit status:"]),
        ("zh-CN", ["用法：netcap", "选项:", "（默认 1GiB）", "显示帮助", "退出码："]),
    ] {
        let help = command::<Record>(locale).term_width(100).render_help().to_string();
        let in_one_line = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(in_one_line.contains(word), "{word}: {help}");
        }
        assert!(help.lines().all(|line| line.width() <= 102), "{help}");
    }
}

#[test]
fn the_list_of_commands_is_all_in_one_language_and_each_has_its_help() {
    let list = command::<Other>("zh-CN").render_help().to_string();
    let help = |line: &str| line.contains("help ") && line.ends_with("说明某个命令的用途和选项");
    assert!(list.lines().any(help), "{list}");
    assert!(!list.contains("Print this message"), "{list}");
    for line in ["netcap help status", "netcap status --help"] {
        let help = command::<Other>("zh-CN").try_get_matches_from(words(line)).unwrap_err().to_string();
        assert!(help.contains("用法：netcap status [OPTIONS] [RUN]") && help.contains("--json"), "{help}");
    }
}

#[test]
fn the_language_is_known_before_the_words_are_read() {
    for line in ["netcap --lang zh --nonsense", "netcap status --lang=zh-CN", "netcap --lang en --lang zh_CN"]
    {
        assert_eq!(language(&words(line)).as_deref(), Some("zh-CN"), "{line}");
    }
    for line in ["netcap", "netcap --lang", "netcap --lang fr", "netcap --language=zh"] {
        assert_eq!(language(&words(line)), None, "{line}");
    }
    let sound = |parsed: Result<Record, clap::Error>| parsed.is_ok();
    assert!(sound(parse(&words("netcap --iface eth0 --duration 5m icmp"))));
    assert!(!sound(parse(&words("netcap --nonsense"))));
    command::<Record>("zh-CN").debug_assert();
    command::<Other>("en").debug_assert();
}
