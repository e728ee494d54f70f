//! What scripts promise, and what they install.

use std::fs;

use netcap_tests::{files_below, root};

use crate::law::{Law, read};

#[test]
fn scripts_stop_at_the_first_error() {
    let mut law = Law::new("every script sets -euo pipefail");
    for path in fs::read_dir(root().join("scripts")).unwrap().flatten().map(|entry| entry.path()) {
        if path.is_file() {
            let text = read(&path);
            if text.starts_with("#!/usr/bin/env bash") && !text.contains("set -euo pipefail") {
                law.breach(&path, "no set -euo pipefail");
            }
        }
    }
    law.judge();
}

/// There on every Debian, whatever was left out (Essential: yes), and what comes with them.
const ESSENTIAL: [&str; 8] = ["bash", "cp", "env", "kill", "mkfifo", "sh", "tar", "/bin/true"];

#[test]
fn setup_installs_what_tests_call() {
    let mut law = Law::new("scripts/setup and the lab name the package of every tool that a test calls");
    let lists = ["scripts/setup", "scripts/lab.d/common.sh"].map(|path| read(&root().join(path))).concat();
    let known: Vec<&str> = lists
        .split(|c: char| c.is_whitespace() || c == '(' || c == ')')
        .filter_map(|word| word.split_once(':').map(|(tool, _)| tool))
        .collect();
    let mut needed = Vec::new();
    for path in files_below(&root().join("tests"), ".rs") {
        let text = read(&path);
        let called = text.split("Command::new(\"").skip(1).filter_map(|rest| rest.split_once('"'));
        for (tool, _) in called {
            needed.extend(ESSENTIAL.into_iter().filter(|essential| *essential == tool));
            if !ESSENTIAL.contains(&tool) && !known.contains(&tool) {
                law.breach(&path, tool);
            }
        }
    }
    for tool in ESSENTIAL.iter().filter(|tool| !needed.contains(tool)) {
        law.breach(&root().join("tests"), format!("{tool} is an exception, and no test calls it"));
    }
    law.judge();
}
