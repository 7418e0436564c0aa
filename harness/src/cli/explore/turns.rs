//! Whose turn it is where a command comes to several searches: one that is left has another turn later.

use crate::show::count;
use crate::suite::Halfway;
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

/// A search that is to be made, or to go on.
pub(super) struct Turn {
    /// Which one.
    pub(super) index: usize,
    pub(super) halfway: Option<Box<Halfway>>,
    /// How long it took so far.
    pub(super) took: Duration,
}

impl Turn {
    /// True if it has not come to where what is left takes more than one step.
    pub(super) fn is_for_one_step(&self) -> bool {
        self.halfway.as_ref().is_none_or(|halfway| !halfway.is_past_one_step())
    }
}

/// Those that are to come.
#[derive(Default)]
pub(super) struct Turns {
    waiting: VecDeque<Turn>,
}

impl Turns {
    /// These searches are to be made as well.
    pub(super) fn add(&mut self, searches: Range<usize>) {
        let new = |index| Turn { index, halfway: None, took: Duration::ZERO };
        self.waiting.extend(searches.map(new));
    }

    /// This one is to go on later.
    pub(super) fn again(&mut self, turn: Turn) {
        self.waiting.push_back(turn);
    }

    /// The next one, first of those that have schedules of one step left.
    pub(super) fn next(&mut self) -> Option<Turn> {
        let next = self.waiting.iter().position(Turn::is_for_one_step).unwrap_or(0);
        self.waiting.remove(next)
    }

    /// True if one of them has schedules of one step left.
    pub(super) fn are_for_one_step(&self) -> bool {
        self.waiting.iter().any(Turn::is_for_one_step)
    }

    /// How many are to come.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// A line for each that is to come where the first finding was wanted and is there; `name` is how a search is called.
    pub(super) fn told(&self, name: impl Fn(usize) -> Option<String>) -> Vec<String> {
        let told = |turn: &Turn| {
            let runs = match turn.halfway.as_ref().map(|halfway| halfway.runs()) {
                None => "not begun".to_owned(),
                // It has no step to take.
                Some(0) => return None,
                Some(runs) => format!("no finding in {}", count(runs, "run")),
            };
            Some(format!("{}: {runs}, left for the first finding", name(turn.index)?))
        };
        self.waiting.iter().filter_map(told).collect()
    }
}
