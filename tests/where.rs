//! Where threads are: the functions and lines that a trace tells, and that looking for them changes nothing.

mod supervised;

use sigrace::program::Limits;
use sigrace::schedule::{Action, Label, Making, Point, Schedule, Site, Step, ThreadName};
use sigrace::supervise::{Observe, RunError, Supervise};
use sigrace::trace::{End, Event, Frame, Moment, Run, What, Whereabouts};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

const BUILDS: [&[&str]; 4] =
    [&["-g", "-O0"], &["-g", "-O2"], &["-g", "-O0", "-static"], &["-g", "-O2", "-static"]];

/// Sends SIGUSR1 there, the first time.
fn sent(site: &str) -> Schedule {
    let site = match site.strip_prefix("at ") {
        Some(place) => Site::At(Label::new(place)),
        None => Site::Before(site.parse().unwrap()),
    };
    let point = Point { thread: ThreadName::root(), site, nth: 1 };
    Schedule { steps: vec![Step::new(point, Action::Send("SIGUSR1".parse().unwrap()))] }
}

/// Runs `chain.c`, built so, by this schedule: the run and where its threads were. None without hardware breakpoints.
fn chain(flags: &[&str], arguments: &[&str], schedule: &Schedule) -> Option<(Run, Vec<Whereabouts>)> {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("chain.c", flags, folder.path());
    let argv: Vec<&str> = [&[program.to_str().unwrap()], arguments].concat();
    let limits = Limits { cpu: Duration::from_millis(100), ..Limits::default() };
    supervised::with_supervisor(supervised::launch(&argv, folder.path()), limits, |supervisor| {
        let plain = match supervisor.run(schedule) {
            Err(RunError::Unsupported(why)) if why.contains("hardware breakpoints") => {
                println!("skipped: {why}");
                return None;
            }
            other => other.unwrap(),
        };
        let (run, observed) = supervisor.observe(schedule, &Observe::Where { crashes: true }).unwrap();
        assert!(run.unreached.is_empty(), "{:?}", run.unreached);
        assert_eq!(run.events, plain.events, "looking changes nothing");
        if let (End::Spinning(_), End::Spinning(_)) = (&run.outcome.end, &plain.outcome.end) {
            // How long it span is told as it was measured.
            assert_eq!(run.outcome.table, plain.outcome.table);
        } else {
            assert_eq!(run.outcome, plain.outcome);
        }
        Some((run, observed.places))
    })
}

/// The line of the source with this comment.
fn line(comment: &str) -> Option<u32> {
    let source = include_str!("programs/chain.c");
    let index = source.lines().position(|line| line.contains(&format!("/* {comment} */")));
    Some(u32::try_from(index.unwrap() + 1).unwrap())
}

/// Where the thread was at the first of the events that is like this.
fn at<'a>(run: &Run, places: &'a [Whereabouts], wanted: impl Fn(&Event) -> bool) -> &'a Whereabouts {
    let index = run.events.iter().position(wanted).unwrap();
    places.iter().find(|place| place.at == Moment::Event(index)).unwrap()
}

fn step(event: &Event) -> bool {
    matches!(event.what, What::Step(_))
}

fn names(place: &Whereabouts) -> Vec<&str> {
    place.stack.iter().map(|frame| frame.function.as_deref().unwrap_or("?")).collect()
}

fn in_source(frame: &Frame) -> bool {
    frame.file.as_deref().is_some_and(|file| Path::new(file).ends_with("chain.c"))
}

#[test]
fn a_code_point_has_its_instruction_and_all_callers() {
    for flags in BUILDS {
        let Some((run, places)) = chain(flags, &[], &sent("at insert")) else { return };
        let place = at(&run, &places, step);
        assert_eq!(names(place)[..3], ["insert", "fill", "main"], "{flags:?}: {place:?}");
        assert!(place.complete && place.stack[..3].iter().all(in_source), "{flags:?}: {place:?}");
        assert_eq!(place.stack[1].line, line("calls insert"));
        assert_eq!(place.stack[2].line, line("calls fill"));
        assert!(place.stack[0].instruction.is_some(), "{flags:?}: {place:?}");
        assert!(place.stack[1..].iter().all(|frame| frame.instruction.is_none()));
        assert!(place.stack[..3].iter().all(|frame| frame.module.is_none() && !frame.foreign));
    }
}

#[test]
fn a_call_has_its_calling_line() {
    for flags in BUILDS {
        let (run, places) = chain(flags, &[], &sent("getppid")).unwrap();
        let place = at(&run, &places, step);
        assert!(names(place)[0].ends_with("getppid"), "{flags:?}: {place:?}");
        assert_eq!(place.stack[0].foreign, !flags.contains(&"-static"));
        assert_eq!((names(place)[1], place.stack[1].line), ("ask", line("asks")), "{flags:?}: {place:?}");
        assert_eq!(
            (names(place)[2], place.stack[2].line),
            ("main", line("calls ask")),
            "{flags:?}: {place:?}"
        );
        let told: Vec<_> = places.iter().map(|place| place.at).collect();
        let going = |event: &Event| matches!(event.what, What::Go(..) | What::Step(_) | What::Signal(_));
        let events = run.events.iter().enumerate().filter(|(_, event)| going(event));
        let mut expected: Vec<_> = events.map(|(index, _)| Moment::Event(index)).collect();
        expected.push(Moment::End);
        assert_eq!(told, expected, "every such event has its place, and so has the end of a hang");
    }
}

#[test]
fn a_call_of_a_handler_tells_what_was_interrupted() {
    let (run, places) = chain(&["-g", "-O2"], &[], &sent("getppid")).unwrap();
    let getpid = Site::Before("getpid".parse().unwrap());
    let place = at(&run, &places, |event| matches!(event.what, What::Go(site, _) if site == getpid));
    assert_eq!(place.stack[1].line, line("in the handler"), "{place:?}");
    assert!(place.stack[2].signal, "{place:?}");
    assert_eq!(place.stack[4].line, line("asks"), "{place:?}");
    assert!(place.stack[3].instruction.is_none());
}

#[test]
fn a_hang_is_where_it_sleeps_and_a_spinning_thread_in_its_loop() {
    for flags in BUILDS {
        let (run, places) = chain(flags, &[], &Schedule::empty()).unwrap();
        assert!(matches!(run.outcome.end, End::Idle(_) | End::Hang(_)), "{:?}", run.outcome);
        let place = places.last().unwrap();
        assert_eq!((place.at, place.stack[1].line), (Moment::End, line("sleeps")), "{flags:?}: {place:?}");

        let (run, places) = chain(flags, &["on and on"], &Schedule::empty()).unwrap();
        assert!(matches!(run.outcome.end, End::Spinning(_)), "{:?}", run.outcome);
        let place = places.last().unwrap();
        assert_eq!((place.at, names(place)[0]), (Moment::End, "main"), "{flags:?}: {place:?}");
        assert_eq!(place.stack[0].line, line("spins"), "{flags:?}: {place:?}");
    }
}

#[test]
fn where_a_breakpoint_sent_a_signal_is_seen_from_its_handler() {
    // The process has a second thread, so it cannot be stopped unseen.
    let two = ["with", "a thread"];
    let at_insert = Site::At(Label::new("insert"));
    let kinds: [&dyn Fn(&Event) -> bool; 2] =
        [&step, &|event| matches!(event.what, What::Go(site, _) if site == at_insert)];
    for flags in BUILDS {
        let Some((run, places)) = chain(flags, &two, &sent("at insert")) else { return };
        for kind in kinds {
            let place = at(&run, &places, kind);
            assert_eq!(names(place)[..3], ["insert", "fill", "main"], "{flags:?}: {place:?}");
            assert_eq!(
                (place.stack[1].line, place.stack[2].line),
                (line("calls insert"), line("calls fill"))
            );
            assert!(place.stack[0].instruction.is_some(), "{flags:?}: {place:?}");
        }
        let sleeps: Vec<_> = places.iter().filter(|place| place.at == Moment::End).collect();
        let lines = sleeps.iter().map(|place| place.stack[1].line);
        assert_eq!(lines.collect::<BTreeSet<_>>(), [line("sleeps"), line("sleeps as well")].into());
    }
}

#[test]
fn without_symbols_the_file_and_an_address_are_told() {
    let (run, places) = chain(&["-s", "-O2"], &[], &sent("getppid")).unwrap();
    let Frame { function, module, offset, line, foreign, .. } = &at(&run, &places, step).stack[1];
    assert_eq!((function, module.as_deref(), line, foreign), (&None, Some("chain"), &None, &false));
    assert!((1..0x10_0000).contains(offset), "{offset:#x}");
    let (run, places) = chain(&["-O2"], &[], &sent("getppid")).unwrap();
    let Frame { function, module, offset, file, .. } = &at(&run, &places, step).stack[1];
    assert_eq!((function.as_deref(), module, file), (Some("ask"), &None, &None));
    assert!(*offset > 0);
}

#[test]
fn children_are_looked_at_in_their_own_memory() {
    let folder = tempfile::tempdir().unwrap();
    let launch = supervised::launch(&["/bin/sh", "-c", "/bin/true; (exit 3)"], folder.path());
    supervised::with_supervisor(launch, Limits::default(), |supervisor| {
        let plain = supervisor.run(&Schedule::empty()).unwrap();
        let (run, observed) =
            supervisor.observe(&Schedule::empty(), &Observe::Where { crashes: true }).unwrap();
        assert_eq!((&run.events, &run.outcome), (&plain.events, &plain.outcome));
        let forked = |event: &Event| event.what == What::Go(Site::After(Making::Fork), 1);
        let place = at(&run, &observed.places, forked);
        assert!(!place.stack.is_empty() && !place.stack[0].signal, "{place:?}");
        let known = observed
            .places
            .iter()
            .filter(|place| place.stack.iter().all(|frame| frame.module.as_deref() != Some("?")));
        assert_eq!(known.count(), observed.places.len(), "{:?}", observed.places);
    });
}
