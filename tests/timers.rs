//! No time runs out while a thread can run: programs whose threads wait for a time behave as they do on their own, and in
//! the same way in every run.

mod supervised;

use sigrace::program::{Launch, Limits};
use sigrace::trace::{End, Run, Status};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How often each program is run.
const RUNS: usize = 5;
/// A run that says itself that it proves nothing is made again at most so often, as a search does.
const RETRIES: usize = 3;

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
    let bare = command.output().expect("the command starts");
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
        let different = first.events.iter().zip(&run.events).find(|(one, other)| one != other);
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
