//! A run in which many signals were watched, as it is where only some of them are.
//!
//! NOTE \[Watched\] Which signals are watched changes nothing of what the program does, and nothing of what a run tells but this: which
//! signals could be sent at a point, where handlers were away, and two kinds of points. The entering of a call is one if something could be
//! done there, and the moment at which everything sleeps if any signal is watched at all.

use crate::schedule::Site;
use crate::signal::SignalSet;
use crate::trace::{Lapse, Reached, Run};

/// True if this is a point as well where only these are watched, of those that were; no person was at a terminal.
pub(super) fn is_there(reached: &Reached, watched: SignalSet) -> bool {
    let Reached { point, others, receivable, fires, .. } = reached;
    match point.site {
        Site::Entering(_) => *fires || !others.is_empty() || !receivable.intersection(watched).is_empty(),
        Site::Quiet => !watched.is_empty(),
        Site::Before(_) | Site::In(_) | Site::After(_) | Site::At(_) | Site::Probe(_) => true,
    }
}

/// The same run, as it is where these are watched, which were all watched in it.
pub(super) fn as_if(run: &Run, watched: SignalSet) -> Run {
    let there = run.reached.iter().filter(|reached| is_there(reached, watched));
    let mut reached = Vec::with_capacity(there.clone().count());
    reached.extend(there.map(|reached| {
        let receivable = reached.receivable.intersection(watched);
        Reached { receivable, ..reached.clone() }
    }));
    let lapses = run.lapses.iter().map(|lapse| Lapse {
        signals: lapse.signals.intersection(watched),
        over: lapse.over.intersection(watched),
        ..lapse.clone()
    });
    let lapses = lapses.filter(|lapse| !lapse.signals.is_empty()).collect();
    Run { reached, lapses, ..run.without_points() }
}
