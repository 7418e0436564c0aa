//! Whether runs still show anything new.
//!
//! NOTE \[Nothing new\] When the schedules of one step are through, what is left of a space is beyond all budgets: two steps, three,
//! the hundredth time round a loop. Where nobody has said how much of it to try, it is tried by chance as long as that shows
//! something: an outcome that no run has had, or two events of the program one after the other that no run has had so: of one process, or of
//! several where both have to do with what processes share (`supervise::shared`), since else nobody could tell which came first. Which visit of a call it is
//! does not count there, nor which of several processes that run the same program and are as far from the first one: what one worker
//! has done, another need not do again. After [`ENOUGH`] schedules in a row without anything new it is left, and the report says so.
//! Schedules of one step are never left for that, but those at the inner visits of loops (NOTE \[Loops\] in `loops`)
//! and of alike children (NOTE \[Children\] in `children`).

use crate::schedule::{Site, ThreadName};
use crate::supervise::{Shared, shared};
use crate::trace::{Event, Run, What};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::discriminant;

/// So many schedules in a row that show nothing new are enough. If one in 8 still did, so many would all miss it in one of 600
/// searches.
pub const ENOUGH: u64 = 48;

/// What runs have shown.
#[derive(Debug, Default)]
pub(super) struct Novelty {
    /// Pairs of events, by their hashes.
    known: HashSet<u64>,
    outcomes: usize,
    without: u64,
}

impl Novelty {
    /// Takes in a run, after which there are so many distinct outcomes. Where `counts`, it is one of those that are left if they show
    /// nothing new.
    pub(super) fn learn(&mut self, run: &Run, outcomes: usize, counts: bool) {
        let mut new = outcomes > self.outcomes;
        self.outcomes = self.outcomes.max(outcomes);
        if run.taint.is_none() {
            for pair in pairs(&run.events) {
                new |= self.known.insert(pair);
            }
        }
        self.without = match (new, counts) {
            (true, _) => 0,
            (false, true) => self.without + 1,
            (false, false) => self.without,
        };
    }

    /// True if enough of them have shown nothing new.
    pub(super) fn is_over(&self) -> bool {
        self.without >= ENOUGH
    }
}

/// The last events that one can be paired with, by their hashes.
#[derive(Default)]
struct Last {
    of_process: HashMap<ThreadName, u64>,
    of_files: u64,
    of_processes: u64,
}

/// The hashes of all events, each with the ones before it: of its process, and of those that have to do with the same.
fn pairs(events: &[Event]) -> Vec<u64> {
    let mut programs: HashMap<ThreadName, String> = HashMap::new();
    let mut last = Last::default();
    let mut pairs = Vec::with_capacity(events.len());
    for Event { thread, what, .. } in events {
        let process = thread.process();
        match what {
            What::Exec(program) => drop(programs.insert(process.clone(), program.clone())),
            What::Make(made) if made.is_process() => {
                let program = programs.get(&process).cloned().unwrap_or_default();
                programs.insert(made.clone(), program);
            }
            // What the harness does is no event of the program's.
            What::Step(_) => continue,
            What::Make(_)
            | What::Go(..)
            | What::Sleep(..)
            | What::Signal(_)
            | What::Stop
            | What::Continue
            | What::Expire(_)
            | What::Fire(_)
            | What::Refuse(..)
            | What::NotHeld(..)
            | What::End(_) => {}
        }
        let mut hasher = DefaultHasher::new();
        (programs.get(&process), kind(thread)).hash(&mut hasher);
        happening(what, &mut hasher);
        let this = hasher.finish();
        let Shared { files, processes } = shares(what);
        let own = last.of_process.entry(process).or_default();
        let before = [(true, own), (files, &mut last.of_files), (processes, &mut last.of_processes)];
        for (way, (_, before)) in before.into_iter().enumerate().filter(|(_, (concerns, _))| *concerns) {
            let mut hasher = DefaultHasher::new();
            (way, std::mem::replace(before, this), this).hash(&mut hasher);
            pairs.push(hasher.finish());
        }
    }
    pairs
}

/// What an event has to do with that other processes have to do with too.
fn shares(what: &What) -> Shared {
    match what {
        What::Go(Site::Before(call) | Site::Entering(call) | Site::In(call), _) => shared(*call),
        What::Go(Site::After(_) | Site::At(_) | Site::Probe(_) | Site::Quiet, _) => Shared::NOTHING,
        What::Sleep(call, _) | What::Refuse(call, _) => shared(*call),
        What::Make(_) | What::Stop | What::Continue => Shared { processes: true, ..Shared::NOTHING },
        What::Exec(_) | What::End(_) => Shared::ALL,
        What::Step(_) | What::Signal(_) | What::Expire(_) | What::Fire(_) | What::NotHeld(..) => {
            Shared::NOTHING
        }
    }
}

/// How far it is from the first process or which client it is, and whether it is a further thread.
fn kind(thread: &ThreadName) -> (usize, Option<u32>, bool) {
    (thread.generation(), thread.client_of(), thread.is_process())
}

/// What happens, whichever time it is and whoever it is that another one is named for.
fn happening(what: &What, hasher: &mut DefaultHasher) {
    discriminant(what).hash(hasher);
    match what {
        What::Go(site, _) => site.hash(hasher),
        What::Sleep(call, _) | What::Expire(call) | What::Refuse(call, _) => call.hash(hasher),
        What::Make(made) => kind(made).hash(hasher),
        What::Exec(program) => program.hash(hasher),
        What::Signal(signal) | What::Fire(signal) => signal.hash(hasher),
        What::NotHeld(site, _) => site.hash(hasher),
        What::End(status) => status.hash(hasher),
        What::Step(_) | What::Stop | What::Continue => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::model::{Model, exited};
    use crate::schedule::Schedule;
    use crate::supervise::Supervise;
    use crate::trace::Threads;
    use std::sync::Arc;

    fn run(events: &[(&str, &str)]) -> Run {
        let event = |(thread, what): &(&str, &str)| Event {
            thread: thread.parse().unwrap(),
            what: ron::from_str(what).unwrap(),
            others: Threads::default(),
        };
        let events = Arc::new(events.iter().map(event).collect());
        let empty = Model::new(Vec::new(), |_| exited(0)).run(&Schedule::empty()).unwrap();
        Run { events, ..empty }
    }

    #[test]
    fn another_time_round_and_another_worker_of_the_same_kind_are_nothing_new() {
        let mut novelty = Novelty::default();
        let first = [("p0", "Go(Before(read), 1)"), ("p0.1", "Go(Before(write), 1)")];
        let seen = |novelty: &mut Novelty, events: &[(&str, &str)], outcomes| {
            novelty.learn(&run(events), outcomes, true);
            novelty.without
        };
        assert_eq!(seen(&mut novelty, &first, 1), 0);
        assert_eq!(seen(&mut novelty, &first, 1), 1);
        let later = [("p0", "Go(Before(read), 7)"), ("p0.3", "Go(Before(write), 9)")];
        assert_eq!(seen(&mut novelty, &later, 1), 2);
        // A step that is not one of those that are left does not count, and one that shows something begins anew.
        novelty.learn(&run(&first), 1, false);
        assert_eq!(novelty.without, 2);
        let other = [("p0.1", "Go(Before(write), 1)"), ("p0", "Go(Before(read), 1)")];
        assert_eq!(seen(&mut novelty, &other, 1), 0);
        assert_eq!(seen(&mut novelty, &first, 2), 0);
        for _ in 0..ENOUGH {
            assert!(!novelty.is_over());
            seen(&mut novelty, &first, 2);
        }
        assert!(novelty.is_over());
    }

    #[test]
    fn whose_call_came_first_is_new_only_where_both_have_to_do_with_the_same() {
        let went = |first: (&str, &str), then: (&str, &str)| {
            let mut novelty = Novelty::default();
            novelty.learn(&run(&[first, then]), 1, true);
            novelty.learn(&run(&[then, first]), 1, true);
            novelty.without == 0
        };
        let (wait, own) = (("p0", "Go(Before(wait4), 1)"), ("p0", "Go(Before(brk), 1)"));
        let (end, opens) = (("p0.1", "Go(Before(exit_group), 1)"), ("p0.1", "Go(Before(openat), 1)"));
        assert!(went(wait, end));
        assert!(went(("p0", "Sleep(wait4, 1)"), end));
        assert!(went(("p0", "Go(Before(unlink), 1)"), opens));
        assert!(!went(wait, opens) && !went(own, opens) && !went(own, end));
        // A handler that comes at another call of its process is new, and so is another order of its threads.
        assert!(went(own, ("p0", "Signal(SIGCHLD)")));
        assert!(went(own, ("p0/2", "Go(Before(getpid), 1)")));
    }

    #[test]
    fn processes_of_other_programs_are_told_apart() {
        let mut novelty = Novelty::default();
        let same = [("p0", "Make(\"p0.1\")"), ("p0.1", "Go(Before(write), 1)")];
        let other =
            [("p0", "Make(\"p0.1\")"), ("p0.1", "Exec(\"/bin/true\")"), ("p0.1", "Go(Before(write), 1)")];
        novelty.learn(&run(&same), 1, true);
        novelty.learn(&run(&other), 1, true);
        let known = novelty.known.len();
        novelty.learn(&run(&[other[0], other[1], ("p0.1", "Go(Before(write), 2)")]), 1, true);
        assert_eq!((novelty.known.len(), novelty.without), (known, 1));
    }
}
