//! What a person at the terminal may do, where nobody says so: what of it is explored by itself, as a signal is, with a
//! reference run in which it is done when everything sleeps.

use super::beginning::Look;
use super::crew::attempt;
use super::error::ExploreError;
use super::plan::Plan;
use super::reference::meeting;
use crate::schedule::{Action, Schedule, ThreadName};
use crate::supervise::Supervise;
use crate::trace::{Acts, End, Run};

/// Keys, in the order in which they are tried, and to whom each means something.
const KEYS: [(&str, Acts); 3] = [("^C", Acts::INTERRUPT), ("^\\", Acts::QUIT), ("^Z", Acts::SUSPEND)];
/// What is typed at who reads: the end of the input, and a line of it.
const TEXTS: [&str; 2] = ["^D", "y\n"];
/// A window is enlarged: who waits for that goes on, and everybody has more to draw.
const LARGER: Action = Action::Resize(120, 40);

impl Look {
    /// What a person may do that means something to a process in the foreground, or to the session's leader, when everything first
    /// sleeps; nothing if the first process does not sleep then. Text is typed only where the run waits for the outside.
    pub fn acts(&self) -> Vec<Action> {
        let run = self.run();
        let root = ThreadName::root();
        if !run.first_quiet.iter().any(|point| point.thread.process() == root) {
            return Vec::new();
        }
        let there = run.reached.iter().filter(|reached| run.first_quiet.contains(&reached.point));
        let mut means = Acts::NOTHING;
        there.for_each(|reached| means.add(reached.acts));
        let reads = matches!(run.outcome.end, End::Idle(_)) && means.contains(Acts::TEXT);
        let keys = KEYS.into_iter().filter(|(_, act)| means.contains(*act)).map(|(keys, _)| keys);
        let typed = |keys: &str| keys.parse().ok().map(Action::Type);
        let others = [(LARGER, Acts::RESIZE), (Action::HangUp, Acts::HANG_UP)];
        let others = others.into_iter().filter(|(_, act)| means.contains(*act)).map(|(act, _)| act);
        let texts = TEXTS.into_iter().filter(|_| reads).filter_map(typed);
        keys.filter_map(typed).chain(others).chain(texts).collect()
    }

    /// True if what follows when this is done is worth comparing with, where `run` is what follows when everything sleeps. A
    /// window's new size is no reason to end for who waits for something else; that is told where the runs are
    /// compared with one in which nobody does anything.
    pub fn is_answered(&self, act: &Action, run: &Run) -> bool {
        let waited = matches!(self.run().outcome.end, End::Idle(_));
        let ended = matches!(run.outcome.end, End::Ended(_));
        run.taint.is_none() && !(matches!(act, Action::Resize(..)) && waited && ended)
    }
}

/// The run in which the outside does what the plan says, when everything sleeps.
pub fn met<S: Supervise + ?Sized>(supervisor: &mut S, look: &Look, plan: &Plan) -> Result<Run, ExploreError> {
    let schedule = Schedule { steps: meeting(plan, look.run(), &plan.acts())? };
    let doing = format!("doing what may be worth a search ({schedule})");
    attempt(supervisor, &schedule).map_err(ExploreError::run(doing)).map(|tried| tried.run)
}
