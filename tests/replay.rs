//! From a finding to its replay, through the command: a recorded trace is followed exactly, and a changed one is noticed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn sigrace(folder: &Path, words: &[&str]) -> Output {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/broken/lost_wakeup.c");
    let program = folder.join("lost_wakeup");
    if !program.exists() {
        let built = Command::new("cc").arg("-o").arg(&program).arg(fixture).status().unwrap();
        assert!(built.success());
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_sigrace"));
    command.args(words).current_dir(folder).env("SIGRACE_TRACE_DIR", folder.join("traces"));
    command.output().unwrap()
}

/// The trace of the one finding of the lost wake-up.
fn recorded(folder: &Path) -> PathBuf {
    let words = ["explore", "--send", "SIGUSR1", "--runs", "32", "--seed", "1", "--", "./lost_wakeup"];
    let found = sigrace(folder, &words);
    assert_eq!(found.status.code(), Some(100), "{}", String::from_utf8_lossy(&found.stderr));
    fs::canonicalize(folder.join("traces/latest")).unwrap()
}

#[test]
fn a_recorded_finding_is_followed_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let trace = recorded(folder.path());
    let replay = sigrace(folder.path(), &["replay", &trace.to_string_lossy(), "--times", "20"]);
    assert_eq!(replay.status.code(), Some(0), "{}", String::from_utf8_lossy(&replay.stderr));
    assert!(String::from_utf8_lossy(&replay.stdout).contains("20 of 20"));
}

#[test]
fn a_trace_whose_schedule_was_changed_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(recorded(folder.path())).unwrap();
    let step = r#"(at: Before(pause), in: "p0", action: Send(SIGUSR1)),"#;
    assert!(text.contains(step), "the step is not written as expected:\n{text}");
    let changes = [
        ("removed", ""),
        ("moved to where the thread sleeps", r#"(at: In(pause), in: "p0", action: Send(SIGUSR1)),"#),
        ("moved to the next time", r#"(at: Before(pause), in: "p0", nth: 2, action: Send(SIGUSR1)),"#),
        ("another signal", r#"(at: Before(pause), in: "p0", action: Send(SIGUSR2)),"#),
    ];
    for (what, changed) in changes {
        let path = folder.path().join("changed.ron");
        fs::write(&path, text.replace(step, changed)).unwrap();
        let replay = sigrace(folder.path(), &["replay", &path.to_string_lossy()]);
        assert_eq!(replay.status.code(), Some(101), "{what}: {}", String::from_utf8_lossy(&replay.stdout));
    }
}

/// A scenario of a lost wake-up that keeps a trace and makes no more runs of its own than it must.
fn keeping(folder: &Path, source: &str) -> Output {
    fs::write(folder.join("program.c"), source).unwrap();
    let scenario = folder.join("keeps.ron");
    let text = r#"(
        format: 1,
        program: Source("program.c"),
        explore: (send: [SIGUSR1], strategy: [Exhaustive(bound: 1)]),
        expect: (exit: Code(0)),
        finds: [(breaks: Hang, schedule: [(at: Before(pause), in: "p0", action: Send(SIGUSR1))])],
        kept: ["traces/latest"],
    )"#;
    fs::write(&scenario, text).unwrap();
    sigrace(folder, &["run", &scenario.to_string_lossy(), "--format", "json"])
}

#[test]
fn a_kept_trace_is_tried_first_also_when_the_program_has_changed_a_little() {
    let folder = tempfile::tempdir().unwrap();
    recorded(folder.path());
    let source = include_str!("../fixtures/broken/lost_wakeup.c");
    let run = keeping(folder.path(), source);
    let report = String::from_utf8_lossy(&run.stdout).into_owned();
    assert_eq!(run.status.code(), Some(0), "{report}");
    assert!(report.contains("recorded of another build, but its points are still there"), "{report}");
    // Before anything else was tried.
    assert!(report.contains("\"first\": 1,"), "{report}");
}

#[test]
fn a_kept_trace_whose_points_are_gone_is_no_pass() {
    let folder = tempfile::tempdir().unwrap();
    recorded(folder.path());
    let source = include_str!("../fixtures/broken/lost_wakeup.c").replace("pause();", "sigsuspend(&none);");
    let source =
        source.replace("int main(void)\n{", "int main(void)\n{\n    sigset_t none;\n    sigemptyset(&none);");
    let run = keeping(folder.path(), &source);
    let report = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(report.contains("kept traces/latest: cannot be followed any more"), "{report}");
    assert_ne!(run.status.code(), Some(0), "{report}");
}
