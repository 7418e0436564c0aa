//! Ways on from a run, by the point and not by the step.
//!
//! NOTE \[Ways\] A run has as many ways on as points times threads, so they are not kept one by one: of each point, which of
//! its actions are left. A step is made when its turn comes.

use crate::schedule::Action;
use std::ops::Range;

/// Ways on from a node.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By a step at the point of this number: each of these actions, in the order of [`Points::all`](super::super::points::Points::all).
    Steps(u32, Range<u32>),
    /// Without this, which the outside does at home.
    Withhold(Box<Action>),
}

/// Adds a step to the ways, which mostly end with its like.
pub(super) fn add(ways: &mut Vec<Way>, point: u32, action: u32) {
    match ways.last_mut() {
        Some(Way::Steps(last, actions)) if *last == point && actions.end == action => actions.end += 1,
        _ => ways.push(Way::Steps(point, action..action + 1)),
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
