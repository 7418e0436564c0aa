//! Loops of a program: calls that a thread makes again and again at the same places of its code, with the same results.
//!
//! NOTE \[Loops\] What a thread does the four hundredth time round as it did it before is mostly no other place for a race. So
//! the times round that go the same way are one place with a count: those that are tried first are the first two, the one in
//! the middle, and the last. The others come when nothing else is left to try with one step; they are not proposed when a
//! schedule is shrunk, and steps of longer random schedules are not put there. Nothing else changes: an exhaustive search
//! tries them all, later, and what was not tried is counted as such.
//!
//! Which visits of a call are alike is said in `visits`. It is seen in one more run, which must go like the one that is looked at; it is
//! made only where calls repeat themselves in that way at all, or children do, and where something could be done at them.

use super::children::{self, Alike, alike};
use super::crew::{Tried, attempt_by};
use super::error::ExploreError;
use super::visits::{Visit, Visits, tried_first, visits};
use crate::schedule::{Point, Syscall, ThreadName};
use crate::supervise::{Observe, RunError, Supervise, Wanted};
use crate::trace::Run;
use std::collections::HashSet;

/// Fewer times round are no loop: there is little to save.
const LEAST: usize = 8;
/// A time round has at most so many calls.
const MOST_BODY: usize = 24;

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
    rounds: Vec<Box<[Point]>>,
}

impl Loop {
    /// One of which nothing is known but this.
    #[cfg(test)]
    pub(crate) fn new(from: Point, to: Point, calls: Vec<Syscall>, times: usize) -> Loop {
        Loop { from, to, calls, results: true, rounds: vec![Box::default(); times] }
    }

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
    /// Children that do the same, in these runs: NOTE \[Children\] in `children`.
    pub children: Vec<Alike>,
    /// Points that are not tried first.
    inner: HashSet<Point>,
}

/// What goes the same way in one run.
#[derive(Default)]
struct Repeated {
    loops: Vec<Loop>,
    children: Vec<Alike>,
}

impl Repeated {
    fn inner(&self) -> impl Iterator<Item = &Point> {
        self.loops.iter().flat_map(Loop::inner).chain(self.children.iter().flat_map(Alike::inner))
    }
}

impl Loops {
    /// Looks for them in the run of the empty schedule, and in the reference run where that is another.
    pub(super) fn find<S: Supervise + ?Sized>(
        supervisor: &mut S,
        plain: &Run,
        other: Option<&Run>,
    ) -> Result<Loops, ExploreError> {
        let found = of_run(supervisor, plain)?;
        let mut inner: HashSet<Point> = found.inner().cloned().collect();
        let Repeated { loops: mut all, mut children } = found;
        if let Some(other) = other {
            // What has one name in both is one point, and so it has to be alike in both.
            let more = of_run(supervisor, other)?;
            let own: HashSet<&Point> = more.inner().collect();
            let reached = |run: &Run| -> HashSet<Point> {
                run.reached.iter().map(|reached| reached.point.clone()).collect()
            };
            let (here, there) = (reached(plain), reached(other));
            inner.retain(|point| own.contains(point) || !there.contains(point));
            inner.extend(own.into_iter().filter(|point| !here.contains(*point)).cloned());
            let known: HashSet<Point> = all.iter().map(|one| one.from.clone()).collect();
            all.extend(more.loops.into_iter().filter(|one| !known.contains(&one.from)));
            let known: HashSet<ThreadName> = children.iter().map(|one| one.first.clone()).collect();
            children.extend(more.children.into_iter().filter(|one| !known.contains(&one.first)));
        }
        Ok(Loops { all, children, inner })
    }

    /// Points that are not tried first.
    pub(super) fn inner(&self) -> impl Iterator<Item = &Point> {
        self.inner.iter()
    }

    /// Forgets those, which may be many, where the space knows them by their numbers.
    pub(super) fn forget_points(&mut self) {
        self.inner = HashSet::new();
    }
}

/// The loops of a run and its children, seen in another that goes like it. None where nobody can look.
fn of_run<S: Supervise + ?Sized>(supervisor: &mut S, run: &Run) -> Result<Repeated, ExploreError> {
    let wanted = wanted(run);
    if wanted.is_empty() {
        return Ok(Repeated::default());
    }
    let observe = Observe::Calls(wanted);
    match attempt_by(|| supervisor.observe(&run.schedule, &observe)) {
        Ok((Tried { run: again, .. }, observed)) if again.taint.is_none() && again.events == run.events => {
            Ok(repeated(run, &visits(run, Some(&observed.calls))))
        }
        Ok(_) | Err(RunError::Unsupported(_)) => Ok(Repeated::default()),
        Err(error) => Err(ExploreError::run("looking for loops")(error)),
    }
}

/// The calls that could be in loops, or of children that do the same, if they were made at the same places.
fn wanted(run: &Run) -> Wanted {
    let visits = visits(run, None);
    let (loops, children) = (loops(&visits), alike(run, &visits));
    if loops.is_empty() && !children.iter().any(Alike::is_open) {
        return Wanted::new();
    }
    let calls = loops
        .into_iter()
        .flat_map(|one| one.calls.into_iter().map(move |call| (one.from.thread.clone(), call)));
    // A loop that makes children goes the same way if they do, whether or not something could be done in them.
    calls.chain(children::calls(&children, run)).collect()
}

/// What goes the same way in a run with these visits, where something could be done.
fn repeated(run: &Run, visits: &Visits) -> Repeated {
    let children = alike(run, visits).into_iter().filter(Alike::is_open).collect();
    Repeated { loops: loops(visits), children }
}

/// The loops in these visits.
fn loops(visits: &Visits) -> Vec<Loop> {
    let mut loops = Vec::new();
    for visits in visits.threads.values() {
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

#[cfg(test)]
mod tests;
