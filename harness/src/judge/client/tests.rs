use super::super::tests::{against, killed, name, run, scenario, sends, signal, sleeping};
use super::super::{Comparison, Expectations, broken, explain};
use crate::schedule::{Action, Site};
use crate::trace::{Broken, ClientEnd, End, Event, Output, Run, Status, What};
use std::sync::Arc;
use syscalls::Sysno;

/// A run of a server: `c1` a client's first moment, `c1=0` its end with this exit code, `c1=0:hello` what it was told, `c1?` one
/// that still waits, `c1.` the moment at which it closes its connection, `p0=0` the server's own end, `!` a signal that is sent, `@`
/// a timer that is made to run out.
fn served(course: &str) -> Run {
    let mut run = run(End::Idle(sleeping()));
    for word in course.split_whitespace() {
        let (who, code) = word.split_once('=').unwrap_or((word.trim_end_matches(['?', '.']), ""));
        let (code, told) = code.split_once(':').unwrap_or((code, ""));
        let status = code.parse().ok().map(Status::Exited);
        let (thread, what) = match word {
            "!" => (name("p0"), What::Step(Action::Send(signal("SIGTERM")))),
            "@" => (name("p0"), What::Step(Action::Fire)),
            _ if word.ends_with('.') => (name(who), What::Go(Site::Before(Sysno::close.into()), 1)),
            _ => (name(who), status.map_or(What::Continue, What::End)),
        };
        Arc::make_mut(&mut run.events).push(Event {
            thread: thread.clone(),
            what,
            others: Default::default(),
        });
        if let Some(status) = status.filter(|_| who == "p0") {
            run.outcome.end = End::Ended(status);
        } else if status.is_some() || word.ends_with('?') {
            let text = |text: &str| Output::Text(text.to_owned());
            let (client, command) = (thread, "ask".to_owned());
            run.outcome.clients.push(ClientEnd {
                client,
                command,
                status,
                stdout: text(told),
                stderr: text(""),
            });
        }
    }
    run
}

fn none_breaks(expect: &Expectations, courses: &[&str]) {
    for course in courses {
        assert_eq!(broken(expect, &served(course)), [], "{course}");
    }
}

/// Each with the sentence that says how.
fn each_breaks(expect: &Expectations, courses: &[(&str, &str)]) {
    for (course, sentence) in courses {
        let run = served(course);
        assert_eq!(broken(expect, &run), [Broken::Client], "{course}");
        assert_eq!(explain(expect, Broken::Client, &run), *sentence);
    }
}

#[test]
fn a_client_is_served_as_before_the_signal_or_refused_as_after_it() {
    let expect = against(&served("c1 c1=0 ! c2 c2=7"), sends());
    none_breaks(
        &expect,
        &[
            "c1 c1=0 ! c2 c2=7",
            "! c1 c1=7",
            "c1 ! c1=0 c2 c2=7",
            "c1 ! c1=7 c2 c2=7",
            "c1 c1=0",
            // What one is told that takes too long is an outcome of its own.
            "@ c1 c1=52",
        ],
    );
    each_breaks(
        &expect,
        &[
            (
                "c1 c1=7 ! c2 c2=7",
                "expected exit code 0 of c1 (ask) as in the reference run, got exit code 7",
            ),
            (
                "c1 ! c1=52 c2 c2=7",
                "expected exit code 0 or exit code 7 of c1 (ask) as in the reference run, got exit code 52",
            ),
            ("! c1 c1=0", "expected exit code 7 of c1 (ask) as in the reference run, got exit code 0"),
            (
                "c1 c1=0 ! c2 c2=0",
                "expected exit code 7 of c2 (ask) as in the reference run, got exit code 0",
            ),
            ("c1 c1? ", "expected exit code 0 of c1 (ask) as in the reference run, got that it still waits"),
        ],
    );
}

#[test]
fn a_client_is_not_compared_where_the_signal_ends_a_program_that_has_not_served() {
    let died = |course: &str| {
        let mut run = served(course);
        let at = run.events.iter().position(|event| event.thread == name("c2")).unwrap_or(1);
        Arc::make_mut(&mut run.events).insert(at, killed("p0", "SIGTERM"));
        run.outcome.end = End::Ended(Status::Killed(signal("SIGTERM")));
        run
    };
    let reload = against(&served("c1 c1=0 ! c2 c2=0"), sends());
    assert_eq!(broken(&reload, &died("! c1 c1=7")), []);
    assert_eq!(broken(&reload, &died("c1 c1=0 ! c2 c2=7")), [Broken::Client]);
    // Nor where the reference run could not be sent it.
    let unsent = against(&served("c1 c1=0"), sends());
    assert_eq!(broken(&unsent, &served("! c1 c1=7")), []);
    assert_eq!(broken(&unsent, &served("c1 c1=7")), [Broken::Client]);
}

#[test]
fn what_a_client_is_told_is_compared_where_the_reference_run_tells_it_but_one_thing() {
    let told = |reference: &str, run: &str| broken(&against(&served(reference), sends()), &served(run));
    assert_eq!(told("c1 c1=0:hello", "c1 c1=0:hello"), []);
    assert_eq!(told("c1 c1=0:hello", "c1 c1=0:hel"), [Broken::Client]);
    assert_eq!(told("c1 c1=0:hello ! c2 c2=7", "c1 ! c1=0:hel c2 c2=7"), [Broken::Client]);
    // A time of day, or the number of visitors.
    assert_eq!(told("c1 c1=0:first ! c2 c2=0:second", "c1 ! c1=0:third c2 c2=0:fourth"), []);
}

#[test]
fn a_scenario_says_in_which_ways_clients_may_end() {
    let expect = scenario("(idle: true, clients: [(exit: Code(0), stdout: Is(\"hello\")), (exit: Code(7))])");
    none_breaks(&expect, &["", "c1 c1=0:hello c2 c2=7", "c1 c1=7:what"]);
    for wrong in ["c1 c1=0:hel", "c1 c1=7 c2 c2=52", "c1 c1?"] {
        assert_eq!(broken(&expect, &served(wrong)), [Broken::Client], "{wrong}");
    }
    let sentence = "expected exit code 0 or exit code 7 of c1 (ask), got exit code 0, writing \"hel\"";
    assert_eq!(explain(&expect, Broken::Client, &served("c1 c1=0:hel")), sentence);
}

#[test]
fn how_a_client_crashes_is_its_own_matter() {
    let mut run = served("c1 c1=0");
    Arc::make_mut(&mut run.events).push(killed("c1.1", "SIGSEGV"));
    assert_eq!(broken(&scenario("(idle: true)"), &run), []);
    Arc::make_mut(&mut run.events).push(killed("p0.1", "SIGSEGV"));
    assert_eq!(broken(&scenario("(idle: true)"), &run), [Broken::Crash]);
}

#[test]
fn a_client_that_nobody_has_asked_for_may_be_sent_away_but_not_by_who_goes_on() {
    let how = || Comparison { visitors: true, ..sends() };
    let expect = against(&served("c1 c1=0:hello ! c2 c2=0:hello"), how());
    none_breaks(
        &expect,
        &[
            "c1 c1=0:hello ! c2 c2=0:hello",
            // It may be told something else, and by who ends anything.
            "c1 ! c1=0:what c2 c2=0:hello",
            "c1 ! p0=0 c1=56",
            "c1 ! p0=0 c1=0",
            "c1 c1? ! c2 c2=0:hello",
        ],
    );
    each_breaks(
        &expect,
        &[
            (
                "c1 ! c1=7",
                "c1 (ask) is refused, while the program goes on; in the reference run it is served",
            ),
            (
                "c1 ! c1=56",
                "c1 (ask) has its connection reset, while the program goes on; in the reference run it is served",
            ),
            (
                "c1 ! c1=3",
                "c1 (ask) got exit code 3, while the program goes on; in the reference run it is served",
            ),
        ],
    );
    // Who is refused in the reference run as well may be.
    let refuses = against(&served("c1 c1=0:hello ! c2 c2=7"), how());
    assert_eq!(broken(&refuses, &served("c1 ! c1=7 c2 c2=7")), []);
}

#[test]
fn an_answer_to_it_that_has_begun_is_not_cut_off_by_the_end_of_the_program() {
    let how = |hasty: &[&str]| Comparison {
        visitors: true,
        hasty: hasty.iter().map(ToString::to_string).collect(),
        ..sends()
    };
    let reference = served("c1 c1=0:hello ! p0=0 c2 c2=7");
    let expect = against(&reference, how(&[]));
    let torn = served("c1 ! p0=0 c1. c1=0:hel");
    assert_eq!(broken(&expect, &torn), [Broken::Client]);
    let sentence =
        "c1 (ask) got \"hel\", and then the program had ended; in the reference run it gets \"hello\"";
    assert_eq!(explain(&expect, Broken::Client, &torn), sentence);
    none_breaks(
        &expect,
        &[
            // None has begun; it has left by itself; it was told something else.
            "c1 ! p0=0 c1. c1=0",
            "c1 ! c1. p0=0 c1=0:hel",
            "c1 ! p0=0 c1. c1=0:held",
        ],
    );
    // Of one that leaves at the first answer nobody knows.
    assert_eq!(broken(&against(&reference, how(&["ask"])), &torn), []);
}
