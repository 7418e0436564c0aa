//! Which instructions of the code the baseline executes, and which signals could be sent there.
//!
//! The baseline is run with breakpoints that only count, a few in each run: see NOTE \[Stretches\] in `code`.

use super::code::{MOST_VISITS, Stretch};
use super::crew::{Tried, attempt_by};
use super::error::ExploreError;
use super::plan::Plan;
use crate::schedule::{Label, Point, Schedule, Site, ThreadName};
use crate::signal::SignalSet;
use crate::supervise::{MOST_OBSERVED, Observe, RunError, Supervise};
use crate::trace::{Reached, Run};

/// How much of the code the baseline executes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Executed {
    /// Instructions in the code.
    pub instructions: usize,
    /// Those that are executed.
    pub executed: usize,
    /// How often they are executed, all together.
    pub visits: u64,
    /// How many of these visits are points: see [`MOST_VISITS`].
    pub points: u64,
}

/// A stretch that is executed.
struct Found<'a> {
    stretch: &'a Stretch,
    visits: u64,
    /// Its first visit.
    reached: Reached,
    /// How many other points had been reached before.
    after: usize,
}

/// Finds out what is executed, and puts it among the points that `plain`, the run of the empty schedule, has reached.
pub(super) fn execute<S: Supervise + ?Sized>(
    plan: &Plan,
    supervisor: &mut S,
    plain: &mut Run,
) -> Result<Executed, ExploreError> {
    let mut counts = Executed { instructions: plan.code.spots().count(), ..Executed::default() };
    let entries: Vec<&Stretch> = plan.code.functions.iter().filter_map(|function| function.first()).collect();
    let mut found = visits(plan, supervisor, &entries)?;
    let entered = |function: &&Vec<Stretch>| {
        found.iter().any(|found| function.first().is_some_and(|first| std::ptr::eq(first, found.stretch)))
    };
    let inside: Vec<&Stretch> =
        plan.code.functions.iter().filter(entered).flat_map(|function| function.iter().skip(1)).collect();
    found.extend(visits(plan, supervisor, &inside)?);
    found.sort_by_key(|found| found.after);
    let mut merged = Vec::with_capacity(plain.reached.len());
    let mut found = found.into_iter().peekable();
    for (index, reached) in std::mem::take(&mut plain.reached).into_iter().enumerate() {
        while let Some(one) = found.next_if(|found| found.after <= index) {
            counts.add(&one);
            one.points(&mut merged);
        }
        merged.push(reached);
    }
    for one in found {
        counts.add(&one);
        one.points(&mut merged);
    }
    let later = receivable_later(&merged);
    for (reached, later) in merged.iter_mut().zip(later) {
        // What only the first visit has shown need not hold for the next ones.
        if matches!(reached.point.site, Site::At(_)) && reached.point.nth > 1 {
            reached.receivable = reached.receivable.union(later);
        }
    }
    plain.reached = merged;
    Ok(counts)
}

/// Puts the code points that `plain` reaches into a run which is the same up to where its first step is taken.
pub(super) fn copy(plain: &Run, run: &mut Run) {
    let at_code = |reached: &Reached| matches!(reached.point.site, Site::At(_));
    let first = run.schedule.steps.first().map(|step| step.point());
    let mut merged: Vec<Reached> = Vec::with_capacity(plain.reached.len());
    let mut own = std::mem::take(&mut run.reached).into_iter();
    let mut same = true;
    for reached in &plain.reached {
        same &= Some(&reached.point) != first.as_ref();
        if !same {
            break;
        }
        if at_code(reached) {
            merged.push(reached.clone());
        } else {
            merged.extend(own.next());
        }
    }
    merged.extend(own);
    run.reached = merged;
}

/// For each point the signals that could be sent at it or at a later one of the same process.
fn receivable_later(reached: &[Reached]) -> Vec<SignalSet> {
    let mut later = SignalSet::EMPTY;
    let mut sets: Vec<SignalSet> = reached
        .iter()
        .rev()
        .map(|reached| {
            later = later.union(reached.receivable);
            later
        })
        .collect();
    sets.reverse();
    sets
}

impl Executed {
    fn add(&mut self, found: &Found<'_>) {
        let spots = found.stretch.spots.len();
        self.executed += spots;
        self.visits += spots as u64 * found.visits;
        self.points += spots as u64 * found.visits.min(MOST_VISITS);
    }
}

impl Found<'_> {
    /// The points of its visits: all first visits, then all second ones, and so on.
    fn points(&self, into: &mut Vec<Reached>) {
        for nth in 1..=self.visits.min(MOST_VISITS) as u32 {
            for spot in &self.stretch.spots {
                let point =
                    Point { thread: self.reached.point.thread.clone(), site: Site::At(spot.place), nth };
                let others = if self.stretch.switches {
                    self.reached.others.clone()
                } else {
                    crate::trace::Threads::default()
                };
                into.push(Reached { point, others, ..self.reached.clone() });
            }
        }
    }
}

/// Counts the visits of stretches; gives those that are executed.
fn visits<'a, S: Supervise + ?Sized>(
    plan: &Plan,
    supervisor: &mut S,
    stretches: &[&'a Stretch],
) -> Result<Vec<Found<'a>>, ExploreError> {
    let thread = plan.send_to.process.process();
    let mut found = Vec::new();
    for stretches in stretches.chunks(MOST_OBSERVED) {
        let firsts = stretches.iter().filter_map(|stretch| Some(stretch.spots.first()?.place));
        let asked: Vec<(ThreadName, Label)> = firsts.map(|place| (thread.clone(), place)).collect();
        let observe = Observe::Executions(asked);
        let (run, executions) = counted(supervisor, &observe)?;
        for (stretch, visits) in stretches.iter().zip(executions) {
            let Some(first) = stretch.spots.first().filter(|_| visits > 0) else { continue };
            let here = |reached: &&Reached| reached.point.site == Site::At(first.place);
            let Some(reached) = run.reached.iter().find(here).cloned() else { continue };
            let before = run.reached.iter().take_while(|other| **other != reached);
            let after = before.filter(|other| !matches!(other.point.site, Site::At(_))).count();
            found.push(Found { stretch, visits, reached, after });
        }
    }
    Ok(found)
}

/// A run of the empty schedule whose executions are counted, and that nothing tainted.
fn counted<S: Supervise + ?Sized>(
    supervisor: &mut S,
    observe: &Observe,
) -> Result<(Run, Vec<u64>), ExploreError> {
    let doing = || ExploreError::run("counting which instructions the run without any step executes");
    let (Tried { run, .. }, observed) =
        attempt_by(|| supervisor.observe(&Schedule::empty(), observe)).map_err(doing())?;
    match &run.taint {
        None => Ok((run, observed.executions)),
        Some(taint) => Err(doing()(RunError::Unsupported(format!("every run is tainted: {taint}")))),
    }
}
