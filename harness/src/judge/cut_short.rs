//! Nothing is left undone because a signal cuts a call short: no wait for a child is given up after EINTR (signal(7), wait(2)), and what
//! was to be written is written to its end after a short count (write(2), pipe(7)).
//!
//! This is said of one run, the undisturbed one too, of any signal: one that is sent, a child's SIGCHLD, a timer's, or another process's. Whether something
//! was cut short shows what the call returned, and whether that is why something is left undone, where the signal comes just before
//! the same call: a search counts the run only if both are so (`explore::cut_short`).

use super::{Exits, Expectation, Held, Kind, Scope};
use crate::trace::{Broken, Interruption, Run, Undone};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::CutShort,
    title: "what a signal cuts short is left undone",
    word: "cut-short",
    scope: Scope::Uncut,
    of_scenario: |expect, _| Ok(expect.uninterrupted.then(held)),
    against: |_, how| {
        let asked = matches!(how.exits, Exits::Uninterrupted | Exits::Atomic) && how.exit.is_none();
        Ok(asked.then(held))
    },
};

fn held() -> Held {
    Arc::new(Done)
}

/// All that was begun is done.
#[derive(Debug)]
struct Done;

impl Expectation for Done {
    fn breach(&self, run: &Run) -> Option<String> {
        let (one, undone) = run.left_undone().into_iter().next()?;
        let (Interruption { point, .. }, by) = (&one, one.cause());
        Some(match undone {
            Undone::Children(children) => format!(
                "expected {} to be waited for, as where {by} comes just before the call; {point} fails with EINTR when it comes there, \
                 and is given up",
                children.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
            Undone::Rest => format!(
                "expected all to be written, as where {by} comes just before the call; {point} is cut short when it comes there, and \
                 the rest is never written"
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;
    use crate::trace::{End, Event, Status};

    /// A run of these events, after which nobody has waited for these children.
    fn ended(events: &[(&str, &str)], unwaited: &[&str]) -> Run {
        let event = |(thread, what): &(&str, &str)| Event {
            thread: thread.parse().unwrap(),
            what: ron::from_str(what).unwrap(),
            others: Default::default(),
        };
        let mut run = run(End::Ended(Status::Exited(0)));
        run.events = Arc::new(events.iter().map(event).collect());
        run.outcome.unwaited = unwaited.iter().map(|name| name.parse().unwrap()).collect();
        run
    }

    const MADE: [(&str, &str); 4] = [
        ("p0", "Make(\"p0.1\")"),
        ("p0", "Make(\"p0.2\")"),
        ("p0", "Go(Before(wait4), 1)"),
        ("p0", "Sleep(wait4, 1)"),
    ];
    const ENDED: (&str, &str) = ("p0.1", "End(Exited(0))");
    const FIRED: (&str, &str) = ("p0", "Fire(SIGALRM)");
    const WRITES: (&str, &str) = ("p0", "Go(Before(write), 1)");

    #[test]
    fn a_wait_is_given_up_where_something_came_there_and_a_child_is_left() {
        let told = |events: &[(&str, &str)], unwaited: &[&str]| {
            Done.breach(&ended(&[&MADE, events].concat(), unwaited))
        };
        let why = told(&[ENDED, WRITES], &["p0.2"]).unwrap();
        assert!(why.starts_with("expected p0.2 to be waited for, as where another child's SIGCHLD"), "{why}");
        let why = told(&[FIRED, ("p0", "Go(Before(wait4), 2)")], &["p0.2", "p0.2.1"]).unwrap();
        assert!(why.starts_with("expected p0.2 to be waited for, as where the timer's signal"), "{why}");
        // Whoever has sent a signal meanwhile may have sent it there.
        let kills = ("p0.1", "Go(Before(kill), 1)");
        for (events, from) in [
            (&[kills, WRITES][..], "a signal from p0.1 "),
            (&[kills, ENDED, WRITES], "a signal from p0.1 "),
            (&[("p0.2", "Go(Before(tgkill), 1)"), ENDED, WRITES], "a signal from another process "),
            (&[kills, FIRED, WRITES], "the timer's signal "),
        ] {
            let why = told(events, &["p0.2"]).unwrap();
            assert!(why.contains(&format!("as where {from}comes just before the call")), "{why}");
        }
        // Before it slept.
        assert_eq!(Done.breach(&ended(&[&[kills], &MADE[..], &[WRITES]].concat(), &["p0.2"])), None);
        // Nobody is left, nothing came, or it came to somebody else; it signals somebody; the child was made later.
        assert_eq!(told(&[ENDED, WRITES], &[]), None);
        assert_eq!(told(&[WRITES], &["p0.2"]), None);
        assert_eq!(told(&[("p0.1.1", "End(Exited(0))"), WRITES], &["p0.2"]), None);
        assert_eq!(told(&[ENDED, WRITES, ("p0", "Go(Before(kill), 1)")], &["p0.2"]), None);
        assert_eq!(told(&[ENDED, WRITES, ("p0", "Make(\"p0.3\")")], &["p0.3"]), None);
    }

    #[test]
    fn a_write_is_cut_short_where_something_came_that_does_not_ask_for_an_end() {
        let sleeps = [("p0", "Go(Before(write), 1)"), ("p0", "Sleep(write, 1)")];
        let told = |came: &[(&str, &str)], steps: &str| {
            let mut run = ended(&[&sleeps, came, &[("p0", "Go(Before(write), 2)")]].concat(), &[]);
            run.schedule = ron::from_str(&format!("[{steps}]")).unwrap();
            Done.breach(&run)
        };
        let sent = |signal: &str| {
            let (event, step) = (
                format!("Step(Send({signal}))"),
                format!("(at: In(write), in: \"p0\", action: Send({signal}))"),
            );
            told(&[("p0", &event)], &step)
        };
        assert!(sent("SIGUSR1").unwrap().contains("p0 in write is cut short"));
        assert_eq!(sent("SIGTERM"), None);
        assert!(told(&[ENDED], "").is_some() && told(&[FIRED], "").is_some());
        assert_eq!(told(&[], ""), None);
    }
}
