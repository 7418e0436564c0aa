//! sigrace as a library: what a test of somebody's own sees.

mod script;

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use script::folder_with_fixture;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

fn exploration(folder: &TempDir) -> sigrace::Exploration {
    sigrace::explore(Command::new("./prog").current_dir(folder.path())).seed(1).trace_dir(folder.path())
}

/// What an assertion says.
fn said(assertion: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panicked = std::panic::catch_unwind(assertion).expect_err("it asserts nothing");
    panicked.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn a_finding_is_told_with_what_runs_it_again_and_that_is_followed() {
    let folder = folder_with_fixture("broken/lost_wakeup.c");
    let cpus = || {
        let set = sched_getaffinity(Pid::from_raw(0)).unwrap();
        (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap()).collect::<Vec<_>>()
    };
    let before = cpus();
    let explored = exploration(&folder).run().unwrap();
    assert_eq!((explored.code, explored.findings.len(), explored.is_as_expected()), (100, 1, false));
    let finding = &explored.findings[0];
    assert_eq!(finding.schedule, ["p0 before pause: send SIGUSR1"], "{explored:?}");
    assert!(explored.text.contains("finding: ./prog, sent SIGUSR1: it hangs"), "{}", explored.text);
    assert!(explored.json.contains("\"findings\""), "{}", explored.json);
    let replay = finding.replay.as_deref().and_then(|line| line.strip_prefix("sigrace replay ")).unwrap();
    sigrace::replay(replay).times(3).assert_followed();
    // What a supervisor does to its own thread stays there.
    assert_eq!(cpus(), before);

    // The same trace, and a program that has been mended.
    let mended = folder_with_fixture("sound/lost_wakeup.c");
    std::fs::rename(mended.path().join("prog"), folder.path().join("prog")).unwrap();
    assert_eq!(sigrace::replay(replay).run(), Ok(false));
    let told = said(|| sigrace::replay(replay).assert_followed());
    assert!(told.contains("not followed in run 1 of 1") && told.ends_with("exit code 101"), "{told}");
}

#[test]
fn a_finding_fails_a_test_with_the_text_that_a_person_reads() {
    let folder = folder_with_fixture("broken/lost_wakeup.c");
    let told = said(|| exploration(&folder).send("SIGUSR1").runs(100).assert_no_findings());
    assert!(told.contains("asleep in pause") && told.contains("replay: sigrace replay "), "{told}");
    assert!(!told.contains('\u{1b}') && told.ends_with("exit code 100"), "{told}");
}

#[test]
fn a_sound_program_passes() {
    let folder = folder_with_fixture("sound/lost_wakeup.c");
    exploration(&folder).assert_no_findings();
    exploration(&folder)
        .send("USR1")
        .exit(0)
        .time(Duration::from_secs(60))
        .option("bound", "2")
        .assert_no_findings();
}

#[test]
fn what_was_not_explored_is_no_pass() {
    let folder = folder_with_fixture("sound/lost_wakeup.c");
    let bad = exploration(&folder).option("no-such-option", "1").run().unwrap_err();
    assert!(bad.code == 2 && bad.text.contains("--no-such-option"), "{bad:?}");
    let missing = sigrace::explore(&Command::new("./no-such-program")).run().unwrap_err();
    assert!(missing.code == 102 && missing.to_string().contains("no-such-program"), "{missing:?}");
    let told = said(|| sigrace::explore(&Command::new("./no-such-program")).assert_no_findings());
    assert!(told.ends_with("exit code 102"), "{told}");
    assert_eq!(sigrace::replay("no-such-trace.ron").run().unwrap_err().code, 102);
    // The signal never comes to a program that does nothing about it.
    let told = said(|| exploration(&folder).send("SIGUSR2").assert_no_findings());
    assert!(told.ends_with("exit code 101"), "{told}");
}

#[test]
fn the_variables_of_the_command_are_those_of_the_program() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "true & wait; exit $CODE"]).env("CODE", "7");
    let folder = tempfile::tempdir().unwrap();
    let explored = sigrace::explore(&shell).send("none").exit(7).trace_dir(folder.path()).run().unwrap();
    assert!(explored.is_as_expected(), "{}", explored.text);
}
