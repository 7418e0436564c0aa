//! What a search may do.

use super::beginning::Beginning;
use super::code::Code;
use super::partition::Partition;
use crate::scenario::{Known, Strategy};
use crate::schedule::{Action, Receiver, Schedule, Site};
use crate::signal::Signal;
use crate::slots::Waited;
use indexmap::IndexSet;
use std::time::Duration;

/// What a search may do, how long it looks, and what it does with a failing run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Signals that the outside world sends in every run, one named twice two times. `Settings::watch` is to hold the same.
    pub send: Vec<Signal>,
    /// To whom they are sent.
    pub send_to: Receiver,
    /// What a person does at the run's terminal in every run, each as often as it is named.
    pub person: Vec<Action>,
    /// What a person may do there: each is tried by itself, at points where it means something to the process.
    pub may: Vec<Action>,
    /// Send also where the signal is neither caught nor blocked; `Settings::always` is to say the same.
    pub always: bool,
    /// Steps are planned only at these kinds of points; at all when empty.
    pub points: Vec<Site>,
    /// Where the search begins; at the program's start if none.
    pub from: Option<Beginning>,
    /// Code in which steps are planned, where the baseline executes it, besides those kinds of points.
    pub code: Code,
    /// Schedules that are tried before the strategies begin: kept cases, or the one that is to be shrunk further.
    pub fixed: Vec<Schedule>,
    /// How to look, one after the other. Each holds its own budget of runs.
    pub strategies: Vec<Strategy>,
    /// Runs that all strategies together may make; none means that only each one's own budget counts.
    pub runs: Option<u64>,
    /// What takes several steps, or is far inside a loop, is left when it shows nothing new: NOTE \[Nothing new\] in
    /// `explore::novelty`. Else only when the runs are used up.
    pub settles: bool,
    /// Runs that checking the handlers may take; none for as many as are usual, fewer where each takes long.
    pub handler_runs: Option<u64>,
    /// Which part of the search is made here; all of it if none (NOTE \[Parts of a search\] in `explore::partition`).
    pub part: Option<Partition>,
    /// Make every run twice and compare the events; a difference is `Unstable`.
    pub verify: bool,
    /// False makes strategies try also what is known to go like another schedule.
    pub prune: bool,
    /// What chance is made from.
    pub seed: u64,
    /// No new round begins after this time; none means that only runs count.
    pub time: Option<Duration>,
    /// What the workers wait for CPUs, which does not count for that time.
    pub waited: Waited,
    /// False keeps failing schedules as they were found.
    pub shrink: bool,
    /// Runs that shrinking one finding may cost.
    pub shrink_runs: u64,
    /// How often the schedule of a finding is run before that is reported; at least once more than it was seen.
    pub confirm: u32,
    /// How many runs are made at the same time; at least one.
    pub jobs: usize,
    /// When to stop before the budget is used up.
    pub stop: Stop,
    /// Other searches have their turn as soon as single steps are through in this one, and between two rounds of them.
    pub in_turns: bool,
    /// Findings that are known. Their schedules are tried when a finding of two or more steps is shrunk.
    pub known: Vec<Known>,
}

/// When a search stops before its budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Never.
    Never,
    /// At the first finding.
    FirstFinding,
    /// When every known finding was found; never if none is known.
    KnownFound,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            send: Vec::new(),
            send_to: Receiver::default(),
            person: Vec::new(),
            may: Vec::new(),
            always: false,
            points: Vec::new(),
            from: None,
            code: Code::default(),
            fixed: Vec::new(),
            strategies: Strategy::defaults(200),
            runs: None,
            settles: false,
            handler_runs: None,
            part: None,
            verify: false,
            prune: true,
            seed: 0,
            time: None,
            waited: Waited::default(),
            shrink: true,
            shrink_runs: 500,
            confirm: 10,
            jobs: 1,
            stop: Stop::Never,
            in_turns: false,
            known: Vec::new(),
        }
    }
}

impl Plan {
    /// The plan that shrinks `schedule` further: it is tried first, and nothing else is.
    ///
    /// The signals that the schedule sends are taken for those that every run sends. Without that, a server that waits
    /// for its SIGTERM would "hang" just as well when it is sent none.
    pub fn to_shrink(schedule: Schedule) -> Plan {
        let mut plan = Plan { strategies: Vec::new(), ..Plan::default() };
        for step in &schedule.steps {
            match &step.action {
                Action::Send(signal) | Action::SendGroup(signal) => {
                    plan.send.push(*signal);
                    let group = matches!(step.action, Action::SendGroup(_));
                    plan.send_to = Receiver { process: step.thread.process(), group };
                }
                Action::Type(_) | Action::Resize(..) | Action::HangUp => {
                    plan.person.push(step.action.clone());
                }
                Action::Switch(_) | Action::Fire => {}
            }
        }
        plan.fixed.push(schedule);
        plan
    }

    /// What of so many runs is made here.
    pub(super) fn share(&self, runs: u64) -> u64 {
        self.part.map_or(runs, |part| part.share(runs))
    }

    /// What the outside does in every run, in this order.
    pub fn acts(&self) -> Vec<Action> {
        let send = if self.send_to.group { Action::SendGroup } else { Action::Send };
        self.send.iter().copied().map(send).chain(self.person.iter().cloned()).collect()
    }

    /// True if what the outside does calls for an end of its own. Another size of a window does not.
    pub fn asks_for_an_end(&self) -> bool {
        self.acts().iter().any(|act| !matches!(act, Action::Resize(..)))
    }

    /// The kinds of signals to send.
    pub fn signals(&self) -> Vec<Signal> {
        self.send.iter().copied().collect::<IndexSet<_>>().into_iter().collect()
    }
}
