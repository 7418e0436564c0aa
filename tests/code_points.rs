//! Code points: a thread is held, or sent a signal, exactly before the instruction that was asked for, and cannot notice.

mod supervised;

use sigrace::code::Image;
use sigrace::program::Limits;
use sigrace::schedule::{Action, Label, Point, Schedule, Site, Step, Target, ThreadName};
use sigrace::signal::Signal;
use sigrace::supervise::{Counted, MOST_OBSERVED, Observe, RunError, Supervise, Supervisor};
use sigrace::trace::{End, Run, Status, What};
use std::path::Path;

/// Injections of the test of exactness, over all of its programs.
const INJECTIONS: usize = 10_000;

fn at_in(thread: &str, place: &str, nth: u32, action: Action) -> Schedule {
    let point = Point { thread: thread.parse().unwrap(), site: Site::At(Label::new(place)), nth };
    Schedule { steps: vec![Step::new(point, action)] }
}

fn at(place: &str, nth: u32, action: Action) -> Schedule {
    at_in("p0", place, nth, action)
}

fn usr1() -> Signal {
    "SIGUSR1".parse().unwrap()
}

fn with<T: Send>(program: &Path, work: impl FnOnce(&mut Supervisor) -> T + Send) -> T {
    let folder = program.parent().unwrap();
    let launch = supervised::launch(&[program.to_str().unwrap()], folder);
    supervised::with_supervisor(launch, Limits::default(), work)
}

/// A run that does not say itself that it proves nothing, and has not missed its breakpoint: such a one is made again, as a
/// search does.
fn sure(supervisor: &mut Supervisor, schedule: &Schedule) -> Result<Run, RunError> {
    let mut run = supervisor.run(schedule)?;
    for _ in 0..3 {
        if run.taint.is_some() || !run.unreached.is_empty() {
            println!("made again: {schedule}, {:?}, {:?}", run.taint, run.unreached);
            run = supervisor.run(schedule)?;
        }
    }
    assert_eq!(run.taint, None, "{schedule}");
    Ok(run)
}

/// A run, or none where this host gives no breakpoints.
fn possible<T>(result: Result<T, RunError>) -> Option<T> {
    match result {
        Err(RunError::Unsupported(why)) if why.contains("hardware breakpoints") => {
            println!("skipped: {why}");
            None
        }
        other => Some(other.unwrap()),
    }
}

/// The instructions of a function, as `function+0x12`.
fn instructions(program: &Path, function: &str) -> Vec<(String, u64)> {
    let image = Image::open(program).unwrap();
    let functions = image.functions_named(function);
    let [function] = &functions[..] else { panic!("{functions:?}") };
    let name = |address| format!("{}+{:#x}", function.name, address - function.start);
    image.instructions(function).iter().map(|each| (name(each.address), each.address)).collect()
}

/// How often each is executed by the empty schedule.
fn executions(supervisor: &mut Supervisor, places: &[(String, u64)]) -> Option<Vec<u64>> {
    let mut counts = Vec::new();
    for places in places.chunks(MOST_OBSERVED) {
        let labels: Vec<Label> = places.iter().map(|(place, _)| Label::new(place)).collect();
        let places = labels.iter().map(|place| (ThreadName::root(), *place)).collect();
        let counted = Counted { places, points: 1, open: false };
        let observed = supervisor.observe(&Schedule::empty(), &Observe::Executions(counted));
        let (run, observed) = possible(observed)?;
        for (place, count) in labels.iter().zip(&observed.executions) {
            let reached = run.reached.iter().filter(|reached| reached.point.site == Site::At(*place)).count();
            assert_eq!(reached, usize::from(*count > 0), "the first visit of {place} is a point");
        }
        counts.extend(observed.executions);
    }
    Some(counts)
}

#[test]
fn each_visit_that_is_a_point_tells_who_else_could_run() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("caused.c", &["-O0"], folder.path());
    let launch = supervised::launch(&[program.to_str().unwrap(), "later"], folder.path());
    let look = |points, open| {
        supervised::with_supervisor(launch.clone(), Limits::default(), |supervisor: &mut Supervisor| {
            let places = vec![(ThreadName::root(), Label::new("step"))];
            let counted = Observe::Executions(Counted { places, points, open });
            possible(supervisor.observe(&Schedule::empty(), &counted))
        })
    };
    for (points, others) in [(1, &[0][..]), (2, &[0, 1]), (3, &[0, 1, 0]), (8, &[0, 1, 0])] {
        let Some((run, observed)) = look(points, false) else { return };
        let here = run.reached.iter().filter(|reached| reached.point.site == Site::At(Label::new("step")));
        let seen: Vec<(u32, usize)> = here.map(|reached| (reached.point.nth, reached.others.len())).collect();
        let expected: Vec<(u32, usize)> = (1..).zip(others.iter().copied()).collect();
        assert_eq!((seen, observed.executions), (expected, vec![3]), "{points}");
    }
    // Only beside the child could its end have a handler run.
    let (run, observed) = look(8, true).unwrap();
    let here = run.reached.iter().filter(|reached| reached.point.site == Site::At(Label::new("step")));
    let seen: Vec<u32> = here.map(|reached| reached.point.nth).collect();
    assert_eq!((seen, observed.executions), (vec![2], vec![3]));
}

fn numbers(run: &Run) -> Vec<String> {
    assert_eq!(run.outcome.end, End::Ended(Status::Exited(0)), "{:?}", run.outcome);
    let text = String::from_utf8_lossy(run.outcome.stdout.bytes()).into_owned();
    text.split_whitespace().map(str::to_owned).collect()
}

/// Where the program is in memory, and what it was linked for: without randomisation a PIE begins there.
fn bias(program: &Path) -> u64 {
    let lowest =
        Image::open(program).unwrap().segments().iter().map(|segment| segment.address).min().unwrap();
    if lowest == 0 { 0x5555_5555_4000 } else { 0 }
}

/// Sends at every instruction of `mix` that the thread executes for the first time: where the signals arrived, by place.
fn all_at(flags: &[&str], thread: &str, check: impl Fn(&Run, &str, u64) + Sync) {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("frame.c", flags, folder.path());
    let bias = bias(&program);
    let places = instructions(&program, "mix");
    let reached = with(&program, |supervisor| {
        let mut reached = 0;
        for (place, address) in &places {
            let schedule = at_in(thread, place, 1, Action::Send(usr1()));
            let run = possible(sure(supervisor, &schedule))?;
            if run.unreached.is_empty() {
                check(&run, place, address + bias);
                reached += 1;
            }
        }
        Some(reached)
    });
    assert!(reached.is_none_or(|reached| reached > 30), "{reached:?} of {flags:?}");
}

/// What `numbers` are in a run without any signal.
fn sum() -> String {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("frame.c", &[], folder.path());
    with(&program, |supervisor| numbers(&supervisor.run(&Schedule::empty()).unwrap())[0].clone())
}

#[test]
fn a_thread_with_siblings_is_sent_the_signal_itself() {
    let sum = sum();
    all_at(&["-DTHREAD", "-DPLAIN"], "p0", |run, place, address| {
        let seen = numbers(run);
        assert_eq!(seen[..2], [sum.clone(), format!("{address:x}")], "{place}");
    });
}

#[test]
fn a_child_whose_parent_handles_sigchld_is_sent_the_signal_itself() {
    let sum = sum();
    all_at(&["-DCHILD", "-DPLAIN"], "p0.1", |run, place, address| {
        // The parent, which ends with 0 only if it was told of one change of its child, says nothing.
        let seen = numbers(run);
        assert_eq!(seen[..2], [sum.clone(), format!("{address:x}")], "{place}");
    });
}

#[test]
fn where_the_sender_would_be_false_the_signal_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("frame.c", &["-DTHREAD"], folder.path());
    let run = with(&program, |supervisor| possible(sure(supervisor, &at("mix", 1, Action::Send(usr1())))));
    let Some(run) = run else { return };
    assert_eq!(run.unreached.len(), 1);
    assert_eq!(numbers(&run)[1..], ["0", "-1", "-1"]);
    let why = run.events.iter().find_map(|event| match &event.what {
        What::NotHeld(Site::At(_), why) => Some(why.clone()),
        _ => None,
    });
    assert!(why.as_ref().is_some_and(|why| why.contains("told of the sender")), "{why:?}");
}

#[test]
fn a_switch_at_an_instruction_lets_a_child_end_first() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/broken/addjob.c");
    let program = sigrace::compile::compile(&fixture, None).unwrap();
    // Where addjob(), which is inlined, puts the job on the list: it has no function of its own then.
    let text = std::fs::read_to_string(&fixture).unwrap();
    let line = text.lines().position(|line| line.contains("jobs[i] = pid;")).unwrap() + 1;
    let schedule = at(&format!("addjob.c:{line}"), 1, Action::Switch(Target::All));
    let run = with(&program, |supervisor| possible(sure(supervisor, &schedule)));
    let Some(run) = run else { return };
    assert_eq!((run.taint, run.unreached), (None, Vec::new()));
    assert_eq!(run.outcome.end, End::Ended(Status::Exited(1)), "{:#?}", run.events);
}

#[test]
fn every_execution_is_counted() {
    for flags in [&["-O0"][..], &["-O2"], &["-O0", "-static"], &["-O2", "-static"], &["-DTHREAD"]] {
        let folder = tempfile::tempdir().unwrap();
        let program = supervised::build("frame.c", flags, folder.path());
        let places = instructions(&program, "mix");
        let Some(counts) = with(&program, |supervisor| executions(supervisor, &places)) else { return };
        // It is called twice, for five rounds and for three.
        assert_eq!(
            (counts[0], counts.iter().copied().filter(|count| *count == 8).count() > 5),
            (2, true),
            "{counts:?}"
        );
    }
}

#[test]
fn visits_of_a_line_with_several_copies_count_together() {
    for flags in [&["-O0"], &["-O2"]] {
        let folder = tempfile::tempdir().unwrap();
        let program = supervised::build("copies.c", &[flags[0], "-g"], folder.path());
        let seen = with(&program, |supervisor| {
            let visit = |nth| {
                let run = possible(sure(supervisor, &at("copies.c:18", nth, Action::Send(usr1()))))?;
                Some((run.unreached.len(), numbers(&run)))
            };
            (1..=8).map(visit).collect::<Option<Vec<_>>>()
        });
        let Some(seen) = seen else { return };
        for (before, (unreached, seen)) in seen[..7].iter().enumerate() {
            assert_eq!((*unreached, &seen[..]), (0, &["7".to_owned(), before.to_string()][..]), "{flags:?}");
        }
        assert_eq!(seen[7], (1, vec!["7".to_owned(), "-1".to_owned()]), "{flags:?}");
    }
}

#[test]
fn a_function_of_the_c_library_is_a_place_once_it_is_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("frame.c", &[], folder.path());
    let schedule = at("libc.so.6!printf", 1, Action::Send(usr1()));
    let schedules = [schedule, at("libc.so.6!pthread_create", 1, Action::Send(usr1()))];
    let runs = with(&program, |supervisor| {
        // Once with the loader's calls all notified, and once without.
        let runs: Option<Vec<_>> =
            schedules.iter().chain(&schedules).map(|schedule| possible(sure(supervisor, schedule))).collect();
        runs
    });
    let Some(runs) = runs else { return };
    for runs in runs.chunks(2) {
        assert!(runs[0].unreached.is_empty(), "{:?}", runs[0].events);
        assert_eq!(numbers(&runs[0])[1..], ["0", "-1", "-1"], "what is printed was read before the call");
        assert_eq!(runs[1].unreached.len(), 1, "nobody calls it");
    }
}

#[test]
fn ten_thousand_signals_arrive_where_they_were_sent() {
    let builds: [&[&str]; 4] = [&["-O0"], &["-O2"], &["-O0", "-static"], &["-O2", "-static"]];
    let mut done = 0;
    for flags in builds {
        let folder = tempfile::tempdir().unwrap();
        let program = supervised::build("frame.c", flags, folder.path());
        let bias = bias(&program);
        let places = instructions(&program, "mix");
        let injected = with(&program, |supervisor| {
            let plain = numbers(&supervisor.run(&Schedule::empty()).unwrap());
            let counts = executions(supervisor, &places)?;
            let executed: Vec<_> = places.iter().zip(counts).filter(|(_, count)| *count > 0).collect();
            assert!(executed.len() > 30, "{executed:?}");
            // A walk over all executed instructions and their visits that looks like chance, and is the same every time.
            let (mut state, mut injected) = (1_u64, 0);
            while injected < INJECTIONS / builds.len() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let ((place, address), count) = &executed[(state >> 33) as usize % executed.len()];
                let nth = (state >> 20) % *count + 1;
                let schedule = at(place, nth as u32, Action::Send(usr1()));
                let run = possible(sure(supervisor, &schedule))?;
                assert!(
                    run.unreached.is_empty(),
                    "{schedule} of {count}: {:#?} {:?}",
                    run.events,
                    run.outcome
                );
                let seen = numbers(&run);
                assert_eq!(seen[0], plain[0], "what it computes, {schedule}");
                assert_eq!(seen[1], format!("{:x}", address + bias), "{schedule} of {flags:?}");
                // kill(2) from outside of its pid namespace.
                assert_eq!(seen[2..], ["0", "0"], "{schedule}");
                injected += 1;
            }
            Some(injected)
        });
        let Some(injected) = injected else { return };
        done += injected;
    }
    assert_eq!(done, INJECTIONS);
}

#[test]
fn what_lets_a_thread_go_on_is_not_seen_where_it_is_blocked() {
    let run = |flags: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let program = supervised::build("stray.c", flags, folder.path());
        with(&program, |supervisor| {
            assert_eq!(supervisor.run(&Schedule::empty()).unwrap().taint, None);
            possible(supervisor.run(&at("work", 1, Action::Send(usr1()))))
        })
    };
    // The breakpoint sends the signal itself, and nothing has to let the thread go on.
    let Some(main) = run(&[]) else { return };
    assert_eq!((main.taint, main.unreached.len()), (None, 0));
    assert_eq!(main.outcome.end, End::Ended(Status::Exited(0)));
    // That a handler blocks it shows only at the instruction.
    let taint = run(&["-DHANDLER"]).unwrap().taint;
    assert!(taint.as_ref().is_some_and(|taint| taint.contains("may see the SIGCONT")), "{taint:?}");
}
