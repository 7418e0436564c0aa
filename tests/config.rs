//! `sigrace.toml`: a project's usual flags, and who wins.

mod script;

use script::{command, complaints, ends, sigrace, stderr, stdout};
use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use tempfile::TempDir;

/// A folder that is the root of a repository, with this file in it and a folder below.
fn repository(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("below/further")).unwrap();
    fs::create_dir(folder.path().join(".git")).unwrap();
    fs::write(folder.path().join("sigrace.toml"), text).unwrap();
    folder
}

const EXPLORE: [&str; 5] = ["explore", "--seed", "1", "--trace-dir", "traces"];
const PROGRAM: [&str; 4] = ["--", "sh", "-c", "true & wait"];

fn explore(folder: &Path, words: &[&str]) -> std::process::Output {
    sigrace(folder, &[&EXPLORE[..], words, &PROGRAM].concat())
}

#[test]
fn what_the_nearest_file_says_is_as_if_it_were_typed() {
    let text = "[explore]\nsend = [\"none\"]\nruns = 0x2\nstrategy = \"random\"\nverify = true\nno-shrink = false\n\
                limit-time = \"20s\" # and a note\n[run]\nbound = 2\n";
    let folder = repository(text);
    let below = folder.path().join("below/further");
    let output = explore(&below, &[]);
    ends(&output, 0);
    let said = "sigrace: from ../../sigrace.toml: --send=none --runs=2 --strategy=random --verify --limit-time=20s \
                (--no-config leaves it out)";
    assert_eq!(complaints(&output), [said]);
    let typed = ["--no-config", "--send", "none", "--runs", "2", "--strategy", "random", "--verify"];
    let typed = explore(&below, &[&typed[..], &["--limit-time", "20s", "--format", "json"]].concat());
    let from_file = explore(&below, &["--format", "json"]);
    assert_eq!(stdout(&typed), stdout(&from_file));
    assert_eq!(complaints(&typed).iter().filter(|line| line.contains("sigrace.toml")).count(), 0);
    // A nearer one goes before it.
    fs::write(folder.path().join("below/sigrace.toml"), "[explore]\nruns = 3\n").unwrap();
    let said = "sigrace: from ../sigrace.toml: --runs=3 (--no-config leaves it out)";
    assert_eq!(complaints(&explore(&below, &[])), [said]);
    let named = explore(&below, &["--config", "../../sigrace.toml"]);
    assert!(complaints(&named)[0].starts_with("sigrace: from ../../sigrace.toml: --send=none "));
}

#[test]
fn beyond_the_repository_and_without_one_nobody_looks_above() {
    let folder = repository("[explore]\nruns = 2\n");
    let below = folder.path().join("below");
    fs::create_dir(below.join(".git")).unwrap();
    assert_eq!(complaints(&explore(&below.join("further"), &[])), [""; 0]);
    fs::remove_dir(below.join(".git")).unwrap();
    fs::remove_dir(folder.path().join(".git")).unwrap();
    assert_eq!(complaints(&explore(&below, &[])), [""; 0]);
    assert_eq!(complaints(&explore(folder.path(), &[])).len(), 1);
}

#[test]
fn the_user_wins_on_the_command_line_and_in_the_environment() {
    let folder = repository("[explore]\nsend = [\"USR1\"]\nbound = 2\nruns = 7\ntrace-dir = \"elsewhere\"\n");
    let from = |output: &std::process::Output| {
        let line = complaints(output).into_iter().find(|line| line.contains("sigrace.toml: ")).unwrap();
        line.split(": ").nth(2).unwrap().replace(" (--no-config leaves it out)", "")
    };
    assert_eq!(from(&explore(folder.path(), &[])), "--send=USR1 --bound=2 --runs=7");
    assert_eq!(from(&explore(folder.path(), &["--send", "none"])), "--bound=2 --runs=7");
    // What goes with none of the user's is left out as well.
    assert_eq!(from(&explore(folder.path(), &["--depth", "2"])), "--send=USR1 --runs=7");
    let mut command = command(folder.path(), &[&EXPLORE[..], &PROGRAM].concat());
    assert_eq!(from(&command.env("SIGRACE_RUNS", "3").output().unwrap()), "--send=USR1 --bound=2");
}

#[test]
fn what_is_wrong_in_it_is_told_with_its_place_and_what_may_be_meant() {
    let folder = repository("");
    for (text, said) in [
        (
            "[explore]\nsned = \"TERM\"\n",
            "2:1: no option `sned` of `sigrace explore`; near are `send` and `seed`; sigrace ",
        ),
        (
            "[explore]\nlimit-tmie = \"1s\"\n",
            "2:1: no option `limit-tmie` of `sigrace explore`; near is `limit-time`; ",
        ),
        ("[run]\nsend = \"TERM\"\n", "2:1: no option `send` of `sigrace run`; near is `seed`; "),
        (
            "[explore]\nsend = [\"TERM\", \"HUPP\"]\n",
            "2:17: `HUPP` is no value of `send`: `HUPP` is no signal",
        ),
        ("[explore]\n  time = \"soon\"\n", "2:10: `soon` is no value of `time`: "),
        (
            "[explore]\nclock = \"rael\"\n",
            "2:9: `rael` is no value of `clock`: possible values are virtual, real",
        ),
        ("[explore]\nruns = [1]\n", "2:8: `runs` takes one value"),
        ("[explore]\nruns = 1.5\n", "2:8: `runs` takes a text or a whole number"),
        ("[explore]\nverify = \"yes\"\n", "2:10: `verify` is true or false"),
        ("[explore]\nno-config = true\n", "2:1: no option `no-config` of `sigrace explore`"),
        ("[explore\nruns = 1\n", "1:9: "),
        (
            "runs = 1\n",
            "1:1: no table `runs`; near is `run`; options stand in a table of their verb: [run], [explore]",
        ),
        ("run = 1\n", "1:1: `run` is no option: options of a verb stand in its table, [run]"),
        ("[replay]\ntimes = 2\n", "1:2: no table `replay`; "),
    ] {
        fs::write(folder.path().join("sigrace.toml"), text).unwrap();
        let output = explore(folder.path(), &[]);
        ends(&output, 102);
        let said = format!("sigrace: sigrace.toml:{said}");
        assert!(stderr(&output).starts_with(&said), "{text}: {}", stderr(&output));
    }
    ends(&sigrace(folder.path(), &["explore", "--help"]), 0);
    fs::write(folder.path().join("sigrace.toml"), "[explore]\nalways = true\n").unwrap();
    let output = explore(folder.path(), &[]);
    ends(&output, 2);
    assert!(stderr(&output).starts_with("sigrace: from sigrace.toml: --always "), "{}", stderr(&output));
    let output = explore(folder.path(), &["--config", "missing.toml"]);
    ends(&output, 102);
    assert!(stderr(&output).contains("missing.toml: No such file"), "{}", stderr(&output));
    // A bad value of the environment's is told as ever.
    let mut bad = command(folder.path(), &[&EXPLORE[..], &PROGRAM].concat());
    ends(&bad.env("SIGRACE_RUNS", "many").output().unwrap(), 2);
}

#[test]
fn a_replay_does_not_depend_on_the_file() {
    let folder = repository("[explore]\nexit = 0\nenv = [\"CODE=3\"]\nclock = \"real\"\n");
    let explored = sigrace(folder.path(), &[&EXPLORE[..], &["--", "sh", "-c", "exit $CODE"]].concat());
    ends(&explored, 100);
    for text in ["[explore]\nexit = 3\nenv = [\"CODE=0\"]\n", "no file\n"] {
        fs::write(folder.path().join("sigrace.toml"), text).unwrap();
        let output = sigrace(folder.path(), &["replay", "traces/latest"]);
        ends(&output, 0);
        assert_eq!(complaints(&output), [""; 0]);
        assert!(stdout(&output).contains("followed in 1 of 1 run"), "{}", stdout(&output));
    }
}

#[test]
fn a_file_of_another_user_is_left_alone() {
    let folder = repository("[explore]\nruns = 2\n");
    let file = folder.path().join("sigrace.toml");
    if let Err(error) = chown(&file, Some(12345), None) {
        eprintln!("not tested: a file cannot be given away: {error}");
        return;
    }
    let output = explore(&folder.path().join("below"), &[]);
    let said = "sigrace: ../sigrace.toml is left alone, since it belongs to user 12345; --config ../sigrace.toml takes it";
    assert_eq!(complaints(&output), [said]);
    let output = explore(folder.path(), &["--config", "sigrace.toml"]);
    assert_eq!(complaints(&output), ["sigrace: from sigrace.toml: --runs=2 (--no-config leaves it out)"]);
}
