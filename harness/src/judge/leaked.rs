//! No process that waits on after a signal holds a descriptor because of where that came (open(2), close(2)).
//!
//! Only who goes on has lost one: the kernel closes what a process holds at its end, and one that is interrupted ends with what it had at
//! that moment. This is said of one run, which waits as the reference run does: the process that was sent the signal sleeps in the same
//! calls and holds more. Whether it has lost what it holds other runs show: a search counts it only if it does not hold that without any
//! signal either, and still has it, where it answers one more signal in the same way (`explore::leaked`).

use super::{Exits, Expectation, Held, Kind, Scope};
use crate::schedule::ThreadName;
use crate::signal::Signal;
use crate::trace::{Broken, End, Open, Outcome, Run};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    broken: Broken::Leaked,
    title: "descriptors are leaked",
    word: "leaked",
    scope: Scope::Uncut,
    of_scenario: |expect, reference| Ok(expect.closed.then(|| of(reference)).flatten()),
    against: |reference, how| {
        let asked = how.sends && how.exits != Exits::Any && how.exit.is_none();
        Ok(asked.then(|| of(reference)).flatten())
    },
};

/// Only where one signal is sent, and the program waits on.
fn of(reference: &Run) -> Option<Held> {
    let (_, signal) = reference.schedule.only_signal()?;
    let waits = matches!(reference.outcome.end, End::Idle(_) | End::Hang(_));
    waits.then(|| Arc::new(As { signal, outcome: reference.outcome.clone() }) as _)
}

/// As the reference run waited.
#[derive(Debug)]
struct As {
    signal: Signal,
    outcome: Outcome,
}

/// The processes that are there at the end.
fn there(outcome: &Outcome) -> BTreeSet<&ThreadName> {
    outcome.table.iter().map(|row| &row.process).collect()
}

impl Expectation for As {
    fn breach(&self, run: &Run) -> Option<String> {
        let (step, _) = run.schedule.only_signal().filter(|(_, signal)| *signal == self.signal)?;
        let (here, usual) = (&run.outcome, &self.outcome);
        let clients = |outcome: &Outcome| outcome.clients.iter().map(|one| one.status).collect::<Vec<_>>();
        if !here.ends_like(usual) || there(here) != there(usual) || clients(here) != clients(usual) {
            return None;
        }
        let process = step.thread.process();
        let (held, known) = (Open::of(&here.remains.held, &process), Open::of(&usual.remains.held, &process));
        let beyond = Open::beyond(held, known);
        (!beyond.is_empty()).then(|| {
            format!(
                "expected {process} to hold no more than in the reference run and than without {signal}, where it sleeps in the same calls; \
                 it holds {} as well, and keeps that when {signal} comes once more",
                beyond.join(", "),
                signal = self.signal
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;
    use crate::schedule::Schedule;
    use crate::trace::{Row, Sleeper};

    /// A run of `p0` that is sent these, waits in this call and holds these files.
    fn waiting(steps: &str, call: &str, held: &[&str]) -> Run {
        let thread = ThreadName::root();
        let call = call.parse().unwrap();
        let sleeper =
            Sleeper { thread: thread.clone(), call, caught: Default::default(), why: String::new() };
        let schedule: Schedule = ron::from_str(&format!("[{steps}]")).unwrap();
        let mut run = Run { schedule, ..run(End::Idle(vec![sleeper])) };
        let descriptors = held.iter().map(|name| (*name).to_owned()).collect();
        run.outcome.remains.held = vec![Open { process: thread, descriptors }];
        run
    }

    const HOME: &str = "(at: In(poll), in: \"p0\", action: Send(SIGHUP))";
    const SENT: &str = "(at: Before(read), in: \"p0\", action: Send(SIGHUP))";

    #[test]
    fn only_who_waits_as_the_reference_run_and_holds_more_has_leaked() {
        let held = of(&waiting(HOME, "poll", &["socket", "/tmp/tmp.aB3dEf"])).unwrap();
        let told = |run: &Run| held.breach(run);
        let leaked = waiting(SENT, "poll", &["socket", "/tmp/tmp.xyzXYZ", "users", "socket"]);
        let why = told(&leaked).unwrap();
        assert!(why.contains("it holds users, socket as well"), "{why}");
        // No more, in another call, without the signal, with two.
        assert_eq!(told(&waiting(SENT, "poll", &["/tmp/tmp.xyzXYZ", "socket"])), None);
        assert_eq!(told(&waiting(SENT, "read", &["socket", "users"])), None);
        assert_eq!(told(&waiting("", "poll", &["socket", "users"])), None);
        assert_eq!(told(&waiting(&format!("{HOME}, {SENT}"), "poll", &["socket", "users"])), None);
        // Somebody else is there, or it has ended.
        let mut other = leaked.clone();
        other.outcome.table.push(Row {
            process: "p0.1".parse().unwrap(),
            parent: None,
            stat: 'S',
            command: String::new(),
            pending: Default::default(),
            blocked: Default::default(),
            caught: Default::default(),
        });
        assert_eq!(told(&other), None);
        let ended = Run { schedule: leaked.schedule, ..run(End::Ended(crate::trace::Status::Exited(0))) };
        assert_eq!(told(&ended), None);
        assert!(of(&ended).is_none() && of(&waiting("", "poll", &[])).is_none());
    }
}
