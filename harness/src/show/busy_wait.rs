//! Who waits for others in a loop that only burns a CPU.

use crate::schedule::Site;
use crate::trace::{Run, What};
use std::collections::BTreeSet;

/// A line for each thread and loop: a run holds it there until others have gone on, without having been asked to.
pub fn busy_waits(run: &Run) -> String {
    let asked = |site: Site| run.schedule.steps.iter().any(|step| step.at == site);
    let waits = run.events.iter().filter_map(|event| {
        let What::Go(site @ Site::At(place), _) = event.what else { return None };
        (!asked(site)).then_some((&event.thread, place))
    });
    let waits: BTreeSet<_> = waits.collect();
    let line = |(thread, place): (_, _)| format!("{thread} waits at {place} in a loop that burns a CPU\n");
    waits.into_iter().map(line).collect()
}
