//! What came of a search, as values.

use super::beginning::Beginning;
use super::children::Alike;
use super::loops::Loop;
use super::partition::Partition;
use super::plan::Plan;
use super::reference::Reference;
use super::verdict::Verdict;
use crate::schedule::{Point, Schedule, Step};
use crate::trace::{self, Broken, Outcome, Run, Whereabouts};
use std::sync::Arc;

/// What came of a search. The same for the same program, plan and seed, with any number of workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What chance was made from.
    pub seed: u64,
    /// The verdict if no finding is known; [`Report::against`] gives that of a scenario which knows some.
    pub verdict: Verdict,
    /// Which part of the search this is; all of it if none.
    pub part: Option<Partition>,
    /// Runs that every part of a search makes, to see what there is to try: not among `runs`.
    pub shared_runs: u64,
    /// Where it begins; at the program's start if none.
    pub from: Option<Beginning>,
    /// The reference run.
    pub reference: Arc<Reference>,
    /// Runs made by the strategies. The reference run is number 0 and not among them.
    pub runs: u64,
    /// Runs made to shrink and to confirm.
    pub extra_runs: u64,
    /// Runs that broke an expectation.
    pub failing: u64,
    /// Runs that are not among them: a signal was to be sent while one was pending, so that nothing would have come of it (see
    /// `Run::merged`).
    pub merged: u64,
    /// Runs that proved nothing, since something reached a running thread that nobody controlled.
    pub tainted: u64,
    /// Runs of a schedule that had been run before, and went otherwise this time.
    pub irregular: u64,
    /// Schedules that were run twice with equal events, to verify that runs repeat themselves.
    pub verified: u64,
    /// Signals that were to be sent, but could not be in any run.
    pub signals_unsent: usize,
    /// Where steps were taken.
    pub coverage: Coverage,
    /// The distinct outcomes, in the order in which they were first seen.
    pub outcomes: Vec<Seen>,
    /// True if there were more distinct outcomes than were kept.
    pub more_outcomes: bool,
    /// Confirmed findings, the most telling first; among those that break the same, the simplest schedule first.
    pub findings: Vec<Finding>,
    /// What failed but did not repeat itself; the first few.
    pub unstable: Vec<Unstable>,
    /// A failing run that an interrupt kept from being shrunk and confirmed.
    pub unfinished: Option<(Broken, Run)>,
    /// Schedules that were given to be tried first, with the steps whose points did not come or that could do nothing.
    pub unmet: Vec<(Schedule, Vec<Step>)>,
    /// Why the search ended before its budget was used up, if so.
    pub cut: Option<Cut>,
}

impl Report {
    /// Of a search that has not begun.
    pub(super) fn new(plan: &Plan, reference: &Arc<Reference>) -> Report {
        Report {
            seed: plan.seed,
            verdict: Verdict::Unreached,
            part: plan.part,
            shared_runs: 0,
            from: plan.from.clone(),
            reference: reference.clone(),
            runs: 0,
            extra_runs: 0,
            failing: 0,
            merged: 0,
            tainted: 0,
            irregular: 0,
            verified: 0,
            signals_unsent: 0,
            coverage: Coverage::default(),
            outcomes: Vec::new(),
            more_outcomes: false,
            findings: Vec::new(),
            unstable: Vec::new(),
            unfinished: None,
            unmet: Vec::new(),
            cut: None,
        }
    }
}

/// Why a search ended before its budget was used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The user asked to stop.
    Interrupted,
    /// The time was used up.
    Time,
    /// The runs were used up before the strategies had tried all that they were to try.
    Runs,
    /// What was left took several steps or was far inside loops, and showed nothing new any more (NOTE \[Nothing new\] in
    /// `explore::novelty`).
    NothingNew,
    /// There was a finding, and one was enough.
    FirstFinding,
    /// All known findings were found.
    KnownFound,
    /// There were more findings than anybody reads.
    Full,
}

/// Where steps were taken, and how much of what could be tried was tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The schedules of one step, whatever the strategies were, and those of more steps as far as they were to be
    /// exhausted; by the number of steps.
    pub levels: Vec<Level>,
    /// What probabilistic concurrency testing has tried, if it was asked for.
    pub chance: Option<Chance>,
    /// Points that the baseline reaches: the run of the empty schedule and the reference run.
    pub reached: usize,
    /// Of these, the points where a step is legal: another thread could run, or the signal is caught or blocked.
    pub open: usize,
    /// Of these, the points where a step was taken, or is known to go like one that was. `taken` of `open` is what a pass can say.
    pub taken: usize,
    /// Single sends that the baseline offers: a signal at a point.
    pub sends: usize,
    /// Of these, how many were made.
    pub sends_taken: usize,
    /// Single timers that the baseline offers: one that runs out at a point.
    pub fires: usize,
    /// Of these, how many were made.
    pub fires_taken: usize,
    /// Single switches that the baseline offers: a point, and all others or one thread.
    pub switches: usize,
    /// Of these, how many were made.
    pub switches_taken: usize,
    /// What goes round in the baseline, with the times round at which steps were taken, counted from 1.
    pub loops: Vec<(Loop, Vec<u64>)>,
    /// Children of the baseline that do the same, with those of them in which steps were taken, counted from 1.
    pub children: Vec<(Alike, Vec<u64>)>,
    /// Of the open points, in a part of a search, those where no step was taken here.
    pub not_taken: Vec<Point>,
    /// Points that only other runs reached.
    pub discovered: usize,
    /// Steps taken in all runs of the search together.
    pub steps: u64,
}

/// The schedules of one number of steps.
///
/// Steps are counted as deviations from the reference run, so a signal that stays where that sends it is none; only in the
/// first level the schedule of the reference run counts as one of those that send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// How many steps.
    pub steps: u32,
    /// How many schedules are known, by what the runs of fewer steps have reached.
    pub all: u64,
    /// How many of them were run.
    pub run: u64,
    /// How many were not run since they go like one that was (`explore::twins`).
    pub same: u64,
    /// True if there are more that are not known, since not all of fewer steps were run.
    pub open: bool,
}

impl Level {
    /// Schedules of which it is known how they go.
    pub fn covered(&self) -> u64 {
        self.run + self.same
    }

    /// Schedules that are known and were not tried.
    pub fn missing(&self) -> u64 {
        self.all.saturating_sub(self.covered())
    }

    /// True if there is no schedule of so many steps of which it is not known how it goes.
    pub fn exhausted(&self) -> bool {
        !self.open && self.missing() == 0
    }
}

/// What samples of probabilistic concurrency testing are good for (`explore::pct`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chance {
    /// How many orderings of threads a bug may need: d.
    pub depth: u32,
    /// The most threads that a run has had: n.
    pub threads: u64,
    /// The most moments (points at which a thread was let go, and falls into sleep) that a run has had: k.
    pub moments: u64,
    /// Signals that each run sends.
    pub signals: u64,
    /// Samples that were made, each drawn among so many moments.
    pub samples: u64,
    /// Samples that were given up.
    pub given_up: u64,
    /// False if steps were planned at some kinds of points only.
    pub everywhere: bool,
}

impl Chance {
    /// Each sample meets a bug of this depth with a probability of at least one in this number: n k^(d-1), times k for each
    /// signal. None if no bound is claimed (NOTE \[What the bound says\] in `explore::pct`), or it is beyond all numbers.
    pub fn one_in(&self) -> Option<u64> {
        if !self.everywhere || self.given_up > 0 {
            return None;
        }
        let power = u32::try_from(self.signals).ok()?.checked_add(self.depth.saturating_sub(1))?;
        self.moments.checked_pow(power)?.checked_mul(self.threads)
    }
}

/// An outcome, and an example of how it comes about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The outcome. Two are distinct if they differ in their [`essence`](Outcome::essence), and not only in dates, times and numbers
    /// of processes ([`without_moments`](Outcome::without_moments)).
    pub outcome: Outcome,
    /// What it breaks.
    pub breaks: Vec<Broken>,
    /// The first schedule that led to it.
    pub example: Schedule,
    /// The number of the first run that ended so; 0 is the reference run.
    pub first: u64,
    /// How many runs ended so, the reference run included.
    pub runs: u64,
}

/// A schedule whose outcome breaks an expectation, shrunk and confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The most telling expectation that breaks.
    pub breaks: Broken,
    /// The minimal schedule, in the order in which the run takes the steps.
    pub schedule: Schedule,
    /// The same with source lines in place of instructions, where they are known: what it is called in every build.
    pub located: Schedule,
    /// One of the confirming runs.
    pub run: Run,
    /// Where the threads were in it, what its calls returned and which handlers ran, if that was looked at.
    pub looked: Option<Looked>,
    /// What else the run breaks.
    pub also: Vec<Broken>,
    /// Minimal schedules at other calls that break the same, each confirmed; the simplest few (NOTE \[Elsewhere\] in
    /// `explore::elsewhere`).
    pub elsewhere: Vec<Schedule>,
    /// How many more were seen, which nobody has confirmed.
    pub elsewhere_more: usize,
    /// The number of the run in which it was first seen; 0 is the reference run.
    pub first: u64,
    /// Runs of the search that showed it.
    pub runs: u64,
    /// Runs that shrinking it took.
    pub shrink_runs: u64,
    /// True if the budget for shrinking was used up: a simpler schedule may exist.
    pub shrink_cut: bool,
    /// How often this very schedule was run, and went and ended the same way each time.
    pub confirmed: u32,
}

/// Where the threads of a run were, what its calls returned and which handlers ran.
pub type Looked = (Vec<Whereabouts>, trace::Seen);

/// Something that did not repeat itself, so it proves nothing: evidence against the harness or the program's
/// repeatability, never a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unstable {
    /// The expectation that broke; none if no run was without taint.
    pub breaks: Option<Broken>,
    /// The schedule that was run several times.
    pub schedule: Schedule,
    /// What is wrong with it.
    pub why: String,
    /// One run: where something broke, the one that did.
    pub one: Run,
    /// Another.
    pub other: Option<Run>,
    /// The first event in which the two differ, counted from 0, where both are runs of the same schedule.
    pub differs: Option<usize>,
}
