//! Which instructions of the code the baseline executes, and which signals could be sent there.
//!
//! The baseline is run with breakpoints that only count, a few in each run: see NOTE \[Stretches\] in `code`. Where signals are
//! sent, each visit is a point of the receiver's, and the first one is looked at. Where none is, what matters is who else
//! could run at each visit and whether a timer is armed there: children, timers and peers bring their signals themselves.

use super::code::{Block, Chart, MOST_VISITS, Spot, Stretch};
use super::crew::{Tried, attempt_by};
use super::error::ExploreError;
use super::plan::Plan;
use crate::schedule::{Label, Point, Schedule, Site, ThreadName};
use crate::signal::SignalSet;
use crate::supervise::{Counted, MOST_OBSERVED, Observe, RunError, Supervise};
use crate::trace::{Reached, Run, Threads};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{HashSet, VecDeque};

/// How much of the code the baseline executes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Executed {
    /// Instructions in the code.
    pub instructions: usize,
    /// Those that are executed.
    pub executed: usize,
    /// How often they are executed, all together.
    pub visits: u64,
    /// How many of these visits are points: see [`MOST_VISITS`].
    pub points: u64,
    /// Points in libraries: NOTE \[Followed\] in `code`.
    pub library: u64,
    /// True if there was more of them to follow than was followed.
    pub more: bool,
}

/// Runs that following the code of libraries may take.
const MOST_FOLLOWING: usize = 250;
/// Where nobody has asked for it and each run takes long, fewer: as many as have so many events together, about a second's worth.
const MOST_EVENTS: usize = 12_000;
/// But no fewer than these.
const LEAST_FOLLOWING: usize = 16;

/// A stretch that is executed.
struct Found {
    stretch: Stretch,
    visits: u64,
    /// Its first visits, each with how many other points had been reached before; at least one.
    seen: Vec<(Reached, usize)>,
    /// True if others may be let run at each of its instructions.
    switches: bool,
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
    let entered =
        |function: &&Vec<Stretch>| found.iter().any(|found| function.first() == Some(&found.stretch));
    let inside: Vec<&Stretch> =
        plan.code.functions.iter().filter(entered).flat_map(|function| function.iter().skip(1)).collect();
    found.extend(visits(plan, supervisor, &inside)?);
    found.iter().for_each(|found| counts.add(found));
    if let Some(chart) = &plan.code.chart {
        let unasked = plan.code.roots.is_empty();
        let fits = MOST_EVENTS / plain.events.len().max(1);
        let most = if unasked { fits.clamp(LEAST_FOLLOWING, MOST_FOLLOWING) } else { MOST_FOLLOWING };
        let most = plan.code.follow.map_or(most, |few| most.min(few));
        let (library, more) = follow(plan, supervisor, chart.as_ref(), most)?;
        counts.more = more;
        counts.library = library.iter().map(|found| found.stretch.spots.len() as u64).sum();
        found.extend(library);
    }
    let mut visits: Vec<(usize, Vec<Reached>)> = found.iter().flat_map(Found::points).collect();
    visits.sort_by_key(|(after, _)| *after);
    let mut merged = Vec::with_capacity(plain.reached.len());
    let mut visits = visits.into_iter().peekable();
    for (index, reached) in std::mem::take(&mut plain.reached).into_iter().enumerate() {
        while let Some((_, points)) = visits.next_if(|(after, _)| *after <= index) {
            merged.extend(points);
        }
        merged.push(reached);
    }
    merged.extend(visits.flat_map(|(_, points)| points));
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
    fn add(&mut self, found: &Found) {
        let spots = found.stretch.spots.len();
        self.executed += spots;
        self.visits += spots as u64 * found.visits;
        self.points += spots as u64 * found.visits.min(MOST_VISITS);
    }
}

impl Found {
    /// The points of its visits, all first ones together, then all second ones, and so on; each with how many other points had
    /// been reached before.
    fn points(&self) -> impl Iterator<Item = (usize, Vec<Reached>)> {
        (1..=self.visits.min(MOST_VISITS) as u32).filter_map(|nth| {
            let (seen, after) = self.seen.get(nth as usize - 1).or(self.seen.last())?;
            // Of a library's the first visits were of no use.
            let nth = nth.max(seen.point.nth);
            let at = |spot: &Spot| {
                let point = Point { thread: seen.point.thread.clone(), site: Site::At(spot.place), nth };
                let others = if self.switches { seen.others.clone() } else { Threads::default() };
                Reached { point, others, ..seen.clone() }
            };
            Some((*after, self.stretch.spots.iter().map(at).collect()))
        })
    }
}

/// Counts the visits of stretches; gives those that are executed.
fn visits<S: Supervise + ?Sized>(
    plan: &Plan,
    supervisor: &mut S,
    stretches: &[&Stretch],
) -> Result<Vec<Found>, ExploreError> {
    let points = if plan.send.is_empty() { MOST_VISITS as u32 } else { 1 };
    let mut found = Vec::new();
    for stretches in stretches.chunks(MOST_OBSERVED) {
        found.extend(look(plan, supervisor, stretches, (points, false))?);
    }
    Ok(found)
}

/// Follows code of libraries as far as it is executed, in at most so many runs: see NOTE \[Followed\] in `code`. True comes with what is
/// found if there is more.
fn follow<S: Supervise + ?Sized>(
    plan: &Plan,
    supervisor: &mut S,
    chart: &dyn Chart,
    most: usize,
) -> Result<(Vec<Found>, bool), ExploreError> {
    let mut found = Vec::new();
    let mut waiting: VecDeque<Block> = chart.entries().into();
    let mut known: HashSet<(usize, u64)> = waiting.iter().map(|block| block.key).collect();
    for _ in 0..most {
        let size = waiting.len().min(MOST_OBSERVED);
        let blocks: Vec<Block> = waiting.drain(..size).collect();
        if blocks.is_empty() {
            break;
        }
        let stretches: Vec<&Stretch> = blocks.iter().map(|block| &block.stretch).collect();
        for one in look(plan, supervisor, &stretches, (1, true))? {
            let block = blocks.iter().find(|block| block.stretch == one.stretch);
            let after = block.map(|block| chart.after(block)).unwrap_or_default();
            waiting.extend(after.into_iter().filter(|block| known.insert(block.key)));
            found.push(Found { visits: 1, ..one });
        }
    }
    Ok((found, !waiting.is_empty()))
}

/// Counts the visits of a few stretches in one run, of which so many are looked at, all or only the open ones.
fn look<S: Supervise + ?Sized>(
    plan: &Plan,
    supervisor: &mut S,
    stretches: &[&Stretch],
    (points, open): (u32, bool),
) -> Result<Vec<Found>, ExploreError> {
    let thread = plan.send_to.process.process();
    let natural = plan.send.is_empty();
    let mut found = Vec::new();
    let firsts = stretches.iter().filter_map(|stretch| Some(stretch.spots.first()?.place));
    let places: Vec<(ThreadName, Label)> = firsts.map(|place| (thread.clone(), place)).collect();
    let observe = Observe::Executions(Counted { places, points, open });
    let (run, executions) = counted(supervisor, &observe)?;
    for (stretch, visits) in stretches.iter().zip(executions) {
        let Some(first) = stretch.spots.first().filter(|_| visits > 0) else { continue };
        let mut after = 0;
        let mut seen = Vec::new();
        for reached in &run.reached {
            match reached.point.site {
                Site::At(place) if place == first.place => seen.push((reached.clone(), after)),
                Site::At(_) | Site::Entering(_) => {}
                Site::Before(_) | Site::After(_) | Site::In(_) | Site::Probe(_) | Site::Quiet => after += 1,
            }
        }
        if !seen.is_empty() {
            let switches = natural || stretch.switches;
            found.push(Found { stretch: (*stretch).clone(), visits, seen, switches });
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
