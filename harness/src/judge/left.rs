//! No more zombies and orphans are left than may be.

use super::{Expectation, Held, Kind, Scope, answers_more};
use crate::schedule::{Action, ThreadName};
use crate::trace::{Broken, Event, LeftHow, Run, Status, What};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) const ZOMBIES: Kind = Kind {
    broken: Broken::Zombies,
    title: "zombies are left",
    word: "zombies",
    scope: Scope::Uncut,
    of_scenario: |expect, _| {
        Ok(expect.zombies.map(|most| held(LeftHow::Zombie, Allowed::AtMost(most), None)))
    },
    against: |reference, _| Ok(Some(held(LeftHow::Zombie, Allowed::left_by(reference), Some(reference)))),
};

pub(super) const ORPHANS: Kind = Kind {
    broken: Broken::Orphans,
    title: "orphans are left",
    word: "orphans",
    scope: Scope::Uncut,
    of_scenario: |expect, _| {
        Ok(expect.orphans.map(|most| held(LeftHow::Orphan, Allowed::AtMost(most), None)))
    },
    against: |reference, how| {
        if how.fatal {
            return Ok(Some(Arc::new(Alone { ended: ended_with(reference) })));
        }
        Ok(Some(held(LeftHow::Orphan, Allowed::left_by(reference), Some(reference))))
    },
};

/// Processes that lived when the reference run's first signal was sent, beside the one that it ended, and that are gone with
/// that one; none if it did not end the first process.
pub fn ended_with(reference: &Run) -> BTreeSet<ThreadName> {
    let outcome = &reference.outcome;
    let sent = reference.events.iter().position(|event| {
        matches!(&event.what, What::Step(Action::Send(signal)) if outcome.end.status() == Some(Status::Killed(*signal)))
    });
    let Some(sent) = sent else { return BTreeSet::new() };
    let mut living = BTreeSet::new();
    for event in reference.events.iter().take(sent) {
        if let Some(made) = event.what.made() {
            living.insert(made.process());
        } else if let What::End(_) = &event.what {
            living.remove(&event.thread.process());
        }
    }
    living.remove(&ThreadName::root());
    let ends = |event: &&Event| matches!(event.what, What::End(_));
    let ended = reference.events.iter().skip(sent).filter(ends).map(|event| event.thread.process());
    let ended: BTreeSet<ThreadName> = ended.collect();
    living.retain(|process| process.client_of().is_none() && ended.contains(process));
    living.retain(|process| outcome.leftover.iter().all(|left| left.process != *process));
    living
}

/// Whoever is gone with the first process, where a signal ends that, is not left where the signal comes elsewhere.
#[derive(Debug)]
struct Alone {
    ended: BTreeSet<ThreadName>,
}

impl Expectation for Alone {
    fn breach(&self, run: &Run) -> Option<String> {
        let left = run.outcome.leftover.iter().filter(|left| left.how == LeftHow::Orphan);
        let left = left.map(|left| &left.process).filter(|process| self.ended.contains(process));
        let left: Vec<String> = left.map(ToString::to_string).collect();
        (!left.is_empty()).then(|| {
            let left = left.join(" and ");
            format!("expected {left} to end with p0 as in the reference run, got {left} left running")
        })
    }
}

/// How much may be there at the end.
#[derive(Debug)]
pub(super) enum Allowed {
    /// At most so many.
    AtMost(u32),
    /// Only these processes: those that the reference run left.
    Only(BTreeSet<ThreadName>),
}

impl Allowed {
    /// What is left over counts by name, dead or alive alike.
    fn left_by(reference: &Run) -> Allowed {
        Allowed::Only(reference.outcome.leftover.iter().map(|left| left.process.clone()).collect())
    }

    /// What was expected, and what is there instead: all of `found` where only their number is limited.
    pub(super) fn breach<'a, T: 'a>(
        &self,
        nouns: &str,
        found: impl Iterator<Item = &'a T>,
        process: impl Fn(&T) -> &ThreadName,
        words: impl Fn(&T) -> String,
    ) -> Option<String> {
        let mut found: Vec<&T> = found.collect();
        match self {
            Allowed::AtMost(most) if found.len() <= *most as usize => return None,
            Allowed::AtMost(_) => {}
            Allowed::Only(known) => found.retain(|one| !known.contains(process(one))),
        }
        let (count, list) = (found.len(), found.iter().map(|one| words(one)).collect::<Vec<_>>().join(", "));
        match self {
            Allowed::Only(_) if found.is_empty() => None,
            Allowed::Only(_) => Some(format!(
                "expected no {nouns} beyond those of the reference run, got {count} more: {list}"
            )),
            Allowed::AtMost(0) => Some(format!("expected no {nouns}, got {count}: {list}")),
            Allowed::AtMost(most) => Some(format!("expected at most {most} {nouns}, got {count}: {list}")),
        }
    }
}

#[derive(Debug)]
struct Leaves {
    how: LeftHow,
    allowed: Allowed,
    reference: Option<Arc<Run>>,
}

fn held(how: LeftHow, allowed: Allowed, reference: Option<&Arc<Run>>) -> Held {
    Arc::new(Leaves { how, allowed, reference: reference.cloned() })
}

impl Expectation for Leaves {
    fn breach(&self, run: &Run) -> Option<String> {
        // Where a person has brought about another end, another moment is looked at.
        let elsewhere = |other: &Arc<Run>| answers_more(run, other) && !run.outcome.ends_like(&other.outcome);
        if self.reference.as_ref().is_some_and(elsewhere) {
            return None;
        }
        let nouns = match self.how {
            LeftHow::Zombie => "zombies",
            LeftHow::Orphan => "orphans",
        };
        let found = run.outcome.leftover.iter().filter(|left| left.how == self.how);
        self.allowed.breach(nouns, found, |left| &left.process, |left| left.process.to_string())
    }
}
