//! Commands that are printed for people to copy: whatever name stands in one is a word of a shell, never more.

use std::path::{Path, PathBuf};

use netcap_tests::{files_below, root};

use crate::law::{Exceptions, Law, all_sources, code, is_test, read};

/// Programs that people are told to call, and how the next word begins when one of them is not just talked about.
#[rustfmt::skip]
const PROGRAMS: [(&str, &[&str]); 23] = [
    ("netcap", &["-", "seal ", "bundle ", "status ", "stop ", "rotate ", "points "]), ("netcap-analyze", &["-", "%{", "{"]), ("bash", &["-", "/"]),
    ("scp", &["-", "%{", "{"]), ("kill", &["-", "%{", "{"]), ("ping", &["-"]), ("tracepath", &["-", "%{", "{"]),
    ("tcpdump", &["-"]), ("ip", &["-", "link ", "route ", "addr ", "neigh "]), ("ovs-vsctl", &[""]),
    ("ovs-appctl", &[""]), ("ovs-ofctl", &[""]), ("ovsdb-client", &[""]), ("virsh", &[""]), ("ethtool", &["-", "%{", "{"]),
    ("lldpcli", &[""]), ("lldptool", &[""]), ("bridge", &["-", "link ", "fdb ", "vlan "]), ("tc", &["-", "qdisc ", "filter "]),
    ("nft", &["list ", "-"]), ("chown", &["-", "%{", "{"]), ("chmod", &["-", "%{", "{"]), ("umount", &["-", "%{", "{"]),
];
/// What ends a command in a sentence.
const ENDS: [char; 12] = ['\'', '`', '"', ',', ';', '(', '，', '；', '。', '（', '：', '\n'];
/// Values that are numbers or words of our own.
const HARMLESS: [&str; 2] = ["pid", "recursive"];

/// Where commands begin and end in a text.
fn commands(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (program, next) in PROGRAMS {
        for (at, _) in text.match_indices(program) {
            let behind = text.get(..at).and_then(|before| before.chars().next_back());
            let rest = text.get(at + program.len()..).unwrap_or_default();
            let word = behind.is_some_and(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
            let called =
                rest.strip_prefix(' ').is_some_and(|rest| next.iter().any(|next| rest.starts_with(next)));
            if !word && called {
                let end = text.get(at..).and_then(|rest| rest.find(ENDS)).map_or(text.len(), |end| at + end);
                found.push((at, end));
            }
        }
    }
    found
}

/// Names in a command of a sentence.
fn names(sentence: &str, (begin, end): (usize, usize)) -> impl Iterator<Item = &str> {
    let command = sentence.get(begin..end).unwrap_or_default();
    command
        .split("%{")
        .skip(1)
        .filter_map(|rest| rest.split('}').next())
        .filter(|name| !HARMLESS.contains(name))
}

/// Every sentence of a catalogue with its key and its file.
fn sentences(krate: &str) -> Vec<(PathBuf, String, String)> {
    let mut all = Vec::new();
    for path in files_below(&root().join(krate).join("locales"), ".yml") {
        let mut key = String::new();
        for line in read(&path).lines() {
            match line.strip_suffix(':').filter(|_| !line.starts_with(' ')) {
                Some(name) => name.clone_into(&mut key),
                None => all.push((path.clone(), key.clone(), line.to_owned())),
            }
        }
    }
    assert!(!all.is_empty(), "{krate} has sentences");
    all
}

/// The explainer makes words of a shell of all that it puts into `'program …'`.
#[test]
fn a_command_in_a_report_stands_between_quotes() {
    let mut law =
        Law::new("a command with names in it stands between quotes, for there they are words of a shell");
    for (path, key, sentence) in sentences("analyze") {
        for command in commands(&sentence) {
            let before = sentence.get(..command.0).unwrap_or_default();
            let mut last = before.chars().rev();
            let opened = last.next() == Some('\'')
                && !last.next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '}');
            if !opened && names(&sentence, command).next().is_some() {
                law.breach(&path, format!("{key}: {}", &sentence[command.0..command.1]));
            }
        }
    }
    law.judge();
}

/// Arguments of the calls of `t!` with this key: what stands behind it up to the end of the call.
fn calls(code: &str, key: &str) -> Vec<String> {
    let behind = |(at, text): (usize, &str)| {
        let rest = &code[at + text.len()..];
        let mut depth = 1;
        let closes = |c: char| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth == 0
        };
        rest.get(..rest.find(closes)?).map(str::to_owned)
    };
    code.match_indices(&format!("\"{key}\"")).filter_map(behind).collect()
}

/// What a call gives for a name.
fn given<'a>(call: &'a str, name: &str) -> Option<&'a str> {
    let mut depth = 0;
    let outside = |c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    };
    call.split(outside).find_map(|part| part.trim().strip_prefix(name)?.trim_start().strip_prefix('='))
}

#[test]
fn a_command_of_the_recorder_is_given_words_of_a_shell() {
    let mut law =
        Law::new("what stands in a command is given by netcap_words::quote, in the call that writes it");
    let codes: Vec<(PathBuf, String)> =
        all_sources().into_iter().map(|path| (path.clone(), code(&path))).collect();
    for (path, key, sentence) in sentences("capture") {
        for command in commands(&sentence) {
            for name in names(&sentence, command) {
                let calls: Vec<(&Path, String)> = codes
                    .iter()
                    .flat_map(|(path, code)| calls(code, &key).into_iter().map(|c| (path.as_path(), c)))
                    .collect();
                if calls.is_empty() {
                    law.breach(&path, format!("{key}: nobody says it, so nobody can see what {name} is"));
                }
                for (file, call) in calls {
                    if !given(&call, name).is_some_and(|value| value.contains("quote::")) {
                        law.breach(file, format!("{key}: {name} is no word of a shell"));
                    }
                }
            }
        }
    }
    law.judge();
}

#[test]
fn commands_are_put_together_by_one_function() {
    let mut law = Law::new("a command with names in it is made by netcap_words::quote::command");
    let mut except = Exceptions::of(&[]);
    for path in all_sources().into_iter().filter(|path| !is_test(path)) {
        for line in code(&path).lines() {
            let has_name = |&(begin, end): &(usize, usize)| line[begin..end].contains('{');
            let quoted = |&(begin, _): &(usize, usize)| line[..begin].matches('"').count() % 2 == 1;
            if commands(line).iter().any(|command| quoted(command) && has_name(command))
                && !except.allow(&path)
            {
                law.breach(&path, line.trim());
            }
        }
    }
    except.settle(&mut law);
    law.judge();
}

#[test]
fn commands_are_recognised() {
    let spans = |text| commands(text).into_iter().map(|(begin, end)| &text[begin..end]).collect::<Vec<_>>();
    assert_eq!(spans("then: netcap seal %{dir}"), ["netcap seal %{dir}"]);
    assert_eq!(
        spans("netcap status and netcap stop reach it"),
        ["netcap status and netcap stop reach it", "netcap stop reach it"]
    );
    assert_eq!(spans("a ping %{seq} is lost; use 'ping -M do %{dst}'"), ["ping -M do %{dst}"]);
    assert_eq!(spans("check-netcap seal, netcapx seal, netcap %{version}"), [""; 0]);
    assert_eq!(given(" dir = quote::path(&a, b), x = 1", "dir"), Some(" quote::path(&a, b)"));
    assert_eq!(calls("t!(\"k\", a = f(x), b = 2) + t!(\"k\")", "k"), [", a = f(x), b = 2", ""]);
}
