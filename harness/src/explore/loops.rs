//! Loops of a program: calls that a thread makes again and again at the same places of its code, with the same results.
//!
//! NOTE \[Loops\] What a thread does the four hundredth time round as it did it before is mostly no other place for a race. So
//! the times round that go the same way are one place with a count: those that are tried first are the first two, the one in
//! the middle, and the last. The others come when nothing else is left to try with one step; they are not proposed when a
//! schedule is shrunk, and steps of longer random schedules are not put there. Nothing else changes: an exhaustive search
//! tries them all, later, and what was not tried is counted as such.
//!
//! Two visits of a call are alike if the thread makes it at the same place, called by the same functions, if it returns the
//! same and sleeps as often, if nothing happened to the thread meanwhile (a signal, a time that ran out otherwise), and if the
//! same could have been done there: the others that could run, the signals that could come. This is seen in one more run,
//! which must go like the one that is looked at; it is made only where calls repeat themselves in that way at all, and where
//! something could be done at them.

use super::crew::{Tried, attempt_by};
use super::error::ExploreError;
use crate::schedule::{Point, Site, Syscall, ThreadName};
use crate::supervise::{Called, Observe, RunError, Supervise, Wanted};
use crate::trace::{Acts, Event, Reached, Run, What};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Fewer times round are no loop: there is little to save.
const LEAST: usize = 8;
/// A time round has at most so many calls.
const MOST_BODY: usize = 8;

/// A loop that went the same way each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loop {
    /// The point before the first call.
    pub from: Point,
    /// And before the last.
    pub to: Point,
    /// The calls of one time round, in order.
    pub calls: Vec<Syscall>,
    /// False if it could not be seen what they returned.
    pub results: bool,
    /// The points of each time round.
    rounds: Vec<Vec<Point>>,
}

impl Loop {
    /// How often it went round.
    pub fn times(&self) -> usize {
        self.rounds.len()
    }

    /// Which times round have a point for which this holds, counted from 1.
    pub fn times_with(&self, holds: impl Fn(&Point) -> bool) -> Vec<u64> {
        let rounds = (1..).zip(&self.rounds);
        rounds.filter(|(_, points)| points.iter().any(&holds)).map(|(time, _)| time).collect()
    }

    /// The points of those times round that are not tried first.
    fn inner(&self) -> impl Iterator<Item = &Point> {
        let first = tried_first(self.times());
        let rounds = self.rounds.iter().enumerate();
        rounds.filter(move |(time, _)| !first.contains(time)).flat_map(|(_, points)| points)
    }
}

/// Loops of the undisturbed run, and of the reference run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loops {
    /// Those that are told: each once.
    pub all: Vec<Loop>,
    /// Points that are not tried first.
    inner: HashSet<Point>,
}

impl Loops {
    /// Looks for them in the run of the empty schedule, and in the reference run where that is another.
    pub(super) fn find<S: Supervise + ?Sized>(
        supervisor: &mut S,
        plain: &Run,
        other: Option<&Run>,
    ) -> Result<Loops, ExploreError> {
        let mut all = of_run(supervisor, plain)?;
        let mut inner: HashSet<Point> = all.iter().flat_map(Loop::inner).cloned().collect();
        if let Some(other) = other {
            // What has one name in both is one point, and so it has to be alike in both.
            let more = of_run(supervisor, other)?;
            let own: HashSet<&Point> = more.iter().flat_map(Loop::inner).collect();
            let reached = |run: &Run| -> HashSet<Point> {
                run.reached.iter().map(|reached| reached.point.clone()).collect()
            };
            let (here, there) = (reached(plain), reached(other));
            inner.retain(|point| own.contains(point) || !there.contains(point));
            inner.extend(own.into_iter().filter(|point| !here.contains(*point)).cloned());
            let known: HashSet<Point> = all.iter().map(|one| one.from.clone()).collect();
            all.extend(more.into_iter().filter(|one| !known.contains(&one.from)));
        }
        Ok(Loops { all, inner })
    }

    /// Points that are not tried first.
    pub(super) fn inner(&self) -> impl Iterator<Item = &Point> {
        self.inner.iter()
    }
}

/// The loops of a run, seen in another that goes like it. None where nobody can look.
fn of_run<S: Supervise + ?Sized>(supervisor: &mut S, run: &Run) -> Result<Vec<Loop>, ExploreError> {
    let wanted = wanted(run);
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let observe = Observe::Calls(wanted);
    match attempt_by(|| supervisor.observe(&run.schedule, &observe)) {
        Ok((Tried { run: again, .. }, observed)) if again.taint.is_none() && again.events == run.events => {
            Ok(loops(run, Some(&observed.calls)))
        }
        Ok(_) | Err(RunError::Unsupported(_)) => Ok(Vec::new()),
        Err(error) => Err(ExploreError::run("looking for loops")(error)),
    }
}

/// The calls that could be in loops, if they were made at the same places.
fn wanted(run: &Run) -> Wanted {
    let loops = loops(run, None);
    loops
        .into_iter()
        .flat_map(|one| one.calls.into_iter().map(move |call| (one.from.thread.clone(), call)))
        .collect()
}

/// A visit of a call, from the point before it to the thread's next call.
struct Visit {
    /// The same number for those that are alike.
    kind: usize,
    call: Syscall,
    /// It could be seen what it returned.
    result: bool,
    /// Something could be done at one of its points.
    open: bool,
    points: Vec<Point>,
}

/// The loops of a run by what is known of its calls; those that there would be if all were made at one place, if nothing is.
fn loops(run: &Run, calls: Option<&[Called]>) -> Vec<Loop> {
    let mut loops = Vec::new();
    for visits in visits(run, calls).into_values() {
        let kinds: Vec<usize> = visits.iter().map(|visit| visit.kind).collect();
        for group in fold(&kinds).into_iter().filter(|group| group.times > 1) {
            let all = visits.get(group.start..group.end()).unwrap_or_default();
            // Where nothing can be done there is nothing to save.
            if !all.iter().any(|visit| visit.open) {
                continue;
            }
            let ends = all.first().and_then(|visit| visit.points.first());
            let ends = ends.zip(all.last().and_then(|visit| visit.points.first()));
            let Some((from, to)) = ends else { continue };
            let points = |round: &[Visit]| round.iter().flat_map(|visit| visit.points.clone()).collect();
            loops.push(Loop {
                from: from.clone(),
                to: to.clone(),
                calls: all.iter().take(group.body).map(|visit| visit.call).collect(),
                results: all.iter().all(|visit| visit.result),
                rounds: all.chunks(group.body).map(points).collect(),
            });
        }
    }
    loops
}

/// The visits of calls, by thread.
fn visits(run: &Run, calls: Option<&[Called]>) -> BTreeMap<ThreadName, Vec<Visit>> {
    let calls: Option<HashMap<&Point, &Called>> =
        calls.map(|calls| calls.iter().map(|called| (&called.point, called)).collect());
    let happened = happened(&run.events);
    let mut threads: BTreeMap<ThreadName, Vec<(Syscall, Vec<&Reached>)>> = BTreeMap::new();
    for reached in &run.reached {
        let visits = threads.entry(reached.point.thread.clone()).or_default();
        match (reached.point.site, visits.last_mut()) {
            (Site::Before(call), _) => visits.push((call, vec![reached])),
            // Each instruction has a count of its own, and what comes before the first call is in no loop of calls.
            (Site::At(_), _) | (_, None) => {}
            (
                Site::Entering(_) | Site::After(_) | Site::In(_) | Site::Probe(_) | Site::Quiet,
                Some((_, visit)),
            ) => visit.push(reached),
        }
    }
    let mut kinds = HashMap::new();
    let mut next = 0;
    let mut told = |(call, reached): (Syscall, Vec<&Reached>)| {
        let points: Vec<Point> = reached.iter().map(|reached| reached.point.clone()).collect();
        let seen = match &calls {
            None => Some((0, None)),
            Some(calls) => {
                points.first().and_then(|first| calls.get(first)).map(|seen| (seen.place, seen.result))
            }
        };
        next += 1;
        let kind = match seen {
            None => next,
            Some((place, result)) => {
                let here = reached.iter().map(|reached| {
                    let Reached { point, others, receivable, fires, acts } = reached;
                    (point.site, others.clone(), *receivable, *fires, *acts)
                });
                let happened =
                    points.first().and_then(|first| happened.get(first)).cloned().unwrap_or_default();
                let alike = (call, place, result, here.collect::<Vec<_>>(), happened);
                *kinds.entry(alike).or_insert(next)
            }
        };
        let open = reached.iter().any(|reached| {
            let Reached { others, receivable, fires, acts, .. } = reached;
            !others.is_empty() || !receivable.is_empty() || *fires || *acts != Acts::NOTHING
        });
        Visit { kind, call, open, result: seen.is_some_and(|(_, result)| result.is_some()), points }
    };
    let mut all = BTreeMap::new();
    for (thread, visits) in threads {
        all.insert(thread, visits.into_iter().map(&mut told).collect());
    }
    all
}

/// What happened to threads besides going on and falling asleep, by the call that they had come to last.
fn happened(events: &[Event]) -> HashMap<Point, Vec<&What>> {
    let mut last: HashMap<&ThreadName, Point> = HashMap::new();
    let mut happened: HashMap<Point, Vec<&What>> = HashMap::new();
    for Event { thread, what, .. } in events {
        match what {
            What::Go(site @ Site::Before(_), nth) => {
                last.insert(thread, Point { thread: thread.clone(), site: *site, nth: *nth });
            }
            What::Go(..) | What::Sleep(..) => {}
            What::Exec(_)
            | What::Step(_)
            | What::Make(_)
            | What::Signal(_)
            | What::Stop
            | What::Continue
            | What::Expire(_)
            | What::Fire(_)
            | What::Refuse(..)
            | What::NotHeld(..)
            | What::End(_) => {
                if let Some(point) = last.get(thread) {
                    happened.entry(point.clone()).or_default().push(what);
                }
            }
        }
    }
    happened
}

/// Items that follow one another: so many that come several times, or one that comes once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Group {
    /// Where the first item is.
    start: usize,
    /// So many items come again and again.
    body: usize,
    /// How often.
    times: usize,
}

impl Group {
    fn end(&self) -> usize {
        self.start + self.body * self.times
    }
}

/// The items in groups, each item in one: from the first on always what repeats itself over most items, and of that the
/// shortest.
fn fold<T: PartialEq>(items: &[T]) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut start = 0;
    while start < items.len() {
        let repeated = (1..=MOST_BODY).map(|body| {
            let rest = items.get(start..).unwrap_or_default();
            let later = rest.get(body..).unwrap_or_default();
            let alike = rest.iter().zip(later).take_while(|(one, other)| one == other).count();
            Group { start, body, times: alike / body + 1 }
        });
        let repeated = repeated.filter(|group| group.times >= LEAST);
        let longest = repeated.max_by_key(|group| (group.end(), std::cmp::Reverse(group.body)));
        let group = longest.unwrap_or(Group { start, body: 1, times: 1 });
        start = group.end();
        groups.push(group);
    }
    groups
}

/// Which times round are tried first, counted from 0: the first two, the one in the middle, and the last.
fn tried_first(times: usize) -> [usize; 4] {
    let last = times.saturating_sub(1);
    [0, last.min(1), times / 2, last]
}

#[cfg(test)]
mod tests;
