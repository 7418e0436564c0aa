//! Reports of earlier searches: what they have accepted is no failure, and two of them can be compared.

mod script;

use script::{ends, sigrace, stderr, stdout};
use sigrace::suite::report::Report;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// A wakeup that is lost, in a function whose name is given; with further calls in the window, if that is asked for.
const WAITS: &str = "#include <signal.h>\n#include <unistd.h>\n\
    static volatile sig_atomic_t flag;\n\
    static void on_sigusr1(int signal) { (void)signal; flag = 1; }\n\
    #ifdef LINES\n\n\n\n\n#endif\n\
    __attribute__((noinline)) static int WAIT(void) {\n  while (!flag) {\n\
    #ifdef WINDOW\n    getppid();\n#endif\n\
    #ifdef WIDER\n    getpgrp();\n#endif\n    pause();\n  }\n  return 0;\n}\n\
    int main(void) { signal(SIGUSR1, on_sigusr1); return WAIT(); }\n";

/// Builds it as `folder/waits`.
fn build(folder: &Path, flags: &[&str]) {
    fs::write(folder.join("waits.c"), WAITS).unwrap();
    let mut cc = Command::new("cc");
    let built = cc.args(flags).args(["-o", "waits", "waits.c"]).current_dir(folder).status().unwrap();
    assert!(built.success());
}

fn explore(folder: &Path, words: &[&str]) -> Output {
    let traces = ["explore", "--no-handler-checks", "--trace-dir", "traces"];
    sigrace(folder, &[&traces[..], words, &["--", "./waits"]].concat())
}

/// Explores, and writes the report to this file.
fn report(folder: &Path, file: &str, words: &[&str]) -> Report {
    let output = explore(folder, &[&["--format", "json"], words].concat());
    fs::write(folder.join(file), &output.stdout).unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)))
}

#[test]
fn an_accepted_finding_is_known_again_in_other_builds_and_with_other_seeds() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    build(folder, &["-g", "-DWAIT=wait_for_it"]);
    assert_eq!(report(folder, "known.json", &["--seed", "1"]).exit, 100);
    for (seed, flags) in [
        ("1", &["-g", "-DWAIT=wait_for_it"][..]),
        ("2", &["-DWAIT=wait_for_it", "-DLINES", "-O1"]),
        ("3", &["-DWAIT=wait_for_it", "-O2", "-s", "-static"]),
    ] {
        build(folder, flags);
        let output = explore(folder, &["--seed", seed, "--baseline", "known.json"]);
        ends(&output, 0);
        let text = stdout(&output);
        assert!(text.contains("pass, 0 findings, 1 known finding (accepted by known.json), "), "{text}");
        let line = "known finding: ./waits, sent SIGUSR1: it hangs, by p0 ";
        assert!(text.contains(line) && !text.contains("\nreplay: "), "{text}");
        assert!(!stderr(&output).contains("found: "), "{}", stderr(&output));
    }
}

#[test]
fn what_is_new_fails_and_what_is_not_seen_again_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    build(folder, &["-g", "-DWAIT=wait_for_it"]);
    report(folder, "known.json", &["--seed", "1"]);
    build(folder, &["-g", "-DWAIT=wait_for_more"]);
    let output = explore(folder, &["--seed", "1", "--baseline", "known.json"]);
    ends(&output, 100);
    let text = stdout(&output);
    assert!(
        text.contains("finding: ./waits, sent SIGUSR1: it hangs\n") && text.contains("\nreplay: "),
        "{text}"
    );
    let unseen =
        "not seen again: waits, SIGUSR1: Hang by p0 before pause: send SIGUSR1 (accepted by known.json)\n";
    assert!(text.ends_with(unseen), "{text}");

    let both = report(folder, "new.json", &["--baseline", "known.json"]);
    let finding = &both.searches[1].result.as_ref().unwrap().findings[0];
    assert_eq!((both.exit, &finding.accepted, both.unseen.len()), (100, &None, 1));
    let again = report(folder, "both.json", &["--baseline", "known.json", "--baseline", "new.json"]);
    let finding = &again.searches[1].result.as_ref().unwrap().findings[0];
    assert_eq!((again.exit, finding.accepted.as_deref()), (0, Some("new.json")));
    assert_eq!(again.searches[1].verdict.as_deref(), Some("pass"));
    assert_eq!((again.unseen.len(), again.unseen[0].accepted.as_str()), (1, "known.json"));

    let junit = explore(folder, &["--baseline", "new.json", "--format", "junit"]);
    ends(&junit, 0);
    let parsed = quick_junit::Report::deserialize_from_str(&stdout(&junit)).expect("it is JUnit's form");
    assert_eq!(parsed.failures, 0);
    assert!(stdout(&junit).contains("accepted by new.json: Hang: "), "{}", stdout(&junit));
}

#[test]
fn a_call_at_which_it_also_shows_and_that_was_not_known_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    build(folder, &["-g", "-DWAIT=wait_for_it", "-DWINDOW"]);
    report(folder, "known.json", &["--seed", "1"]);
    ends(&explore(folder, &["--seed", "2", "--baseline", "known.json"]), 0);
    build(folder, &["-g", "-DWAIT=wait_for_it", "-DWINDOW", "-DWIDER"]);
    let output = explore(folder, &["--seed", "2", "--baseline", "known.json"]);
    ends(&output, 100);
    let said = "known.json has it, but not all of the places where it also shows\n";
    assert!(stdout(&output).contains(said), "{}", stdout(&output));
}

#[test]
fn a_suite_accepts_findings_and_warnings() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    build(folder, &["-g", "-DWAIT=wait_for_it"]);
    fs::create_dir(folder.join("scenarios")).unwrap();
    let scenario =
        "(format: 1, program: Command([\"../waits\"]), explore: (send: [SIGUSR1]), expect: (exit: Code(0)))";
    fs::write(folder.join("scenarios/waits.ron"), scenario).unwrap();
    let run = |words: &[&str]| sigrace(folder, &[&["run", "--trace-dir", "traces"], words].concat());
    let json = run(&["--format", "json"]);
    ends(&json, 100);
    fs::write(folder.join("known.json"), &json.stdout).unwrap();
    let output = run(&["--seed", "5", "--baseline", "known.json"]);
    ends(&output, 0);
    let text = stdout(&output);
    assert!(text.contains("known finding: scenarios/waits: it hangs, by p0 before pause"), "{text}");
    assert!(text.contains("1 scenario: 1 passed"), "{text}");
    // Of what is not selected nothing is said.
    fs::write(folder.join("scenarios/other.ron"), script::GOOD).unwrap();
    let output = run(&["--baseline", "known.json", "other"]);
    assert!(!stdout(&output).contains("not seen again"), "{}", stdout(&output));
}

#[test]
fn a_baseline_that_is_none_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("cut.json"), "{\n  \"format\": 1,").unwrap();
    fs::write(folder.join("typo.json"), "{\n  \"format\": 1,\n  \"sead\": 1\n}").unwrap();
    let early = "{\"format\": 1, \"sigrace\": \"0.1.0\", \"seed\": 1, \"suite\": null, \"partition\": null, \
        \"exit\": 0, \"searches\": [], \"not_begun\": []}";
    fs::write(folder.join("later.json"), early.replace("\"format\": 1", "\"format\": 2")).unwrap();
    for (file, said) in [
        ("cut.json", "cut.json:2:14: it is no report of sigrace: EOF while parsing"),
        ("typo.json", "typo.json:3:8: it is no report of sigrace: unknown field `sead`"),
        ("none.json", "none.json: No such file"),
        ("later.json", "later.json is a report of format 2, and this sigrace reads format 1"),
    ] {
        for words in [&["explore", "--baseline", file, "--", "true"][..], &["diff", file, file]] {
            let output = sigrace(folder, words);
            ends(&output, 102);
            assert!(stderr(&output).contains(said), "{}", stderr(&output));
        }
    }
    ends(&sigrace(folder, &["explore", "--first", "--baseline", "cut.json", "--", "true"]), 2);
}

#[test]
fn two_reports_are_told_apart_by_findings_and_by_what_is_covered() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    build(folder, &["-g", "-DWAIT=wait_for_it"]);
    report(folder, "old.json", &["--seed", "1"]);
    report(folder, "again.json", &["--seed", "2"]);
    build(folder, &["-g", "-DWAIT=wait_for_more", "-DWINDOW"]);
    report(folder, "new.json", &["--seed", "1"]);

    let same = sigrace(folder, &["diff", "old.json", "again.json"]);
    ends(&same, 0);
    assert_eq!(
        stdout(&same),
        "waits, SIGUSR1\n  same: Hang by p0 before pause: send SIGUSR1 in wait_for_it (waits.c:19)\n\
         old.json and again.json: 0 new findings, 0 gone, 1 the same; nothing differs\n"
    );
    let differ = sigrace(folder, &["diff", "old.json", "new.json"]);
    ends(&differ, 100);
    let text = stdout(&differ);
    assert!(
        text.contains("  new: Hang by p0 before getppid: send SIGUSR1 in wait_for_more (waits.c:14)\n"),
        "{text}"
    );
    assert!(text.contains("     replay: sigrace replay traces/waits-hang-"), "{text}");
    assert!(text.contains("  gone: Hang by p0 before pause: send SIGUSR1 in wait_for_it "), "{text}");
    assert!(text.contains(" one-step schedules, was "), "{text}");
    assert!(text.ends_with("old.json and new.json: 1 new finding, 1 gone, 0 the same\n"), "{text}");

    // Less is tried where fewer runs are made, and nothing is new.
    report(folder, "less.json", &["--seed", "1", "--runs", "1", "--send", "USR1", "--no-shrink"]);
    report(folder, "more.json", &["--seed", "1", "--send", "USR1"]);
    let mut cat = script::command(folder, &["diff", "--json", "-", "more.json"]);
    let cat = cat.stdin(fs::File::open(folder.join("more.json")).unwrap()).output().unwrap();
    ends(&cat, 0);
    let json: serde_json::Value = serde_json::from_slice(&cat.stdout).unwrap();
    assert_eq!((&json["same"], &json["same_findings"], &json["old"]), (&true.into(), &1.into(), &"-".into()));
    let fewer = sigrace(folder, &["diff", "more.json", "less.json"]);
    assert!(stdout(&fewer).contains("worse covered: "), "{}", stdout(&fewer));
    ends(&sigrace(folder, &["diff", "-", "-"]), 2);
}
