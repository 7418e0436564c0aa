//! What each interface of signals, timers, children, waiting and futexes promises (POSIX.1-2024, signal(7), time(7)): a program of
//! `programs/` says what it got, bare and by the empty schedule, and has to get the same; also while the machine is busy.
//!
//! Known differences, which none of them looks at: a signal of setitimer(2) says that it comes from kill(2) (`si_code`), and
//! a thread that asks for another CPU stays on the one where it was.

mod supervised;

use std::hint;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use supervised::{build, launch, runs, same_c};

/// Compares by itself, and then beside as many busy threads as there are CPUs.
#[track_caller]
fn keeps_its_promises(name: &str) {
    same_c(name);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    hint::spin_loop();
                }
            });
        }
        // The busy threads end also where the comparison fails.
        let compared = scope.spawn(|| same_c(name)).join();
        over.store(true, Ordering::Relaxed);
        if let Err(panic) = compared {
            std::panic::resume_unwind(panic);
        }
    });
}

#[test]
fn actions_and_masks() {
    keeps_its_promises("actions.c");
}

#[test]
fn signals_that_are_waited_for() {
    keeps_its_promises("awaited.c");
}

#[test]
fn whom_a_signal_reaches() {
    keeps_its_promises("directed.c");
}

/// What a child's end, a timer or kill(2) sends to a process of several threads is taken by the one that the kernel chooses.
#[test]
fn which_thread_takes_a_signal() {
    keeps_its_promises("takers.c");
}

#[test]
fn a_signal_that_the_kernel_could_give_to_another_thread_taints_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let program = build("takers.c", &[], folder.path());
    let program = program.to_str().unwrap();
    for (words, tainted) in [(&[program][..], false), (&[program, "mixed"], true)] {
        let run = runs(launch(words, folder.path()), 1).remove(0).unwrap();
        let told = run.taint.iter().any(|why| why.contains("the kernel could give it to another thread"));
        assert_eq!(told, tainted, "{:?}", run.taint);
    }
}

#[test]
fn timers_and_sleeps() {
    keeps_its_promises("expiry.c");
}

#[test]
fn children_and_what_they_inherit() {
    keeps_its_promises("offspring.c");
}

#[test]
fn waits_with_deadlines() {
    keeps_its_promises("deadlines.c");
}

#[test]
fn scheduling_that_is_asked_for() {
    keeps_its_promises("priorities.c");
}

#[test]
fn what_futexes_are_asked_for() {
    keeps_its_promises("futexes.c");
}
