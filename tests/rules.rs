//! What counts as wrong, by each rule of `explore` about ends, losses and what is given up; and what is meant to be so.

mod fixtures;
mod script;

use fixtures::{build, build_text, explore, fixtures};
use script::{ends, stdout};
use std::fs;

/// Ends with another status when it is told to stop, wherever it is told.
const STOPS: &str = r#"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile sig_atomic_t told;
static void handler(int signal) { (void)signal; told = 1; }
int main(void)
{
    struct sigaction action = { .sa_handler = handler };
    int end[2];
    char byte;
    sigaction(SIGTERM, &action, 0);
    if (pipe(end) != 0) return 9;
    if (fork() == 0) {
        signal(SIGTERM, SIG_DFL);
        return write(end[1], "x", 1) != 1;
    }
    while (!told && read(end[0], &byte, 1) < 0 && errno == EINTR) { }
    while (wait(0) < 0 && errno == EINTR) { }
    return told ? 3 : 0;
}
"#;

#[test]
fn what_only_an_interrupted_call_brings_about_is_no_end_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    build_text("stops", STOPS, folder.path());
    build(&fixtures("broken").join("eintr.c"), folder.path());
    let send = ["--send", "TERM", "--runs", "60"];
    let output = explore(&send, "stops", folder.path());
    ends(&output, 0);
    assert!(stdout(&output).contains(" x exit code 3, first by "), "{}", stdout(&output));
    let strict = explore(&[&send[..], &["--exits", "same"]].concat(), "stops", folder.path());
    ends(&strict, 100);
    assert!(stdout(&strict).contains("stops: another exit than expected\n"), "{}", stdout(&strict));

    let send = ["--send", "USR1", "--runs", "60"];
    let output = explore(&send, "eintr", folder.path());
    ends(&output, 100);
    let text = stdout(&output);
    let why = "expected exit code 0, as in the reference run and where the signal comes just before the call, \
               got exit code 1 when it interrupts p0 in read";
    assert!(text.contains(why) && text.contains("1. p0 in read: send SIGUSR1 to p0\n"), "{text}");
    // So it does for who shrinks what was recorded.
    let trace = text.lines().last().unwrap().rsplit(' ').next().unwrap();
    ends(&script::sigrace(folder.path(), &["shrink", trace]), 0);
    ends(&explore(&[&send[..], &["--exits", "any"]].concat(), "eintr", folder.path()), 0);
    ends(&explore(&[&send[..], &["--exits", "none"]].concat(), "eintr", folder.path()), 2);
}

#[test]
fn a_wait_that_is_given_up_is_told_with_its_error() {
    let folder = tempfile::tempdir().unwrap();
    let source = fs::read_to_string(fixtures("broken").join("abandoned.c")).unwrap();
    // Who is asked to end may leave the helper to itself.
    for (name, signal, code) in [("status", "SIGUSR1", 100), ("stop", "SIGTERM", 0)] {
        build_text(name, &source.replace("SIGUSR1", signal), folder.path());
        for seed in ["1", "2", "3"] {
            let words =
                ["explore", "--seed", seed, "--trace-dir", "traces", "--send", signal, "--runs", "60"];
            let output =
                script::sigrace(folder.path(), &[&words[..], &["--", &format!("./{name}")]].concat());
            ends(&output, code);
            let text = stdout(&output);
            let told = "expected p0.1 to be waited for, as in the reference run and where the signal comes just before the \
                        call; p0 in wait4 fails with EINTR when the signal interrupts it, and is given up\n";
            assert_eq!(text.contains(told), code == 100, "{text}");
            // A host without breakpoints does not see what calls return.
            let error = ["\n  wait4 = -1 EINTR", "\n  wait4: EINTR"].iter().any(|line| text.contains(line));
            assert_eq!(error, code == 100, "{text}");
        }
    }
}

/// Waits for any child, and looks up which one it was.
const LOOKS_UP: &str = r#"
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
    pid_t pids[2];
    int status;
    for (int i = 0; i < 2; i++)
        if ((pids[i] = fork()) == 0) _exit(i + 1);
    for (int i = 0; i < 2; i++) {
        pid_t pid = wait(&status);
        printf("child %d gave %d\n", pid == pids[0] ? 1 : 2, WEXITSTATUS(status));
    }
    return 0;
}
"#;

#[test]
fn results_that_children_s_order_mixes_up_are_found_and_lines_in_another_order_are_not() {
    let folder = tempfile::tempdir().unwrap();
    build(&fixtures("broken").join("reaping.c"), folder.path());
    let output = explore(&[], "reaping", folder.path());
    ends(&output, 100);
    let text = stdout(&output);
    let why = "p0.2 has ended before p0.1, unlike in the reference run, they have written nothing, and every process has made the \
               same calls and ended alike\n  minimal schedule, 1 step:\n    1. p0.1 after fork: let all others run first\n";
    assert!(text.contains(why), "{text}");
    let trace = text.lines().last().unwrap().rsplit(' ').next().unwrap();
    ends(&script::sigrace(folder.path(), &["shrink", trace]), 0);
    ends(&explore(&["--runs", "60", "--save", "saved.ron"], "reaping", folder.path()), 100);
    ends(&script::sigrace(folder.path(), &["run", "saved.ron"]), 0);
    ends(&explore(&["--runs", "60", "--any-output"], "reaping", folder.path()), 0);

    build_text("looks_up", LOOKS_UP, folder.path());
    let output = explore(&["--runs", "60"], "looks_up", folder.path());
    ends(&output, 0);
    assert!(stdout(&output).contains("2 distinct outcomes"), "{}", stdout(&output));
}

/// Does what it is told in its handler, and says so when a call is interrupted; and one that is told to read what it reads anyway.
const NO_LOSS: [(&str, &str); 2] = [
    (
        "complains",
        r#"
#include <stdio.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>
static void handler(int signal) { (void)signal; (void)!write(1, "told\n", 5); }
int main(void)
{
    struct sigaction action = { .sa_handler = handler };
    int end[2];
    if (sigaction(SIGHUP, &action, 0) != 0 || pipe(end) != 0) return 9;
    write(1, "ready\n", 6);
    struct pollfd waits = { .fd = end[0], .events = POLLIN };
    while (poll(&waits, 1, -1) < 0) perror("poll");
    return 0;
}
"#,
    ),
    (
        "anyway",
        r#"
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <unistd.h>
static volatile sig_atomic_t told;
static void handler(int signal) { (void)signal; told = 1; }
int main(void)
{
    struct sigaction action = { .sa_handler = handler };
    sigset_t all, none;
    int end[2];
    sigfillset(&all);
    sigemptyset(&none);
    if (sigaction(SIGHUP, &action, 0) != 0 || pipe(end) != 0) return 9;
    write(1, "reading\n", 8);
    told = 0;
    sigprocmask(SIG_BLOCK, &all, 0);
    write(1, "read\n", 5);
    struct pollfd waits = { .fd = end[0], .events = POLLIN };
    for (;;) {
        if (told) { told = 0; write(1, "read\n", 5); }
        if (ppoll(&waits, 1, 0, &none) >= 0) return 0;
    }
}
"#,
    ),
];

#[test]
fn what_a_program_only_overlooks_is_found_and_what_it_does_anyway_is_not() {
    let folder = tempfile::tempdir().unwrap();
    build(&fixtures("broken").join("overlooked.c"), folder.path());
    let send = ["--send", "HUP", "--runs", "60"];
    let output = explore(&send, "overlooked", folder.path());
    ends(&output, 100);
    let text = stdout(&output);
    let why = "expected write of p0, as in the reference run, where SIGHUP comes to p0 in poll, and where it comes earlier and interrupts \
               nothing; when it comes to p0 before poll its handler runs, and then it sleeps there all the same\n  minimal schedule, \
               1 step:\n    1. p0 before poll: send SIGHUP to p0\n";
    assert!(text.contains(why), "{text}");
    let trace = text.lines().last().unwrap().rsplit(' ').next().unwrap();
    ends(&script::sigrace(folder.path(), &["shrink", trace]), 0);
    ends(&explore(&[&send[..], &["--save", "saved.ron"]].concat(), "overlooked", folder.path()), 100);
    ends(&script::sigrace(folder.path(), &["run", "saved.ron"]), 0);
    ends(&explore(&[&send[..], &["--exits", "any"]].concat(), "overlooked", folder.path()), 0);

    // One that looks from time to time does so late, or soon enough.
    let source = fs::read_to_string(fixtures("broken").join("overlooked.c")).unwrap();
    for (timeout, more, code) in [("60000", &[][..], 100), ("60000", &["--late", "2m"], 0), ("3000", &[], 0)]
    {
        let source = source.replace("1, -1) > 0", &format!("1, {timeout}) > 0"));
        build_text("looks", &source, folder.path());
        let output = explore(&[&["--send", "HUP", "--runs", "12"], more].concat(), "looks", folder.path());
        ends(&output, code);
        let late =
            stdout(&output).contains("then it sleeps there all the same, until a time runs out after 1m");
        assert_eq!(late, code == 100, "{}", stdout(&output));
    }

    for (name, source) in NO_LOSS {
        build_text(name, source, folder.path());
        let output = explore(&send, name, folder.path());
        ends(&output, 0);
        let text = stdout(&output);
        assert!(text.contains("distinct outcomes of "), "{name}: {text}");
    }
}

/// Waits for a worker while another child ends or a timer runs out, or writes to it, and is cut short.
const CUT_SHORT: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
static char list[200000];
static void handler(int signal) { (void)signal; }
static void reaps(int signal) { (void)signal; while (waitpid(-1, 0, WNOHANG) > 0) { } }
static int counts(int from)
{
    static char text[65536];
    long all = 0;
    ssize_t got;
    while ((got = read(from, text, sizeof text)) > 0) {
        all += got;
#ifdef HEAD
        break;
#endif
    }
    printf("%ld bytes\n", all);
    return fflush(stdout);
}
int main(void)
{
    struct sigaction action = { .sa_handler = handler };
    struct itimerval timer = { .it_value = { .tv_usec = 500000 } };
    int ends[2], status = 0;
    pid_t worker, other = 0;
    (void)timer, (void)reaps;
    if (pipe(ends) != 0) return 9;
#ifdef HEAD
    signal(SIGPIPE, SIG_IGN);
#endif
#ifdef REAPS
    action.sa_handler = reaps;
#endif
#ifdef TIMER
    sigaction(SIGALRM, &action, 0);
    setitimer(ITIMER_REAL, &timer, 0);
#else
    sigaction(SIGCHLD, &action, 0);
    if ((other = fork()) == 0) return write(2, "o", 1) != 1;
#endif
    if ((worker = fork()) == 0) {
        close(ends[1]);
        return counts(ends[0]);
    }
    close(ends[0]);
#ifdef WRITES
    ssize_t wrote = write(ends[1], list, sizeof list);
#ifdef LATER
    while (wrote < (ssize_t)sizeof list) {
        getppid();
        ssize_t more = write(ends[1], list, sizeof list - (wrote > 0 ? wrote : 0));
        wrote = (wrote > 0 ? wrote : 0) + (more > 0 ? more : 0);
    }
#endif
#endif
    close(ends[1]);
#ifdef ANY
    if (wait(&status) == -1 && errno == EINTR) wait(&status);
    return 0;
#elif defined WRITES
    while (waitpid(worker, &status, 0) == -1 && errno == EINTR) { }
#else
    if (waitpid(worker, &status, 0) == -1 && errno == EINTR) {
#ifdef SAYS
        puts("it takes too long");
#elif defined ENDS
        kill(worker, SIGKILL);
#endif
    }
#endif
    while (other != 0 && waitpid(other, &status, 0) == -1 && errno == EINTR) { }
    return 0;
}
"#;

#[test]
fn what_a_childs_end_or_a_timer_cuts_short_is_left_undone_or_done_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let told = |words: &[&str]| {
        let defined: String = words.iter().map(|word| format!("#define {word}\n")).collect();
        build_text("cut", &(defined + CUT_SHORT), folder.path());
        explore(&["--runs", "60", "--save", "saved.ron"], "cut", folder.path())
    };
    for (words, why) in [
        (
            &[][..],
            "p0.2 to be waited for, as where another child's SIGCHLD comes just before the call; p0 in wait4 ",
        ),
        (
            &["TIMER"],
            "p0.1 to be waited for, as where the timer's signal comes just before the call; p0 in wait4 ",
        ),
        (
            &["WRITES"],
            "all to be written, as where another child's SIGCHLD comes just before the call; p0 in write ",
        ),
        (
            &["WRITES", "TIMER"],
            "all to be written, as where the timer's signal comes just before the call; p0 in write ",
        ),
    ] {
        let output = told(words);
        ends(&output, 100);
        let text = stdout(&output);
        assert_eq!(text.matches("finding: ").count(), 1, "{words:?}: {text}");
        assert!(text.contains(&format!("  expected {why}")), "{words:?}: {text}");
        let trace = text.lines().last().unwrap().rsplit(' ').next().unwrap();
        ends(&script::sigrace(folder.path(), &["replay", trace, "--times", "5"]), 0);
        // What is so already where nothing is disturbed is no race of a scenario.
        let saved = folder.path().join("saved.ron");
        assert_ne!(saved.exists(), text.contains("minimal schedule: no step"), "{words:?}: {text}");
        if saved.exists() {
            ends(&script::sigrace(folder.path(), &["run", "saved.ron"]), 0);
            fs::remove_file(saved).unwrap();
        }
    }
    // Whoever ends first is enough, it says that it waits no longer, it ends whom it does not wait for, the handler waits, the rest
    // is written later on, and nobody wants to read it.
    for words in [
        &["ANY"][..],
        &["TIMER", "SAYS"],
        &["ENDS"],
        &["TIMER", "ENDS"],
        &["REAPS"],
        &["WRITES", "LATER"],
        &["WRITES", "TIMER", "HEAD"],
    ] {
        let output = told(words);
        assert!(!stdout(&output).contains("cuts short"), "{words:?}: {}", stdout(&output));
    }
}

/// Opens a file twice, and is told to do something else by a SIGHUP, at which it holds more: what is done with that later on depends.
const HOLDS: &str = r#"
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
static volatile sig_atomic_t told;
static int file = -1, more = -1;
static void handler(int signal) { (void)signal; told = 1; }
static void work(void)
{
    file = open("/etc/passwd", O_RDONLY);
    if (told) {
#ifdef REOPENED
        close(file);
        file = open("/etc/passwd", O_RDONLY);
#else
        more = file;
#endif
        told = 0;
        return;
    }
#ifndef REOPENED
    close(file);
#endif
}
static void woken(void)
{
#ifdef LATER
    close(more);
#elif defined STATE
    if (more != -1)
        lseek(more, 0, SEEK_SET);
#elif defined REOPENED
    close(file);
#endif
    told = 0;
}
int main(void)
{
    struct sigaction action = { .sa_handler = handler };
    sigset_t hup, none;
    sigemptyset(&none);
    sigemptyset(&hup);
    sigaddset(&hup, SIGHUP);
    sigaction(SIGHUP, &action, 0);
    work();
    sigprocmask(SIG_BLOCK, &hup, 0);
    for (;;) {
        while (!told)
            sigsuspend(&none);
        woken();
    }
}
"#;

#[test]
fn what_is_held_because_of_where_a_signal_came_is_leaked_only_if_it_stays_so() {
    let folder = tempfile::tempdir().unwrap();
    build(&fixtures("broken").join("leaked.c"), folder.path());
    let leaked = explore(&["--send", "HUP", "--save", "saved.ron"], "leaked", folder.path());
    ends(&leaked, 100);
    let text = stdout(&leaked);
    assert!(
        text.contains("it holds /etc/passwd as well, and keeps that when SIGHUP comes once more"),
        "{text}"
    );
    let trace = text.lines().last().unwrap().rsplit(' ').next().unwrap();
    ends(&script::sigrace(folder.path(), &["replay", trace, "--times", "5"]), 0);
    ends(&script::sigrace(folder.path(), &["shrink", trace]), 0);
    let saved = fs::read_to_string(folder.path().join("saved.ron")).unwrap();
    assert!(saved.contains("closed: true") && saved.contains("breaks: Leaked"), "{saved}");
    ends(&script::sigrace(folder.path(), &["run", "saved.ron"]), 0);
    ends(&explore(&["--send", "HUP", "--exits", "any"], "leaked", folder.path()), 0);

    let told = |words: &[&str]| {
        let defined: String = words.iter().map(|word| format!("#define {word}\n")).collect();
        build_text("holds", &(defined + HOLDS), folder.path());
        explore(&["--send", "HUP"], "holds", folder.path())
    };
    let leaked = told(&[]);
    ends(&leaked, 100);
    assert!(stdout(&leaked).contains("holds: descriptors are leaked\n"), "{}", stdout(&leaked));
    // It is closed at the next signal, it is another state that answers otherwise, and without a signal it is held as well.
    for meant in ["LATER", "STATE", "REOPENED"] {
        let output = told(&[meant]);
        ends(&output, 0);
        assert!(!stdout(&output).contains("finding:"), "{meant}: {}", stdout(&output));
    }
}

#[test]
fn a_signal_is_lost_where_the_undisturbed_run_loses_it_too() {
    let folder = tempfile::tempdir().unwrap();
    let source = fs::read_to_string(fixtures("broken").join("misread.c")).unwrap();
    // What other signals ask for nobody knows, but they end it where the program has the same memory.
    let (other, same) = ("at other places", "just before the same call");
    for (name, signal, more, code, place) in [
        ("stop", "SIGTERM", &[][..], 100, other),
        ("stop", "SIGTERM", &["--exits", "any"], 0, other),
        ("tell", "SIGUSR1", &[], 100, same),
        ("tell", "SIGUSR1", &["--exits", "any"], 0, same),
    ] {
        build_text(name, &source.replace("SIGTERM", signal), folder.path());
        let words = ["explore", "--seed", "1", "--trace-dir", "traces", "--send", signal];
        let explore = |more: &[&str]| {
            script::sigrace(folder.path(), &[&words[..], more, &["--", &format!("./{name}")]].concat())
        };
        let output = explore(more);
        ends(&output, code);
        let text = stdout(&output);
        let told = format!(
            "expected {signal} to end it, as it does {place}; when it comes to p0 in poll, only the outside could go on: p0 in \
             accept\n  minimal schedule, 1 step:\n    1. p0 in poll: send {signal} to p0\n"
        );
        assert_eq!(text.contains(&told), code == 100, "{text}");
        if code == 100 {
            let trace = text.lines().last().unwrap().rsplit(' ').next().unwrap();
            ends(&script::sigrace(folder.path(), &["shrink", trace]), 0);
            ends(&explore(&["--save", "saved.ron"]), 100);
            ends(&script::sigrace(folder.path(), &["run", "saved.ron"]), 0);
        }
    }
}

/// What it does, and with which status it ends, depends on what it is at when the signal comes; each time it is meant.
const PHASES: &str = r#"
#include <signal.h>
#include <unistd.h>
static volatile int phase, in_phase, told, sum, half;
static void handler(int signal) { (void)signal; in_phase = phase; told = 1; half++; }
static __attribute__((noinline)) void compute(int rounds) { for (int i = 0; i < rounds; i++) sum += i; }
int main(void)
{
    signal(SIGUSR1, handler);
    phase = 1;          /* it computes for a long time, without a call */
    for (int i = 0; i < 100; i++) sum += i;
    phase = 2;
    compute(100);
    phase = 3;
    getpid();           /* a call, and another phase */
    phase = 4;
    told = 0;           /* what came before is over */
    compute(100);
    if (told) return 40;
    phase = 5;
    if (half == 0) half = 1;
    if (in_phase == 1 || in_phase == 2) return 30;
    return in_phase == 5 ? 50 : 0;
}
"#;

#[test]
fn an_end_of_its_own_in_each_phase_is_meant() {
    let folder = tempfile::tempdir().unwrap();
    build_text("phases", PHASES, folder.path());
    let words = ["explore", "--seed", "1", "--trace-dir", "traces"];
    let explore =
        |more: &[&str]| script::sigrace(folder.path(), &[&words[..], more, &["--", "./phases"]].concat());
    let all = &["--send", "USR1", "--sweep-all"][..];
    for (sweep, codes) in [(&[][..], &[0, 30, 50][..]), (all, &[0, 30, 40, 50])] {
        let output = explore(sweep);
        ends(&output, 0);
        let text = stdout(&output);
        for code in codes {
            assert!(text.contains(&format!(" x exit code {code}, ")), "{text}");
        }
        let strict = explore(&[sweep, &["--exits", "same"]].concat());
        ends(&strict, 100);
        assert!(stdout(&strict).contains(": another exit than expected\n"), "{}", stdout(&strict));
    }
}

#[test]
fn an_end_that_comes_only_between_two_instructions_is_none_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    build(&fixtures("broken").join("count.c"), folder.path());
    let explore = |more: &[&str]| {
        let words = ["explore", "--seed", "1", "--trace-dir", "traces"];
        script::sigrace(folder.path(), &[&words[..], more, &["--", "./count"]].concat())
    };
    let output = explore(&["--save", "saved.ron"]);
    ends(&output, 100);
    let text = stdout(&output);
    let why = "expected exit code 0, as in the reference run and where the signal comes a few instructions before and after, with \
               no system call in between, got exit code 1 when it comes to p0 at add_one+";
    assert!(text.contains(why), "{text}");
    // All instructions between the load and the store are listed, and these alone.
    let also = text.lines().find(|line| line.starts_with("  also at: ")).unwrap();
    let first = text.lines().find(|line| line.starts_with("    1. p0 at add_one+")).unwrap();
    assert!(also.contains("p0 at add_one+") && !also.contains(first.trim_start_matches("    1. ")), "{text}");
    let trace = text.lines().last().unwrap().rsplit(' ').next().unwrap();
    ends(&script::sigrace(folder.path(), &["replay", trace]), 0);
    ends(&script::sigrace(folder.path(), &["shrink", trace]), 0);
    let saved = fs::read_to_string(folder.path().join("saved-SIGUSR1.ron")).unwrap();
    assert!(saved.contains("atomic: true") && saved.contains("breaks: Atomicity"), "{saved}");
    for laxer in ["any", "uninterrupted"] {
        ends(&explore(&["--exits", laxer]), 0);
    }
    let strict = explore(&["--exits", "same"]);
    ends(&strict, 100);
    assert!(stdout(&strict).contains(": another exit than expected\n"), "{}", stdout(&strict));
}

#[test]
fn where_nothing_is_sent_a_childs_end_comes_at_each_instruction() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, code) in [("broken", 100), ("sound", 0)] {
        build(&fixtures(kind).join("running.c"), folder.path());
        for nothing in [&[][..], &["--send", "none"]] {
            let words = ["--sweep", "count_up", "--bound", "1"];
            let output = explore(&[&words, nothing].concat(), "running", folder.path());
            ends(&output, code);
            let text = stdout(&output);
            assert!(text.contains(" instructions executed"), "{text}");
            assert_eq!(text.contains("step 1 lands in count_up (running.c:36)"), code == 100, "{text}");
        }
    }
}
