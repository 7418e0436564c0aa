//! All children of a process go first, and nobody else.

mod supervised;

use sigrace::copies;
use sigrace::program::Limits;
use sigrace::schedule::{Action, Making, Point, Schedule, Site, Step, Target, ThreadName};
use sigrace::supervise::Supervise;
use sigrace::trace::{End, Run, Status, What};
use std::path::Path;
use std::process::Command;

/// Runs a fixture with this one step where the pool has just made its last worker.
fn run(kind: &str, action: Option<Target>) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(kind).join("idle_workers.c");
    let program = folder.path().join("idle_workers");
    let built =
        copies::output(Command::new("cc").args(["-g", "-O1", "-o"]).args([&program, &source])).unwrap();
    assert!(built.status.success());
    let launch = supervised::launch(&["./idle_workers"], folder.path());
    // Its own birth is the first time that it is there.
    let point = Point { thread: ThreadName::root().child(1), site: Site::After(Making::Fork), nth: 4 };
    let steps = action.map(|target| Step::new(point, Action::Switch(target))).into_iter().collect();
    let run = supervised::with_supervisor(launch, Limits::default(), |supervisor| {
        supervisor.run(&Schedule { steps })
    });
    let run = run.unwrap();
    assert_eq!((run.unreached.len(), run.taint.as_deref()), (0, None));
    run
}

/// Who went between the step and the pool's next call.
fn went(run: &Run) -> Vec<String> {
    let pool = ThreadName::root().child(1);
    let step = run.events.iter().position(|event| matches!(event.what, What::Step(_))).unwrap();
    let after = run.events.iter().skip(step + 1).take_while(|event| event.thread != pool);
    let mut went: Vec<String> = after
        .filter(|event| matches!(event.what, What::Go(..)))
        .map(|event| event.thread.to_string())
        .collect();
    went.dedup();
    went
}

#[test]
fn three_children_that_end_at_once_are_one_step_and_a_stranger_waits() {
    let children = run("broken", Some(Target::Children));
    assert_eq!(went(&children), ["p0.1.1", "p0.1.2", "p0.1.3"]);
    assert!(matches!(children.outcome.end, End::Hang(_)), "{:?}", children.outcome.end);
    let names: Vec<String> = children.outcome.leftover.iter().map(|left| left.process.to_string()).collect();
    assert_eq!(names, ["p0.1.3"]);
    // The dispatcher is one of all others, and it gives one of them something to do.
    let all = run("broken", Some(Target::All));
    assert_eq!(went(&all).first().map(String::as_str), Some("p0"));
    assert_eq!(all.outcome.end, End::Ended(Status::Exited(0)));
    assert_eq!(run("broken", None).outcome.end, End::Ended(Status::Exited(0)));
    assert_eq!(run("sound", Some(Target::Children)).outcome.end, End::Ended(Status::Exited(0)));
}
