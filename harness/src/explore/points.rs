//! Points that runs reached, by number: those that many runs reach alike are kept once.

use super::space::Space;
use crate::schedule::{Point, Step};
use crate::signal::SignalSet;
use crate::trace::{Acts, Reached, Threads};
use indexmap::IndexSet;
use std::ops::Range;

/// Points at which something can be done.
#[derive(Debug, Default)]
pub(super) struct Points {
    /// Which one of the space it is, and what can be done there; the threads by the number of their list.
    all: IndexSet<(u32, u32, SignalSet, bool, Acts)>,
    /// Who else could run there. Many points have a list in common, and it may be long.
    others: IndexSet<Threads>,
    /// The list that was looked up last: a run's points share it as long as it stays the same.
    last: Option<(Threads, u32)>,
}

impl Points {
    /// The number of a list.
    fn others(&mut self, others: &Threads) -> Option<u32> {
        if let Some((_, number)) = self.last.as_ref().filter(|(last, _)| last.is_copy_of(others)) {
            return Some(*number);
        }
        let number = u32::try_from(self.others.insert_full(others.clone()).0).ok()?;
        self.last = Some((others.clone(), number));
        Some(number)
    }

    /// The number of a point that was reached, with what can be done there; none if the space does not have it.
    pub(super) fn number(&mut self, space: &Space, reached: &Reached) -> Option<u32> {
        let Reached { point, others, receivable, fires, acts, looks: _ } = reached;
        let place = u32::try_from(space.number(point)?).ok()?;
        let alike = (place, self.others(others)?, *receivable, *fires, *acts);
        u32::try_from(self.all.insert_full(alike).0).ok()
    }

    /// How early the point of this number is in the space.
    pub(super) fn place(&self, number: u32) -> Option<usize> {
        self.all.get_index(number as usize).map(|(place, ..)| *place as usize)
    }

    /// The point of this number.
    pub(super) fn point<'a>(&self, space: &'a Space, number: u32) -> Option<&'a Point> {
        space.numbered(self.place(number)?)
    }

    /// All steps at the point of this number, in the order of [`Space::actions`] before any signal is sent.
    pub(super) fn all(&self, space: &Space, number: u32) -> impl Iterator<Item = Step> {
        let reached =
            self.all.get_index(number as usize).and_then(|(place, others, receivable, fires, acts)| {
                let others = self.others.get_index(*others as usize)?.clone();
                let (receivable, fires, acts) = (*receivable, *fires, *acts);
                let point = space.numbered(*place as usize)?.clone();
                Some(Reached { point, others, receivable, fires, acts, looks: false })
            });
        reached.into_iter().flat_map(move |reached| {
            let actions = space.actions(&reached, &[]).into_iter();
            actions.map(move |action| Step::new(reached.point.clone(), action))
        })
    }

    /// Those of them with these numbers.
    pub(super) fn steps(
        &self,
        space: &Space,
        number: u32,
        actions: &Range<u32>,
    ) -> impl Iterator<Item = Step> {
        self.all(space, number).skip(actions.start as usize).take(actions.len())
    }
}
