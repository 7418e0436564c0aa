use super::*;
use crate::arbitrary;
use crate::schedule::{Action, Making, Point, Schedule, Site, Step, Syscall, ThreadName};
use crate::signal::Signal;
use crate::trace::{
    Event, Foreground, Lapse, LeftHow, Leftover, Outcome, Output, Reached, Row, Sleeper, TerminalLeft, Took,
    What,
};
use proptest::prelude::*;

pub(super) fn signal(name: &str) -> Signal {
    name.parse().unwrap()
}

pub(super) fn name(text: &str) -> ThreadName {
    text.parse().unwrap()
}

pub(super) fn run(end: End) -> Run {
    let text = |text: &str| Output::Text(text.to_owned());
    let outcome = Outcome {
        end,
        stdout: text("done\n"),
        stderr: text(""),
        clients: Vec::new(),
        roused: Vec::new(),
        leftover: Vec::new(),
        unwaited: Vec::new(),
        exec_blocked: Vec::new(),
        table: Vec::new(),
        took: Default::default(),
        terminal: None,
        remains: Default::default(),
    };
    Run {
        schedule: Schedule::empty(),
        events: Default::default(),
        outcome,
        reached: Vec::new(),
        first_quiet: Vec::new(),
        unreached: Vec::new(),
        lapses: Vec::new(),
        merged: Vec::new(),
        taint: None,
        shares_memory: false,
        verdict_after: Default::default(),
    }
}

pub(super) fn ended(code: i32) -> Run {
    run(End::Ended(Status::Exited(code)))
}

pub(super) fn sleeping() -> Vec<Sleeper> {
    let why = "no signal can come".to_owned();
    vec![Sleeper { thread: name("p0"), call: Syscall(34), caught: Default::default(), why }]
}

pub(super) fn killed(who: &str, by: &str) -> Event {
    let what = What::End(Status::Killed(signal(by)));
    Event { thread: name(who), what, others: Default::default() }
}

fn left(who: &str, how: LeftHow) -> Leftover {
    Leftover { process: name(who), how }
}

pub(super) fn scenario(expect: &str) -> Expectations {
    let options = ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
    Expectations::of_scenario(&options.from_str::<Expect>(expect).unwrap(), &ended(0)).unwrap()
}

pub(super) fn against(reference: &Run, how: Comparison) -> Expectations {
    Expectations::against(reference, &how).unwrap()
}

pub(super) fn sends() -> Comparison {
    Comparison { sends: true, ..Comparison::default() }
}

#[test]
fn another_exit_is_said_in_one_sentence() {
    let expect = scenario("(exit: Code(0))");
    assert_eq!(broken(&expect, &ended(0)), []);
    assert_eq!(broken(&expect, &ended(1)), [Broken::Exit]);
    assert_eq!(explain(&expect, Broken::Exit, &ended(1)), "expected exit code 0, got exit code 1");
    let expect = scenario("(exit: OneOf([Code(0), Signal(SIGTERM)]))");
    let by_term = run(End::Ended(Status::Killed(Signal::TERM)));
    assert_eq!(broken(&expect, &by_term), []);
    assert_eq!(
        explain(&expect, Broken::Exit, &ended(3)),
        "expected exit code 0 or killed by SIGTERM, got exit code 3"
    );
}

#[test]
fn a_run_that_never_ended_breaks_neither_exit_nor_output() {
    let expect = scenario(r#"(exit: Code(0), stdout: Is("other"))"#);
    for (end, breaks) in [
        (End::Hang(sleeping()), Broken::Hang),
        (End::Idle(sleeping()), Broken::Idle),
        (End::Stopped, Broken::Stopped),
        (End::Spinning("9 points".into()), Broken::Spinning),
        (End::Stalled(sleeping()), Broken::Stalled),
        (End::TimedOut, Broken::TimedOut),
    ] {
        assert_eq!(broken(&expect, &run(end)), [breaks]);
    }
    let sentence = explain(&expect, Broken::Hang, &run(End::Hang(sleeping())));
    assert_eq!(sentence, "every thread sleeps and nothing can wake any of them: p0 in pause");
}

#[test]
fn a_scenario_can_allow_idle_and_then_the_output_counts() {
    let expect = scenario(r#"(idle: true, exit: Code(0), stdout: Matches("^ready"))"#);
    let idle = run(End::Idle(sleeping()));
    assert_eq!(broken(&expect, &idle), [Broken::Stdout]);
    assert_eq!(
        explain(&expect, Broken::Stdout, &idle),
        r#"expected standard output to match "^ready", got "done\n""#
    );
}

/// A run whose standard output was cut after `first`.
fn cut(first: &str, left_out: u64, digest: char) -> Run {
    let mut run = ended(0);
    let digest = digest.to_string().repeat(64);
    run.outcome.stdout = Output::Cut { first: first.as_bytes().to_vec(), left_out, digest };
    run
}

#[test]
fn output_that_was_cut_holds_only_what_can_be_known_of_it() {
    let long = cut("ab\ncd", 5, 'a');
    for (stdout, breaks) in [
        (r#"Is("ab\ncdefghi")"#, Some(Broken::OutputLimit)),
        (r#"Is("ab\ncdefgh")"#, Some(Broken::Stdout)),
        (r#"Is("ax\ncdefghi")"#, Some(Broken::Stdout)),
        (r#"Matches("^ab")"#, None),
        (r#"Matches("a|b.*")"#, None),
        (r#"Matches("z")"#, Some(Broken::OutputLimit)),
        // So it is now, but behind the last byte that was kept there was another.
        (r#"Matches("d$")"#, Some(Broken::OutputLimit)),
        (r#"Matches("cd\\b")"#, Some(Broken::OutputLimit)),
    ] {
        let found = broken(&scenario(&format!("(stdout: {stdout})")), &long);
        assert_eq!(found, Vec::from_iter(breaks), "{stdout}");
    }
    let expect = scenario(r#"(stdout: Matches("z"))"#);
    assert_eq!(
        explain(&expect, Broken::OutputLimit, &long),
        r#"expected standard output to match "z", got "ab\ncd" and 5 bytes more, which were not kept (limit: output)"#
    );
}

#[test]
fn two_outputs_that_were_cut_are_compared_in_all_of_their_length() {
    let same = Comparison { same_output: true, ..Comparison::default() };
    let expect = against(&cut("ab", 5, 'a'), same.clone());
    assert_eq!(broken(&expect, &cut("ab", 5, 'a')), []);
    for other in [cut("ab", 5, 'b'), cut("ab", 6, 'a'), cut("ac", 5, 'a'), ended(0)] {
        assert_eq!(broken(&expect, &other), [Broken::Stdout], "{:?}", other.outcome.stdout);
    }
    assert_eq!(broken(&against(&ended(0), same), &cut("done\n", 1, 'a')), [Broken::Stdout]);
}

#[test]
fn leftovers_are_counted_in_a_scenario_and_named_against_a_reference() {
    let mut two = ended(0);
    two.outcome.leftover = vec![left("p0.1", LeftHow::Zombie), left("p0.2", LeftHow::Zombie)];
    assert_eq!(broken(&scenario("()"), &two), []);
    assert_eq!(broken(&scenario("(zombies: 2)"), &two), []);
    let expect = scenario("(zombies: 1)");
    assert_eq!(broken(&expect, &two), [Broken::Zombies]);
    assert_eq!(explain(&expect, Broken::Zombies, &two), "expected at most 1 zombies, got 2: p0.1, p0.2");

    let mut reference = ended(0);
    reference.outcome.leftover = vec![left("p0.1", LeftHow::Orphan)];
    let expect = against(&reference, Comparison::default());
    assert_eq!(broken(&expect, &two), [Broken::Zombies]);
    assert_eq!(
        explain(&expect, Broken::Zombies, &two),
        "expected no zombies beyond those of the reference run, got 1 more: p0.2"
    );
    two.outcome.leftover.pop();
    assert_eq!(broken(&expect, &two), [], "the same process, dead instead of alive");
}

#[test]
fn a_limit_that_the_reference_run_reached_too_is_nothing_to_report() {
    for end in [End::TimedOut, End::Spinning("9 points".into())] {
        let expect = against(&run(end), sends());
        for limit in [End::TimedOut, End::Spinning("8 points".into())] {
            assert_eq!(broken(&expect, &run(limit)), []);
        }
        assert_eq!(broken(&expect, &run(End::Hang(sleeping()))), [Broken::Hang]);
        assert_eq!(broken(&expect, &ended(3)), []);
    }
    assert_eq!(broken(&against(&ended(0), sends()), &run(End::TimedOut)), [Broken::TimedOut]);
    // A scenario says itself what its program may need.
    assert_eq!(broken(&scenario("()"), &run(End::TimedOut)), [Broken::TimedOut]);
}

#[test]
fn a_run_may_not_end_much_later_than_the_reference_run_after_the_last_signal() {
    let took = |whole, after| {
        let mut run = ended(0);
        run.outcome.took =
            Took { whole: Duration::from_secs(whole), after: Duration::from_secs(after), ..Took::default() };
        run
    };
    let late = Comparison { late: Some(Duration::from_secs(10)), ..sends() };
    let expect = against(&took(90, 1), late);
    assert_eq!(broken(&expect, &took(90, 11)), []);
    assert_eq!(broken(&expect, &took(3600, 3600)), [Broken::Late]);
    assert_eq!(
        explain(&expect, Broken::Late, &took(3600, 3600)),
        "it took 1h on the program's clock to end; the reference run took 1s"
    );
    assert_eq!(broken(&against(&took(1, 1), sends()), &took(3600, 3600)), [], "nobody asked");
    assert_eq!(broken(&scenario("(within: \"2s\")"), &took(90, 2)), []);
    assert_eq!(broken(&scenario("(within: \"2s\")"), &took(90, 3)), [Broken::Late]);
}

#[test]
fn a_crash_of_any_process_is_broken_unless_it_was_asked_for() {
    let mut child = ended(0);
    child.events = vec![killed("p0.1", "SIGTERM")].into();
    let expect = against(&ended(0), Comparison::default());
    assert_eq!(broken(&expect, &child), []);
    Arc::make_mut(&mut child.events).push(killed("p0.1", "SIGABRT"));
    assert_eq!(broken(&expect, &child), [Broken::Crash]);
    assert_eq!(explain(&expect, Broken::Crash, &child), "p0.1 was killed by SIGABRT");

    let point = Point { thread: name("p0.1"), site: Site::After(Making::Fork), nth: 1 };
    child.schedule.steps = vec![Step::new(point, Action::Send(signal("SIGABRT")))];
    assert_eq!(broken(&expect, &child), [], "the outside sent it");

    let mut first = run(End::Ended(Status::Killed(signal("SIGSEGV"))));
    first.events = vec![killed("p0", "SIGSEGV")].into();
    assert_eq!(broken(&expect, &first), [Broken::Crash], "and not another exit as well");
    assert_eq!(broken(&scenario("(exit: Signal(SIGSEGV))"), &first), []);
}

#[test]
fn an_end_by_a_signal_is_one_of_its_own_unless_its_handler_was_away_for_a_moment() {
    let point = |process: &str| Point { thread: name(process), site: Site::After(Making::Fork), nth: 1 };
    let gap = |process: &str| {
        let mut run = run(End::Ended(Status::Killed(signal("SIGTERM"))));
        run.schedule.steps = vec![Step::new(point(process), Action::Send(signal("SIGTERM")))];
        let signals = crate::signal::SignalSet::only(signal("SIGTERM"));
        run.lapses = vec![Lapse { point: point(process), signals, over: Default::default() }];
        run
    };
    let known = |signals| against(&ended(0), Comparison { gaps: signals, ..sends() });
    let term = crate::signal::SignalSet::only(signal("SIGTERM"));
    assert_eq!(broken(&known(term), &gap("p0")), [Broken::Exit]);
    assert_eq!(broken(&known(Default::default()), &gap("p0")), [], "it may be away for good");
    assert_eq!(broken(&known(crate::signal::SignalSet::only(signal("SIGHUP"))), &gap("p0")), []);
    assert_eq!(broken(&known(term), &gap("p0.1")), [], "another process");
    let mut elsewhere = gap("p0");
    elsewhere.lapses[0].point.nth = 2;
    assert_eq!(broken(&known(term), &elsewhere), [], "it was not away where the signal came");
    let mut unsent = gap("p0");
    unsent.unreached = unsent.schedule.steps.clone();
    assert_eq!(broken(&known(term), &unsent), [], "it was not sent there");
    let ends_by_it = run(End::Ended(Status::Killed(signal("SIGTERM"))));
    let meant = against(&ends_by_it, Comparison { gaps: term, ..sends() });
    assert_eq!(broken(&meant, &gap("p0")), [], "the reference run ends by it");
}

#[test]
fn a_program_that_sleeps_as_before_goes_on_and_waits_unless_it_was_asked_to_end() {
    let hangs = || {
        let (call, caught, why) = ("pause".parse().unwrap(), Default::default(), String::new());
        End::Hang(vec![Sleeper { thread: name("p0"), call, caught, why }])
    };
    // It is sent these, and hears those at its end.
    let sent = |end: End, names: &[&str], heard: &[&str]| {
        let mut run = run(end);
        let point = Point { thread: name("p0"), site: Site::Quiet, nth: 1 };
        let send = |name: &&str| Step::new(point.clone(), Action::Send(signal(name)));
        run.schedule.steps = names.iter().map(send).collect();
        let receivable = heard.iter().map(|name| signal(name)).collect();
        let (others, acts) = (Default::default(), Default::default());
        run.reached = vec![Reached { point, others, receivable, fires: false, acts, looks: false }];
        run
    };
    let plain = run(hangs());
    let both = |run: &Run| (goes_on(&plain, run), waits_again(&plain, run));
    let heard = ["SIGHUP", "SIGTERM"];
    assert_eq!(both(&sent(hangs(), &["SIGHUP", "SIGHUP"], &heard)), (true, true));
    assert_eq!(both(&sent(hangs(), &["SIGHUP", "SIGTERM"], &heard)), (true, false));
    assert_eq!(both(&sent(hangs(), &["SIGHUP"], &["SIGTERM"])), (false, false), "it hears it no more");
    assert_eq!(both(&sent(End::Ended(Status::Exited(0)), &["SIGHUP"], &heard)), (false, false));
    assert_eq!(both(&sent(hangs(), &[], &heard)), (false, false), "nothing was sent");
    let mut missed = sent(hangs(), &["SIGHUP"], &heard);
    missed.unreached = missed.schedule.steps.clone();
    assert_eq!(both(&missed), (false, false), "nothing was sent");
    let mut untaken = sent(hangs(), &["SIGHUP"], &heard);
    let row = |pending| Row {
        process: name("p0"),
        parent: None,
        stat: 'S',
        command: "daemon".to_owned(),
        pending,
        blocked: Default::default(),
        caught: Default::default(),
    };
    untaken.outcome.table = vec![row([signal("SIGHUP")].into_iter().collect())];
    assert_eq!(both(&untaken), (false, false), "nobody has taken it");
}

#[test]
fn without_a_sent_signal_the_exit_is_that_of_the_reference() {
    let expect = against(&ended(0), Comparison::default());
    assert_eq!(broken(&expect, &ended(1)), [Broken::Exit]);
    assert_eq!(broken(&against(&ended(0), sends()), &ended(1)), []);
    let exit = Comparison { exit: Some(2), ..sends() };
    assert_eq!(broken(&against(&ended(0), exit), &ended(1)), [Broken::Exit]);

    let waits = against(&run(End::Idle(sleeping())), Comparison::default());
    assert_eq!(broken(&waits, &ended(1)), [Broken::Exit]);
    assert_eq!(
        explain(&waits, Broken::Exit, &ended(1)),
        "expected it to go on waiting as the reference run did, got exit code 1"
    );
}

#[test]
fn a_lost_signal_is_broken_where_the_reference_ended() {
    let expect = against(&ended(0), sends());
    assert_eq!(broken(&expect, &run(End::Idle(sleeping()))), [Broken::Idle]);
    assert_eq!(broken(&expect, &run(End::Hang(sleeping()))), [Broken::Hang]);
    let waits = against(&run(End::Idle(sleeping())), sends());
    assert_eq!(broken(&waits, &run(End::Idle(sleeping()))), []);
}

#[test]
fn another_output_is_broken_only_when_asked_for() {
    let mut other = ended(0);
    other.outcome.stdout = Output::Text("else\n".into());
    let same = Comparison { same_output: true, ..Comparison::default() };
    let matches = Comparison { stdout: Some("^d".into()), ..Comparison::default() };
    assert_eq!(broken(&against(&ended(0), Comparison::default()), &other), []);
    assert_eq!(broken(&against(&ended(0), same), &other), [Broken::Stdout]);
    assert_eq!(broken(&against(&ended(0), matches), &other), [Broken::Stdout]);
}

#[test]
fn a_bad_regular_expression_is_told_in_one_line() {
    assert_eq!(regex("a(b").unwrap_err().to_string(), "`a(b` is no regular expression: unclosed group");
}

/// A run on a terminal: how it ended, in which modes it left the terminal, and who was in the foreground.
fn on_terminal(end: End, modes: &[&str], foreground: Option<Foreground>) -> Run {
    let modes = Some(modes.iter().map(|word| (*word).to_owned()).collect());
    let mut run = run(end);
    run.outcome.terminal = Some(TerminalLeft { modes, foreground });
    run
}

fn exited(code: i32) -> End {
    End::Ended(Status::Exited(code))
}

/// The same after this was done at the terminal.
fn after(action: Action, mut run: Run) -> Run {
    Arc::make_mut(&mut run.events).push(Event {
        thread: name("p0"),
        what: What::Step(action),
        others: Default::default(),
    });
    run
}

fn typed() -> Action {
    Action::Type("^C".parse().unwrap())
}

#[test]
fn other_modes_break_where_the_reference_run_ended_alike_and_restored_them() {
    let raw = || on_terminal(exited(0), &["-echo"], None);
    let expect = against(&on_terminal(exited(0), &[], None), sends());
    assert_eq!(broken(&expect, &raw()), [Broken::Modes]);
    assert!(explain(&expect, Broken::Modes, &raw()).ends_with("got -echo"));
    assert_eq!(broken(&expect, &on_terminal(exited(0), &[], None)), []);
    assert_eq!(broken(&expect, &on_terminal(exited(1), &["-echo"], None)), [], "another end");
    assert_eq!(broken(&against(&raw(), sends()), &raw()), []);
    let mut unknown = raw();
    unknown.outcome.terminal = Some(TerminalLeft::default());
    assert_eq!(broken(&expect, &unknown), []);
    // A scenario's word holds for every end.
    assert_eq!(
        broken(&scenario("(restored:true)"), &on_terminal(exited(1), &["-echo"], None)),
        [Broken::Modes]
    );
    let waits = || End::Idle(sleeping());
    assert_eq!(broken(&scenario("(restored:true,idle:true)"), &on_terminal(waits(), &["-echo"], None)), []);
}

#[test]
fn who_is_typed_at_may_wait_for_more_but_not_where_a_key_ended_it() {
    let with = |typed| Comparison { typed, ..sends() };
    let there = Point { thread: name("p0"), site: ron::from_str("Before(read)").unwrap(), nth: 1 };
    let typed =
        |end| Run { schedule: Schedule { steps: vec![Step::new(there.clone(), self::typed())] }, ..run(end) };
    let (ended, waits) = (typed(exited(0)), typed(End::Idle(sleeping())));
    assert_eq!(broken(&against(&ended, sends()), &waits), [Broken::Idle]);
    assert_eq!(broken(&against(&ended, with(Typed::Text)), &waits), []);
    let keys = against(&ended, with(Typed::Keys));
    assert_eq!(broken(&keys, &waits), [Broken::Lost]);
    assert!(explain(&keys, Broken::Lost, &waits).starts_with("expected SIGINT to end it"));
    // It need not end everywhere if it does not where everything sleeps; nor does another key.
    assert_eq!(broken(&against(&waits, with(Typed::Keys)), &waits), []);
    let mut suspended = waits.clone();
    suspended.schedule.steps[0].action = Action::Type("^Z".parse().unwrap());
    assert_eq!(broken(&keys, &suspended), []);
    // Text may come too early, and then nothing comes until a time is over.
    let mut late = ended.clone();
    late.outcome.took.after = LATE * 2;
    let in_time = |typed| against(&ended, Comparison { late: Some(LATE), ..with(typed) });
    assert_eq!(broken(&in_time(Typed::Keys), &late), [Broken::Late]);
    assert_eq!(broken(&in_time(Typed::Text), &late), []);
}

#[test]
fn a_foreground_that_was_lost_breaks() {
    let waits = |group| on_terminal(End::Idle(sleeping()), &[], Some(group));
    let (own, job) = (Foreground::Group(name("p0")), Foreground::Group(name("p0.1")));
    let expect = against(&waits(own.clone()), Comparison::default());
    assert_eq!(broken(&expect, &waits(own.clone())), []);
    assert_eq!(broken(&expect, &waits(job.clone())), [Broken::Foreground]);
    assert_eq!(broken(&expect, &waits(Foreground::Ended(name("p0.1")))), [Broken::Foreground]);
    // Somewhere else another may have it, if anybody of it lives.
    let elsewhere = |group| {
        let mut run = waits(group);
        run.outcome.end = End::Idle(Vec::new());
        run
    };
    assert_eq!(broken(&expect, &elsewhere(job.clone())), []);
    assert_eq!(broken(&expect, &elsewhere(Foreground::Ended(name("p0.1")))), [Broken::Foreground]);
    assert_eq!(broken(&scenario("(foreground:\"p0\",idle:true)"), &waits(job)), [Broken::Foreground]);
    assert_eq!(broken(&scenario("(foreground:\"p0\",idle:true)"), &waits(own)), []);
}

#[test]
fn who_is_typed_at_may_end_ask_back_or_stop() {
    let expect = against(&ended(0), Comparison::default());
    for end in [exited(130), End::Idle(sleeping()), End::Stopped] {
        assert_ne!(broken(&expect, &run(end.clone())), []);
        assert_eq!(broken(&expect, &after(typed(), run(end.clone()))), [], "{end:?}");
        // Another size calls for nothing of the kind, nor does what was typed in the reference run too.
        assert_ne!(broken(&expect, &after(Action::Resize(40, 12), run(end.clone()))), []);
        let same = against(&after(typed(), ended(0)), Comparison::default());
        assert_ne!(broken(&same, &after(typed(), run(end))), []);
    }
    assert_ne!(broken(&expect, &after(typed(), run(End::Hang(sleeping())))), []);
    // What is left over counts where it ended alike.
    let mut left_one = after(typed(), ended(0));
    left_one.outcome.leftover.push(left("p0.1", LeftHow::Orphan));
    assert_eq!(broken(&expect, &left_one), [Broken::Orphans]);
    left_one.outcome.end = exited(1);
    assert_eq!(broken(&expect, &left_one), []);
}

proptest! {
    #[test]
    fn a_run_judged_against_itself_breaks_only_what_is_always_broken(
        run in arbitrary::run(), sends: bool, same_output: bool
    ) {
        let how = Comparison { sends, same_output, ..Comparison::default() };
        let expect = Expectations::against(&run, &how).unwrap();
        for kind in broken(&expect, &run) {
            let always = [Broken::Hang, Broken::Crash, Broken::Spinning, Broken::Stalled, Broken::TimedOut];
            // Of what waits after a signal other runs decide whether that was lost, the reference run included.
            let term = run.schedule.steps.iter().any(|step| step.action.signal() == Some(Signal::TERM));
            let sent = term || run.sent_asleep().is_some();
            let lost = sends && sent && matches!(run.outcome.end, End::Idle(_));
            prop_assert!(always.contains(&kind) || kind == Broken::Lost && lost, "{kind:?}");
        }
    }

    #[test]
    fn a_tainted_run_breaks_nothing(expect in arbitrary::expect(), mut run in arbitrary::run()) {
        run.taint = Some("a signal reached a running thread".to_owned());
        prop_assert_eq!(broken(&Expectations::of_scenario(&expect, &ended(0)).unwrap(), &run), []);
    }

    #[test]
    fn what_is_broken_is_sorted_and_can_be_explained(expect in arbitrary::expect(), run in arbitrary::run()) {
        let expect = Expectations::of_scenario(&expect, &ended(0)).unwrap();
        let found = broken(&expect, &run);
        prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "{found:?}");
        for kind in found {
            prop_assert!(!explain(&expect, kind, &run).is_empty());
        }
    }
}

#[test]
fn the_list_has_every_kind_in_the_order_of_what_they_tell() {
    let all: Vec<Broken> = kinds().collect();
    assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "{all:?}");
    assert!(all.iter().all(|one| kind(*one).broken == *one));
}
