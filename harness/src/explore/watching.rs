//! A run in which many signals were watched, as it is where only some of them are.
//!
//! NOTE \[Watched\] Which signals are watched changes nothing of what the program does, and nothing of what a run tells but this: which
//! signals could be sent at a point, where handlers were away, and two kinds of points. The entering of a call is one if something could be
//! done there, and the moment at which everything sleeps if any signal is watched at all.

use crate::schedule::Site;
use crate::signal::SignalSet;
use crate::trace::{Lapse, Reached, Run};

/// What a run tells of the signals that were watched in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Watching {
    reached: Vec<Reached>,
    lapses: Vec<Lapse>,
}

impl Watching {
    /// What this run tells, in which no person was at a terminal.
    pub(super) fn of(run: &Run) -> Watching {
        Watching { reached: run.reached.clone(), lapses: run.lapses.clone() }
    }

    /// The same run, as it is where these are watched, which were all watched in it.
    pub(super) fn as_if(&self, run: &Run, watched: SignalSet) -> Run {
        let reached = self.reached.iter().filter_map(|reached| {
            let receivable = reached.receivable.intersection(watched);
            let Reached { others, fires, .. } = reached;
            let is_there = match reached.point.site {
                Site::Entering(_) => *fires || !others.is_empty() || !receivable.is_empty(),
                Site::Quiet => !watched.is_empty(),
                Site::Before(_) | Site::In(_) | Site::After(_) | Site::At(_) | Site::Probe(_) => true,
            };
            is_there.then(|| Reached { receivable, ..reached.clone() })
        });
        let lapses = self.lapses.iter().map(|lapse| Lapse {
            signals: lapse.signals.intersection(watched),
            over: lapse.over.intersection(watched),
            ..lapse.clone()
        });
        let lapses = lapses.filter(|lapse| !lapse.signals.is_empty()).collect();
        Run { reached: reached.collect(), lapses, ..run.clone() }
    }
}
