//! Ways on from a run, by the point and not by the step.
//!
//! NOTE \[Ways\] A run has as many ways on as points times threads, so they are not kept one by one: of each point, which of
//! its actions are left. A step is made when its turn comes. Points that many runs reach alike are kept once.

use super::super::space::Space;
use crate::schedule::{Action, Point, Step};
use crate::signal::SignalSet;
use crate::trace::{Acts, Reached, Threads};
use indexmap::IndexSet;
use std::ops::Range;

/// Ways on from a node.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By a step at the point of this number: each of these actions, in the order of [`Space::actions`] before any is sent.
    Steps(u32, Range<u32>),
    /// Without this, which the outside does at home.
    Withhold(Action),
}

/// Adds a step to the ways, which mostly end with its like.
pub(super) fn add(ways: &mut Vec<Way>, point: u32, action: u32) {
    match ways.last_mut() {
        Some(Way::Steps(last, actions)) if *last == point && actions.end == action => actions.end += 1,
        _ => ways.push(Way::Steps(point, action..action + 1)),
    }
}

/// Points at which there are ways on: which one of the space it is, and what can be done there.
#[derive(Debug, Default)]
pub(super) struct Points(IndexSet<(usize, Threads, SignalSet, bool, Acts)>);

impl Points {
    /// The number of a point that was reached, with what can be done there; none if the space does not have it.
    pub(super) fn number(&mut self, space: &Space, reached: &Reached) -> Option<u32> {
        let Reached { point, others, receivable, fires, acts } = reached;
        let alike = (space.number(point)?, others.clone(), *receivable, *fires, *acts);
        u32::try_from(self.0.insert_full(alike).0).ok()
    }

    /// The point of this number.
    pub(super) fn point<'a>(&self, space: &'a Space, number: u32) -> Option<&'a Point> {
        space.numbered(self.0.get_index(number as usize)?.0)
    }

    /// The steps at the point of this number that take these actions, each made when it is asked for.
    pub(super) fn steps(
        &self,
        space: &Space,
        number: u32,
        actions: &Range<u32>,
    ) -> impl Iterator<Item = Step> {
        let reached =
            self.0.get_index(number as usize).and_then(|(point, others, receivable, fires, acts)| {
                let (others, receivable, fires, acts) = (others.clone(), *receivable, *fires, *acts);
                Some(Reached { point: space.numbered(*point)?.clone(), others, receivable, fires, acts })
            });
        let (first, count) = (actions.start as usize, actions.len());
        reached.into_iter().flat_map(move |reached| {
            let all = space.actions(&reached, &[]).into_iter().skip(first).take(count);
            all.map(move |action| Step::new(reached.point.clone(), action))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_follow_one_another_are_one_way() {
        let mut ways = Vec::new();
        for (point, action) in [(0, 0), (0, 1), (0, 2), (0, 4), (1, 5), (1, 6), (0, 7)] {
            add(&mut ways, point, action);
        }
        let wanted = [(0, 0..3), (0, 4..5), (1, 5..7), (0, 7..8)];
        assert_eq!(ways, wanted.map(|(point, actions)| Way::Steps(point, actions)));
    }
}
