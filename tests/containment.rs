//! Whatever a program does, its run ends with an outcome, and nothing of it is left.

mod supervised;

use object::{Object, ObjectSymbol};
use sigrace::program::Limits;
use sigrace::schedule::{Site, Syscall};
use sigrace::signal::Signal;
use sigrace::trace::{End, Event, ExecBlocked, LeftHow, Leftover, Run, Status, What};
use std::fs;
use std::time::Duration;
use syscalls::Sysno;

/// One run of an act of `unruly.c`. Right after it, while the supervisor lives, no process of it may be there.
#[track_caller]
fn unruly(act: &str, limits: Limits) -> Run {
    run_of("unruly.c", &[act], limits)
}

/// As above, of any program: its folder comes as the second argument.
#[track_caller]
fn run_of(source: &str, words: &[&str], limits: Limits) -> Run {
    let act = words[0];
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build(source, &[], folder.path());
    // The folder's name is in the arguments of every process of this run, and of no other process.
    let marker = folder.path().to_str().unwrap();
    let words = [&[program.to_str().unwrap(), act, marker], &words[1..]].concat();
    let launch = supervised::launch(&words, folder.path());
    let (run, left) = supervised::run(launch, limits, || processes_with(marker));
    let run = run.unwrap_or_else(|error| panic!("{act}: {error}"));
    assert!(left.is_empty(), "{act} left {left:?}; its outcome: {:?}", run.outcome);
    assert_ne!(run.outcome.end, End::Ended(Status::Exited(99)), "there is no act {act}");
    run
}

/// Processes with this text among their arguments.
fn processes_with(marker: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let arguments = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let texts = arguments.map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "));
    texts.filter(|text| text.contains(marker)).collect()
}

fn exited(code: i32) -> End {
    End::Ended(Status::Exited(code))
}

fn signal(name: &str) -> Signal {
    name.parse().unwrap()
}

fn left(run: &Run) -> Vec<(String, LeftHow)> {
    let leftover = run.outcome.leftover.iter();
    leftover.map(|Leftover { process, how }| (process.to_string(), *how)).collect()
}

/// How every process ended, in the order in which they did.
fn ends(run: &Run) -> Vec<(String, Status)> {
    let ends = run.events.iter().filter_map(|event| match event.what {
        What::End(status) => Some((event.thread.to_string(), status)),
        _ => None,
    });
    ends.collect()
}

/// Where the run's init makes its calls: the address behind the instruction, which it has from this process.
fn gate() -> u64 {
    let bytes = fs::read("/proc/self/exe").unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let symbol = file.symbols().find(|symbol| symbol.name() == Ok("sigrace_gate_after")).unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let own = fs::read_link("/proc/self/exe").unwrap();
    let first = maps.lines().find(|line| line.ends_with(own.to_str().unwrap())).unwrap();
    symbol.address() + u64::from_str_radix(first.split('-').next().unwrap(), 16).unwrap()
}

fn refusals(run: &Run) -> Vec<String> {
    let refused = run.events.iter().filter_map(|event| match &event.what {
        What::Refuse(call, why) => Some(format!("{call}: {why}")),
        _ => None,
    });
    refused.collect()
}

#[test]
fn the_inits_own_way_past_the_filter_is_none_for_the_program() {
    let run = run_of("reach.c", &["address", &format!("{:#x}", gate())], Limits::default());
    assert_eq!(run.outcome.end, exited(9));
    let visits = |call: Sysno| {
        let is = |event: &&Event| matches!(event.what, What::Go(Site::Before(other), _) if other == Syscall::from(call));
        run.events.iter().filter(is).count()
    };
    // Once from there, and once as others do it.
    assert_eq!([Sysno::getppid, Sysno::exit_group].map(visits), [2, 1]);
}

#[test]
fn the_init_cannot_be_traced_limited_robbed_or_ended() {
    let run = run_of("reach.c", &["init"], Limits::default());
    assert_eq!(run.outcome.end, exited(0));
    let refused = refusals(&run);
    assert_eq!(refused.len(), 4 + 12 + 2, "{refused:?}");
    assert_eq!(refused[0], "ptrace: it would trace the run's init");
}

#[test]
fn processes_of_the_program_can_trace_each_other() {
    let run = run_of("reach.c", &["own"], Limits::default());
    assert_eq!((run.outcome.end.clone(), refusals(&run)), (exited(0), Vec::new()));
}

fn few_points() -> Limits {
    Limits { points: 2_000, ..Limits::default() }
}

#[test]
fn a_daemon_is_an_orphan_and_ends_with_the_run() {
    let run = unruly("daemonize", Limits::default());
    assert_eq!(run.outcome.end, exited(0));
    assert!(left(&run).contains(&("p0.1.1".to_owned(), LeftHow::Orphan)), "{:?}", left(&run));
}

#[test]
fn ignoring_every_signal_does_not_help() {
    let run = unruly("ignore_all", Limits::default());
    assert!(matches!(&run.outcome.end, End::Hang(sleepers) if sleepers.len() == 2), "{:?}", run.outcome.end);
}

#[test]
fn a_program_that_stops_itself_is_stopped() {
    assert_eq!(unruly("stop_itself", Limits::default()).outcome.end, End::Stopped);
}

#[test]
fn forks_fail_at_the_limit() {
    let limits = Limits { processes: 20, ..Limits::default() };
    let run = unruly("fork_in_a_loop", limits.clone());
    assert!(matches!(&run.outcome.end, End::Hang(sleepers) if sleepers.len() == 20), "{:?}", run.outcome.end);
    let run = unruly("fork_for_ever", Limits { points: 2_000, ..limits });
    assert!(matches!(run.outcome.end, End::Spinning(_)), "{:?}", run.outcome.end);
}

#[test]
fn the_time_limit_holds_while_calls_are_made_without_end() {
    let limits = Limits { time: Duration::from_millis(300), points: u64::MAX, ..Limits::default() };
    for act in ["call_for_ever", "fork_for_ever", "make_threads_for_ever"] {
        assert_eq!(unruly(act, limits.clone()).outcome.end, End::TimedOut, "{act}");
    }
}

#[test]
fn killing_everybody_kills_only_the_program() {
    let run = unruly("end_all", Limits::default());
    assert_eq!(run.outcome.end, End::Ended(Status::Killed(Signal::KILL)));
    assert!(ends(&run).contains(&("p0.1".to_owned(), Status::Killed(Signal::KILL))), "{:?}", ends(&run));
}

#[test]
fn closing_every_descriptor_changes_nothing() {
    assert_eq!(unruly("close_all", Limits::default()).outcome.end, exited(3));
}

#[test]
fn five_megabytes_of_output_are_kept_whole() {
    let run = unruly("write_much", Limits::default());
    assert_eq!(run.outcome.end, exited(0));
    let wanted: Vec<u8> = (0..100).flat_map(|n| [b'a' + n % 26; 50_000]).collect();
    assert!(run.outcome.stdout.bytes() == wanted, "{} bytes", run.outcome.stdout.bytes().len());
}

#[test]
fn of_output_beyond_the_limit_only_its_length_is_kept() {
    let run = unruly("write_much", Limits { output: 1_234_567, ..Limits::default() });
    assert_eq!(run.outcome.end, exited(0));
    assert_eq!(run.outcome.stdout.bytes().len(), 1_234_567);
    assert_eq!(run.outcome.stdout.left_out(), 5_000_000 - 1_234_567);
}

#[test]
fn calls_that_nobody_could_follow_are_refused_and_told() {
    const ENOSYS: i32 = 38;
    for act in ["io_uring", "int80", "x32"] {
        let run = unruly(act, Limits::default());
        assert_eq!(run.outcome.end, exited(ENOSYS), "{act}");
        let refusals = run.events.iter().filter(|event| matches!(event.what, What::Refuse(..)));
        assert_eq!(refusals.count(), 1, "{act}: {:?}", run.events);
    }
}

#[test]
fn computing_without_a_call_is_spinning() {
    let run = unruly("compute", Limits { cpu: Duration::from_millis(50), ..Limits::default() });
    assert!(matches!(run.outcome.end, End::Spinning(_)), "{:?}", run.outcome.end);
    assert_eq!(run.taint, None);
}

#[test]
fn polling_for_ever_is_spinning() {
    for act in ["yield", "poll_child"] {
        let run = unruly(act, few_points());
        assert!(matches!(run.outcome.end, End::Spinning(_)), "{act}: {:?}", run.outcome.end);
    }
}

#[test]
fn polling_until_a_timer_fires_comes_to_an_end() {
    assert_eq!(unruly("yield_until_alarm", Limits::default()).outcome.end, exited(5));
}

#[test]
fn zombies_are_counted() {
    let run = unruly("zombies", Limits::default());
    assert!(matches!(&run.outcome.end, End::Hang(sleepers) if sleepers.len() == 1), "{:?}", run.outcome.end);
    let zombies = ["p0.1", "p0.2"].map(|name| (name.to_owned(), LeftHow::Zombie));
    assert_eq!(left(&run), zombies);
    assert_eq!(run.outcome.table.iter().filter(|row| row.stat == 'Z').count(), 2, "{:?}", run.outcome.table);
}

#[test]
fn orphans_are_counted() {
    let run = unruly("orphans", Limits::default());
    assert_eq!(run.outcome.end, exited(0));
    assert_eq!(left(&run), ["p0.1", "p0.2"].map(|name| (name.to_owned(), LeftHow::Orphan)));
}

#[test]
fn a_program_started_with_a_signal_blocked_for_a_moment_is_told() {
    let run = unruly("exec_blocked", Limits::default());
    assert_eq!(run.outcome.end, exited(0));
    let [ExecBlocked { process, file, signals }] = &run.outcome.exec_blocked[..] else {
        panic!("{:?}", run.outcome.exec_blocked)
    };
    assert_eq!((process.to_string(), signals), ("p0.1".to_owned(), &vec![Signal::CHLD]));
    assert!(file.ends_with("/true") || file.contains("coreutils") || file.contains("busybox"), "{file}");
}

#[test]
fn a_crash_of_a_child_is_seen() {
    let run = unruly("crash_in_child", Limits::default());
    assert_eq!(run.outcome.end, exited(0));
    assert!(ends(&run).contains(&("p0.1".to_owned(), Status::Killed(signal("SIGSEGV")))), "{:?}", ends(&run));
}
