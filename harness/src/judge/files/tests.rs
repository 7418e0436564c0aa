use super::*;
use crate::judge::{Comparison, Expectations, broken, explain};
use crate::scenario::Expect;
use crate::schedule::{Point, Step};
use crate::trace::{Event, Leftover, Open, Row};

fn ended(status: Status) -> Run {
    let Run { mut outcome, .. } = crate::judge::tests::ended(0);
    outcome.end = End::Ended(status);
    let event = Event { thread: ThreadName::root(), what: What::End(status), others: Default::default() };
    Run { events: vec![event].into(), outcome, ..crate::judge::tests::ended(0) }
}

/// A run that left these.
fn leaving(changes: &[(&str, Changing)]) -> Run {
    let mut run = ended(Status::Exited(0));
    let change = |(name, how): &(&str, Changing)| Change {
        name: (*name).to_owned(),
        how: how.clone(),
        before_signal: true,
    };
    run.outcome.remains.changes = changes.iter().map(change).collect();
    run
}

fn file(size: u64, cut: bool) -> Object {
    Object::File { size, digest: Some(format!("{size}")), cut }
}

fn made(size: u64) -> Changing {
    Changing::Made(file(size, false))
}

fn breaks(reference: &Run, run: &Run) -> Vec<Broken> {
    broken(
        &Expectations::against(reference, &Comparison { sends: true, ..Comparison::default() }).unwrap(),
        run,
    )
}

#[test]
fn what_the_reference_run_did_not_leave_is_found_and_told_by_its_outermost_folders() {
    let reference = leaving(&[("out", made(3))]);
    let run = leaving(&[("out", made(9)), ("tmp", Changing::Made(Object::Folder)), ("tmp/a", made(1))]);
    let expect = Expectations::against(&reference, &Comparison::default()).unwrap();
    assert_eq!(broken(&expect, &run), [Broken::Files]);
    assert_eq!(
        explain(&expect, Broken::Files, &run),
        "expected no files beyond those of the reference run, got tmp (a folder)"
    );
    assert_eq!(breaks(&reference, &leaving(&[])), []);
    assert_eq!(breaks(&reference, &leaving(&[("old", Changing::Removed)])), []);
}

#[test]
fn names_that_chance_decides_are_the_same_as_often_as_they_were_there() {
    let reference =
        leaving(&[("tmp.AbCdEf", made(0)), ("shm:private", Changing::Made(Object::SharedMemory(1)))]);
    assert_eq!(breaks(&reference, &leaving(&[("tmp.zzzzzz", made(0))])), []);
    assert_eq!(
        breaks(&reference, &leaving(&[("tmp.zzzzzz", made(0)), ("tmp.yyyyyy", made(0))])),
        [Broken::Files]
    );
    let private = || ("shm:private", Changing::Made(Object::SharedMemory(1)));
    let two = [private(), private()];
    assert_eq!(breaks(&reference, &leaving(&two)), [Broken::Files]);
}

#[test]
fn who_keeps_something_after_a_hang_up_is_not_blamed() {
    let mut reference = leaving(&[]);
    let kept = leaving(&[("rescued", made(3))]);
    assert_eq!(breaks(&reference, &kept), [Broken::Files]);
    let there = Point { thread: ThreadName::root(), site: Site::Quiet, nth: 1 };
    reference.schedule.steps = vec![Step::new(there, Action::HangUp)];
    assert_eq!(breaks(&reference, &kept), []);
}

#[test]
fn whoever_had_no_chance_to_tidy_up_is_not_blamed() {
    let name = |text: &str| text.parse::<ThreadName>().unwrap();
    let (reference, left) = (leaving(&[]), leaving(&[("tmp", made(1))]));
    assert_eq!(breaks(&reference, &left), [Broken::Files]);
    // Killed from outside, or by itself.
    let event = |what| Event { thread: ThreadName::root(), what, others: Default::default() };
    let status = Status::Killed("SIGTERM".parse().unwrap());
    let mut killed = left.clone();
    killed.outcome.end = End::Ended(status);
    killed.events = vec![event(What::End(status))].into();
    assert_eq!(breaks(&reference, &killed), []);
    Arc::make_mut(&mut killed.events).insert(0, event(What::Go(Site::Before("tgkill".parse().unwrap()), 1)));
    assert_eq!(breaks(&reference, &killed), [Broken::Files]);
    // Somebody is still at work; or stays, as in the reference run.
    let mut working = left.clone();
    working.outcome.table = vec![Row {
        process: name("p0.1"),
        parent: None,
        stat: 'S',
        command: "sleep".to_owned(),
        pending: Default::default(),
        blocked: Default::default(),
        caught: Default::default(),
    }];
    assert_eq!(breaks(&reference, &working), []);
    let orphan = Leftover { process: name("p0.1"), how: LeftHow::Orphan };
    working.outcome.leftover.push(orphan.clone());
    assert_eq!(breaks(&reference, &working), [Broken::Orphans]);
    let mut staying = reference.clone();
    staying.outcome.leftover.push(orphan);
    assert_eq!(breaks(&staying, &working), [Broken::Files]);
    // Made after the signal.
    let mut after = left.clone();
    after.outcome.remains.changes[0].before_signal = false;
    assert_eq!(breaks(&reference, &after), [Broken::Files], "no signal was sent");
    Arc::make_mut(&mut after.events).insert(0, event(What::Step(Action::Send("SIGTERM".parse().unwrap()))));
    assert_eq!(breaks(&reference, &after), []);
    // It did not end.
    let mut idle = left;
    idle.outcome.end = End::Idle(Vec::new());
    assert_eq!(breaks(&idle.clone(), &idle), []);
    assert_eq!(breaks(&idle, &leaving(&[("tmp", made(1)), ("other", made(1))])), []);
}

#[test]
fn a_file_is_half_written_where_whole_lines_are_what_it_always_has() {
    let cut = |size| Changing::Made(file(size, true));
    let emptied = || Changing::Changed(file(0, false));
    let reference = leaving(&[("state", made(10))]);
    assert_eq!(breaks(&reference, &leaving(&[("state", cut(7))])), [Broken::Files]);
    assert_eq!(breaks(&reference, &leaving(&[("state", emptied())])), [Broken::Files]);
    // Whole lines, a new file in which nothing is yet, and one that is not there.
    for how in [made(5), made(0), Changing::Removed, Changing::Changed(file(12, false))] {
        assert_eq!(breaks(&reference, &leaving(&[("state", how)])), []);
    }
    // The reference run's is another each time, or ends in half a line itself, or is a log.
    let varies = Changing::Made(Object::File { size: 10, digest: None, cut: false });
    for how in [varies, Changing::Made(file(10, true))] {
        assert_eq!(breaks(&leaving(&[("state", how)]), &leaving(&[("state", cut(7))])), []);
    }
    let mut log = reference;
    let open = Open { process: ThreadName::root(), descriptors: vec!["state".to_owned()] };
    log.outcome.remains.open.push(open);
    assert_eq!(breaks(&log, &leaving(&[("state", cut(7))])), []);
}

fn asked(expect: &str, reference: &Run) -> Expectations {
    let options = ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
    Expectations::of_scenario(&options.from_str::<Expect>(expect).unwrap(), reference).unwrap()
}

#[test]
fn a_scenario_says_what_may_be_left_and_what_is_the_same() {
    let reference = leaving(&[("state", made(10))]);
    let expect = asked("(files: (left: [\"state\", \"log/*\"], same: [\"state\"]))", &reference);
    let run = leaving(&[("log/a", made(1)), ("log/b/c", made(2)), ("state", made(5))]);
    assert_eq!(broken(&expect, &run), [Broken::Files]);
    assert_eq!(
        explain(&expect, Broken::Files, &run),
        "expected no files to be left but state, log/*, got log/b/c (a file of 2 bytes); expected state as it was before \
         or as the reference run left it, a file of 10 bytes, got a file of 5 bytes"
    );
    assert_eq!(broken(&expect, &reference), []);
    assert_eq!(broken(&expect, &leaving(&[])), [], "as it was before");
    assert_eq!(broken(&expect, &leaving(&[("state", Changing::Removed)])), [Broken::Files]);
    assert_eq!(broken(&asked("(files: (same: [\"*\"]))", &reference), &leaving(&[("x/y", made(1))])), []);
    assert_eq!(broken(&asked("(files: ())", &reference), &run), []);
    // What is another each time is not the same.
    let varies = leaving(&[("state", Changing::Made(Object::File { size: 10, digest: None, cut: false }))]);
    assert_eq!(broken(&asked("(files: (same: [\"state\"]))", &varies), &varies), [Broken::Files]);
}

#[test]
fn descriptors_are_compared_with_those_of_the_same_process() {
    let holding = |descriptors: &[&str]| {
        let mut run = ended(Status::Exited(0));
        let descriptors = descriptors.iter().map(|is| (*is).to_owned()).collect();
        run.outcome.remains.open = vec![Open { process: ThreadName::root(), descriptors }];
        run
    };
    let expect = |most: u32| asked(&format!("(descriptors: {most})"), &holding(&["pipe", "log"]));
    assert_eq!(broken(&expect(0), &holding(&["log", "pipe"])), []);
    assert_eq!(broken(&expect(1), &holding(&["pipe", "pipe"])), []);
    let run = holding(&["pipe", "pipe", "log", "socket"]);
    assert_eq!(broken(&expect(1), &run), [Broken::Descriptors]);
    assert_eq!(
        explain(&expect(1), Broken::Descriptors, &run),
        "expected at most 1 descriptors to be open beyond those of the reference run, got pipe, socket of p0"
    );
    let mut other = run;
    other.outcome.remains.open[0].process = "p0.7".parse().unwrap();
    assert_eq!(broken(&expect(0), &other), [], "the reference run had no such process");
}

#[test]
fn what_a_search_found_can_be_asked_for() {
    let reference = leaving(&[("out[1]", made(3)), ("state", made(10))]);
    let found = leaving(&[("state", Changing::Made(file(7, true)))]);
    let files = expected_of(&reference, [&found].into_iter());
    assert_eq!(files.left, Some(vec!["out[[]1[]]".to_owned(), "state".to_owned()]));
    assert_eq!(files.same, ["state"]);
}
