//! Schedules that go like another one that was run, as that run has shown. Whatever plans schedules asks here, so that none of
//! them is made twice.
//!
//! NOTE \[Alone\] As the last step, a switch to the only other thread goes like the switch to all at the same point, if in that run
//! this thread ran alone until it slept, stopped or ended, and then the one that was held back went on. The supervisor's
//! two rules differ only in who goes next when that thread is no longer held, so the two runs are the same. Before further
//! steps it is not the same: a step in between meets two different rules.
//!
//! NOTE \[Entered alike\] The supervisor's two rules for a switch before a call and at its entering are the same but for one
//! thing: whether a signal that the others have caused is handled before the call or after it. So if no signal was there
//! when the thread went on from before the call, the run of the other schedule is the same.

use crate::schedule::{Action, Schedule, Site, Step, Target, ThreadName};
use crate::trace::{Event, Run, What};
use std::collections::HashMap;

/// What runs have shown of schedules that they are not the runs of.
#[derive(Clone, Debug, Default)]
pub(super) struct Twins {
    /// Schedules whose last switch was one to all: whether a single thread ran alone then.
    alone: HashMap<Schedule, bool>,
    /// Schedules whose last switch was before a call: whether a signal was there when the thread went on.
    signalled: HashMap<Schedule, bool>,
}

impl Twins {
    /// Takes in a run that is not tainted.
    pub(super) fn learn(&mut self, run: &Run) {
        if let Some(alone) = ran_alone(&run.events) {
            self.alone.insert(run.schedule.clone(), alone);
        }
        if run.unreached.is_empty()
            && let Some(signalled) = signalled(&run.events)
        {
            self.signalled.insert(run.schedule.clone(), signalled);
        }
    }

    /// True if a run has shown that the schedule which ends with this step goes like it; none as long as the run that would show it
    /// is not made. `with` makes the schedule that ends with another step instead.
    pub(super) fn shown(&self, last: &Step, with: &dyn Fn(&Step) -> Schedule) -> Option<bool> {
        let alone = |all: &Step| self.alone.get(&with(all)).copied();
        let signalled = |before: &Step| self.signalled.get(&with(before)).copied();
        let Some(before) = before(last) else {
            return to_all(last).map_or(Some(false), |all| alone(&all));
        };
        // What a switch to all has shown before the call holds for the one to the thread that ran alone there.
        let all = to_all(&before).filter(|all| alone(all) == Some(true));
        signalled(&before).or_else(|| signalled(&all?)).map(|signalled| !signalled)
    }
}

/// The same switch before the call, if this is one at its entering.
pub(super) fn before(step: &Step) -> Option<Step> {
    let (Site::Entering(call), Action::Switch(_)) = (step.at, &step.action) else { return None };
    Some(Step { at: Site::Before(call), ..step.clone() })
}

/// A switch to all, where this is one to one thread.
fn to_all(step: &Step) -> Option<Step> {
    let Action::Switch(Target::To(_)) = step.action else { return None };
    Some(Step { action: Action::Switch(Target::All), ..step.clone() })
}

/// True if a signal was there when the thread went on that the last switch of the run held back, before a call; none if there
/// was no such switch, or the thread did not go on.
fn signalled(events: &[Event]) -> Option<bool> {
    let at = events.iter().rposition(|event| matches!(event.what, What::Step(Action::Switch(_))))?;
    let (switch, rest) = events.get(at..)?.split_first()?;
    let mut own = rest.iter().filter(|event| event.thread == switch.thread);
    let next = &own.next()?.what;
    let signalled = matches!(next, What::Signal(_));
    (signalled || matches!(next, What::Go(Site::Before(_), _))).then_some(signalled)
}

/// True if the last switch of a run, which was one to all, let a single thread run until it slept, stopped or ended, and
/// nothing else happened before the thread that had been held back went on; none if there was no such switch.
fn ran_alone(events: &[Event]) -> Option<bool> {
    let at = events.iter().rposition(|event| matches!(event.what, What::Step(Action::Switch(_))))?;
    let (Event { thread: held, what, others }, rest) = events.get(at..)?.split_first()?;
    let What::Step(Action::Switch(Target::All)) = what else { return None };
    let [other] = &**others else { return Some(false) };
    Some(went_on_after(held, other, rest))
}

/// True if this other thread ran until it slept, stopped or ended, and then, before anything else happened, the one that was held.
fn went_on_after(held: &ThreadName, other: &ThreadName, events: &[Event]) -> bool {
    let mut ended = false;
    for Event { thread, what, .. } in events {
        match what {
            What::Go(..) if thread == held => return ended,
            What::Go(..) if thread == other => ended = false,
            What::Go(..) | What::Expire(_) | What::Fire(_) | What::Continue => return false,
            What::Sleep(..) | What::End(_) | What::Stop if thread == other => ended = true,
            What::Exec(_)
            | What::Step(_)
            | What::Sleep(..)
            | What::Make(_)
            | What::Signal(_)
            | What::Stop
            | What::Refuse(..)
            | What::NotHeld(..)
            | What::End(_) => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Signal;

    fn event(thread: &str, what: What) -> Event {
        Event { thread: thread.parse().unwrap(), what, others: Default::default() }
    }

    fn site(text: &str) -> Site {
        ron::from_str(text).unwrap()
    }

    #[test]
    fn a_switch_at_the_entering_differs_if_a_signal_was_there_before_the_call() {
        let switch = || event("p0", What::Step(Action::Switch(Target::All)));
        let other = || event("p0.1", What::Go(site("Before(exit_group)"), 1));
        let go = || event("p0", What::Go(site("Before(wait4)"), 1));
        let signal = || event("p0", What::Signal(Signal::CHLD));
        assert_eq!(signalled(&[switch(), other(), signal(), go()]), Some(true));
        assert_eq!(signalled(&[switch(), other(), go(), signal()]), Some(false));
        assert_eq!(signalled(&[go(), other()]), None);
        assert_eq!(signalled(&[switch(), other()]), None);
        let forked = event("p0", What::Go(site("After(Fork)"), 1));
        assert_eq!(signalled(&[switch(), other(), forked, signal()]), None);
    }

    #[test]
    fn only_a_switch_at_an_entering_has_a_twin_before_the_call() {
        let step = |at: &str, action| Step { at: site(at), thread: ThreadName::root(), nth: 2, action };
        let twin = before(&step("Entering(wait4)", Action::Switch(Target::All)));
        assert_eq!(twin, Some(step("Before(wait4)", Action::Switch(Target::All))));
        assert_eq!(before(&step("Before(wait4)", Action::Switch(Target::All))), None);
        assert_eq!(before(&step("Entering(wait4)", Action::Fire)), None);
    }
}
