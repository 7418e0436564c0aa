//! No run that ends takes longer on the program's clock than it may: counted from the last signal that the schedule sent,
//! since the reference run may have been sent it at another time; from the start if none was sent.

use super::{Expectation, Kind, Scope, Typed};
use crate::trace::{Broken, End, Run, lasting};
use std::sync::Arc;
use std::time::Duration;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Late,
    title: "it ends late",
    word: "late",
    scope: Scope::Uncut,
    of_scenario: |expect, _| {
        Ok(expect.within.map(|within| Arc::new(Within { most: within.0, reference: None }) as _))
    },
    against: |reference, how| {
        let ended = matches!(reference.outcome.end, End::Ended(_)) && how.typed != Typed::Text;
        let took = reference.outcome.took.after;
        let within = |late| Within { most: took.saturating_add(late), reference: Some(took) };
        Ok(how.late.filter(|_| ended).map(|late| Arc::new(within(late)) as _))
    },
};

#[derive(Debug)]
struct Within {
    most: Duration,
    /// What the reference run took.
    reference: Option<Duration>,
}

impl Expectation for Within {
    fn breach(&self, run: &Run) -> Option<String> {
        let took = run.outcome.took.after;
        if !matches!(run.outcome.end, End::Ended(_)) || took <= self.most {
            return None;
        }
        let than = match self.reference {
            Some(reference) => format!("the reference run took {}", lasting(reference)),
            None => format!("expected {} at most", lasting(self.most)),
        };
        Some(format!("it took {} on the program's clock to end; {than}", lasting(took)))
    }
}
