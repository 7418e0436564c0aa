//! Switches at the entering of a call, and what the same switches before the call have shown.
//!
//! NOTE \[Entered alike\] The supervisor's two rules for a switch before a call and at its entering are the same but for one
//! thing: whether a signal that the others have caused is handled before the call or after it. So if no signal was there
//! when the thread went on from before the call, the run of the other schedule is the same.

use crate::schedule::{Action, Schedule, Site, Step};
use crate::trace::{Event, Run, What};
use std::collections::HashMap;

/// Schedules whose last switch was before a call: whether a signal was there when the thread went on.
#[derive(Default)]
pub(super) struct Entered(HashMap<Schedule, bool>);

impl Entered {
    /// Takes in a run.
    pub(super) fn learn(&mut self, run: &Run) {
        if run.taint.is_none()
            && run.unreached.is_empty()
            && let Some(signalled) = signalled(&run.events)
        {
            self.0.insert(run.schedule.clone(), signalled);
        }
    }

    /// True if the run of this schedule has shown that the same switch at the entering differs; none if it is not known.
    pub(super) fn differs(&self, before: &Schedule) -> Option<bool> {
        self.0.get(before).copied()
    }
}

/// The same switch before the call, if this is one at its entering.
pub(super) fn before(step: &Step) -> Option<Step> {
    let (Site::Entering(call), Action::Switch(_)) = (step.at, &step.action) else { return None };
    Some(Step { at: Site::Before(call), ..step.clone() })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Target, ThreadName};
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
