//! While the first process lives, the terminal's foreground is whose it should be: a scenario's word, or the group that had it
//! when the reference run had come to the same end.

use super::{Expectation, Kind, Scope};
use crate::schedule::ThreadName;
use crate::trace::{Broken, Foreground, Outcome, Run};
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Foreground,
    title: "the terminal's foreground is another's",
    word: "foreground",
    scope: Scope::Uncut,
    of_scenario: |expect, _| {
        let expected = expect.foreground.clone().map(Expected::Group);
        Ok(expected.map(|expected| Arc::new(expected) as _))
    },
    against: |reference, _| {
        let alive = matches!(in_front(&reference.outcome), Some(Foreground::Group(_)));
        Ok(alive.then(|| Arc::new(Expected::As(Box::new(reference.outcome.clone()))) as _))
    },
};

fn in_front(outcome: &Outcome) -> Option<&Foreground> {
    outcome.terminal.as_ref()?.foreground.as_ref()
}

#[derive(Debug)]
enum Expected {
    /// This one.
    Group(ThreadName),
    /// Some group of which a process lives; and the same one as in this outcome, where a run ends like that.
    As(Box<Outcome>),
}

impl Expectation for Expected {
    fn breach(&self, run: &Run) -> Option<String> {
        let found = in_front(&run.outcome)?;
        let (holds, expected) = match self {
            Expected::Group(name) => {
                (*found == Foreground::Group(name.clone()), format!("the process group of {name}"))
            }
            Expected::As(reference) => {
                let expected = in_front(reference)?;
                let lives = matches!(found, Foreground::Group(_));
                (lives && (!run.outcome.ends_like(reference) || found == expected), expected.to_string())
            }
        };
        (!holds).then(|| format!("expected {expected} in the foreground of the terminal, got {found}"))
    }
}
