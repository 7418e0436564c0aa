//! A call that a signal interrupts is not taken for its end (EINTR, signal(7)): because of it the first process ends no other way than
//! in the reference run, no wait for a child is given up, and reading is not.
//!
//! This is said of one run. Whether it is due to the interruption shows where the signal comes just before the same call
//! instead: a search counts it only if the program then does as in the reference run (`explore::interrupted`).
//!
//! The reference run sends the signal when everything sleeps, so it may be the one that takes an interrupted call for an error. Then
//! who does as it does is none the better for that, and is compared with the run that nothing disturbs. Which signals ask for an end is
//! known: where one of these cuts a wait short, another status says just that.

use super::hang::asks_to_end;
use super::{Exits, Expectation, Kind, Scope};
use crate::schedule::{Site, ThreadName};
use crate::signal::Signal;
use crate::trace::{Broken, End, Interruption, Run, Status};
use std::collections::BTreeSet;
use std::sync::Arc;
use syscalls::Sysno;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Interrupted,
    title: "an interrupted call is taken for its end",
    word: "interrupted",
    scope: Scope::Uncut,
    of_scenario: |expect, reference| Ok(expect.uninterrupted.then(|| of(reference)).flatten()),
    against: |reference, how| {
        let asked =
            how.sends && matches!(how.exits, Exits::Uninterrupted | Exits::Atomic) && how.exit.is_none();
        Ok(asked.then(|| of(reference)).flatten())
    },
};

fn of(reference: &Run) -> Option<super::Held> {
    let Run { outcome, events, .. } = reference;
    let comparable = matches!(outcome.end, End::Ended(_) | End::Idle(_));
    let made = events.iter().filter_map(|event| event.what.made());
    let waited = made.filter(|made| !outcome.unwaited.contains(made)).cloned().collect();
    let unwaited = outcome.unwaited.iter().cloned().collect();
    let fails = matches!(outcome.end, End::Ended(Status::Exited(code)) if code != 0);
    let cut = fails && !reference.interrupted().is_empty();
    comparable.then(|| Arc::new(As { end: outcome.end.clone(), waited, unwaited, cut }) as _)
}

/// What the reference run did.
#[derive(Debug)]
struct As {
    end: End,
    /// The children that were waited for.
    waited: BTreeSet<ThreadName>,
    /// Those that nobody waited for.
    unwaited: BTreeSet<ThreadName>,
    /// It ended with an error, and its signal had interrupted a call: that may be why.
    cut: bool,
}

impl As {
    /// The children that their parent waits for in the reference run, and not after this call was interrupted. Who is asked to end may
    /// give up what it waits for.
    fn given_up<'a>(&self, run: &'a Run, one: &Interruption) -> Vec<&'a ThreadName> {
        let waits = matches!(one.point.site, Site::In(call) if [Some(Sysno::wait4), Some(Sysno::waitid)].contains(&call.sysno()));
        let mut sent = run.schedule.steps.iter().filter(|step| step.point() == one.point);
        let asked = sent.any(|step| {
            step.action.signal().is_none_or(|signal| asks_to_end(signal) || signal == Signal::HUP)
        });
        let process = one.point.thread.process();
        let child = |child: &&ThreadName| {
            child.parent().as_ref() == Some(&process) && self.waited.contains(*child) && waits && !asked
        };
        run.outcome.unwaited.iter().filter(child).collect()
    }

    /// What is wrong although the run ends as the reference run: that has the same error, or what was not read shows in no status. Only of
    /// one signal, which does not ask for an end.
    fn as_usual(&self, run: &Run, one: &Interruption) -> Option<String> {
        let (step, signal) = run.schedule.only_signal()?;
        let left = run.outcome.unwaited.iter().any(|child| !self.unwaited.contains(child));
        if step.point() != one.point || asks_to_end(signal) || left {
            return None;
        }
        match run.outcome.end {
            // What the undisturbed run ends with, this run does not know.
            End::Ended(status @ Status::Exited(code)) if code != 0 => self.cut.then(|| {
                format!(
                    "expected it to end as where nothing is sent and where the signal comes just before the call, got {status} when it \
                     interrupts {}, as in the reference run",
                    one.point
                )
            }),
            End::Ended(Status::Exited(_)) => (signal != Signal::HUP && gives_up_reading(run, one)).then(|| {
                format!(
                    "expected all to be read, as where nothing is sent and where the signal comes just before the call; {} fails with EINTR \
                     when the signal interrupts it, and what comes after that is never read",
                    one.point
                )
            }),
            End::Ended(_)
            | End::Hang(_)
            | End::Idle(_)
            | End::Stopped
            | End::Spinning(_)
            | End::Stalled(_)
            | End::TimedOut => None,
        }
    }
}

/// True if this is a call that waits for something to read, and its thread makes no such call any more.
fn gives_up_reading(run: &Run, one: &Interruption) -> bool {
    use Sysno as S;
    let Site::In(call) = one.point.site else { return false };
    let reads = matches!(call.sysno(), Some(S::read | S::readv | S::recvfrom | S::recvmsg));
    let mut later = run.events.iter().skip(one.after).filter(|event| event.thread == one.point.thread);
    reads && !later.any(|event| event.what.begun().is_some_and(|(begun, _)| begun == call))
}

impl Expectation for As {
    fn breach(&self, run: &Run) -> Option<String> {
        let interrupted = run.interrupted();
        let otherwise = match run.outcome.end {
            End::Ended(status @ Status::Exited(_)) if self.end != run.outcome.end => Some(status),
            End::Ended(_)
            | End::Hang(_)
            | End::Idle(_)
            | End::Stopped
            | End::Spinning(_)
            | End::Stalled(_)
            | End::TimedOut => None,
        };
        if let Some(status) = otherwise {
            let calls: Vec<String> = interrupted.iter().map(|point| point.point.to_string()).collect();
            let expected =
                self.end.status().map_or("it to go on waiting".to_owned(), |status| status.to_string());
            return (!calls.is_empty()).then(|| {
                format!(
                    "expected {expected}, as in the reference run and where the signal comes just before the call, got {status} \
                     when it interrupts {}",
                    calls.join(", ")
                )
            });
        }
        let given_up = interrupted.iter().find_map(|one| {
            let children: Vec<String> = self.given_up(run, one).iter().map(ToString::to_string).collect();
            (!children.is_empty()).then(|| {
                format!(
                    "expected {children} to be waited for, as in the reference run and where the signal comes just before the \
                     call; {} fails with EINTR when the signal interrupts it, and is given up",
                    one.point,
                    children = children.join(", ")
                )
            })
        });
        // What is said below needs the same end.
        let same = || self.end == run.outcome.end;
        given_up.or_else(|| interrupted.iter().filter(|_| same()).find_map(|one| self.as_usual(run, one)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::ended;
    use super::*;
    use crate::schedule::Schedule;
    use crate::trace::Event;

    /// A run of `p0` with this exit code, which is sent a signal in this call, and does this after that.
    fn sent(code: i32, signal: &str, call: &str, after: &[&str]) -> Run {
        let asleep =
            [format!("Go(Before({call}), 1)"), format!("Sleep({call}, 1)"), format!("Step(Send({signal}))")];
        let all = asleep.iter().map(String::as_str).chain(after.iter().copied());
        let event = |what: &str| Event {
            thread: ThreadName::root(),
            what: ron::from_str(what).unwrap(),
            others: Default::default(),
        };
        let schedule = format!("[(at: In({call}), in: \"p0\", action: Send({signal}))]");
        let schedule: Schedule = ron::from_str(&schedule).unwrap();
        Run { schedule, events: Arc::new(all.map(event).collect()), ..ended(code) }
    }

    const EXITS: &str = "Go(Before(exit_group), 1)";
    const AGAIN: &str = "Go(Before(read), 2)";
    const CLOSES: &str = "Go(Before(close), 1)";

    #[test]
    fn who_fails_as_the_reference_run_whose_call_was_interrupted_is_none_the_better() {
        let reference = sent(1, "SIGUSR1", "connect", &[EXITS]);
        let told = |run: &Run| of(&reference).unwrap().breach(run);
        let why = told(&reference).unwrap();
        assert!(
            why.contains("got exit code 1 when it interrupts p0 in connect, as in the reference run"),
            "{why}"
        );
        // It asks for an end, it ends well, or a child is left, of which something else is said.
        assert_eq!(told(&sent(1, "SIGTERM", "connect", &[EXITS])), None);
        let mut left = reference.clone();
        left.outcome.unwaited = vec!["p0.1".parse().unwrap()];
        assert_eq!(told(&left), None);
        let why = told(&sent(2, "SIGUSR1", "connect", &[EXITS])).unwrap();
        assert!(why.starts_with("expected exit code 1, as in the reference run"), "{why}");
        // The reference run's call is made again, or it ends well.
        for (code, after) in [(1, &["Go(Before(connect), 2)", EXITS][..]), (0, &[EXITS])] {
            let reference = sent(code, "SIGUSR1", "connect", after);
            let run = sent(code, "SIGUSR1", "connect", &[EXITS]);
            assert_eq!(of(&reference).unwrap().breach(&run), None);
        }
    }

    #[test]
    fn reading_is_given_up_where_no_such_call_is_made_any_more() {
        let reference = ended(0);
        let told = |run: &Run| of(&reference).unwrap().breach(run);
        let why = told(&sent(0, "SIGUSR1", "read", &[CLOSES, EXITS])).unwrap();
        assert!(why.contains("p0 in read fails with EINTR"), "{why}");
        for (signal, call, after) in [
            ("SIGUSR1", "read", &[AGAIN, EXITS][..]),
            ("SIGUSR1", "read", &[CLOSES, AGAIN, EXITS]),
            ("SIGUSR1", "pause", &[EXITS]),
            ("SIGTERM", "read", &[EXITS]),
            ("SIGHUP", "read", &[EXITS]),
        ] {
            assert_eq!(told(&sent(0, signal, call, after)), None, "{signal} {call} {after:?}");
        }
    }
}
