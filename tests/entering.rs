//! Signals that come while a thread enters a call: it does what it can without sleeping, and its handler comes before its caller
//! knows. The programs look themselves what has happened of the call when the handler runs.

mod supervised;

use sigrace::schedule::{Action, Point, Schedule, Site, Step, Target};
use sigrace::signal::Signal;
use sigrace::supervise::{Settings, Supervise};
use sigrace::trace::{End, Reached, Run, Status, What};
use std::path::Path;
use tempfile::TempDir;

fn usr1() -> Signal {
    "SIGUSR1".parse().unwrap()
}

fn send() -> Action {
    Action::Send(usr1())
}

fn step(thread: &str, site: &str, action: Action) -> Step {
    let site = ron::from_str(site).unwrap();
    Step::new(Point { thread: thread.parse().unwrap(), site, nth: 1 }, action)
}

fn with_program<T>(work: impl FnOnce(&Path) -> T) -> T {
    let folder = TempDir::new().unwrap();
    work(&supervised::build("entering.c", &[], folder.path()))
}

/// A run by this schedule in which SIGUSR1 could be sent.
fn run(program: &Path, mode: &str, steps: impl IntoIterator<Item = Step>) -> Run {
    let launch = supervised::launch(&[program.to_str().unwrap(), mode], program.parent().unwrap());
    let schedule = Schedule { steps: steps.into_iter().collect() };
    let settings = Settings { watch: vec![usr1()], ..Settings::of(launch) };
    supervised::with_settings(settings, |supervisor| supervisor.run(&schedule).unwrap())
}

fn stdout(run: &Run) -> String {
    String::from_utf8_lossy(run.outcome.stdout.bytes()).into_owned()
}

/// The run took all its steps, ended with 0 and wrote this.
#[track_caller]
fn wrote(run: &Run, wanted: &str) {
    assert_eq!(run.unreached, [], "{}", stdout(run));
    assert_eq!((&run.taint, &run.outcome.end), (&None, &End::Ended(Status::Exited(0))), "{}", stdout(run));
    assert_eq!(stdout(run), wanted, "{}", run.schedule);
}

/// What could be done at the entering of this call for the nth time.
fn at_entering<'a>(run: &'a Run, thread: &str, call: &str) -> Vec<&'a Reached> {
    let site = Site::Entering(call.parse().unwrap());
    let here = |reached: &&Reached| reached.point.site == site && reached.point.thread.to_string() == thread;
    run.reached.iter().filter(here).collect()
}

#[test]
fn the_handler_comes_when_the_call_has_done_its_work_and_before_its_caller_knows() {
    with_program(|program| {
        for (mode, call, ends) in [("open", "openat", "2 -\n"), ("read", "read", "1 -\n")] {
            let at = |site: &str| run(program, mode, [step("p0", site, send())]);
            // The program's own open comes after those of the loader, which are no points.
            wrote(&at(&format!("Before({call})")), &format!("not done\n{ends}"));
            wrote(&at(&format!("Entering({call})")), &format!("done, not stored\n{ends}"));
            wrote(&at("Before(getpgrp)"), &format!("stored\n{ends}"));
        }
    });
}

#[test]
fn what_others_cause_comes_there_as_well() {
    with_program(|program| {
        let switch = || Action::Switch(Target::All);
        // Before the call the handler takes the child's status itself, and finds that it can.
        wrote(&run(program, "wait", [step("p0", "Before(wait4)", switch())]), "not done\n0 -\n");
        let entered = run(program, "wait", [step("p0", "Entering(wait4)", switch())]);
        wrote(&entered, "done, not stored\n1 -\n");
        // The events tell what came when.
        let call = "wait4".parse().unwrap();
        let go = entered.events.iter().position(|event| event.what == What::Go(Site::Entering(call), 1));
        let next = &entered.events[go.unwrap() + 1];
        assert_eq!((next.thread.to_string(), &next.what), ("p0".to_owned(), &What::Signal(Signal::CHLD)));
        wrote(&run(program, "alarm", [step("p0", "Before(openat)", Action::Fire)]), "not done\n2 -\n");
        wrote(
            &run(program, "alarm", [step("p0", "Entering(openat)", Action::Fire)]),
            "done, not stored\n2 -\n",
        );
    });
}

#[test]
fn a_call_that_would_have_slept_is_interrupted_or_made_again_as_signal_7_has_it() {
    with_program(|program| {
        let entering =
            |mode: &str, call: &str| run(program, mode, [step("p0", &format!("Entering({call})"), send())]);
        wrote(&entering("sleep", "read"), "not done\n-1 Interrupted system call\n");
        let again = entering("restart", "read");
        wrote(&again, "not done\n1 -\n");
        let read = Site::Before("read".parse().unwrap());
        assert!(again.events.iter().any(|event| event.what == What::Go(read, 2)), "it is made again");
        // A socket with a timeout is never made again (signal(7)).
        wrote(&entering("accept", "accept"), "not done\n-1 Interrupted system call\n");
    });
}

#[test]
fn it_is_the_thread_that_enters_which_takes_the_signal() {
    with_program(|program| {
        wrote(&run(program, "thread", [step("p0/2", "Before(openat)", send())]), "not done\n2 -\n");
        let entered = run(program, "thread", [step("p0/2", "Entering(openat)", send())]);
        wrote(&entered, "done, not stored\n2 -\n");
        let [entering] = at_entering(&entered, "p0/2", "openat")[..] else { panic!("{:?}", entered.reached) };
        assert!(entering.receivable.contains(usr1()));
    });
}

#[test]
fn a_signal_that_is_blocked_or_not_caught_is_not_sent_there() {
    with_program(|program| {
        for mode in ["blocked", "uncaught"] {
            let step = step("p0", "Entering(openat)", send());
            let run = run(program, mode, [step.clone()]);
            assert_eq!((run.unreached.as_slice(), stdout(&run).as_str()), (&[step][..], "2 -\n"), "{mode}");
            assert!(!run.events.iter().any(|event| matches!(event.what, What::Go(Site::Entering(_), _))));
        }
        // Nothing can be done there that means anything else than before the call.
        let step = step("p0", "Entering(getppid)", send());
        assert_eq!(run(program, "open", [step.clone()]).unreached, [step]);
    });
}

#[test]
fn it_is_a_point_only_where_it_may_matter() {
    with_program(|program| {
        let plain = |mode: &str| run(program, mode, []);
        let opened = plain("open");
        let [entering] = at_entering(&opened, "p0", "openat")[..] else { panic!("{:?}", opened.reached) };
        assert!(entering.receivable.contains(usr1()) && entering.others.is_empty());
        assert!(at_entering(&opened, "p0", "getppid").is_empty());
        assert!(at_entering(&plain("blocked"), "p0", "openat").is_empty());
        assert!(at_entering(&plain("uncaught"), "p0", "openat").is_empty());
        // What slept says the same in its sleep; but who goes first may end that, or cause a signal of its own.
        assert!(at_entering(&plain("sleep"), "p0", "read").is_empty());
        let restarted = plain("restart");
        let [entering] = at_entering(&restarted, "p0", "read")[..] else { panic!("{:?}", restarted.reached) };
        assert!(entering.receivable.is_empty() && entering.others.len() == 1);
        assert!(restarted.events.iter().all(|event| !matches!(event.what, What::Go(Site::Entering(_), _))));
    });
}
