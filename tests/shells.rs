//! Shells whose scripts have traps: with no flag about what is sent or what would be wrong, nothing is found in them.
//!
//! A shell that is not there is skipped by name; two have to be.

mod script;

use script::{ends, stdout};
use std::process::Command;

/// What each shell is called, the words before its script, and the script.
const SHELLS: [(&str, &[&str], &str); 11] = [
    ("dash", &["-c"], TRAPS),
    ("bash", &["--norc", "-c"], TRAPS),
    ("zsh", &["-f", "-c"], TRAPS),
    ("mksh", &["-c"], TRAPS),
    ("busybox", &["sh", "-c"], TRAPS),
    ("ksh93", &["-c"], TRAPS),
    ("yash", &["-c"], TRAPS),
    ("posh", &["-c"], TRAPS),
    ("fish", &["--no-config", "-c"], "trap 'echo t' TERM; sleep 1; exit 0"),
    ("tcsh", &["-f", "-c"], "sleep 1; exit 0"),
    ("rc", &["-c"], "fn sigterm { echo t }; sleep 1; exit 0"),
];

/// A status of its own after one signal, a text after another; a child that is waited for, and one that is not.
const TRAPS: &str = "trap 'echo t' TERM; trap 'exit 3' USR1; sleep 1 & wait; sleep 1; exit 0";

/// Their own code is large: to look into it takes longer than all else.
const LARGE: [&str; 3] = ["bash", "zsh", "fish"];

fn there(name: &str) -> bool {
    let found = Command::new("sh").args(["-c", "command -v \"$0\"", name]).output();
    found.is_ok_and(|output| output.status.success())
}

#[test]
fn nothing_is_found_in_shells_whose_scripts_have_traps() {
    let folder = tempfile::tempdir().unwrap();
    let mut explored = 0;
    for (name, words, text) in SHELLS {
        if !there(name) {
            println!("skipped, there is no {name}");
            continue;
        }
        explored += 1;
        let mut all = vec!["explore", "--seed", "1", "--trace-dir", "traces", "--runs", "60"];
        all.extend(LARGE.contains(&name).then_some("--no-handler-checks"));
        all.extend(["--", name].iter().chain(words).chain([&text]));
        let output = script::sigrace(folder.path(), &all);
        ends(&output, 0);
        let told = stdout(&output);
        assert!(!told.contains("finding:") && !told.contains("not confirmed"), "{name}: {told}");
    }
    assert!(explored >= 2, "{explored}");
}
