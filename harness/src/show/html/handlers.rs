//! How far handlers stretch, as far as stacks tell it: a stack with what a handler returns to on it is a handler's.

use super::rows::{Look, Row, Rows};
use crate::schedule::Site;
use crate::show::place::of_event;
use crate::trace::{Trace, What};
use std::collections::BTreeMap;

/// Rows of a thread in a row whose place is not known, after which nobody looks further.
const UNKNOWN: usize = 200;

/// A handler, from its beginning to the last row that is known to be in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) lane: usize,
    pub(super) from: usize,
    pub(super) to: usize,
    /// How many handlers it interrupts.
    pub(super) depth: usize,
}

/// The stretch of each handler of a run.
pub(super) fn stretches(trace: &Trace, rows: &Rows) -> Vec<Stretch> {
    let mut of_lane: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, row) in rows.rows.iter().enumerate().filter(|(_, row)| is_of_thread(row)) {
        of_lane.entry(row.lane).or_default().push(index);
    }
    let mut all: Vec<Stretch> = Vec::new();
    for (lane, own) in of_lane {
        let own: Vec<(usize, &Row)> =
            own.into_iter().filter_map(|index| Some((index, rows.rows.get(index)?))).collect();
        for (place, (from, row)) in own.iter().enumerate().filter(|(_, (_, row))| begins(row)) {
            let (before, later) = own.split_at(place + 1);
            // Of signals that come together each interrupts the one before.
            let together =
                all.last().filter(|last| last.lane == lane && last.from + 1 == *from && row.is_event);
            let depth = together.map_or_else(|| depth(trace, row, before, later), |outer| outer.depth + 1);
            let to = last_inside(trace, later, depth).unwrap_or(*from);
            all.push(Stretch { lane, from: *from, to, depth });
        }
    }
    all
}

fn is_of_thread(row: &Row) -> bool {
    !matches!(row.look, Look::Gap | Look::Apart)
}

fn begins(row: &Row) -> bool {
    row.look == Look::Handler
}

/// How many handlers one interrupts that begins at this row.
fn depth(trace: &Trace, row: &Row, before: &[(usize, &Row)], later: &[(usize, &Row)]) -> usize {
    if row.is_event {
        return handlers(trace, row).unwrap_or_default();
    }
    let last = before.iter().rev().take(UNKNOWN).find_map(|(_, row)| handlers(trace, row));
    let next = later.iter().take(UNKNOWN).find_map(|(_, row)| handlers(trace, row));
    match (last.unwrap_or_default(), next) {
        (last, Some(next)) if next > last => last,
        (_, Some(next)) => next.saturating_sub(1),
        (_, None) => 0,
    }
}

/// The last of a thread's later rows that is in more than `depth` handlers, before the first that is not, or that may be in another
/// handler as well.
fn last_inside(trace: &Trace, later: &[(usize, &Row)], depth: usize) -> Option<usize> {
    let mut last = None;
    let mut unknown = 0;
    // Before the handler's first instruction come other signals, and that the thread is let go from where it was held.
    let mut before_first = true;
    let mut another = false;
    for (index, row) in later {
        let what = trace.events.get(row.at).filter(|_| row.is_event).map(|event| &event.what);
        if begins(row) {
            another |= !before_first || !row.is_event;
            continue;
        }
        match handlers(trace, row) {
            Some(count) if count > depth + 1 || count > depth && !another => last = Some(*index),
            Some(_) if before_first && lets_go(what) => continue,
            Some(_) => return last,
            // It ends where it was.
            None if matches!(what, Some(What::End(_))) => return last.map(|_| *index),
            None if matches!(what, Some(What::Exec(_))) => return last,
            None => unknown += 1,
        }
        before_first = false;
        if unknown > UNKNOWN {
            return last;
        }
    }
    last
}

fn lets_go(what: Option<&What>) -> bool {
    matches!(what, Some(What::Go(Site::After(_) | Site::At(_) | Site::Probe(_), _)))
}

/// How many handlers the thread is in at a row, where that is known.
fn handlers(trace: &Trace, row: &Row) -> Option<usize> {
    let place = of_event(&trace.events, &trace.places, row.at).filter(|_| row.is_event)?;
    Some(place.stack.iter().filter(|frame| frame.signal).count())
}
