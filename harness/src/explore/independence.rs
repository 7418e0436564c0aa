//! Switches at different points of a thread that go alike, since what the thread does in between and what the others do are
//! independent of each other.
//!
//! NOTE \[Independent calls\] Whoever is switched to goes first, and the thread that was held goes on when they sleep. If no memory is
//! shared, and what the others' calls did meanwhile and what the thread's next call does come to the same in either order
//! (`supervise::Effects`), a switch at its next point comes to the same state: this is partial-order reduction (Godefroid, Partial-Order
//! Methods for the Verification of Concurrent Systems, 1996), on what one run has shown. Asked for besides:
//!
//! * No signal had come for the held thread when it went on, so that no handler meets another state of its memory.
//! * It then went from point to point with nothing else happening, and at all of these points the same others could have run: what
//!   it did woke nobody.
//! * In the reference run it goes between these points in the same way.
//!
//! The clock is the one thing that may differ: by what the calls in between take, some microseconds.

use crate::schedule::{Action, Point, Site, Step, Target};
use crate::supervise::Effects;
use crate::trace::{Event, Run, Threads, What};
use std::collections::{HashMap, HashSet};

/// What runs of schedules that deviate by one switch have shown of those that switch later. Steps go by the numbers that they have in
/// the space.
#[derive(Clone, Debug, Default)]
pub(super) struct Independence {
    /// The same switch at the point of the thread right before another one's, in the reference run.
    preceding: HashMap<usize, usize>,
    /// The other way round.
    following: HashMap<usize, usize>,
    /// Points of the reference run at which the next call only looks at a file.
    looking: HashSet<Point>,
    /// Steps that go like this earlier one.
    alike: HashMap<usize, usize>,
    /// Steps that were tried, and those for which nothing is to be waited any more.
    decided: HashSet<usize>,
}

impl Independence {
    /// What can be shown of switches in `reference`: each with the same one at the point before.
    pub(super) fn new(reference: &Run, preceding: HashMap<usize, usize>) -> Independence {
        let looking = reference.reached.iter().filter(|reached| reached.looks);
        Independence {
            following: preceding.iter().map(|(later, earlier)| (*earlier, *later)).collect(),
            preceding,
            looking: looking.map(|reached| reached.point.clone()).collect(),
            ..Independence::default()
        }
    }

    /// Takes in the run of the schedule that deviates by `step` only, whose number is `index`. `later` tells the number of the same step at
    /// another point.
    pub(super) fn learn(
        &mut self,
        index: usize,
        step: &Step,
        run: &Run,
        later: impl Fn(&Point) -> Option<usize>,
    ) {
        self.decided.insert(index);
        if run.taint.is_some() || run.unreached.contains(step) {
            return;
        }
        let mut last = index;
        let Some(shown) = shown(run, &step.point(), &self.looking) else {
            // Those who would be switched to later have not gone on since, and would do the same.
            while let Some(next) = self.following.get(&last).filter(|next| self.decided.insert(**next)) {
                last = *next;
            }
            return;
        };
        for next in shown.iter().map_while(later) {
            if self.preceding.get(&next) != Some(&last) {
                break;
            }
            self.alike.insert(next, index);
            last = next;
        }
    }

    /// True if the schedule that deviates by this step only goes like one that was run; none as long as the run that would show it
    /// is not made.
    pub(super) fn shown(&self, index: usize) -> Option<bool> {
        if self.alike.contains_key(&index) {
            return Some(true);
        }
        let known = |index: &usize| self.decided.contains(index) || self.alike.contains_key(index);
        let waits = self.preceding.get(&index).is_some_and(|before| !known(before));
        (!waits || self.decided.contains(&index)).then_some(false)
    }

    /// True if another step waits for what this one shows.
    pub(super) fn is_waited_for(&self, index: usize) -> bool {
        self.following.get(&index).is_some_and(|later| self.shown(*later).is_none())
    }

    /// The earlier step like which this one goes.
    pub(super) fn earlier(&self, index: usize) -> Option<usize> {
        self.alike.get(&index).copied()
    }
}

/// True for what this is asked of: a switch before a call, to all or to one thread.
pub(super) fn is_asked(site: Site, action: &Action) -> bool {
    matches!((site, action), (Site::Before(_), Action::Switch(Target::All | Target::To(_))))
}

/// Each point before a call that a thread went on to from its last one, with nothing else happening in between, and that one.
pub(super) fn preceding(events: &[Event]) -> HashMap<Point, Point> {
    let mut preceding = HashMap::new();
    let mut last: Option<Point> = None;
    for Event { thread, what, .. } in events {
        let What::Go(site, nth) = what else {
            last = None;
            continue;
        };
        let before = last.take().filter(|last| last.thread == *thread);
        last = if matches!(site, Site::Before(_)) {
            let point = Point { thread: thread.clone(), site: *site, nth: *nth };
            if let Some(before) = before {
                preceding.insert(point.clone(), before);
            }
            Some(point)
        } else {
            before
        };
    }
    preceding
}

/// The points after this one, where the run's last switch was, at which it would have gone like there, in their order; none if what the
/// others did then may depend on what the thread does.
fn shown(run: &Run, from: &Point, looking: &HashSet<Point>) -> Option<Vec<Point>> {
    let switched = |event: &Event| matches!(event.what, What::Step(Action::Switch(_)));
    let at = run.events.iter().rposition(switched).filter(|_| !run.shares_memory)?;
    let (_, rest) = run.events.get(at..)?.split_first()?;
    let own = rest.iter().position(|event| event.thread == from.thread)?;
    let (others, rest) = rest.split_at(own);
    let mut reached = run.reached.iter().skip_while(|reached| reached.point != *from).skip(1);
    // Of others of whom nothing is told nothing is shown.
    others.first()?;
    let mut effects = Effects::default();
    for Event { thread, what, .. } in others {
        effects = effects.and(match what {
            What::Go(site @ Site::Before(call), nth) => {
                let point = Point { thread: thread.clone(), site: *site, nth: *nth };
                let looks = reached.find(|reached| reached.point == point)?.looks;
                Effects::of(*call, looks)
            }
            // What belongs to a call counts where that begins.
            What::Go(..) | What::Exec(_) | What::Sleep(..) | What::Make(_) | What::Signal(_) => {
                Effects::default()
            }
            What::Step(_)
            | What::Stop
            | What::Continue
            | What::Expire(_)
            | What::Fire(_)
            | What::Refuse(..)
            | What::NotHeld(..)
            | What::End(_) => return None,
        });
    }
    let mut shown = Vec::new();
    let mut left: Option<&Threads> = None;
    for Event { thread, what, others } in rest {
        let What::Go(site, nth) = what else { break };
        if *thread != from.thread {
            break;
        }
        let Site::Before(call) = site else { continue };
        let point = Point { thread: thread.clone(), site: *site, nth: *nth };
        // What is asked where others could run; it does here what it does in the reference run.
        let own = Effects::of(*call, looking.contains(&point));
        match left {
            None if point == *from => left = Some(others),
            // It has woken nobody.
            Some(left) if left == others => shown.push(point),
            None | Some(_) => break,
        }
        if !own.commute_with(effects) {
            break;
        }
    }
    Some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Syscall;
    use crate::signal::Signal;
    use crate::trace::{Acts, Reached};

    fn site(text: &str) -> Site {
        ron::from_str(text).unwrap()
    }

    fn point(text: &str) -> Point {
        let [thread, call, nth] = text.split(' ').collect::<Vec<_>>()[..] else { panic!("{text}") };
        let site = site(&format!("Before({call})"));
        Point { thread: thread.parse().unwrap(), site, nth: nth.parse().unwrap() }
    }

    /// Going on from such a point, where these others could have gone.
    fn go(text: &str, others: &[&str]) -> Event {
        let Point { thread, site, nth } = point(text);
        let others: Threads = others.iter().map(|other| other.parse().unwrap()).collect();
        Event { thread, what: What::Go(site, nth), others }
    }

    fn event(thread: &str, what: What) -> Event {
        Event { thread: thread.parse().unwrap(), what, others: Threads::default() }
    }

    fn switched(thread: &str) -> Event {
        event(thread, What::Step(Action::Switch(Target::All)))
    }

    fn slept(thread: &str, call: syscalls::Sysno) -> Event {
        event(thread, What::Sleep(Syscall::from(call), 1))
    }

    /// A run with these events, at all of whose points nothing is known but who else could have gone.
    fn run(events: Vec<Event>) -> Run {
        let mut run = crate::explore::model::Model::new(Vec::new(), |_| crate::explore::model::exited(0));
        let mut run =
            crate::supervise::Supervise::run(&mut run, &crate::schedule::Schedule::empty()).unwrap();
        let reached = |event: &Event| {
            let What::Go(site, nth) = event.what else { return None };
            let point = Point { thread: event.thread.clone(), site, nth };
            let (receivable, acts) = (crate::signal::SignalSet::EMPTY, Acts::NOTHING);
            Some(Reached {
                point,
                others: event.others.clone(),
                receivable,
                fires: false,
                acts,
                looks: false,
            })
        };
        run.reached = events.iter().filter_map(reached).collect();
        run.events = events.into();
        run
    }

    fn texts(points: Option<Vec<Point>>) -> Option<Vec<String>> {
        let text = |point: &Point| {
            let Site::Before(call) = point.site else { panic!("{point:?}") };
            format!("{call} {}", point.nth)
        };
        points.map(|points| points.iter().map(text).collect())
    }

    #[test]
    fn points_come_right_after_one_another_if_nothing_happens_in_between() {
        let after = Event { what: What::Go(site("After(Fork)"), 1), ..go("p0 fork 1", &[]) };
        let found = preceding(&[
            go("p0 brk 1", &[]),
            go("p0 brk 2", &["p0.1"]),
            go("p0.1 brk 1", &[]),
            go("p0 fork 1", &[]),
            after,
            go("p0 getpid 1", &[]),
            event("p0", What::Signal(Signal::CHLD)),
            go("p0 getpid 2", &[]),
        ]);
        let wanted = [("p0 brk 2", "p0 brk 1"), ("p0 getpid 1", "p0 fork 1")];
        assert_eq!(found, wanted.map(|(later, earlier)| (point(later), point(earlier))).into());
    }

    #[test]
    fn a_switch_is_carried_on_over_calls_that_have_nothing_to_do_with_those_of_the_others() {
        let other = |calls: &[&str]| {
            let mut events = vec![go("p0.1 brk 1", &["p0"]), switched("p0.1")];
            events.extend(calls.iter().map(|call| go(&format!("p0 {call} 1"), &["p0.1"])));
            events.push(slept("p0", syscalls::Sysno::wait4));
            events
        };
        let own = |calls: &[&str]| {
            let numbered = (1..).zip(calls);
            numbered.map(|(nth, call)| go(&format!("p0.1 {call} {nth}"), &[])).collect::<Vec<_>>()
        };
        let from = point("p0.1 brk 1");
        let of = |others: &[&str], calls: &[&str]| {
            let events = [other(others), own(calls)].concat();
            texts(shown(&run(events), &from, &HashSet::new()))
        };
        let some = |points: &[&str]| Some(points.iter().map(|point| (*point).to_owned()).collect::<Vec<_>>());
        let calls = ["brk", "mmap", "read", "kill", "brk"];
        // Up to the call that concerns processes, as the others' does.
        assert_eq!(of(&["rt_sigprocmask", "wait4"], &calls), some(&["mmap 2", "read 3"]));
        assert_eq!(of(&["read", "wait4"], &calls), some(&["mmap 2", "read 3"]));
        assert_eq!(of(&["brk", "wait4"], &["brk", "mmap", "brk"]), some(&["mmap 2", "brk 3"]));
        // What they change, nobody looks at in either order.
        assert_eq!(of(&["openat", "wait4"], &calls), some(&[]));
        // Others that have ended or were stopped, and a signal that came for the one held.
        let with = |what: What, thread: &str| {
            let events = [other(&["wait4"]), vec![event(thread, what)], own(&calls)].concat();
            texts(shown(&run(events), &from, &HashSet::new()))
        };
        assert_eq!(with(What::End(crate::trace::Status::Exited(0)), "p0"), None);
        assert_eq!(with(What::Stop, "p0"), None);
        assert_eq!(with(What::Signal(Signal::CHLD), "p0.1"), some(&[]));
        // Memory in common, and somebody who is woken by the way.
        let mut shares = run([other(&["wait4"]), own(&calls)].concat());
        shares.shares_memory = true;
        assert_eq!(shown(&shares, &from, &HashSet::new()), None);
        let woken = [other(&["wait4"]), own(&["brk"]), vec![go("p0.1 mmap 2", &["p0"])]].concat();
        assert_eq!(texts(shown(&run(woken), &from, &HashSet::new())), some(&[]));
    }

    #[test]
    fn a_later_switch_waits_for_the_one_before_it() {
        let step = Step::new(point("p0.1 brk 1"), Action::Switch(Target::All));
        let went = |others: &str| {
            let mut events = vec![go("p0.1 brk 1", &["p0"]), switched("p0.1"), go(others, &["p0.1"])];
            events.push(slept("p0", syscalls::Sysno::wait4));
            events.extend(["p0.1 brk 1", "p0.1 brk 2", "p0.1 kill 1", "p0.1 brk 3"].map(|one| go(one, &[])));
            run(events)
        };
        let kill = |point: &Point| point.site == site("Before(kill)");
        let number = |point: &Point| Some(if kill(point) { 2 } else { [0, 1, 3][point.nth as usize - 1] });
        let chain =
            || Independence::new(&went("p0 wait4 1"), (1..4).map(|later| (later, later - 1)).collect());
        let told = |known: &Independence| [0, 1, 2, 3].map(|index| known.shown(index));
        let mut known = chain();
        assert_eq!(told(&known), [Some(false), None, None, None]);
        assert!(known.is_waited_for(0) && !known.is_waited_for(3));
        known.learn(0, &step, &went("p0 wait4 1"), number);
        // The kill concerns processes, and they wait for some: what comes after it is another matter.
        assert_eq!(told(&known), [Some(false), Some(true), Some(true), Some(false)]);
        assert_eq!([known.earlier(2), known.earlier(3)], [Some(0), None]);
        assert!(!known.is_waited_for(0));
        // What the others do may always be seen: nothing is to be waited for.
        let mut known = chain();
        let mut shares = went("p0 wait4 1");
        shares.shares_memory = true;
        known.learn(0, &step, &shares, number);
        assert_eq!(told(&known), [Some(false); 4]);
        // Of a tainted run nothing is known, but the next one need not wait for it.
        let mut known = chain();
        let tainted = Run { taint: Some("load".to_owned()), ..went("p0 wait4 1") };
        known.learn(0, &step, &tainted, number);
        assert_eq!(told(&known), [Some(false), Some(false), None, None]);
    }
}
