//! Reports for machines: their form, and that chance and the number of workers have no part in them.

mod script;

use sigrace::suite::report::{Found, Report, schema};
use std::collections::BTreeSet;
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
        None,
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
    let suite = ["run", "lost_wakeup", "--runs", "20"];
    let json = run(folder.path(), &[&suite[..], &["--format", "json"]].concat());
    assert_eq!(json.status.code(), Some(0), "{}", text(&json.stderr));
    let report: Report = serde_json::from_str(text(&json.stdout)).expect("the report has its own form");
    let names: Vec<&str> = report.searches.iter().map(|search| search.name.as_str()).collect();
    assert_eq!(names, ["waiting/lost_wakeup_broken", "waiting/lost_wakeup_sound"]);
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
fn each_build_is_reported_recorded_and_replayed_as_one_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    // Only the first build ends its child and waits for it.
    let source = "#include <signal.h>\n#include <unistd.h>\n#include <sys/wait.h>\nint main(void) {\n  \
                  int child = fork();\n  while (!child) pause();\n\
                  #ifdef WAITS\n  kill(child, SIGKILL);\n  wait(0);\n#endif\n  return 0;\n}\n";
    fs::write(folder.path().join("child.c"), source).unwrap();
    fs::create_dir(folder.path().join("scenarios")).unwrap();
    let scenario = "(format: 1, program: Source(\"../child.c\"), builds: [\"-O0 -DWAITS\", \"-O2 -static\"], \
                expect: (orphans: 0), explore: (strategy: [Random(runs: 4)]))";
    fs::write(folder.path().join("scenarios/child.ron"), scenario).unwrap();
    let sigrace = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sigrace"));
        command.args(words).current_dir(folder.path()).output().expect("the command starts")
    };
    let [waits, leaves] = ["scenarios/child [-O0 -DWAITS]", "scenarios/child [-O2 -static]"];
    assert_eq!(text_of_list(&sigrace(&["run", "--list"])), [waits, leaves]);
    let parts: Vec<Vec<String>> = ["hash:1/2", "hash:2/2"]
        .map(|part| text_of_list(&sigrace(&["run", "--list", "--partition", part])))
        .into();
    let mut all = parts.concat();
    all.sort();
    assert_eq!(all, [waits, leaves]);

    let run = |words: &[&str]| sigrace(&[&["run", "--trace-dir", "traces"], words].concat());
    let json = run(&["--format", "json"]);
    assert_eq!(json.status.code(), Some(100), "{}", text(&json.stderr));
    let report: Report = serde_json::from_str(text(&json.stdout)).expect("the report has its own form");
    let verdicts: Vec<(&str, Option<&str>)> =
        report.searches.iter().map(|search| (search.name.as_str(), search.verdict.as_deref())).collect();
    assert_eq!(verdicts, [(waits, Some("pass")), (leaves, Some("fail"))]);
    let junit = run(&["--format", "junit"]);
    let parsed = quick_junit::Report::deserialize_from_str(text(&junit.stdout)).expect("it is JUnit's form");
    let names: Vec<&str> = parsed.test_suites[0].test_cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!((names, parsed.failures), (vec![waits, leaves], 1));

    // A replay on a machine without the program builds it again, in the same way.
    let trace = folder.path().join("traces/latest");
    let recorded = fs::read_to_string(&trace).unwrap();
    assert!(recorded.contains("build: \"-O2 -static\""), "{recorded}");
    let file = recorded.split("file: \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let moved = folder.path().join("moved.ron");
    fs::write(&moved, recorded.replace(file, "/no/such/program")).unwrap();
    let replay = sigrace(&["replay", "moved.ron"]);
    assert_eq!(replay.status.code(), Some(0), "{}{}", text(&replay.stdout), text(&replay.stderr));
    assert_eq!(script::complaints(&replay), [""; 0]);
    assert!(text(&replay.stdout).contains("build: -O2 -static\n"), "{}", text(&replay.stdout));
}

fn text_of_list(output: &Output) -> Vec<String> {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(str::to_owned).collect()
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

/// One search of a program that can end in several ways, whole or a part of it.
struct Exploring {
    folder: tempfile::TempDir,
    program: String,
}

impl Exploring {
    fn new(source: &str) -> Exploring {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(source);
        let program = sigrace::compile::compile(&source, None).unwrap().to_str().unwrap().to_owned();
        Exploring { folder: tempfile::tempdir().unwrap(), program }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sigrace"));
        command.current_dir(self.folder.path()).env_remove("GITHUB_ACTIONS");
        command
    }

    /// The report, also in a file of this name.
    fn explore(&self, words: &[&str], file: &str) -> Report {
        let mut command = self.command();
        command.args(["explore", "--seed", "3", "--format", "json"]).args(words);
        let output = command.args(["--", &self.program]).output().expect("the command starts");
        fs::write(self.folder.path().join(file), &output.stdout).unwrap();
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)))
    }

    fn merge(&self, files: &[&str]) -> Output {
        self.command().arg("merge").args(files).output().expect("the command starts")
    }
}

#[test]
fn the_merged_parts_of_a_search_are_the_whole_search() {
    for source in ["fixtures/broken/reaping.c", "tests/programs/stores.c"] {
        let exploring = Exploring::new(source);
        let words = ["--strategy", "exhaustive", "--bound", "2", "--runs", "3000", "--same-output"];
        let whole = exploring.explore(&words, "whole");
        let mut parts = Vec::new();
        for part in ["1", "2", "3"] {
            let partition = format!("hash:{part}/3");
            let report = exploring.explore(&[&words[..], &["--partition", &partition]].concat(), part);
            assert_eq!(report.partition, Some(partition));
            let result = report.searches[0].result.clone().expect("it came to an end");
            assert!(result.extent.starts_with(&format!("part {part} of 3, ")), "{}", result.extent);
            parts.push(result);
        }
        let merged = exploring.merge(&["3", "1", "2"]);
        assert_eq!(merged.status.code(), Some(100), "{}", text(&merged.stderr));
        assert_eq!(text(&merged.stdout), text(&exploring.merge(&["1", "2", "3"]).stdout));
        let merged: Report = serde_json::from_slice(&merged.stdout).unwrap();
        assert_eq!((merged.exit, merged.seed, merged.partition), (whole.exit, 3, None));
        let (merged, whole) = (&merged.searches[0], &whole.searches[0]);
        assert_eq!(
            (&merged.verdict, &merged.digest, &merged.asked),
            (&whole.verdict, &whole.digest, &whole.asked)
        );
        let (merged, whole) = (merged.result.as_ref().unwrap(), whole.result.as_ref().unwrap());
        assert_eq!(merged.extent, whole.extent);
        assert_eq!((merged.runs, merged.failing), (whole.runs, whole.failing));
        assert_eq!((&merged.schedules, merged.points_taken), (&whole.schedules, whole.points_taken));
        assert!(parts.iter().all(|part| part.runs < whole.runs && part.shared_runs > 0));
        let outcomes = |found: &Found| -> BTreeSet<(String, u64)> {
            found.outcomes.iter().map(|seen| (seen.digest.clone(), seen.runs)).collect()
        };
        assert_eq!(outcomes(merged), outcomes(whole));
        let findings = |found: &Found| -> Vec<(String, Vec<String>, u64)> {
            let each = found.findings.iter();
            each.map(|found| (found.breaks.clone(), found.schedule.clone(), found.runs)).collect()
        };
        assert_eq!(findings(merged), findings(whole));
        let elsewhere = |found: &Found| -> BTreeSet<Vec<String>> {
            found.findings.iter().flat_map(|found| found.elsewhere.clone()).collect()
        };
        assert!(elsewhere(merged).is_superset(&elsewhere(whole)));
    }
}

#[test]
fn parts_of_another_search_or_program_are_refused() {
    let exploring = Exploring::new("fixtures/sound/reaping.c");
    let words = |part: &'static str| ["--strategy", "exhaustive", "--partition", part];
    exploring.explore(&words("hash:1/2"), "one");
    let two = exploring.explore(&words("hash:2/2"), "two");
    assert_eq!(exploring.merge(&["one", "two"]).status.code(), Some(0));
    let refused = |files: &[&str], said: &str| {
        let output = exploring.merge(files);
        assert_eq!(output.status.code(), Some(102));
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    };
    refused(&["one"], "missing: 2");
    refused(&["one", "two", "one"], "both of part 1");
    exploring.explore(&[&words("hash:2/2")[..], &["--exit", "0"]].concat(), "other");
    refused(&["one", "other"], "differ in what was asked for");
    let mut rebuilt = two.clone();
    rebuilt.searches[0].digest = Some("0123".to_owned());
    fs::write(exploring.folder.path().join("rebuilt"), rebuilt.json()).unwrap();
    let digest = two.searches[0].digest.clone().unwrap();
    refused(&["one", "rebuilt"], &format!("digest of the program: one has {digest}, rebuilt has 0123"));
    let mut endless = two.clone();
    endless.searches[0].result.as_mut().unwrap().runs = u64::MAX;
    fs::write(exploring.folder.path().join("endless"), endless.json()).unwrap();
    refused(&["one", "endless"], "18446744073709551615 is no number of anything that can be counted");
}

#[test]
fn a_person_reads_where_else_the_same_breaks() {
    let exploring = Exploring::new("fixtures/broken/reaping.c");
    let words = ["explore", "--seed", "1", "--bound", "1", "--same-output", "--", &exploring.program];
    let output = exploring.command().args(words).output().expect("the command starts");
    let told = text(&output.stdout);
    let line =
        told.lines().find_map(|line| line.strip_prefix("  also at: ")).unwrap_or_else(|| panic!("{told}"));
    let places: Vec<&str> = line.split("; ").collect();
    // With the action of the finding only the place is told; with another one, that as well.
    assert!(places.contains(&"p0.1 before exit_group"), "{line}");
    assert!(places.contains(&"p0 before wait4: let p0.2 run first"), "{line}");
}
