//! What a process does after the last that came from outside.

use super::{Event, Run, What};
use crate::schedule::ThreadName;

impl Run {
    /// What the process that was sent something last does after that, in its order, whichever time it does each, and whatever its
    /// children are called; none if nothing came from outside.
    pub fn answer(&self) -> Option<Vec<(&ThreadName, What)>> {
        let acts = |event: &Event| matches!(&event.what, What::Step(action) if action.is_from_outside());
        let sent = self.events.iter().rposition(acts)?;
        let (act, after) = self.events.get(sent..)?.split_first()?;
        let process = act.thread.process();
        let own = after.iter().filter(|event| event.thread.process() == process);
        Some(own.map(|event| (&event.thread, which_ever(&event.what))).collect())
    }
}

/// The same without numbers that depend on what was before.
fn which_ever(what: &What) -> What {
    match what {
        What::Go(site, _) => What::Go(*site, 0),
        What::Sleep(call, _) => What::Sleep(*call, 0),
        What::Make(_) => What::Make(ThreadName::root()),
        What::Exec(_)
        | What::Step(_)
        | What::Signal(_)
        | What::Stop
        | What::Continue
        | What::Expire(_)
        | What::Fire(_)
        | What::Refuse(..)
        | What::NotHeld(..)
        | What::End(_) => what.clone(),
    }
}
