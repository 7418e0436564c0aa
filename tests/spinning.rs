//! Programs that compute without a call: for ever, which is shown where it can be, or for long.

mod script;
mod supervised;

use sigrace::program::Limits;
use sigrace::trace::{End, Output, Run, Status};
use std::time::Duration;

/// A run of `spins.c` in which a thread may compute for so long.
fn run(how: &str, cpu: Duration) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("spins.c", &[], folder.path());
    let launch = supervised::launch(&[program.to_str().unwrap(), how], folder.path());
    let (run, ()) = supervised::run(launch, Limits { cpu, ..Limits::default() }, || ());
    run.unwrap()
}

/// How it ends.
fn end(how: &str, cpu: Duration) -> End {
    run(how, cpu).outcome.end
}

const LONG: Duration = Duration::from_secs(10_000);

#[test]
fn a_loop_that_changes_nothing_waits_until_others_have_gone_on() {
    for (how, wrote) in [("child", "child\nparent\nchild\nparent\n"), ("mapped", "child\nparent\n")] {
        let run = run(how, LONG);
        assert_eq!((run.outcome.end, run.taint), (End::Ended(Status::Exited(0)), None), "{how}");
        assert_eq!(run.outcome.stdout, Output::Text(wrote.to_owned()));
    }
}

#[test]
fn who_waits_in_a_loop_is_said_to_burn_a_cpu() {
    let folder = script::folder_with_fixture("sound/busy_wait.c");
    let output = script::sigrace(folder.path(), &["explore", "--seed", "1", "--runs", "5", "--", "./prog"]);
    script::ends(&output, 0);
    let text = script::stdout(&output);
    let said =
        |line: &str| line.starts_with("p0 waits at main+0x") && line.ends_with(" in a loop that burns a CPU");
    assert_eq!(text.lines().filter(|line| said(line)).count(), 1, "{text}");
}

/// Not after so long a time: what it computes meanwhile is nothing.
#[test]
fn a_loop_that_changes_nothing_waits_for_a_time_as_a_sleep_does() {
    let run = run("alarm", LONG);
    assert_eq!((run.outcome.end, run.taint), (End::Ended(Status::Exited(0)), None));
    assert!(run.outcome.took.whole >= Duration::from_secs(3000), "{:?}", run.outcome.took);
}

#[test]
fn a_loop_that_changes_nothing_is_known_by_its_state_and_not_by_its_time() {
    let End::Spinning(words) = end("waits", LONG) else { panic!() };
    assert!(words.contains("that changes nothing, always in the same state"), "{words}");
}

#[test]
fn what_computes_for_long_or_can_be_woken_goes_on() {
    for how in ["counts", "divides", "profiled"] {
        assert_eq!(end(how, LONG), End::Ended(Status::Exited(0)), "{how}");
    }
}

#[test]
fn where_others_could_change_what_a_loop_looks_at_only_its_time_tells() {
    for how in ["shared", "beside"] {
        let End::Spinning(words) = end(how, Duration::from_millis(300)) else { panic!("{how}") };
        assert!(words.contains("of CPU time without a call"), "{how}: {words}");
    }
}

#[test]
fn who_computes_and_cannot_be_held_for_a_sibling_is_not_said_to_go_on_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("spins.c", &["-pthread"], folder.path());
    let program = program.to_str().unwrap();
    let output =
        script::sigrace(folder.path(), &["explore", "--limit-cpu", "200ms", "--", program, "sibling"]);
    script::ends(&output, 101);
    let why =
        "the reference run proves nothing: p0 computes without a call, and cannot be held for others to run";
    let said = script::complaints(&output);
    assert!(said.iter().any(|line| line.contains(why)), "{said:?}");
}
