use super::*;
use crate::arbitrary;
use crate::program::Limits;
use crate::schedule::{Action, Point, Site, Syscall, Target, ThreadName};
use crate::trace::{Event, Frame, InlinedCall, Moment, Output, What, Whereabouts};
use proptest::prelude::*;

const PAGE: Page = Page { color: false, width: 100 };

/// Events as a trace file has them, without their brackets: `p0 Go(Before(read), 1)`.
fn events(text: &str) -> Vec<Event> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let event = |line: &str| {
        let (thread, what) = line.split_once(' ').unwrap();
        let what: What = ron::from_str(what).unwrap_or_else(|error| panic!("{what}: {error}"));
        Event { thread: thread.parse().unwrap(), what, others: Default::default() }
    };
    lines.map(event).collect()
}

pub(super) fn trace(name: &str, breaks: Broken, schedule: &str, happened: &str, outcome: &str) -> Trace {
    let launch = format!("(file: \"/tmp/{name}\", argv: [\"{name}\"], env: {{}}, cwd: \"/\")");
    let options = ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
    Trace {
        reference: None,
        sigrace: "0.1.0".into(),
        kernel: "6.12.1".into(),
        arch: "x86_64".into(),
        launch: ron::from_str(&launch).unwrap(),
        digest: "00".into(),
        seed: 7,
        limits: Limits::default(),
        world: Default::default(),
        shared: vec![],
        always: false,
        breaks: vec![breaks],
        search: None,
        schedule: ron::from_str(schedule).unwrap(),
        events: events(happened),
        outcome: options.from_str(outcome).unwrap(),
        places: vec![],
        seen: Default::default(),
    }
}

pub(super) fn addjob() -> Trace {
    trace(
        "addjob",
        Broken::Exit,
        r#"[(at: After(Fork), in: "p0", action: Switch(All))]"#,
        r#"p0 Exec("/tmp/addjob")
        p0 Go(Before(rt_sigaction), 1)
        p0 Go(Before(getpid), 1)
        p0 Go(Before(write), 1)
        p0 Go(Before(clone), 1)
        p0 Make("p0.1")
        p0 Step(Switch(All))
        p0.1 Go(After(Fork), 1)
        p0.1 Go(Before(exit_group), 1)
        p0.1 End(Exited(0))
        p0 Signal(SIGCHLD)
        p0 Go(After(Fork), 1)
        p0 Go(Before(wait4), 1)
        p0 Go(Before(wait4), 2)
        p0 Go(Before(rt_sigreturn), 1)
        p0 Go(Before(exit_group), 1)
        p0 End(Exited(1))"#,
        r#"(
            end: Ended(Exited(1)), stdout: Text("1 job is left\n"), stderr: Text(""), leftover: [], exec_blocked: [],
            table: [],
        )"#,
    )
}

fn pause() -> Trace {
    trace(
        "pause",
        Broken::Hang,
        r#"[(at: Before(pause), in: "p0", nth: 2, action: Send(SIGUSR1))]"#,
        r#"p0 Exec("/tmp/pause")
        p0 Go(Before(rt_sigaction), 1)
        p0 Go(Before(pause), 1)
        p0 Sleep(pause, 1)
        p0 Signal(SIGUSR2)
        p0 Go(In(pause), 1)
        p0 Step(Send(SIGUSR1))
        p0 Signal(SIGUSR1)
        p0 Go(Before(rt_sigreturn), 1)
        p0 Go(Before(pause), 2)
        p0 Sleep(pause, 2)"#,
        r#"(
            end: Hang([(thread: "p0", call: pause, caught: [SIGUSR1], why: "no process is left that could send a signal")]),
            stdout: Text("a\u{1b}[31m\nb"), stderr: Text(""),
            leftover: [(process: "p0.1", how: Zombie)],
            exec_blocked: [(process: "p0.1", file: "/bin/true", signals: [SIGINT])],
            table: [
                (process: "p0", parent: None, stat: 'S', command: "pause", pending: [], blocked: [], caught: [SIGUSR1]),
                (process: "p0.1", parent: "p0", stat: 'Z', command: "true", pending: [SIGTERM], blocked: [], caught: []),
            ],
        )"#,
    )
}

#[test]
fn a_trace_ends_in_a_picture_with_a_column_for_each_thread() {
    let expected = "\
addjob: another exit than expected
command: addjob
recorded by sigrace 0.1.0 on Linux 6.12.1 x86_64, seed 7
schedule, 1 step:
  1. p0 after fork: let all others run first

  p0                                        p0.1
  ────────────────────────────────────────  ───────────
  runs /tmp/addjob
  … 3 calls
  makes p0.1
  after fork: let all others run first <<<
                                            after fork
                                            exit code 0
  SIGCHLD handler first
  after fork
  … 3 calls
  exit code 1

end: exit code 1
standard output:
  | 1 job is left
standard error: nothing
";
    assert_eq!(terminal(&addjob(), PAGE), expected);
}

#[test]
fn a_hang_is_shown_with_its_proof_and_what_is_left() {
    let expected = "\
pause: it hangs
command: pause
recorded by sigrace 0.1.0 on Linux 6.12.1 x86_64, seed 7
schedule, 1 step:
  1. p0 before pause, the 2nd time: send SIGUSR1 to p0

  p0
  ──────────────────────────────
  runs /tmp/pause
  before rt_sigaction
  asleep in pause
  SIGUSR2 handler first
  goes on in pause
  before pause: send SIGUSR1 <<<
  SIGUSR1 handler first
  before rt_sigreturn
  asleep in pause #2

end: HANG. Every thread sleeps, and nothing that is left in the run can wake any of them:
  p0  asleep in pause  catches USR1  no process is left that could send a signal
standard output:
  | a\\u{1b}[31m
  | b
  (no line break at the end)
standard error: nothing
left over:
  p0.1 is a zombie: it has ended, and its parent has not waited for it
started with signals blocked that the parent blocked only for a moment:
  p0.1 (/bin/true): SIGINT
processes at the end:
  NAME  PARENT  STAT  COMMAND  PENDING  BLOCKED  CAUGHT
  p0    init    S     pause    -        -        USR1
  p0.1  p0      Z     true     TERM     -        -
";
    assert_eq!(terminal(&pause(), PAGE), expected);
}

fn drawn(trace: &Trace, width: usize) -> String {
    picture::picture(trace, Page { width, color: false })
}

#[test]
fn a_narrow_terminal_gets_wrapped_columns_and_a_very_narrow_one_a_list() {
    let columns = drawn(&addjob(), 44);
    assert!(columns.contains("\n  after fork: let all others\n    run first <<<\n"), "{columns}");
    assert!(columns.lines().all(|line| line.chars().count() <= 44), "{columns}");
    let list = drawn(&addjob(), 20);
    assert!(list.starts_with("  p0    runs /tmp/addjob\n  p0    … 3 calls\n  p0    makes p0.1\n"), "{list}");
}

#[test]
fn a_signal_that_ends_its_process_is_no_handler() {
    let ends = events("p0 Signal(SIGTERM)\np0.1 Stop\np0 End(Killed(SIGTERM))");
    assert_eq!(words::words_at(&ends, 0).unwrap(), "SIGTERM takes effect");
    assert_eq!(words::words_at(&ends, 2).unwrap(), "killed by SIGTERM");
}

/// A signal that comes as a call is entered is told after the call, which the line of the step or of the signal has told.
#[test]
fn what_comes_at_the_entering_of_a_call_is_told_after_it() {
    let mut trace = pause();
    trace.schedule.steps =
        ron::from_str(r#"[(at: Entering(wait4), in: "p0", nth: 2, action: Switch(All))]"#).unwrap();
    trace.events = events(
        "p0 Go(Before(wait4), 1)\np0 Step(Switch(All))\np0.1 End(Exited(0))\np0 Go(Entering(wait4), 2)\n\
         p0 Signal(SIGCHLD)\np0 Go(Before(wait4), 3)",
    );
    let text = drawn(&trace, 80);
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let wanted = [
        "before wait4",
        "entering wait4: let all others run first <<<",
        "exit code 0",
        "SIGCHLD handler after wait4",
        "before wait4 #3",
    ];
    assert_eq!(lines[lines.len() - wanted.len()..], wanted, "{text}");
    assert_eq!(words::words_at(&trace.events, 4).unwrap(), "SIGCHLD handler after wait4");
    // Before a call it comes first.
    let before = events("p0 Signal(SIGCHLD)\np0 Go(Before(wait4), 2)");
    assert_eq!(words::words_at(&before, 0).unwrap(), "SIGCHLD handler first");
}

/// Results, to whom signals go, and what waited until it was unblocked; in a process with several threads, who takes a signal.
#[test]
fn what_was_seen_of_calls_and_handlers_is_told_where_it_happened() {
    let mut trace = pause();
    trace.schedule.steps.clear();
    trace.events = events(
        r#"p0 Go(Before(rt_sigprocmask), 1)
        p0 Go(Before(read), 1)
        p0 Sleep(read, 1)
        p0.1 Go(Before(write), 1)
        p0.1 Go(Before(exit_group), 1)
        p0.1 End(Exited(0))
        p0 Go(Before(getpid), 1)
        p0 Go(Before(rt_sigprocmask), 2)
        p0 Go(Before(wait4), 1)
        p0 Go(Before(rt_sigreturn), 1)
        p0 Go(Before(kill), 1)
        p0 Go(Before(kill), 2)
        p0 Make("p0/2")
        p0 Go(Before(read), 2)
        p0 Sleep(read, 2)
        p0.2 Go(Entering(wait4), 1)
        p0.2 Signal(SIGCHLD)
        p0/2 Go(Before(tgkill), 1)"#,
    );
    trace.seen = ron::from_str(
        r#"(
            calls: [
                (event: 1, returned: Some((by: 4, result: Bytes(3, 10)))),
                (event: 3, returned: Some((by: 4, result: Bytes(3, 3)))),
                (event: 8, returned: Some((by: 9, result: Process("p0.1")))),
                (event: 10, sends: Some((SIGTERM, ["p0.1"])), returned: Some((by: 11, result: Failed("ESRCH")))),
                (event: 11, sends: Some((SIGTERM, ["p0.2", "p0.3"]))),
                (event: 13, returned: Some((by: 18, result: Failed("EINTR")))),
                (event: 15, returned: Some((by: 18, result: Number(0)))),
            ],
            handlers: [
                (by: 8, thread: "p0", signal: SIGCHLD, since: Some(6)),
                (by: 17, thread: "p0", signal: SIGALRM),
                (by: 18, thread: "p0.2", signal: SIGCHLD),
            ],
        )"#,
    )
    .unwrap();
    let lines = |trace: &Trace| -> Vec<String> {
        drawn(trace, 200).lines().skip(2).map(|line| line.trim().to_owned()).collect()
    };
    let told = lines(&trace);
    let wanted = [
        "before rt_sigprocmask",
        "asleep in read",
        "write = 3",
        "read = 3 of 10",
        "exit code 0",
        "before getpid",
        "before rt_sigprocmask #2",
        "SIGCHLD handler after rt_sigprocmask:",
        "pending since p0.1 ended",
        "wait4 = p0.1",
        "before rt_sigreturn",
        "kill(p0.1, SIGTERM) = -1 ESRCH",
        "makes p0/2",
        "asleep in read #2",
        "SIGCHLD handler after wait4 = 0",
        "p0 takes SIGALRM: handler in read",
        "before tgkill",
        "read #2 = -1 EINTR",
    ];
    assert_eq!(told, wanted);
    let places: Vec<_> = arrivals(&trace).into_iter().map(|(_, place, _)| place).collect();
    assert_eq!(
        places,
        ["after rt_sigprocmask", "in read", "after wait4"].map(|place| Some(place.to_owned()))
    );
    // What was not seen is not told.
    trace.seen = Default::default();
    let told = lines(&trace);
    assert!(!told.iter().any(|line| line.contains(" = ") || line.contains("pending")), "{told:?}");
    assert!(told.contains(&"SIGCHLD handler after wait4".to_owned()), "{told:?}");
}

#[test]
fn a_long_picture_keeps_its_ends_and_what_is_around_a_step() {
    let mut trace = pause();
    let at = |thread: &str, what| Event { thread: thread.parse().unwrap(), what, others: Default::default() };
    let switch = Action::Switch(Target::To(ThreadName::root()));
    let calls = (1..=1000_u32).flat_map(|nth| {
        // The sequence of Thue and Morse: no stretch of it comes three times in a row.
        let call = if nth.count_ones() % 2 == 1 { Syscall(39) } else { Syscall(102) };
        let go = What::Go(Site::Before(call), nth);
        let step = (nth == 500).then(|| at("p0", What::Step(switch.clone())));
        [at("p0", go.clone()), at("p0.1", go)].into_iter().chain(step)
    });
    trace.events = calls.collect();
    let text = drawn(&trace, 80);
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.len() < 60, "{}", lines.len());
    for wanted in ["before getpid", "let p0 run first <<<", "before getpid #499", "before getuid #1000"] {
        assert!(lines.iter().any(|line| line.trim() == wanted), "{wanted}");
    }
    assert!(text.contains("lines of calls and sleeps, by 2 threads"), "{text}");
    // What is not of that kind is shown, but for the middle of what is longer than anybody reads.
    for event in &mut trace.events {
        if let What::Go(Site::Before(call), _) = event.what {
            event.what = if call == Syscall(39) { What::Stop } else { What::Continue };
        }
    }
    let text = drawn(&trace, 80);
    let count = text.lines().count();
    assert!((300..400).contains(&count), "{count}");
    assert!(text.contains("let p0 run first <<<"), "{text}");
    assert!(text.contains("lines left out"), "{text}");
    assert!(!text.contains("#300"), "{text}");
}

#[test]
fn what_comes_again_and_again_is_drawn_once_but_for_what_is_around_a_step() {
    let mut trace = pause();
    let at = |what| Event { thread: ThreadName::root(), what, others: Default::default() };
    let sleeps = (1..=3600).flat_map(|nth| {
        let step = (nth == 1800).then(|| at(What::Step(Action::Fire)));
        let sleep = [What::Sleep(Syscall(230), nth), What::Expire(Syscall(230))];
        step.into_iter().chain(sleep.map(at))
    });
    trace.events = sleeps.collect();
    let text = drawn(&trace, 80);
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    assert!(lines.len() < 40, "{text}");
    for wanted in [
        "asleep in clock_nanosleep",
        "… these 2 lines, 1795 times more",
        "asleep in clock_nanosleep #1799",
        "let its timer run out <<<",
        "asleep in clock_nanosleep #1800",
        "… these 2 lines, 1797 times more",
    ] {
        assert!(lines.contains(&wanted), "{wanted} in {text}");
    }
}

#[test]
fn a_finding_says_what_broke_and_the_schedule() {
    let text =
        finding("addjob", Broken::Exit, "expected exit code 0, got exit code 1", &addjob().schedule, PAGE);
    let expected = "\
finding: addjob: another exit than expected
  expected exit code 0, got exit code 1
  minimal schedule, 1 step:
    1. p0 after fork: let all others run first
";
    assert_eq!(text, expected);
    let none = finding("a", Broken::Hang, "it hung", &Schedule::empty(), PAGE);
    assert!(
        none.ends_with("\n  minimal schedule: no step; this is the run that nobody disturbs\n"),
        "{none}"
    );
}

#[test]
fn a_divergence_is_shown_with_three_events_on_each_side() {
    let (recorded, mut replayed) = (addjob().events, addjob().events);
    replayed.swap(8, 9);
    let expected = "\
the replay left the recorded run at event 9
      recorded                      replayed
   6  p0: makes p0.1                p0: makes p0.1
   7  p0: let all others run first  p0: let all others run first
   8  p0.1: after fork              p0.1: after fork
>  9  p0.1: before exit_group       p0.1: exit code 0
  10  p0.1: exit code 0             p0.1: before exit_group
  11  p0: SIGCHLD handler first     p0: SIGCHLD handler first
  12  p0: after fork                p0: after fork
";
    assert_eq!(diverged(&recorded, &replayed, 8, PAGE), expected);

    let ends = diverged(&recorded, recorded.get(..3).unwrap(), 3, PAGE);
    assert!(
        ends.contains("\n> 4  p0: before write              (no more events)\n  5  p0: before clone\n"),
        "{ends}"
    );

    let mut others = recorded.clone();
    others[2].others = vec!["p0.1".parse().unwrap()].into();
    let text = diverged(&recorded, &others, 2, PAGE);
    assert!(text.ends_with("\nwho else could have run: recorded nobody; replayed p0.1\n"), "{text}");
}

#[test]
fn output_is_shortened_in_the_middle_and_on_the_right() {
    let mut trace = addjob();
    let lines: String = (1..=40).map(|n| format!("line {n} {}\n", "x".repeat(200))).collect();
    trace.outcome.stdout = Output::Text(lines);
    let text = terminal(&trace, PAGE);
    assert!(text.contains("\n  … 25 lines\n  | line 31 xx"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn output_that_was_not_kept_is_counted() {
    let mut trace = addjob();
    let digest = "0".repeat(64);
    trace.outcome.stderr = Output::Cut { first: b"one\ntw".to_vec(), left_out: 31, digest };
    let text = terminal(&trace, PAGE);
    let shown = "standard error:\n  | one\n  | tw\n  … 31 bytes more, which were not kept (limit: output)\n";
    assert!(text.contains(shown), "{text}");
}

#[test]
fn colours_change_nothing_but_colours() {
    for trace in [addjob(), pause()] {
        let colored = terminal(&trace, Page { color: true, ..PAGE });
        assert!(colored.contains("\u{1b}["));
        assert_eq!(anstream::adapter::strip_str(&colored).to_string(), terminal(&trace, PAGE));
    }
}

fn places(text: &str) -> Vec<Whereabouts> {
    let options = ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
    options.from_str(text).unwrap()
}

#[test]
fn a_step_is_shown_with_the_source_around_it_and_its_callers() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("addjob.c"), "one\n\ttwo\nthree\n  four\nfive\nsix\n").unwrap();
    let mut trace = addjob();
    trace.launch.source = Some(folder.path().join("addjob.c"));
    trace.places = places(
        r#"[
            (at: Event(3), thread: "p0", stack: [
                (function: "write", offset: 20, module: "libc.so.6", foreign: true),
                (function: "new_do_write", offset: 9, file: "x.c", line: 9, module: "libc.so.6", foreign: true),
                (function: "puts", offset: 3, module: "libc.so.6", foreign: true),
                (function: "main", offset: 5, file: "addjob.c", line: 2),
            ]),
            (at: Event(6), thread: "p0", stack: [
                (function: "fork", offset: 20, module: "libc.so.6", foreign: true),
                (function: "start", offset: 5, file: "/far/addjob.c", line: 4, inlined: [
                    (function: "launch", file: "addjob.c", line: 77),
                ]),
                (function: "on_child", file: "jobs.c", line: 8),
                (function: "__restore_rt", signal: true, module: "libc.so.6", foreign: true),
                (function: "list", file: "list.c", line: 3),
                (function: "main", offset: 5, file: "addjob.c", line: 9),
                (function: "_start", offset: 33, file: "start.c", line: 1),
            ], complete: true),
        ]"#,
    );
    let text = terminal(&trace, PAGE);
    let expected = "\
step 1 lands in launch (addjob.c:4) inlined into start (addjob.c:77)
  called from on_child (jobs.c:8), on a signal in list (list.c:3), called from main (addjob.c:9)
    2      two
    3  three
  > 4    four
    5  five
    6  six

  p0                                        p0.1         source
  ────────────────────────────────────────  ───────────  ──────────
  runs /tmp/addjob
  … 3 calls
  makes p0.1
  after fork: let all others run first <<<               addjob.c:4
                                            after fork
";
    assert!(text.contains(expected), "{text}");
    let narrow = drawn(&trace, 60);
    assert!(!narrow.contains("source") && narrow.contains("  exit code 1\n"), "{narrow}");
    assert_eq!(landings(&trace)[0].and_then(|frame| frame.line), Some(4));
    let point = Point { thread: "p0".parse().unwrap(), site: Site::Before("write".parse().unwrap()), nth: 1 };
    let found = sources(&trace.events, &trace.places);
    assert_eq!(found[&point], "main (addjob.c:2)");
    assert_eq!(
        found[&Point { site: Site::Entering("write".parse().unwrap()), ..point }],
        "main (addjob.c:2)"
    );
    trace.places[0].at = Moment::Event(6);
    trace.places.truncate(1);
    let text = terminal(&trace, PAGE);
    assert!(
        text.contains("step 1 lands in main (addjob.c:2)\n  by way of puts > new_do_write > write\n"),
        "{text}"
    );
}

#[test]
fn without_debug_information_a_place_is_a_function_or_an_address() {
    let mut trace = addjob();
    let frames = [
        (
            r#"(function: "insert", offset: 31, instruction: "mov eax, [rdi]")"#,
            "insert+0x1f, before `mov eax, [rdi]`",
        ),
        (r#"(module: "list", offset: 4409)"#, "list+0x1139"),
        (r#"(function: "malloc", module: "libc.so.6", foreign: true)"#, "libc.so.6!malloc"),
        (r#"(module: "?", foreign: true)"#, "code of no file"),
    ];
    for (frame, words) in frames {
        trace.places = places(&format!("[(at: Event(6), thread: \"p0\", stack: [{frame}])]"));
        let text = terminal(&trace, PAGE);
        assert!(text.contains(&format!("\n\nstep 1 lands in {words}\n\n  p0 ")), "{text}");
    }
}

#[test]
fn a_run_that_does_not_end_is_shown_where_it_stands() {
    let mut trace = pause();
    trace.places = places(
        r#"[
            (at: End, thread: "p0", stack: [
                (function: "pause", module: "libc.so.6", foreign: true), (function: "main", file: "shutdown.c", line: 31),
            ]),
            (at: End, thread: "p0/2", stack: [(function: "work", file: "shutdown.c", line: 12)]),
        ]"#,
    );
    let hang = terminal(&trace, PAGE);
    let expected = "\
  p0  asleep in pause  catches USR1  no process is left that could send a signal
p0 sleeps in pause, called from main (shutdown.c:31)
p0/2 is in work (shutdown.c:12)
standard output:
";
    assert!(hang.contains(expected), "{hang}");
    trace.outcome.end = crate::trace::End::Spinning("p0 used 5.0 s".into());
    trace.places.remove(0);
    let spinning = terminal(&trace, PAGE);
    assert!(
        spinning.contains("getting anywhere: p0 used 5.0 s.\np0/2 spins in work (shutdown.c:12)\n"),
        "{spinning}"
    );
}

proptest! {
    #[test]
    fn any_trace_can_be_shown_and_commands_no_terminal(
        trace in arbitrary::trace(), width in 0usize..120, at in 0usize..9
    ) {
        let page = Page { color: false, width };
        let text = terminal(&trace, page) + &diverged(&trace.events, &[], at, page);
        let bad = text.chars().find(|c| c.is_control() && *c != '\n');
        prop_assert_eq!(bad, None, "{}", text);
        prop_assert!(text.ends_with('\n'));
    }
}

#[test]
fn a_line_of_the_languages_own_library_is_not_the_one_that_counts() {
    let call = |function: &str, file: &str, line| InlinedCall {
        function: function.to_owned(),
        file: Some(file.to_owned()),
        line: Some(line),
    };
    let mut frame = Frame {
        function: Some("book::enter".to_owned()),
        file: Some("/rustc/59807616/library/core/src/sync/atomic.rs".to_owned()),
        line: Some(3923),
        inlined: vec![
            call("core::sync::atomic::atomic_add", "/rustc/59807616/library/core/src/sync/atomic.rs", 3136),
            call("<core::sync::atomic::AtomicUsize>::fetch_add", "src/book.rs", 11),
        ],
        ..Frame::default()
    };
    let line = |frame: &Frame| {
        let line = frame.line_of_program().unwrap();
        (line.function.map(str::to_owned), line.file.to_owned(), line.number)
    };
    assert_eq!(line(&frame), (Some("book::enter".to_owned()), "src/book.rs".to_owned(), 11));
    // If there is nothing else, it has to do.
    frame.inlined.clear();
    assert_eq!(line(&frame).2, 3923);
    frame.line = None;
    assert_eq!(frame.line_of_program(), None);
}

#[test]
fn what_is_left_behind_and_whose_files_were_real_is_shown() {
    let outcome = "(
        end: Ended(Exited(1)), stdout: Text(\"\"), stderr: Text(\"\"), leftover: [], exec_blocked: [], table: [],
        remains: (
            changes: [
                (name: \"gone\", how: Removed),
                (name: \"state\", how: Changed(File(size: 7, digest: \"00\", cut: true))),
                (name: \"tmp\\u{1b}[31m\", how: Made(File(size: 0))),
            ],
            more: 2,
            open: [(process: \"p0\", descriptors: [\"pipe\", \"tmp\"])],
        ),
    )";
    let mut trace = trace("left", Broken::Files, "[]", "p0 End(Exited(1))", outcome);
    trace.shared = vec!["files in /srv are the machine's".to_owned()];
    let text = terminal(&trace, PAGE);
    assert!(text.contains("\nnote: files in /srv are the machine's\n"), "{text}");
    let left = "files that are otherwise than before:\n  removed gone\n  \
                changed state: a file of 7 bytes that ends in the middle of a line\n  made tmp\\u{1b}[31m: an empty file\n  \
                … 2 more\nopen when their processes ended:\n  p0: pipe, tmp\n";
    assert!(text.contains(left), "{text}");
}
