//! The run with which a trace's run was compared.

use super::{Event, Outcome, Run, Seen, Trace, Whereabouts};
use crate::schedule::Schedule;
use serde::{Deserialize, Serialize};

/// Events of a reference run that is kept: nobody reads a longer one beside another.
const MOST_EVENTS: usize = 20_000;

/// Bytes of output, of both kinds together, of one that is kept.
const MOST_OUTPUT: usize = 1 << 20;

/// The run that nothing disturbed, or that was sent the same where everything slept. It is for people: a replay does not make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceRun {
    /// What the harness did.
    pub schedule: Schedule,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// How it ended.
    pub outcome: Outcome,
    /// Where in their code the threads were, as in a trace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Whereabouts>,
    /// What calls returned and which handlers ran, as in a trace.
    #[serde(default, skip_serializing_if = "Seen::is_nothing")]
    pub seen: Seen,
}

impl ReferenceRun {
    /// This run, with what was seen of it; none if it is too long to be kept in every trace that was compared with it.
    pub fn of(run: &Run, places: Vec<Whereabouts>, seen: Seen) -> Option<ReferenceRun> {
        let Run { schedule, events, outcome, .. } = run;
        let clients = outcome.clients.iter().flat_map(|client| [&client.stdout, &client.stderr]);
        let outputs = [&outcome.stdout, &outcome.stderr].into_iter().chain(clients);
        let written: usize = outputs.map(|output| output.bytes().len()).sum();
        (events.len() <= MOST_EVENTS && written <= MOST_OUTPUT).then(|| ReferenceRun {
            schedule: schedule.clone(),
            events: events.to_vec(),
            outcome: outcome.clone(),
            places,
            seen,
        })
    }
}

impl Trace {
    /// The reference run as a trace of its own, if it was kept.
    pub fn reference_trace(&self) -> Option<Trace> {
        let ReferenceRun { schedule, events, outcome, places, seen } = self.reference.clone()?;
        Some(Trace {
            sigrace: self.sigrace.clone(),
            kernel: self.kernel.clone(),
            arch: self.arch.clone(),
            launch: self.launch.clone(),
            digest: self.digest.clone(),
            limits: self.limits.clone(),
            world: self.world.clone(),
            shared: self.shared.clone(),
            breaks: Vec::new(),
            search: None,
            reference: None,
            seed: self.seed,
            always: self.always,
            schedule,
            events,
            outcome,
            places,
            seen,
        })
    }
}
