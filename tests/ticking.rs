//! Programs with a clock of their own, which never come to an end by themselves: how far they are followed.

mod script;
mod supervised;

use script::{ends, stderr, stdout};
use sigrace::program::Limits;
use sigrace::schedule::{Action, Point, Schedule, Site, Step, Syscall, ThreadName};
use sigrace::signal::Signal;
use sigrace::suite::report::Report;
use sigrace::supervise::{Settings, Supervise};
use sigrace::trace::End;
use std::fs;
use std::path::Path;
use std::time::Duration;
use syscalls::Sysno;

const FOLLOWED: &str = "each run goes on for 2m of its clock";

fn explore(folder: &Path, words: &[&str]) -> std::process::Output {
    let fixed = ["explore", "-j", "1", "--seed", "1", "--no-handler-checks", "--trace-dir", "traces"];
    script::sigrace(folder, &[&fixed, words, &["--", "./ticks"]].concat())
}

#[test]
fn a_request_that_a_ticking_program_forgets_is_found_without_an_hour_of_ticks_in_each_run() {
    let folder = tempfile::tempdir().unwrap();
    supervised::build("ticks.c", &["-g"], folder.path());
    for words in [&["--first"][..], &["--send", "SIGTERM", "--first"]] {
        let output = explore(folder.path(), words);
        ends(&output, 100);
        let text = stdout(&output);
        assert!(text.contains(FOLLOWED) && text.contains("finding: ./ticks"), "{text}");
        assert!(text.contains("\non the program's clock it took 2m"), "{text}");
        let replayed = script::sigrace(folder.path(), &["replay", "traces/latest"]);
        assert!(stdout(&replayed).contains("on the program's clock it took 2m"), "{}", stdout(&replayed));
    }
}

#[test]
fn who_says_how_far_a_program_is_to_be_followed_has_it_followed_so_far() {
    let folder = tempfile::tempdir().unwrap();
    supervised::build("ticks.c", &["-g"], folder.path());
    let output = explore(folder.path(), &["--first", "--limit-clock", "5m"]);
    ends(&output, 100);
    let text = stdout(&output);
    assert!(!text.contains(FOLLOWED) && text.contains("\non the program's clock it took 5m"), "{text}");
}

#[test]
fn a_report_for_a_machine_says_it_too_and_a_sound_program_passes() {
    let folder = tempfile::tempdir().unwrap();
    supervised::build("ticks.c", &["-g", "-DSOUND"], folder.path());
    let output = explore(folder.path(), &["--send", "SIGTERM", "--runs", "20", "--format", "json"]);
    ends(&output, 0);
    assert!(stderr(&output).contains(FOLLOWED), "{}", stderr(&output));
    let report: Report = serde_json::from_str(&stdout(&output)).expect("a report has its own form");
    let search = &report.searches[0];
    assert!(search.notes.iter().any(|note| note.contains(FOLLOWED)), "{:?}", search.notes);
}

/// What comes of it in a quarter of a minute is seen, and no more is looked at than shows that there is no end to it.
#[test]
fn who_does_much_between_ticks_is_followed_for_less() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["explore", "-j", "1", "--seed", "1", "--runs", "3", "--", "sh", "-c"];
    let text = |script: &str| {
        let output = script::sigrace(folder.path(), &[&words[..], &[script]].concat());
        ends(&output, 0);
        stdout(&output)
    };
    let busy = text("while kill -0 $$; do sleep 1; done");
    assert!(busy.contains("each run goes on for 15s of its clock"), "{busy}");
    // One that does as much, and comes to an end, is followed to that.
    let ends = text("for n in 1 2 3; do for m in 1 2 3 4 5 6 7 8 9; do sleep 10; done; done");
    assert!(!ends.contains("of its clock") && ends.contains("exit code 0"), "{ends}");
}

/// Who looks again and again whether one that is stopped has ended waits for it, as one does who sleeps in wait4(2).
#[test]
fn what_is_stopped_is_what_a_ticking_parent_waits_for() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("looks.c", &[], folder.path());
    let launch = supervised::launch(&[program.to_str().unwrap()], folder.path());
    let limits = Limits { clock: Duration::from_secs(60), ..Limits::default() };
    let settings = Settings { limits, always: true, ..Settings::of(launch) };
    let child = ThreadName::root().child(1);
    let point = Point { thread: child, site: Site::Before(Syscall::from(Sysno::pause)), nth: 1 };
    let stop = Step::new(point, Action::Send(Signal::STOP));
    supervised::with_settings(settings, |supervisor| {
        let mut end = |steps| supervisor.run(&Schedule { steps }).unwrap().outcome.end;
        assert!(matches!(end(Vec::new()), End::Stalled(_)));
        assert_eq!(end(vec![stop]), End::Stopped);
    });
}

/// Who waits for clients waits for them, also if it looks at the time meanwhile; and how they are served is judged.
#[test]
fn a_server_that_looks_at_the_time_waits_for_its_clients() {
    let folder = script::folder_with("unused.ron", script::GOOD);
    let program = supervised::build("serves.c", &[], folder.path());
    let verdict = |expect: &str| {
        let scenario = format!(
            r#"(format: 1, program: Command(["{}"]), limits: (clock: 60.0), explore: (strategy: [Random(runs: 3)]),
                clients: [Script([Connect("unix:@serves"), WaitEof])], expect: ({expect}))"#,
            program.display()
        );
        fs::write(folder.path().join("serves.ron"), scenario).unwrap();
        stdout(&script::sigrace(folder.path(), &["run", "serves.ron"]))
    };
    let served = verdict(r#"idle: true, clients: [(exit: Code(0), stdout: Is("hello\n"))]"#);
    assert!(served.starts_with("pass "), "{served}");
    let judged = verdict("idle: true, clients: [(exit: Code(7))]");
    assert!(judged.contains("a client ends otherwise than expected"), "{judged}");
    let idle = verdict("");
    assert!(idle.contains("it waits for the outside"), "{idle}");
}

/// A supervisor that polls ends with its child, after a quarter of an hour in which it does the same some hundred times.
#[test]
fn who_ends_after_very_much_is_not_followed_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let script =
        "sleep 1000 & child=$!; trap 'kill $child; exit 0' TERM; while kill -0 $child; do sleep 1; done";
    let words =
        ["explore", "-j", "1", "--seed", "1", "--send", "SIGTERM", "--runs", "3", "--", "sh", "-c", script];
    let output = script::sigrace(folder.path(), &words);
    ends(&output, 0);
    assert!(
        stdout(&output).contains("undisturbed it goes on for long, so each run goes on for 15s of its clock"),
        "{}",
        stdout(&output)
    );
}
