use super::handlers::stretches;
use super::html;
use super::rows::Rows;
use super::signals::{Arrow, arrows};
use super::states::{Cell, Table};
use crate::arbitrary;
use crate::show::tests::{addjob, trace};
use crate::trace::{
    Broken, CallResult, Frame, Moment, Output, ReferenceRun, Returned, SeenCall, Trace, What, Whereabouts,
};
use proptest::prelude::*;

const ENDED: &str = "(end: Ended(Exited(0)), stdout: Text(\"\"), stderr: Text(\"\"), leftover: [], exec_blocked: [], table: [])";

/// The elements of a page, in their order; a page that leaves one open, or closes another, is refused.
#[track_caller]
fn elements(page: &str) -> Vec<String> {
    const VOID: [&str; 2] = ["meta", "input"];
    let (mut found, mut open) = (Vec::new(), Vec::new());
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a document type");
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let end = rest.find('>').expect("a tag ends");
        let tag = &rest[..end];
        let name = tag.trim_start_matches('/').split(' ').next().unwrap();
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric()) && !name.is_empty(), "<{tag}>");
        rest = &rest[end + 1..];
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        found.push(tag.to_owned());
        // What is in these is no markup.
        if ["script", "style"].contains(&name) {
            rest = &rest[rest.find(&format!("</{name}>")).expect("it is closed")..];
        }
        if !VOID.contains(&name) {
            open.push(name.to_owned());
        }
    }
    assert_eq!(open, [""; 0]);
    found
}

fn told(trace: &Trace) -> Vec<(usize, usize, Option<usize>)> {
    let rows = Rows::new(trace);
    let told = |one: Arrow| (one.cause + 1, one.receiver, one.handled.map(|at| at + 1));
    arrows(trace, &rows).into_iter().map(told).collect()
}

#[test]
fn a_childs_end_is_an_arrow_to_the_handler_that_it_causes() {
    let trace = trace(
        "reaper",
        Broken::Zombies,
        "[]",
        r#"p0 Exec("reaper")
           p0 Make("p0.1")
           p0 Make("p0.2")
           p0 Go(After(Fork), 1)
           p0.1 End(Exited(0))
           p0.2 End(Exited(0))
           p0 Signal(SIGCHLD)
           p0 Go(Before(wait4), 1)"#,
        ENDED,
    );
    assert_eq!(told(&trace), [(5, 0, Some(7)), (6, 0, Some(7))]);
}

#[test]
fn what_was_sent_before_the_process_went_on_caused_nothing_later() {
    let trace = trace(
        "late",
        Broken::Hang,
        r#"[(at: Before(getpid), in: "p0", action: Send(SIGUSR1))]"#,
        r#"p0 Exec("late")
           p0 Step(Send(SIGUSR1))
           p0 Go(Before(getpid), 1)
           p0 Go(Before(getpid), 2)
           p0 Signal(SIGUSR1)
           p0 Go(Before(pause), 1)"#,
        ENDED,
    );
    assert_eq!(told(&trace), [(2, 0, None)]);
}

#[test]
fn of_one_that_sleeps_the_first_wakes_it() {
    let trace = trace(
        "woken",
        Broken::Hang,
        r#"[(at: In(pause), in: "p0", action: Send(SIGUSR1)), (at: In(pause), in: "p0", action: Send(SIGUSR1))]"#,
        r#"p0 Go(Before(pause), 1)
           p0 Sleep(pause, 1)
           p0 Step(Send(SIGUSR1))
           p0 Step(Send(SIGUSR1))
           p0 Signal(SIGUSR1)
           p0 End(Exited(0))"#,
        ENDED,
    );
    assert_eq!(told(&trace), [(3, 0, Some(5)), (4, 0, None)]);
}

/// What the process table says of a thread after this event, counted from 1.
fn state(trace: &Trace, thread: &str, event: usize) -> String {
    let rows = Rows::new(trace);
    let (row, lane) = (rows.of_event(event - 1).unwrap(), rows.lane(&thread.parse().unwrap()).unwrap());
    let table = Table::new(trace, &rows, &arrows(trace, &rows));
    let cell = |cell| {
        let mut said =
            table.changes.iter().filter(|one| one.lane == lane && one.cell == cell && one.row <= row);
        said.next_back().map(|one| one.text.clone()).unwrap_or_default()
    };
    let pending = cell(Cell::Pending);
    cell(Cell::State) + if pending.is_empty() { "" } else { "; pending: " } + &pending
}

#[test]
fn the_process_table_says_what_the_events_tell_up_to_there() {
    let mut trace = trace(
        "reaper",
        Broken::Zombies,
        r#"[(at: After(Fork), in: "p0", action: Switch(All))]"#,
        r#"p0 Exec("reaper")
           p0 Go(Before(clone), 1)
           p0 Make("p0.1")
           p0 Step(Switch(All))
           p0.1 Go(After(Fork), 1)
           p0.1 Sleep(read, 1)
           p0.1 Expire(read)
           p0.1 Stop
           p0.1 Continue
           p0.1 Go(In(read), 1)
           p0.1 End(Exited(3))
           p0 Signal(SIGCHLD)
           p0 Go(After(Fork), 1)
           p0 Go(Before(wait4), 1)
           p0 Go(Before(exit_group), 1)
           p0 End(Exited(0))"#,
        ENDED,
    );
    let returned = Returned { by: 14, result: CallResult::Process("p0.1".parse().unwrap()) };
    trace.seen.calls = vec![SeenCall { event: 13, sends: None, returned: Some(returned) }];
    let of = |thread: &str, event| state(&trace, thread, event);
    assert_eq!(of("p0", 2), "runs");
    assert_eq!(of("p0.1", 2), "");
    assert_eq!(of("p0.1", 3), "held after fork");
    assert_eq!(of("p0", 4), "held back after fork");
    assert_eq!((of("p0", 5).as_str(), of("p0.1", 5).as_str()), ("held back after fork", "runs"));
    assert_eq!(
        (6..=9).map(|event| of("p0.1", event)).collect::<Vec<_>>(),
        ["asleep in read", "held in read", "stopped", "held in read"]
    );
    assert_eq!(of("p0.1", 11), "ended: exit code 3");
    assert_eq!(of("p0", 11), "held back after fork; pending: SIGCHLD");
    assert_eq!(of("p0", 12), "runs");
    assert_eq!(
        (of("p0.1", 14).as_str(), of("p0.1", 15).as_str()),
        ("ended: exit code 3", "ended: exit code 3; waited for")
    );
    assert_eq!(of("p0", 16), "ended: exit code 0");
}

#[test]
fn a_handler_goes_as_far_as_stacks_tell_and_another_after_it_is_its_own() {
    let mut trace = trace(
        "twice",
        Broken::Exit,
        "[]",
        r#"p0 Signal(SIGUSR1)
           p0 Go(Before(write), 1)
           p0 Go(Before(write), 2)
           p0 Signal(SIGUSR2)
           p0 Go(Before(write), 3)
           p0 Go(Before(getpid), 1)
           p0 Go(Before(write), 4)
           p0 End(Exited(0))"#,
        ENDED,
    );
    // How many handlers the stack is in at each event, where it is known.
    let mut stretched = |handlers: &[(usize, usize)]| {
        let place = |&(event, count): &(usize, usize)| Whereabouts {
            at: Moment::Event(event - 1),
            thread: "p0".parse().unwrap(),
            stack: vec![Frame { signal: true, ..Frame::default() }; count],
            complete: true,
        };
        trace.places = handlers.iter().map(place).collect();
        let all = stretches(&trace, &Rows::new(&trace)).into_iter();
        all.map(|one| (one.from + 1, one.to + 1, one.depth)).collect::<Vec<_>>()
    };
    // Both in main, one after the other.
    assert_eq!(stretched(&[(1, 0), (2, 1), (3, 1), (4, 0), (5, 1), (6, 0)]), [(1, 3, 0), (4, 5, 0)]);
    // The second interrupts the first, which may be over when it is.
    assert_eq!(stretched(&[(1, 0), (2, 1), (3, 1), (4, 1), (5, 2), (6, 1), (7, 0)]), [(1, 5, 0), (4, 5, 1)]);
    // The process ends in it.
    assert_eq!(stretched(&[(1, 0), (2, 0), (4, 0), (5, 1), (6, 1), (7, 1)]), [(1, 1, 0), (4, 8, 0)]);
    // Nothing is known.
    assert_eq!(stretched(&[]), [(1, 1, 0), (4, 4, 0)]);
}

#[test]
fn both_runs_have_all_their_events_and_part_at_the_first_difference() {
    let mut trace = addjob();
    let alone = html(&trace);
    assert!(alone.contains("holds no reference run") && !alone.contains("id=\"reference-1\""));
    let mut other = trace.clone();
    let step = other.events.iter().position(|event| matches!(event.what, What::Step(_))).unwrap();
    other.events.remove(step);
    trace.reference = Some(ReferenceRun {
        schedule: Default::default(),
        events: other.events,
        outcome: trace.outcome.clone(),
        places: Vec::new(),
        seen: Default::default(),
    });
    let page = html(&trace);
    let found = elements(&page);
    for (id, count) in [("event", trace.events.len()), ("reference", trace.events.len() - 1)] {
        let ids: Vec<String> = (1..=count).map(|number| format!("li id=\"{id}-{number}\" ")).collect();
        let there: Vec<_> = found.iter().filter(|tag| tag.starts_with(&format!("li id=\"{id}-"))).collect();
        assert_eq!(there.len(), count);
        assert!(there.iter().zip(&ids).all(|(tag, id)| tag.starts_with(id)), "{there:?}");
    }
    assert_eq!(page.matches(">the runs part here<").count(), 2);
    assert!(page.contains(&format!("id=\"event-{}\" class=\"x first\"", step + 1)), "{step}");
}

#[test]
fn what_a_program_wrote_is_text() {
    let mut trace = addjob();
    let foreign = "</script></pre><script>alert(1)</script><!--\u{1b}[2J\u{202e}&amp;\0";
    trace.launch.argv = vec![foreign.to_owned()];
    trace.outcome.stdout = Output::from([foreign.as_bytes(), b"\xff\xfe\n"].concat());
    trace.search = Some(foreign.to_owned());
    if let Some(What::Exec(file)) = trace.events.first_mut().map(|event| &mut event.what) {
        *file = foreign.to_owned();
    }
    let page = html(&trace);
    let scripts = elements(&page).into_iter().filter(|tag| tag.starts_with("script")).count();
    assert_eq!(scripts, 2);
    assert!(!page.contains("<script>alert") && !page.contains("<!--"));
    assert!(page.matches("&lt;script&gt;alert(1)").count() >= 4, "{page}");
    assert!(page.contains('\u{fffd}'));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_page_of_any_trace_is_whole_loads_nothing_and_commands_nothing(trace in arbitrary::trace()) {
        let page = html(&trace);
        let found = elements(&page);
        let loads = |tag: &&String| tag.contains(" src=") || tag.contains(" href=\"") && !tag.contains(" href=\"#");
        prop_assert_eq!(found.iter().find(loads), None);
        prop_assert_eq!(found.iter().filter(|tag| tag.starts_with("script")).count(), 2);
        prop_assert!(!page.chars().any(|c| c.is_control() && c != '\n'));
    }
}
