//! Reports for machines: their form, and that chance and the number of workers have no part in them.

use sigrace::suite::report::{Report, schema};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the command on the project's scenarios, with traces in a folder of their own.
fn run(traces: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sigrace"))
        .args(words)
        .arg("--trace-dir")
        .arg(traces)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .env_remove("GITHUB_ACTIONS")
        .output()
        .expect("the command starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("a report is text")
}

#[test]
fn the_schema_that_is_kept_is_the_one_that_reports_have() {
    let kept = include_str!("../harness/report.schema.json");
    let now = schema();
    if kept != now {
        // For whoever changed the report on purpose, and then takes this in place of the old one.
        let path = std::env::temp_dir().join("report.schema.json");
        fs::write(&path, now).unwrap();
        panic!(
            "harness/report.schema.json is not what reports look like; the new one is in {}",
            path.display()
        );
    }
}

#[test]
fn the_same_search_makes_the_same_report_with_any_number_of_workers() {
    let folder = tempfile::tempdir().unwrap();
    let explore = ["explore", "--seed", "5", "--runs", "60", "--format", "json", "--jobs"];
    let program = sigrace::compile::compile(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/broken/reaping.c"),
    )
    .unwrap();
    let program = program.to_str().unwrap();
    let report = |jobs: &str| {
        let words = [&explore[..], &[jobs, "--same-output", "--", program]].concat();
        // The trace folder is an option, and options come before the program.
        let mut command = Command::new(env!("CARGO_BIN_EXE_sigrace"));
        command.args(&words[..words.len() - 2]).arg("--trace-dir").arg(folder.path());
        let output = command.args(&words[words.len() - 2..]).output().expect("the command starts");
        assert_eq!(output.status.code(), Some(100), "{}", text(&output.stderr));
        text(&output.stdout).to_owned()
    };
    let first = report("1");
    let parsed: Report = serde_json::from_str(&first).expect("the report has its own form");
    let findings = &parsed.searches[0].result.as_ref().expect("it came to an end").findings;
    assert_eq!((parsed.exit, parsed.seed, findings.len()), (100, 5, 1));
    let landing = &findings[0].landings[0];
    assert_eq!(landing.step, 1);
    assert_eq!(landing.file.as_deref(), Some("reaping.c"));
    assert!(landing.function.is_some() && landing.line.is_some(), "{landing:?}");
    for _ in 0..5 {
        assert_eq!(report("4"), first);
    }
}

#[test]
fn a_suite_as_json_and_as_junit() {
    let folder = tempfile::tempdir().unwrap();
    let suite = ["run", "wakeup", "--runs", "20"];
    let json = run(folder.path(), &[&suite[..], &["--format", "json"]].concat());
    assert_eq!(json.status.code(), Some(0), "{}", text(&json.stderr));
    let report: Report = serde_json::from_str(text(&json.stdout)).expect("the report has its own form");
    let names: Vec<&str> = report.searches.iter().map(|search| search.name.as_str()).collect();
    assert_eq!(names, ["wakeup/lost_wakeup_broken", "wakeup/lost_wakeup_sound"]);
    assert!(report.searches.iter().all(|search| search.verdict.as_deref() == Some("pass")));
    let broken = report.searches[0].result.as_ref().expect("it came to an end");
    assert!(broken.findings.iter().all(|finding| finding.known) && broken.findings.len() == 1);
    // What a person reads is not lost.
    assert!(text(&json.stderr).contains("2 scenarios: 2 passed"));

    let junit = run(folder.path(), &[&suite[..], &["--format", "junit"]].concat());
    assert_eq!(junit.status.code(), Some(0), "{}", text(&junit.stderr));
    let parsed = quick_junit::Report::deserialize_from_str(text(&junit.stdout)).expect("it is JUnit's form");
    assert_eq!((parsed.tests, parsed.failures, parsed.errors), (2, 0, 0));
}

#[test]
fn a_failing_scenario_is_a_failure_with_the_command_that_continues() {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/broken/lost_wakeup.c");
    fs::copy(source, folder.path().join("lost_wakeup.c")).unwrap();
    let scenario = folder.path().join("no_findings.ron");
    fs::write(
        &scenario,
        "(format: 1, program: Source(\"lost_wakeup.c\"), explore: (send: [SIGUSR1]), expect: (exit: Code(0)))",
    )
    .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_sigrace"))
        .args(["run", "--runs", "30", "--format", "junit", "--trace-dir"])
        .args([&folder.path().join("traces"), &scenario])
        .env("GITHUB_ACTIONS", "true")
        .output()
        .expect("the command starts");
    assert_eq!(output.status.code(), Some(100), "{}", text(&output.stderr));
    let report = quick_junit::Report::deserialize_from_str(text(&output.stdout)).expect("it is JUnit's form");
    assert_eq!((report.tests, report.failures), (1, 1));
    assert!(text(&output.stdout).contains("sigrace replay "), "{}", text(&output.stdout));
    let annotation = text(&output.stderr).lines().find(|line| line.starts_with("::error file="));
    assert!(annotation.is_some_and(|line| line.contains("no_findings.ron") && line.contains("Hang")));
}

#[test]
fn the_merged_parts_of_a_suite_are_the_whole_suite() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("scenarios")).unwrap();
    for name in ["a", "b", "c", "d", "e"] {
        let text = "(format: 1, program: Command([\"sh\", \"-c\", \"true & wait\"]), explore: (strategy: [Random(runs: 8)]))";
        fs::write(folder.path().join(format!("scenarios/{name}.ron")), text).unwrap();
    }
    let sigrace = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sigrace"));
        command.args(words).current_dir(folder.path()).output().expect("the command starts")
    };
    let run = |words: &[&str]| sigrace(&[&["run", "--format", "json"], words].concat());
    let whole = run(&[]);
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole.stderr));
    for part in ["1", "2", "3"] {
        let output = run(&["--partition", &format!("hash:{part}/3")]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        fs::write(folder.path().join(part), output.stdout).unwrap();
    }
    let merged = sigrace(&["merge", "3", "1", "2"]);
    assert_eq!(merged.status.code(), Some(0), "{}", text(&merged.stderr));
    assert_eq!(text(&merged.stdout), text(&whole.stdout));
    assert_eq!(sigrace(&["merge", "1", "2"]).status.code(), Some(102), "a part is missing");
}
