//! Code points: a thread is held, or sent a signal, exactly before the instruction that was asked for, and cannot notice.

mod supervised;

use sigrace::code::{Image, Place};
use sigrace::program::Limits;
use sigrace::schedule::{Action, Label, Point, Schedule, Site, Step, ThreadName};
use sigrace::signal::Signal;
use sigrace::supervise::{MOST_OBSERVED, Observe, RunError, Supervise, Supervisor};
use sigrace::trace::{End, Run, Status};
use std::path::{Path, PathBuf};

/// Injections of the test of exactness, over all of its programs.
const INJECTIONS: usize = 10_000;

fn at(place: &str, nth: u32, action: Action) -> Schedule {
    let point = Point { thread: ThreadName::root(), site: Site::At(Label::new(place)), nth };
    Schedule { steps: vec![Step::new(point, action)] }
}

fn usr1() -> Signal {
    "SIGUSR1".parse().unwrap()
}

fn with<T: Send>(program: &Path, work: impl FnOnce(&mut Supervisor) -> T + Send) -> T {
    let folder = program.parent().unwrap();
    let launch = supervised::launch(&[program.to_str().unwrap()], folder);
    supervised::with_supervisor(launch, Limits::default(), work)
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
        let places = places.iter().map(|(place, _)| (ThreadName::root(), Label::new(place))).collect();
        let observed = supervisor.observe(&Schedule::empty(), &Observe::Executions(places));
        counts.extend(possible(observed)?.1.executions);
    }
    Some(counts)
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
                let run = possible(supervisor.run(&schedule))?;
                assert!(run.unreached.is_empty(), "{schedule}: {:?}", run.unreached);
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
