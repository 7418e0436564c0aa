//! What sigrace says of a program is so: a sleep that time ends is no hang, a program that kills, makes and times ends as it does on
//! its own, and a run is doubted only where something may have been noticed.

mod supervised;

use sigrace::copies;
use sigrace::program::Limits;
use sigrace::schedule::Schedule;
use sigrace::supervise::Supervise;
use sigrace::trace::{End, Run, Status};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How often each program is run.
const RUNS: usize = 3;
/// How often those are run of which no run may be doubted.
const MANY_RUNS: usize = 200;

/// How often a run that is doubted is made, as in a search.
const AGAIN: usize = 4;

/// A program that never ends by itself costs no more than this.
fn limits() -> Limits {
    Limits { time: Duration::from_secs(60), ..Limits::default() }
}

fn runs(argv: &[&str], folder: &Path, count: usize) -> Vec<Run> {
    let launch = supervised::launch(argv, folder);
    supervised::with_supervisor(launch, limits(), |supervisor| {
        let run = |_| supervisor.run(&Schedule::empty()).unwrap_or_else(|error| panic!("{argv:?}: {error}"));
        (0..count).map(run).collect()
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a command writes and how it ends without control: standard output, standard error, status.
fn bare(argv: &[&str], folder: &Path) -> (String, String, Status) {
    let (bare, status) = supervised::bare(&supervised::launch(argv, folder));
    assert!(!bare.stdout.is_empty(), "{argv:?} says nothing that could be compared: {}", text(&bare.stderr));
    (text(&bare.stdout), text(&bare.stderr), status)
}

/// Every run wrote and ended like that.
#[track_caller]
fn same<'a>(
    runs: impl Iterator<Item = &'a Run>,
    (stdout, stderr, status): &(String, String, Status),
    what: &str,
) {
    for (nth, run) in runs.enumerate() {
        let (outcome, taint) = (&run.outcome, &run.taint);
        assert_eq!(
            text(outcome.stdout.bytes()),
            *stdout,
            "output of {what}, run {nth}, {taint:?}, {:?}",
            outcome.end
        );
        assert_eq!(text(outcome.stderr.bytes()), *stderr, "errors of {what}, run {nth}, {taint:?}");
        assert_eq!(outcome.end, End::Ended(*status), "the end of {what}, run {nth}, {taint:?}");
    }
}

/// Runs a command bare, and then so many times under control: it writes the same and ends the same. Gives the runs.
#[track_caller]
fn as_bare(argv: &[&str], folder: &Path, count: usize) -> Vec<Run> {
    let (bare, runs) = (bare(argv, folder), runs(argv, folder, count));
    same(runs.iter(), &bare, &format!("{argv:?}"));
    runs
}

#[track_caller]
fn never_tainted(runs: &[Run], what: &str) {
    let tainted: Vec<_> = runs.iter().filter_map(|run| run.taint.as_deref()).collect();
    assert!(tainted.is_empty(), "{what}: {} of {} runs: {}", tainted.len(), runs.len(), tainted[0]);
}

/// Runs parts of a C program of `programs/`, linked dynamically and statically: as bare, and never tainted.
#[track_caller]
fn parts_as_bare(name: &str, parts: &[&[&str]], count: usize) {
    for flags in [&[][..], &["-static"]] {
        let folder = tempfile::tempdir().unwrap();
        let program = supervised::build(name, flags, folder.path());
        for part in parts {
            let argv = [&[program.to_str().unwrap()], *part].concat();
            never_tainted(&as_bare(&argv, folder.path(), count), &format!("{name} {part:?} {flags:?}"));
        }
    }
}

#[test]
fn sleeps_that_the_kernels_time_ends_end_by_it() {
    let parts: &[&[&str]] = &[
        &["sends"],
        &["receives"],
        &["accepts"],
        &["lingers"],
        &["futexes"],
        &["terminal"],
        &["semaphores"],
        &["queues"],
    ];
    for flags in [&[][..], &["-static"]] {
        let folder = tempfile::tempdir().unwrap();
        let program = supervised::build("kernel_waits.c", flags, folder.path());
        for part in parts {
            let argv = [&[program.to_str().unwrap()], *part].concat();
            let bare = bare(&argv, folder.path());
            for _ in 0..RUNS {
                // Where a busy machine has kept a thread from going on at once the run is doubted, and a search makes it again.
                let mut tries = runs(&argv, folder.path(), 1);
                while tries.last().is_some_and(|run| run.taint.is_some()) && tries.len() < AGAIN {
                    tries.extend(runs(&argv, folder.path(), 1));
                }
                same(tries.iter(), &bare, &format!("{argv:?}"));
                never_tainted(&tries[tries.len() - 1..], &format!("{argv:?} {flags:?}"));
            }
        }
    }
}

/// The kernel itself tries to make a connection again, a second later.
#[test]
fn connections_that_are_made_by_half_are_waited_for() {
    parts_as_bare("kernel_waits.c", &[&["crowded"], &["deferred"]], 2);
}

/// Only what nothing outside the run can end, the kernel included, is a hang.
#[test]
fn the_last_sleep_tells_a_hang_from_a_wait() {
    let (hangs, waits) = (true, false);
    let right = [
        ("pipe signals", hangs),
        ("event", hangs),
        ("second thread", hangs),
        ("socket signals", waits),
        ("connection", hangs),
        ("full connection", hangs),
        ("full connection that is polled", hangs),
        ("connected datagrams", hangs),
        ("clients", waits),
        ("lease", waits),
        ("directory", waits),
        ("request", waits),
        ("own output", waits),
        ("second thread outside", waits),
        ("named memory", waits),
        ("nameless memory", hangs),
    ];
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("last_sleep.c", &[], folder.path());
    for (part, hangs) in right {
        for run in runs(&[program.to_str().unwrap(), part], folder.path(), RUNS) {
            assert_eq!(text(run.outcome.stderr.bytes()), "", "{part}");
            let end = &run.outcome.end;
            assert!(
                if hangs { matches!(end, End::Hang(_)) } else { matches!(end, End::Idle(_)) },
                "{part}: {end:?}"
            );
        }
    }
}

#[test]
fn a_process_lives_on_without_its_first_thread() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("first_ended.c", &[], folder.path());
    as_bare(&[program.to_str().unwrap()], folder.path(), RUNS);
}

#[test]
fn parents_that_signal_their_children() {
    let parts: &[&[&str]] =
        &[&["group"], &["busy"], &["stops"], &["ways"], &["grandchildren"], &["stubborn"]];
    parts_as_bare("parents.c", &[&["one"], &["ten"]], MANY_RUNS);
    parts_as_bare("parents.c", parts, 10 * RUNS);
}

/// Where a dying child is taken off its CPU after it has closed its files and before it has sent SIGCHLD, the run says so. Any other
/// is right, and not every run is such a one.
#[test]
fn a_parent_that_an_end_of_file_wakes_before_sigchld() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("parents.c", &[], folder.path());
    let argv = [program.to_str().unwrap(), "end of file"];
    let runs = runs(&argv, folder.path(), MANY_RUNS);
    let untainted = || runs.iter().filter(|run| run.taint.is_none());
    assert!(untainted().count() > 0);
    same(untainted(), &bare(&argv, folder.path()), "end of file");
    for why in runs.iter().filter_map(|run| run.taint.as_deref()) {
        assert!(why.contains("SIGCHLD"), "{why}");
    }
}

/// The kernel sends to all of a group at once, and who waits for another of them is woken by both.
#[test]
fn a_parent_in_a_group_that_is_signalled_is_not_said_to_be_woken_by_its_child_alone() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("parents.c", &[], folder.path());
    for run in runs(&[program.to_str().unwrap(), "family"], folder.path(), 10) {
        let why = "p0.1 may have been woken by the end of its child before it was sent SIGTERM";
        assert_eq!(run.taint.as_deref(), Some(why));
    }
}

/// kill(2) with -1 means everybody, so it is not tried bare.
#[test]
fn a_parent_that_signals_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("parents.c", &[], folder.path());
    let runs = runs(&[program.to_str().unwrap(), "everybody"], folder.path(), MANY_RUNS);
    never_tainted(&runs, "everybody");
    for run in runs {
        assert_eq!(text(run.outcome.stdout.bytes()), format!("kill 0\n{}", "ended by 15\n".repeat(3)));
        assert_eq!(run.outcome.end, End::Ended(Status::Exited(3)));
    }
}

#[test]
fn processes_and_threads_are_made_in_every_way() {
    let parts: &[&[&str]] = &[
        &["failures"],
        &["limited"],
        &["memory"],
        &["spawns"],
        &["handlers"],
        &["threads"],
        &["sites"],
        &["numbers"],
        &["again"],
        &["catches"],
        &["blocks"],
        &["many"],
    ];
    parts_as_bare("makers.c", parts, RUNS);
}

/// Both sides are held after fork(2), whatever the parent does with SIGCONT: nothing says that they were not.
#[test]
fn what_a_parent_does_with_sigcont_makes_no_difference() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("makers.c", &[], folder.path());
    for part in ["catches", "blocks"] {
        for run in runs(&[program.to_str().unwrap(), part], folder.path(), RUNS) {
            let held =
                run.reached.iter().filter(|reached| reached.point.to_string().contains("after fork")).count();
            assert_eq!(held, 2, "{part}");
        }
    }
}

#[test]
fn time_goes_on() {
    let parts: &[&[&str]] =
        &[&["watchdog"], &["ties"], &["loops"], &["short sleeps"], &["remainders"], &["armed"]];
    parts_as_bare("passing_time.c", parts, RUNS);
}

#[test]
fn loops_of_looks_come_to_an_end() {
    let looks: &[&[&str]] = &[
        &["looks", "poll"],
        &["looks", "epoll"],
        &["looks", "wait"],
        &["looks", "yield"],
        &["looks", "clock"],
    ];
    parts_as_bare("passing_time.c", looks, 1);
}

/// What a timer says is left agrees with the clock that the program reads: each a second less, or two.
#[test]
fn what_is_left_of_a_timer_goes_down_as_a_program_computes() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("passing_time.c", &[], folder.path());
    for run in runs(&[program.to_str().unwrap(), "left"], folder.path(), 1) {
        let said = text(run.outcome.stdout.bytes());
        let seconds =
            said.lines().map(|line| line.rsplit(' ').next().and_then(|word| word.parse::<u32>().ok()));
        let seconds: Vec<u32> = seconds.collect::<Option<_>>().unwrap_or_default();
        assert!(seconds.len() == 3 && seconds.iter().all(|left| *left == 7 || *left == 8), "{said}");
    }
}

#[test]
fn a_timer_of_cpu_time_taints_when_it_has_gone_off() {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("passing_time.c", &[], folder.path());
    for part in ["goes off", "virtual goes off"] {
        for run in as_bare(&[program.to_str().unwrap(), part], folder.path(), RUNS) {
            assert!(
                run.taint.as_ref().is_some_and(|why| why.contains("CPU time")),
                "{part}: {:?}",
                run.taint
            );
        }
    }
}

#[test]
fn scheduling_is_told_as_it_was_set() {
    let parts: &[&[&str]] = &[&["policies"], &["errors"], &["attributes"], &["inheritance"], &["affinity"]];
    parts_as_bare("policies.c", parts, RUNS);
    // The same without any rights.
    let parts: Vec<Vec<&str>> = parts.iter().map(|part| [*part, &["ordinary"]].concat()).collect();
    let parts: Vec<&[&str]> = parts.iter().map(Vec::as_slice).collect();
    parts_as_bare("policies.c", &parts, RUNS);
}

#[test]
fn python_makes_processes_and_threads() {
    let folder = tempfile::tempdir().unwrap();
    let script = "
import os, signal, subprocess, sys, threading
seen = []
signal.signal(signal.SIGCHLD, lambda *_: seen.append(1))
for n in range(3):
    child = subprocess.Popen(['sleep', '1000'])
    child.send_signal(signal.SIGTERM)
    print(child.wait())
pid = os.fork()
if pid == 0: os._exit(3)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
pid = os.posix_spawn('/bin/sh', ['sh', '-c', 'exit 5'], {})
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
def child(n):
    pid = os.fork()
    if pid == 0: os._exit(n)
    results[n] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
results = {}
threads = [threading.Thread(target=child, args=(n,)) for n in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sorted(results.items()), bool(seen))
";
    as_bare(&["python3", "-c", script], folder.path(), RUNS);
}

#[test]
fn go_makes_processes_and_threads() {
    if copies::output(Command::new("go").arg("version")).is_err() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("makes.go");
    fs::write(
        &source,
        r#"package main

import (
	"fmt"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

func main() {
	var group sync.WaitGroup
	sums := make([]int, 4)
	for n := range sums {
		group.Add(1)
		go func(n int) {
			defer group.Done()
			runtime.LockOSThread()
			for i := 0; i <= n; i++ {
				sums[n] += i
			}
		}(n)
	}
	group.Wait()
	fmt.Println(sums)
	fmt.Println(exec.Command("sh", "-c", "exit 3").Run())
	sleeper := exec.Command("sleep", "1000")
	fmt.Println(sleeper.Start())
	fmt.Println(sleeper.Process.Signal(syscall.SIGTERM))
	fmt.Println(sleeper.Wait())
	refused := exec.Command("true")
	refused.SysProcAttr = &syscall.SysProcAttr{Chroot: "/nowhere"}
	fmt.Println(refused.Run() != nil)
}
"#,
    )
    .unwrap();
    let program = folder.path().join("makes");
    let mut go = Command::new("go");
    go.args(["build", "-o"]).args([&program, &source]).current_dir(folder.path());
    go.env("GOCACHE", folder.path().join("cache")).env("GOFLAGS", "-mod=mod").env("GO111MODULE", "off");
    let built = copies::output(&mut go).expect("go starts");
    assert!(built.status.success(), "{}", text(&built.stderr));
    as_bare(&[program.to_str().unwrap()], folder.path(), RUNS);
}
