//! A call that a signal interrupts is not taken for its end (EINTR, signal(7)): because of it the first process ends no other way than
//! in the reference run, and no wait for a child is given up.
//!
//! This is said of one run. Whether it is due to the interruption shows where the signal comes just before the same call
//! instead: a search counts it only if the program then does as in the reference run (`explore::interrupted`).

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
    let comparable = matches!(reference.outcome.end, End::Ended(_) | End::Idle(_));
    let made = reference.events.iter().filter_map(|event| event.what.made());
    let waited = made.filter(|made| !reference.outcome.unwaited.contains(made)).cloned().collect();
    comparable.then(|| Arc::new(As { end: reference.outcome.end.clone(), waited }) as _)
}

/// What the reference run did.
#[derive(Debug)]
struct As {
    end: End,
    /// The children that were waited for.
    waited: BTreeSet<ThreadName>,
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
        interrupted.iter().find_map(|one| {
            let children: Vec<String> = self.given_up(run, one).iter().map(ToString::to_string).collect();
            (!children.is_empty()).then(|| {
                format!(
                    "expected {children} to be waited for, as in the reference run and where the signal comes just before the \
                     call; {} fails with EINTR when the signal interrupts it, and is given up",
                    one.point,
                    children = children.join(", ")
                )
            })
        })
    }
}
