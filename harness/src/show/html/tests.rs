use super::html;
use super::rows::Rows;
use super::signals::{Arrow, arrows};
use crate::arbitrary;
use crate::show::tests::{addjob, trace};
use crate::trace::{Broken, Output, ReferenceRun, Trace};
use proptest::prelude::*;

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
        "(end: Ended(Exited(0)), stdout: Text(\"\"), stderr: Text(\"\"), leftover: [], exec_blocked: [], table: [])",
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
        "(end: Ended(Exited(0)), stdout: Text(\"\"), stderr: Text(\"\"), leftover: [], exec_blocked: [], table: [])",
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
        "(end: Ended(Exited(0)), stdout: Text(\"\"), stderr: Text(\"\"), leftover: [], exec_blocked: [], table: [])",
    );
    assert_eq!(told(&trace), [(3, 0, Some(5)), (4, 0, None)]);
}

#[test]
fn both_runs_have_all_their_events_and_part_at_the_first_difference() {
    let mut trace = addjob();
    let alone = html(&trace);
    assert!(alone.contains("holds no reference run") && !alone.contains("id=\"reference-1\""));
    let mut other = trace.clone();
    let step =
        other.events.iter().position(|event| matches!(event.what, crate::trace::What::Step(_))).unwrap();
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
    if let Some(crate::trace::What::Exec(file)) = trace.events.first_mut().map(|event| &mut event.what) {
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
