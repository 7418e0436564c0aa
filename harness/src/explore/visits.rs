//! Visits of calls: which of them are alike, and which processes are.
//!
//! Two visits of a call are alike if the thread makes it at the same place, called by the same functions, if it returns the
//! same and sleeps as often, if nothing happened to the thread meanwhile (a signal, a time that ran out otherwise), and if the
//! same could have been done there: the others that could run, the signals that could come. Numbers of processes that are returned are
//! not compared, nor are names of others: what counts is what kin they are, and of descendants what they do.
//!
//! Two children of a process are alike if they were made at the same place of it, run the same programs, their threads do nothing but alike
//! visits in the same order, and they end the same way. That is known of those that have made no others first.

use crate::schedule::{Point, Site, Syscall, ThreadName};
use crate::signal::SignalSet;
use crate::supervise::Called;
use crate::trace::{Acts, Event, Reached, Run, Threads, What};
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use syscalls::Sysno;

/// A visit of a call, from the point before it to the thread's next call.
pub(super) struct Visit {
    /// The same number for those that are alike.
    pub(super) kind: usize,
    pub(super) call: Syscall,
    /// It could be seen what it returned.
    pub(super) result: bool,
    /// Something could be done at one of its points.
    pub(super) open: bool,
    pub(super) points: Vec<Point>,
}

/// All visits of a run.
#[derive(Default)]
pub(super) struct Visits {
    pub(super) threads: BTreeMap<ThreadName, Vec<Visit>>,
    /// Of each process that others have made the same number as of those that are alike.
    pub(super) alike: BTreeMap<ThreadName, usize>,
}

/// What another thread is to one.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Kin {
    /// Of the same process; true for its first thread.
    Own(bool),
    /// Of a process so many generations above.
    Ancestor(usize),
    /// Of a process that descends from it, and what those are alike that do the same.
    Descendant(usize),
    /// Of one so far from the first process.
    Stranger(usize),
    /// Nothing is known of it.
    Named(ThreadName),
}

/// What could be done at a point.
#[derive(PartialEq, Eq, Hash)]
struct Here {
    site: Site,
    /// What kin the others are that could run, by the number of that list.
    others: usize,
    receivable: SignalSet,
    fires: bool,
    acts: Acts,
}

/// What happened to a thread.
#[derive(PartialEq, Eq, Hash)]
enum Happened<'a> {
    Made(Kin),
    Other(&'a What),
}

/// What makes a visit what it is.
#[derive(PartialEq, Eq, Hash)]
struct Kind<'a> {
    call: Syscall,
    place: usize,
    result: Option<i64>,
    here: Vec<Here>,
    happened: Vec<Happened<'a>>,
}

/// What could be done in a thread before its first call, and its visits.
type Life = (Vec<Here>, Vec<usize>);

/// What makes a child what it is: where it was made, and what its threads did.
#[derive(PartialEq, Eq, Hash)]
struct Nature(usize, Vec<Life>);

/// The same number for the same.
struct Numbers<T>(HashMap<T, usize>);

impl<T: Hash + Eq> Numbers<T> {
    fn of(&mut self, one: T) -> usize {
        let next = self.0.len();
        *self.0.entry(one).or_insert(next)
    }
}

/// The points of a thread, call by call, and before its first one.
#[derive(Default)]
struct Course<'a> {
    birth: Vec<&'a Reached>,
    calls: Vec<(Syscall, Vec<&'a Reached>)>,
}

/// The visits of calls in a run by what is known of its calls; those that there would be if all were made at one place, if nothing is.
pub(super) fn visits(run: &Run, calls: Option<&[Called]>) -> Visits {
    let calls: Option<HashMap<&Point, &Called>> =
        calls.map(|calls| calls.iter().map(|called| (&called.point, called)).collect());
    let (happened, makers) = happened(&run.events);
    let mut courses: BTreeMap<ThreadName, Course<'_>> = BTreeMap::new();
    for reached in &run.reached {
        let course = courses.entry(reached.point.thread.clone()).or_default();
        match (reached.point.site, course.calls.last_mut()) {
            (Site::Before(call), _) => course.calls.push((call, vec![reached])),
            // Each instruction has a count of its own.
            (Site::At(_), _) => {}
            // What comes before the first call is in no loop of calls.
            (_, None) => course.birth.push(reached),
            (
                Site::Entering(_) | Site::After(_) | Site::In(_) | Site::Probe(_) | Site::Quiet,
                Some((_, visit)),
            ) => visit.push(reached),
        }
    }
    let mut generations: BTreeMap<usize, Vec<&ThreadName>> = BTreeMap::new();
    for thread in courses.keys() {
        generations.entry(thread.generation()).or_default().push(thread);
    }
    let (mut kinds, mut natures) = (Numbers(HashMap::new()), Numbers(HashMap::new()));
    let mut kins = Kins { lists: Numbers(HashMap::new()), last: None };
    let (mut all, mut unknown) = (Visits::default(), usize::MAX);
    // What others descend from comes after them.
    for threads in generations.into_values().rev() {
        let mut found: BTreeMap<ThreadName, Vec<Life>> = BTreeMap::new();
        for thread in threads {
            let Some(course) = courses.get(thread) else { continue };
            let mut made = Vec::new();
            for (call, reached) in &course.calls {
                let first = reached.first().map(|reached| &reached.point);
                let seen = match &calls {
                    None => Some((0, None)),
                    Some(calls) => first
                        .and_then(|first| calls.get(first))
                        .map(|called| (called.place, called.result.map(|result| told(*call, result)))),
                };
                let kind = seen.map(|(place, result)| Kind {
                    call: *call,
                    place,
                    result,
                    here: reached.iter().map(|reached| kins.here(reached, &all.alike)).collect(),
                    happened: first
                        .and_then(|first| happened.get(first))
                        .into_iter()
                        .flatten()
                        .map(|what| match what.made() {
                            Some(made) => Happened::Made(kin(thread, made, &all.alike)),
                            None => Happened::Other(what),
                        })
                        .collect(),
                });
                // One of which nothing is known is like no other.
                unknown -= usize::from(kind.is_none());
                made.push(Visit {
                    kind: kind.map_or(unknown, |kind| kinds.of(kind)),
                    call: *call,
                    result: seen.is_some_and(|(_, result)| result.is_some()),
                    open: reached.iter().any(|reached| is_open(reached)),
                    points: reached.iter().map(|reached| reached.point.clone()).collect(),
                });
            }
            let births = course.birth.iter().map(|reached| kins.here(reached, &all.alike)).collect();
            let own = (births, made.iter().map(|visit| visit.kind).collect());
            found.entry(thread.process()).or_default().push(own);
            all.threads.insert(thread.clone(), made);
        }
        for (process, threads) in found {
            let known = |maker: &Point| match &calls {
                None => Some(0),
                Some(calls) => calls.get(maker).map(|called| called.place),
            };
            if let Some(place) = makers.get(&process).and_then(known) {
                all.alike.insert(process, natures.of(Nature(place, threads)));
            }
        }
    }
    all
}

/// Of so many that are alike which are tried first, counted from 0: the first two, the one in the middle, and the last.
pub(super) fn tried_first(times: usize) -> [usize; 4] {
    let last = times.saturating_sub(1);
    [0, last.min(1), times / 2, last]
}

/// True if something could be done there.
pub(super) fn is_open(reached: &Reached) -> bool {
    let Reached { others, receivable, fires, acts, .. } = reached;
    !others.is_empty() || !receivable.is_empty() || *fires || *acts != Acts::NOTHING
}

/// What kin threads are to one, by lists: many points of a thread have one in common, and it may be long.
struct Kins<'a> {
    lists: Numbers<Vec<Kin>>,
    /// The list that was looked up last, whose it was, and its number.
    last: Option<(&'a ThreadName, &'a Threads, usize)>,
}

impl<'a> Kins<'a> {
    /// What could be done at this point. What others are alike does not change while one thread's points are looked at.
    fn here(&mut self, reached: &'a Reached, alike: &BTreeMap<ThreadName, usize>) -> Here {
        let Reached { point: Point { thread, site, .. }, others, receivable, fires, acts, looks: _ } =
            reached;
        let known = self.last.filter(|(of, list, _)| *of == thread && list.is_copy_of(others));
        let number = match known {
            Some((_, _, number)) => number,
            None => self.lists.of(others.iter().map(|other| kin(thread, other, alike)).collect()),
        };
        self.last = Some((thread, others, number));
        Here { site: *site, others: number, receivable: *receivable, fires: *fires, acts: *acts }
    }
}

fn kin(thread: &ThreadName, other: &ThreadName, alike: &BTreeMap<ThreadName, usize>) -> Kin {
    let (process, others) = (thread.process(), other.process());
    if process == others {
        Kin::Own(other.is_process())
    } else if process.descends_from(&others) {
        Kin::Ancestor(process.generation() - others.generation())
    } else if other.descends_from(&process) {
        alike.get(&others).map_or_else(|| Kin::Named(other.clone()), |alike| Kin::Descendant(*alike))
    } else if other.client_of() == thread.client_of() {
        Kin::Stranger(other.generation())
    } else {
        Kin::Named(other.clone())
    }
}

/// What a call returned, but for which process's number it is.
fn told(call: Syscall, result: i64) -> i64 {
    const OF_PROCESSES: [Sysno; 13] = [
        Sysno::fork,
        Sysno::vfork,
        Sysno::clone,
        Sysno::clone3,
        Sysno::wait4,
        Sysno::getpid,
        Sysno::gettid,
        Sysno::getppid,
        Sysno::getpgrp,
        Sysno::getpgid,
        Sysno::getsid,
        Sysno::setsid,
        Sysno::set_tid_address,
    ];
    if OF_PROCESSES.iter().any(|other| call == (*other).into()) { result.min(1) } else { result }
}

/// What happened to threads besides going on and falling asleep, by the call that they had come to last; and by which call each process
/// was made.
fn happened(events: &[Event]) -> (HashMap<Point, Vec<&What>>, HashMap<ThreadName, Point>) {
    let mut last: HashMap<&ThreadName, Point> = HashMap::new();
    let mut happened: HashMap<Point, Vec<&What>> = HashMap::new();
    let mut makers = HashMap::new();
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
                    if let Some(made) = what.made().filter(|made| made.is_process()) {
                        makers.insert(made.clone(), point.clone());
                    }
                }
            }
        }
    }
    (happened, makers)
}
