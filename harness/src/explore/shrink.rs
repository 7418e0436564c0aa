//! Shrinks a failing schedule: drives its tree by what the proposals do, within a budget of runs.
//!
//! A proposal fails if it breaks the same expectation as its most telling one, every step of it was taken, and no run
//! was tainted. What a schedule does is remembered for the whole search, so none is run twice for this.
//!
//! NOTE \[Signals that must be sent\] Where every run sends a signal, leaving it out asks another question: a server that
//! waits for its SIGTERM idles when it gets none. A schedule without such a signal only counts if the reference run
//! without that signal does not break the same.

use super::atomicity;
use super::cut_short;
use super::error::Halt;
use super::interrupted;
use super::leaked;
use super::ledger::Ledger;
use super::lost;
use super::overlooked;
use super::progress::Doing;
use super::space::Space;
use super::steps::{can_break, outside, within};
use super::tree::ScheduleTree;
use crate::schedule::Schedule;
use crate::trace::Broken;
use proptest::strategy::ValueTree;

/// What shrinking came to.
pub(super) struct Shrunk {
    pub(super) schedule: Schedule,
    /// The smallest part of the schedule that was shrunk which fails.
    pub(super) part: Schedule,
    pub(super) runs: u64,
    pub(super) cut: bool,
}

/// Shrinks the current schedule of `tree`, which fails, in about `most` runs at most.
pub(super) fn shrink(
    ledger: &mut Ledger<'_, '_>,
    space: &Space,
    mut tree: ScheduleTree,
    breaks: Broken,
    most: u64,
    tell: &dyn Fn(Doing),
) -> Result<Shrunk, Halt> {
    let before = ledger.extra_runs();
    let mut cut = false;
    let whole = tree.current();
    let mut part = whole.clone();
    let mut more = tree.simplify();
    while more {
        let proposal = tree.current();
        if !can_break(&proposal, breaks) {
            more = tree.complicate();
            continue;
        }
        let runs = ledger.extra_runs() - before;
        if runs >= most && !ledger.knows(&proposal) {
            cut = true;
            break;
        }
        tell(Doing::Shrinking(runs));
        let fails = ledger.breaks(&proposal, breaks)? && counts(ledger, space, &proposal, breaks)?;
        if fails && within(&proposal, &whole) && proposal.steps.len() < part.steps.len() {
            part = proposal;
        }
        more = if fails { tree.simplify() } else { tree.complicate() };
    }
    Ok(Shrunk { schedule: tree.best().clone(), part, runs: ledger.extra_runs() - before, cut })
}

/// Decides by other runs whether this schedule's run breaks what it seems to break.
type Decides = fn(&mut Ledger<'_, '_>, &Space, &Schedule) -> Result<bool, Halt>;

/// What one run alone cannot break, and what decides whether it does.
const BY_OTHERS: [(Broken, Decides); 6] = [
    (Broken::Interrupted, interrupted::decides),
    (Broken::Lost, lost::decides),
    (Broken::Overlooked, overlooked::decides),
    (Broken::Atomicity, atomicity::decides),
    (Broken::Leaked, leaked::decides),
    (Broken::CutShort, cut_short::decides),
];

/// True if other runs decide whether one breaks this.
pub(super) fn is_decided_by_others(breaks: Broken) -> bool {
    BY_OTHERS.iter().any(|(known, _)| *known == breaks)
}

/// False if other runs show that the schedule does not break what its own run seems to break.
pub(super) fn decided(
    ledger: &mut Ledger<'_, '_>,
    space: &Space,
    schedule: &Schedule,
    breaks: Broken,
) -> Result<bool, Halt> {
    let decides = BY_OTHERS.iter().find(|(known, _)| *known == breaks);
    decides.map_or(Ok(true), |(_, decides)| decides(ledger, space, schedule))
}

/// False if the schedule leaves out what the outside does, and leaving that out alone breaks the same; and if it is no
/// interruption, or not the very instruction, that makes it break what it seems to break by one.
pub(super) fn counts(
    ledger: &mut Ledger<'_, '_>,
    space: &Space,
    schedule: &Schedule,
    breaks: Broken,
) -> Result<bool, Halt> {
    if !decided(ledger, space, schedule, breaks)? {
        return Ok(false);
    }
    let missing = space.missing(schedule.steps.iter().filter_map(|step| outside(&step.action)));
    if missing.is_empty() {
        return Ok(true);
    }
    let control = space.deviating(&[], &missing);
    Ok(ledger.look(&control)?.breaks != Some(breaks))
}
