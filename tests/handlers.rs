//! What handlers do, checked: what is sound is silent, and the command tells what is not.

mod supervised;

use sigrace::checks::{self, Asked, Checked, Rule};
use sigrace::copies;
use sigrace::program::Limits;
use sigrace::schedule::{Action, Label, Schedule, Site, Step, Target, ThreadName};
use sigrace::signal::{Signal, SignalSet};
use sigrace::suite::report::Report;
use sigrace::supervise::{Observe, RunError, Supervise, Watch};
use sigrace::trace::{End, Run, Status, What};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const BUILDS: [&[&str]; 4] =
    [&["-g", "-O0"], &["-g", "-O2"], &["-g", "-O0", "-static"], &["-g", "-O2", "-static"]];

/// Checks a program under all rules; none where this host gives no breakpoints.
fn check(program: &Path, word: &str, runs: u64) -> Option<Checked> {
    check_for(&[], program, word, runs)
}

/// The same with these signals sent from outside.
fn check_for(signals: &[Signal], program: &Path, word: &str, runs: u64) -> Option<Checked> {
    let launch = supervised::launch(&[program.to_str().unwrap(), word], program.parent().unwrap());
    let checked = supervised::with_supervisor(launch, Limits::default(), |supervisor| {
        let asked = Asked {
            rules: &Rule::ALL,
            signals,
            process: &ThreadName::root(),
            base: &Schedule::empty(),
            runs,
            fits: false,
        };
        checks::check(&asked, supervisor)
    });
    match checked {
        Err(sigrace::supervise::RunError::Unsupported(why)) => {
            println!("skipped: {why}");
            None
        }
        other => Some(other.unwrap()),
    }
}

#[test]
fn what_is_right_after_all_is_not_reported() {
    for flags in BUILDS {
        let folder = tempfile::tempdir().unwrap();
        let program = supervised::build("handlers.c", flags, folder.path());
        for word in ["suspended", "guarded", "written", "coalesced", "jumping"] {
            let Some(checked) = check(&program, word, checks::MOST_RUNS) else { return };
            assert_eq!((&checked.warnings[..], checked.cut), (&[][..], false), "{flags:?} {word}");
            assert_eq!(checked.notes, [""; 0]);
        }
        let Some(checked) = check(&program, "shown", checks::MOST_RUNS) else { return };
        let [warning] = &checked.warnings[..] else { panic!("{flags:?}: {:?}", checked.warnings) };
        assert_eq!((warning.rule, &warning.handler[..]), (Rule::UnsafeCalls, "prints"));
        assert!(
            warning.what.contains("calls printf") && warning.what.contains("interrupt puts"),
            "{warning}"
        );
    }
}

#[test]
fn a_signal_comes_of_what_the_program_has_brought_about() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("caused.c", &["-g", "-O1"], folder.path());
    let causes = [("child", Action::Switch(Target::All)), ("timer", Action::Fire)];
    for (word, cause) in causes {
        let Some(checked) = check(&program, word, checks::MOST_RUNS) else { return };
        let [warning] = &checked.warnings[..] else { panic!("{word}: {:?}", checked.warnings) };
        assert_eq!(warning.rule, Rule::UnsafeCalls);
        assert!(
            warning.what.contains("calls printf") && warning.what.contains("interrupt puts"),
            "{warning}"
        );
        let [step] = &warning.schedule.steps[..] else { panic!("{:?}", warning.schedule) };
        assert_eq!(step.action, cause);
    }
    // From outside, where nothing of the program's own is left to cause it, nobody was asked to send it.
    for word in ["reaped", "early"] {
        let Some(checked) = check(&program, word, checks::MOST_RUNS) else { return };
        assert_eq!((&checked.warnings[..], &checked.notes[..]), (&[][..], &[][..]), "{word}");
    }
    let asked = [Signal::CHLD];
    let Some(checked) = check_for(&asked, &program, "reaped", checks::MOST_RUNS) else { return };
    assert_eq!(checked.warnings.len(), 1, "{:?}", checked.warnings);
}

#[test]
fn a_childs_handlers_are_checked_in_the_child() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("caused.c", &["-g", "-O1"], folder.path());
    let Some(checked) = check(&program, "copied", checks::MOST_RUNS) else { return };
    let [warning] = &checked.warnings[..] else { panic!("{:?}", checked.warnings) };
    assert!(warning.what.contains("calls printf") && warning.what.contains("interrupt puts"), "{warning}");
    assert_eq!(warning.schedule.steps[0].thread, ThreadName::root().child(1));
    let Some(checked) = check(&program, "reset", checks::MOST_RUNS) else { return };
    assert_eq!((&checked.warnings[..], &checked.notes[..]), (&[][..], &[][..]));
}

#[test]
fn checking_stops_when_its_runs_are_used_up_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("handlers.c", &["-O0"], folder.path());
    let Some(checked) = check(&program, "shown", 2) else { return };
    assert_eq!((checked.runs, checked.cut, checked.warnings.len()), (2, true, 0));
}

/// A program whose handler is another's function (here abs(3)'s, of the C library) has one note, however many signals it has.
#[test]
fn handlers_that_are_not_the_programs_own_are_told_in_one_note() {
    let folder = tempfile::tempdir().unwrap();
    let source = "#include <signal.h>\n#include <stdlib.h>\n#include <unistd.h>\n\
         int main(void) { void (*foreign)(int) = (void (*)(int))abs; signal(SIGINT, foreign); signal(SIGTERM, foreign); \
         getppid(); return 0; }\n";
    std::fs::write(folder.path().join("foreign.c"), source).unwrap();
    let program = folder.path().join("foreign");
    let mut compiler = std::process::Command::new("cc");
    compiler.args(["-w", "-g", "-o", "foreign", "foreign.c"]).current_dir(&folder);
    assert!(copies::output(&mut compiler).unwrap().status.success());
    let Some(checked) = check(&program, "", checks::MOST_RUNS) else { return };
    let note =
        "the handlers of SIGINT and SIGTERM were not checked: they are none of the program's own functions";
    assert_eq!(checked.notes, [note]);
    // One of its own that has lost its name is another matter: that can be mended.
    let source = "#include <signal.h>\n#include <unistd.h>\n\
         static void handler(int signal) { (void)signal; }\n\
         int main(void) { signal(SIGINT, handler); getppid(); return 0; }\n";
    std::fs::write(folder.path().join("stripped.c"), source).unwrap();
    let mut compiler = std::process::Command::new("cc");
    compiler.args(["-s", "-o", "stripped", "stripped.c"]).current_dir(&folder);
    assert!(copies::output(&mut compiler).unwrap().status.success());
    let Some(checked) = check(&folder.path().join("stripped"), "", checks::MOST_RUNS) else { return };
    let note = "the handler of SIGINT was not checked: the program's file does not name it (next: the same with a build that is not stripped)";
    assert_eq!(checked.notes, [note]);
}

/// What a program says as it crashes interrupts what crashed, not whatever call it happens to be in.
#[test]
fn handlers_of_crashes_are_checked_for_who_sends_such_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let source = "#include <signal.h>\n#include <stdio.h>\n#include <unistd.h>\n\
         static void handler(int signal) { printf(\"%d\\n\", signal); fflush(stdout); _exit(1); }\n\
         int main(int count, char **words) { signal(SIGSEGV, handler); if (words[1][0]) signal(SIGTERM, handler); \
         puts(\"begins\"); return count == 0; }\n";
    std::fs::write(folder.path().join("crashes.c"), source).unwrap();
    let program = folder.path().join("crashes");
    let mut compiler = std::process::Command::new("cc");
    compiler.args(["-w", "-g", "-o", "crashes", "crashes.c"]).current_dir(&folder);
    assert!(copies::output(&mut compiler).unwrap().status.success());
    let note = "the handler of SIGSEGV was not checked: it comes of what goes wrong in the program itself (--send for it from outside)";
    let Some(checked) = check(&program, "", checks::MOST_RUNS) else { return };
    assert_eq!((&checked.warnings[..], &checked.notes[..]), (&[][..], &[note.to_owned()][..]));
    let Some(checked) = check(&program, "term", checks::MOST_RUNS) else { return };
    assert!(!checked.warnings.is_empty() && checked.notes.contains(&note.to_owned()), "{:?}", checked.notes);
    let term: Signal = "SIGTERM".parse().unwrap();
    assert!(checked.warnings.iter().all(|warning| warning.signal == term), "{:?}", checked.warnings);
    let Some(checked) = check_for(&["SIGSEGV".parse().unwrap()], &program, "", checks::MOST_RUNS) else {
        return;
    };
    assert!(!checked.warnings.is_empty() && checked.notes.is_empty(), "{:?}", checked.notes);
}

#[test]
fn what_cannot_be_told_apart_is_said_and_not_reported() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("handlers.c", &["-O2", "-static", "-g0"], folder.path());
    let Some(checked) = check(&program, "shown", checks::MOST_RUNS) else { return };
    assert!(checked.warnings.is_empty(), "{:?}", checked.warnings);
    assert!(
        checked.notes.iter().any(|note| note.contains("without line information")),
        "{:?}",
        checked.notes
    );
}

#[test]
fn that_a_thread_could_not_be_looked_at_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("threaded.c", &["-O0", "-g", "-pthread"], folder.path());
    let Some(checked) = check(&program, "asleep", checks::MOST_RUNS) else { return };
    assert!(checked.warnings.is_empty(), "{:?}", checked.warnings);
    assert!(
        checked.notes.iter().any(|note| note.contains("a sibling thread would notice")),
        "{:?}",
        checked.notes
    );
}

#[test]
fn handlers_are_checked_in_the_thread_that_takes_the_signal() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("threaded.c", &["-O0", "-g", "-pthread"], folder.path());
    for (word, thread) in [("main", "p0"), ("worker", "p0/2")] {
        let Some(checked) = check(&program, word, checks::MOST_RUNS) else { return };
        let [warning] = &checked.warnings[..] else { panic!("{word}: {:?}", checked.warnings) };
        assert_eq!((warning.rule, &warning.handler[..]), (Rule::Errno, "note"), "{word}");
        assert_eq!(warning.schedule.steps[0].thread.to_string(), thread);
        assert_eq!(checked.notes, [""; 0], "{word}");
    }
    for word in ["main-sound", "worker-sound", "either"] {
        let Some(checked) = check(&program, word, checks::MOST_RUNS) else { return };
        assert_eq!((&checked.warnings[..], &checked.notes[..]), (&[][..], &[][..]), "{word}");
    }
}

/// What is seen beside a run whose first thread is stopped each time that it comes to `looks`, by this schedule; none where this
/// host gives no breakpoints.
fn parked(word: &str, schedule: &Schedule) -> Option<[Run; 2]> {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("threaded.c", &["-O0", "-g", "-pthread"], folder.path());
    let launch = supervised::launch(&[program.to_str().unwrap(), word], folder.path());
    let watch = Watch {
        thread: ThreadName::root(),
        places: vec![Label::new("looks")],
        // One that is never deliverable, so that each visit is a stop.
        signals: SignalSet::only("SIGUSR2".parse().unwrap()),
        of_others: SignalSet::EMPTY,
        of_timers: SignalSet::EMPTY,
        returns_after: None,
        word: None,
        stacks: false,
    };
    let made = supervised::with_supervisor(launch, Limits::default(), |supervisor| {
        let plain = supervisor.run(schedule)?;
        Ok((plain, supervisor.observe(schedule, &Observe::Handlers(watch))?))
    });
    let (plain, (run, observed)) = match made {
        Err(RunError::Unsupported(why)) => {
            println!("skipped: {why}");
            return None;
        }
        other => other.unwrap(),
    };
    assert!(!observed.visits.is_empty() && observed.not_held.is_none(), "{:?}", observed.not_held);
    assert_eq!((&plain.taint, &run.taint), (&None, &None));
    assert_eq!((&plain.unreached, &run.unreached), (&vec![], &vec![]));
    Some([plain, run])
}

/// Who waits for a time or for another thread, or is about to enter a call, does not notice that a sibling is stopped at an
/// instruction.
#[test]
fn threads_beside_one_that_is_parked_do_not_notice() {
    let enters = "p0/2 before epoll_wait".parse().unwrap();
    let switch = Step::new(enters, Action::Switch(Target::To(ThreadName::root())));
    for (word, steps) in [("sleepers", vec![]), ("enters", vec![switch])] {
        let Some([plain, run]) = parked(word, &Schedule { steps }) else { return };
        assert!(matches!(plain.outcome.end, End::Ended(Status::Exited(0))), "{:?}", plain.outcome.end);
        assert!(plain.outcome.is_like(&run.outcome), "{word}: {:?}", run.outcome.end);
        // The same calls, in the same order.
        let own = |run: &Run| -> Vec<_> {
            let events = run.events.iter().map(|event| (event.thread.clone(), event.what.clone()));
            let looked =
                |what: &What| matches!(what, What::Go(Site::At(_), _) | What::NotHeld(Site::At(_), _));
            events.filter(|(_, what)| !looked(what)).collect()
        };
        assert_eq!(own(&plain), own(&run), "{word}");
    }
}

fn explore(program: &Path, words: &[&str]) -> Output {
    explore_with("GITHUB_ACTIONS", "false", program, words)
}

fn explore_with(variable: &str, value: &str, program: &Path, words: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sigrace"));
    // Of how it ends nothing is said here.
    command.args(["explore", "--send", "SIGUSR1", "--exits", "any", "--runs", "20", "--seed", "1"]);
    command.arg("--trace-dir").arg(folder.path()).args(words).arg("--").arg(program).env(variable, value);
    copies::output(&mut command).expect("the command starts")
}

fn fixture(name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name);
    sigrace::compile::compile(&source, None).unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("a report is text")
}

#[test]
fn explore_warns_without_failing_unless_it_is_to_be_strict() {
    let program = fixture("broken/errno.c");
    let output = explore(&program, &[]);
    if text(&output.stdout).contains("note: handlers were not checked") {
        return;
    }
    let warning = "warning: errno.c:32: handler on_sigusr1 of SIGUSR1";
    assert!(text(&output.stdout).contains(warning), "{}", text(&output.stdout));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(explore(&program, &["--strict"]).status.code(), Some(100));
    let output = explore(&program, &["--no-handler-checks"]);
    assert!(!text(&output.stdout).contains("warning"), "{}", text(&output.stdout));

    let output = explore(&program, &["--format", "json"]);
    let report: Report = serde_json::from_str(text(&output.stdout)).expect("the report has its own form");
    let found = report.searches[0].result.as_ref().unwrap();
    let [warned] = &found.warnings[..] else { panic!("{:?}", found.warnings) };
    assert_eq!((&warned.rule[..], &warned.line[..], warned.known), ("Errno", "errno.c:32", false));
    assert!((3..20).contains(&found.check_runs), "{}", found.check_runs);
    let output = explore_with("GITHUB_ACTIONS", "true", &program, &[]);
    let annotated = |line: &str| {
        line.starts_with("::warning title=sigrace ") && line.contains("::errno.c:32: handler on_sigusr1")
    };
    assert!(text(&output.stderr).lines().any(annotated), "{}", text(&output.stderr));
    let output = explore(&program, &["--format", "junit"]);
    assert!(text(&output.stdout).contains("warning: errno.c:32"), "{}", text(&output.stdout));
}

#[test]
fn explore_has_nothing_to_say_of_a_sound_program() {
    let output = explore(&fixture("sound/errno.c"), &["--strict"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(!text(&output.stdout).contains("warning"), "{}", text(&output.stdout));
}
