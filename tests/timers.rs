//! No time runs out while a thread can run: programs whose threads wait for a time behave as they do on their own, and in
//! the same way in every run.

mod supervised;

use sigrace::copies;
use sigrace::program::{Launch, Limits};
use sigrace::schedule::Schedule;
use sigrace::supervise::{Settings, Supervise};
use sigrace::trace::{End, Run, Status};
use sigrace::world::{Clock, Start, World};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often each program is run.
const RUNS: usize = 5;
/// A run that says itself that it proves nothing is made again at most so often, as a search does.
const RETRIES: usize = 10;

fn run(launch: &Launch) -> Run {
    let (run, ()) = supervised::run(launch.clone(), Limits::default(), || ());
    run.unwrap_or_else(|error| panic!("{launch:?}: {error}"))
}

fn untainted(launch: &Launch) -> Run {
    let again = (0..RETRIES).map(|_| run(launch)).find(|run| run.taint.is_none());
    again.unwrap_or_else(|| run(launch))
}

/// It writes what it writes bare, ends well, is not tainted, and every run has the same events.
#[track_caller]
fn steady(argv: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let launch = supervised::launch(argv, folder.path());
    let mut command = Command::new(&launch.file);
    command.args(&argv[1..]).env_clear().envs(&launch.env).current_dir(folder.path()).stdin(Stdio::null());
    let bare = copies::output(&mut command).expect("the command starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(bare.status.success() && !bare.stdout.is_empty(), "{argv:?} bare: {}", text(&bare.stderr));
    let mut first: Option<Run> = None;
    for _ in 0..RUNS {
        let run = untainted(&launch);
        assert_eq!(text(run.outcome.stdout.bytes()), text(&bare.stdout), "output of {argv:?}");
        assert_eq!(text(run.outcome.stderr.bytes()), text(&bare.stderr), "errors of {argv:?}");
        assert_eq!(run.outcome.end, End::Ended(Status::Exited(0)), "the end of {argv:?}");
        assert_eq!(run.taint, None, "{argv:?}");
        let first = first.get_or_insert_with(|| run.clone());
        let different = first.events.iter().zip(run.events.iter()).find(|(one, other)| one != other);
        assert_eq!(different, None, "{argv:?}");
        assert_eq!(first.events.len(), run.events.len(), "{argv:?}");
    }
}

#[track_caller]
fn steady_c(name: &str) {
    for flags in [&[][..], &["-static"]] {
        let folder = tempfile::tempdir().unwrap();
        let program = supervised::build(name, flags, folder.path());
        steady(&[program.to_str().unwrap()]);
    }
}

#[test]
fn posix_timers() {
    steady_c("posix_timers.c");
}

#[test]
fn timed_waits_of_threads() {
    steady_c("timed_waits.c");
}

#[test]
fn descriptors_with_a_time() {
    steady_c("timed_descriptors.c");
}

#[test]
fn times_that_no_clock_holds_never_come() {
    steady_c("endless.c");
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("endless.c", &[], folder.path());
    for kind in 0..=8 {
        let launch = supervised::launch(&[program.to_str().unwrap(), &kind.to_string()], folder.path());
        let run = untainted(&launch);
        assert!(matches!(run.outcome.end, End::Hang(_)), "{kind}: {:?}", run.outcome.end);
        assert!(run.outcome.took.whole < Duration::from_secs(1), "{kind}: {:?}", run.outcome.took);
    }
}

#[test]
fn python_threads_with_timeouts() {
    steady(&[
        "python3",
        "-c",
        "
import threading, queue, time
order = []
def work(name, seconds):
    order.append((name, threading.Event().wait(seconds)))
threads = [threading.Thread(target=work, args=(n, s)) for n, s in enumerate([0.3, 0.1, 0.2])]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(order)
try: queue.Queue().get(timeout=0.05)
except queue.Empty: print('empty')
lock = threading.Lock()
lock.acquire()
print(lock.acquire(timeout=0.05))
timer = threading.Timer(0.05, lambda: print('timer'))
timer.start(); timer.join()
",
    ]);
}

#[test]
fn the_kernels_time_running_out_beside_a_running_thread_taints_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("kernel_time.c", &[], folder.path());
    let program = program.to_str().unwrap();
    let tainted = run(&supervised::launch(&[program], folder.path()));
    assert!(tainted.taint.is_some_and(|why| why.contains("kernel's time")));
    let alone = run(&supervised::launch(&[program, "wait"], folder.path()));
    assert_eq!(alone.taint, None);
    assert_eq!(alone.outcome.end, End::Ended(Status::Exited(0)));
}

#[test]
fn a_busy_program_that_waits_for_a_far_timer_ends_at_the_time_limit() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("polls.c", &[], folder.path());
    let launch = supervised::launch(&[program.to_str().unwrap()], folder.path());
    let limits = Limits { time: Duration::from_millis(300), ..Limits::default() };
    let (run, ()) = supervised::run(launch, limits, || ());
    assert_eq!(run.unwrap().outcome.end, End::TimedOut);
}

/// Nobody waits for these hours: the time limit of a run is far shorter.
#[test]
fn all_clocks_agree_about_each_kind_of_sleep() {
    for flags in [&[][..], &["-static"]] {
        let folder = tempfile::tempdir().unwrap();
        let program = supervised::build("clocks.c", flags, folder.path());
        let run = untainted(&supervised::launch(&[program.to_str().unwrap()], folder.path()));
        let said = String::from_utf8_lossy(run.outcome.stdout.bytes()).into_owned();
        assert_eq!(run.outcome.end, End::Ended(Status::Exited(0)), "{flags:?}: {said}");
        assert_eq!(run.taint, None, "{flags:?}");
        assert!(said.lines().all(|line| line.ends_with(": an hour")), "{flags:?}: {said}");
        assert_eq!(said.lines().count(), 45, "{flags:?}: {said}");
    }
}

/// What each returns after a third of a second without control, it returns after an hour of its own: nobody waits for these either.
#[test]
fn calls_that_a_signal_ends_end_at_their_time() {
    for flags in [&[][..], &["-static"]] {
        let folder = tempfile::tempdir().unwrap();
        let program = supervised::build("interruptible.c", flags, folder.path());
        let launch =
            |milliseconds| supervised::launch(&[program.to_str().unwrap(), milliseconds], folder.path());
        let (bare, _) = supervised::bare(&launch("300"));
        let run = untainted(&launch("3600000"));
        assert_eq!(
            String::from_utf8_lossy(run.outcome.stdout.bytes()),
            String::from_utf8_lossy(&bare.stdout),
            "{flags:?}"
        );
        assert_eq!(run.outcome.end, End::Ended(Status::Exited(0)), "{flags:?}");
        assert_eq!(run.taint, None, "{flags:?}");
    }
}

#[test]
fn python_sees_the_time_that_it_sleeps() {
    let folder = tempfile::tempdir().unwrap();
    let script = "
import time, threading, subprocess
for clock in (time.time, time.monotonic, time.perf_counter):
    before = clock(); time.sleep(3600); after = clock()
    print(3600 <= after - before < 3601)
before = time.monotonic(); threading.Event().wait(600); print(600 <= time.monotonic() - before < 601)
before = time.time(); subprocess.run(['sleep', '3600']); print(3600 <= time.time() - before < 3601)
";
    let run = untainted(&supervised::launch(&["python3", "-c", script], folder.path()));
    assert_eq!(String::from_utf8_lossy(run.outcome.stdout.bytes()), "True\n".repeat(5));
    assert_eq!(run.outcome.end, End::Ended(Status::Exited(0)));
}

/// What the clocks say when a run begins is the same in every run, and what was asked for.
#[test]
fn every_run_begins_at_the_same_moment() {
    let folder = tempfile::tempdir().unwrap();
    let launch = supervised::launch(&["date", "+%s.%N"], folder.path());
    let said = |settings: Settings| {
        supervised::with_settings(settings, |supervisor| {
            [(); 2].map(|()| supervisor.run(&Schedule::empty()).unwrap().outcome.stdout.bytes().to_vec())
        })
    };
    let [first, second] = said(Settings::of(launch.clone()));
    assert_eq!(first, second);
    let start = Some(Start { realtime: 1_000_000_000, uptime: 5 });
    let [given, _] = said(Settings { world: World { start, ..World::default() }, ..Settings::of(launch) });
    assert!(given.starts_with(b"1000000000.00"), "{}", String::from_utf8_lossy(&given));
}

#[test]
fn with_the_machines_clock_a_sleep_takes_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let script = "import time; before = time.monotonic(); time.sleep(0.2); print(time.monotonic() - before)";
    let launch = supervised::launch(&["python3", "-c", script], folder.path());
    let world = World { clock: Clock::Real, ..World::default() };
    let begun = Instant::now();
    let run = supervised::with_settings(Settings { world, ..Settings::of(launch) }, |supervisor| {
        supervisor.run(&Schedule::empty()).unwrap()
    });
    assert_eq!(run.outcome.end, End::Ended(Status::Exited(0)));
    assert!(begun.elapsed() >= Duration::from_millis(200));
}
