//! Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte: A Randomized Scheduler with
//! Probabilistic Guarantees of Finding Bugs, ASPLOS 2010), over the threads of all processes.
//!
//! A sample gives each thread a random priority, and always lets the thread go that has the highest of those that could.
//! At d - 1 moments, drawn among k, the thread that is about to go gets a priority below all that were given at first.
//! With n threads and at most k moments, a bug that needs d orderings is then met with a probability of at least
//! 1 / (n k^(d-1)).
//!
//! A schedule is a list of steps that is known before its run, so a sample is made in several runs. The first takes no
//! step. Where a run first lets another thread go than the priorities say, a `Switch` to the right one is added at that
//! point, and the next run is the same up to there. The last of them goes by the priorities from its start to its end: it
//! is the sample. The others are schedules like any, and are judged like any.
//!
//! NOTE \[Moments\] A moment is a point at which a thread is let go, or a call in which it falls asleep.
//!
//! NOTE \[Signals\] Each signal that is to be sent draws one of the k moments, and is sent at the first one from there on
//! at which its process can get it. That is one more drawing among k: with s signals the bound is 1 / (n k^(d-1+s)), for a
//! bug that needs d orderings of threads and each signal right at one moment. At a point where its thread has already
//! been held back for another no signal is sent. A sample that never sends its signal sends it where the reference run does.
//!
//! NOTE \[Timers\] A sample has no timer run out early: they run out in the order of the run's clock. Nor does a person do
//! anything that only may be done.
//!
//! NOTE \[What the bound says\] It is about orderings of moments, since between two of them a thread is not interrupted. It is
//! of each sample, not of each run. n and k are the most that the search has seen, so it holds as long as no run has more,
//! and only samples that were drawn among as many moments are counted for it. No bound is claimed if only some kinds of
//! points may be used, or if a sample was given up: because it takes too many steps (a thread that spins has the highest
//! priority), or since a run of it was tainted or did not take its steps.

use super::chance::{below, planning, runner};
use super::error::ExploreError;
use super::planner::{Planned, Planner};
use super::reference::Reference;
use super::report::{Chance, Coverage};
use super::space::Space;
use super::steps::{done_by, outside, repeats};
use crate::schedule::{Action, Point, Schedule, Step, Target, ThreadName};
use crate::trace::{Reached, Run, What};
use proptest::test_runner::TestRunner;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A sample that takes more steps is given up.
const MOST_STEPS: usize = 256;
/// Priorities are drawn from so many.
const PRIORITIES: usize = 1 << 30;

/// One sample in the making.
#[derive(Debug)]
struct Sample {
    priorities: HashMap<ThreadName, usize>,
    /// The moments at which a priority is lowered; the lower its index, the lower the priority.
    changes: Vec<usize>,
    /// The moment from which on each signal is sent.
    sends: Vec<(Action, usize)>,
    /// Among how many moments that was drawn.
    moments: usize,
    steps: Vec<Step>,
    /// True when all that is left is to send a signal where the reference run does.
    last: bool,
}

/// The strategy at work.
pub(super) struct Pct {
    runner: TestRunner,
    depth: u32,
    runs: u64,
    /// The most threads and moments that a run has had.
    threads: usize,
    moments: usize,
    samples: Vec<Sample>,
    /// How many of them the present round runs.
    asked: usize,
    signals: usize,
    /// False where steps may be planned at some kinds of points only.
    everywhere: bool,
    /// Samples that were drawn among as many moments as `moments`.
    done: u64,
    given_up: u64,
}

impl Pct {
    /// The `index`th strategy of a plan with this seed.
    pub(super) fn new(
        (seed, index): (u64, u64),
        (depth, runs): (u32, u64),
        space: &Space,
        reference: &Reference,
    ) -> Pct {
        let mut this = Pct {
            runner: runner(seed, index, space.part().map_or(0, |part| part.part)),
            depth,
            runs,
            threads: 1,
            moments: 1,
            samples: Vec::new(),
            asked: 0,
            signals: space.acts.len(),
            everywhere: space.is_everywhere(),
            done: 0,
            given_up: 0,
        };
        this.measure(reference.plain());
        this.measure(&reference.run);
        this
    }

    /// Takes in how many threads and moments a run has had.
    fn measure(&mut self, run: &Run) {
        let moments = run.events.iter().filter(|event| is_moment(&event.what));
        let threads = moments.clone().map(|event| &event.thread).collect::<HashSet<_>>().len();
        let moments = moments.count();
        self.threads = self.threads.max(threads);
        if moments > self.moments {
            // The samples so far could not draw the later ones.
            self.moments = moments;
            self.done = 0;
        }
    }

    fn draw(&mut self, space: &Space) -> Result<Sample, ExploreError> {
        let moments = self.moments;
        let mut moment = || below(&mut self.runner, moments).map(|drawn| drawn + 1).map_err(planning);
        let changes = (1..self.depth).map(|_| moment()).collect::<Result<_, _>>()?;
        let sends = space.acts.iter().map(|act| Ok::<_, ExploreError>((act.clone(), moment()?)));
        let sends = sends.collect::<Result<_, _>>()?;
        Ok(Sample { priorities: HashMap::new(), changes, sends, moments, steps: Vec::new(), last: false })
    }

    /// The first place where `run` does not go as the sample has it, as the step that would set it right.
    fn wrong(&mut self, space: &Space, sample: &mut Sample, run: &Run) -> Result<Option<Step>, ExploreError> {
        let reached: HashMap<&Point, &Reached> =
            run.reached.iter().map(|reached| (&reached.point, reached)).collect();
        let mut lowered: HashMap<&ThreadName, usize> = HashMap::new();
        let mut changed = vec![false; sample.changes.len()];
        let mut sent: Vec<Action> = Vec::new();
        let mut moment = 1;
        for event in run.events.iter() {
            let thread = &event.thread;
            if let What::Step(action) = &event.what
                && action.is_from_outside()
            {
                sent.push(action.clone());
                continue;
            }
            let site = event.what.visit();
            if site.is_none() && !matches!(event.what, What::Step(_)) {
                continue;
            }
            let goes = !matches!(event.what, What::Sleep(..));
            for (index, (at, changed)) in sample.changes.iter().zip(&mut changed).enumerate() {
                if *at == moment && !*changed {
                    *changed = true;
                    if goes {
                        lowered.insert(thread, index);
                    }
                }
            }
            let Some((site, nth)) = site else { continue };
            let point = Point { thread: thread.clone(), site, nth };
            if let Some(reached) = reached.get(&point)
                && !sample.steps.iter().any(|step| step.point() == point && outside(&step.action).is_none())
            {
                let can = space.actions(reached, &sent);
                // One that is among the steps is sent at its place; of a thread that falls asleep, the run tells that first.
                let due = |(index, (act, from)): &(usize, &(Action, usize))| {
                    let step = Step::new(point.clone(), act.clone());
                    let again = sample.steps.contains(&step) && !repeats(act);
                    *from <= moment && !sample.sent(*index) && can.contains(act) && !again
                };
                if let Some((_, (act, _))) = sample.sends.iter().enumerate().find(due) {
                    return Ok(Some(Step::new(point, act.clone())));
                }
            }
            if goes {
                let mut best = (self.priority(sample, &lowered, thread)?, thread);
                for other in &event.others {
                    let priority = self.priority(sample, &lowered, other)?;
                    best = best.max((priority, other));
                }
                if best.1 != thread && space.allows(&site) {
                    let to = Action::Switch(Target::To(best.1.clone()));
                    return Ok(Some(Step::new(point, to)));
                }
            }
            moment += 1;
        }
        Ok(None)
    }

    /// The larger goes first: those that were lowered come after all others.
    fn priority(
        &mut self,
        sample: &mut Sample,
        lowered: &HashMap<&ThreadName, usize>,
        thread: &ThreadName,
    ) -> Result<(bool, usize), ExploreError> {
        if let Some(index) = lowered.get(thread) {
            return Ok((false, *index));
        }
        if let Some(priority) = sample.priorities.get(thread) {
            return Ok((true, *priority));
        }
        let priority = below(&mut self.runner, PRIORITIES).map_err(planning)?;
        sample.priorities.insert(thread.clone(), priority);
        Ok((true, priority))
    }

    /// What becomes of a sample after one more run: it is given back if that was not its last.
    fn further(
        &mut self,
        space: &Space,
        mut sample: Sample,
        run: &Run,
    ) -> Result<Option<Sample>, ExploreError> {
        let finished = |this: &mut Pct, sample: &Sample| {
            this.done += u64::from(sample.moments == this.moments);
        };
        if run.taint.is_some() || (!sample.last && !run.unreached.is_empty()) {
            self.given_up += 1;
            return Ok(None);
        }
        if sample.last {
            finished(self, &sample);
            return Ok(None);
        }
        if let Some(step) = self.wrong(space, &mut sample, run)? {
            sample.steps.push(step);
            if sample.steps.len() > MOST_STEPS {
                self.given_up += 1;
                return Ok(None);
            }
            return Ok(Some(sample));
        }
        if sample.is_unsent() {
            sample.last = true;
            return Ok(Some(sample));
        }
        finished(self, &sample);
        Ok(None)
    }
}

impl Sample {
    /// True if a step does what is the `index`th to be sent; of the same twice, the earlier comes first.
    fn sent(&self, index: usize) -> bool {
        let Some((act, from)) = self.sends.get(index) else { return false };
        let sends = self.sends.iter().enumerate();
        let before = sends.filter(|(other, (same, at))| same == act && (at, other) < (from, &index));
        done_by(act, &self.steps) > before.count()
    }

    fn is_unsent(&self) -> bool {
        (0..self.sends.len()).any(|index| !self.sent(index))
    }

    /// The next schedule to run for it.
    fn planned(&self, space: &Arc<Space>) -> Planned {
        if self.last {
            return Planned::judged(space, space.deviating(&self.steps, &[]));
        }
        Planned { probe: self.is_unsent(), ..Planned::judged(space, space.sorted(self.steps.clone())) }
    }
}

fn is_moment(what: &What) -> bool {
    what.visit().is_some()
}

impl Planner for Pct {
    fn budget(&self) -> u64 {
        self.runs
    }

    fn round(
        &mut self,
        space: &Arc<Space>,
        _tried: &dyn Fn(&Schedule) -> bool,
        size: usize,
    ) -> Result<Vec<Planned>, ExploreError> {
        if space.all().is_empty() {
            self.asked = 0;
            return Ok(Vec::new());
        }
        while self.samples.len() < size {
            let sample = self.draw(space)?;
            self.samples.push(sample);
        }
        self.asked = size;
        Ok(self.samples.iter().take(size).map(|sample| sample.planned(space)).collect())
    }

    fn learn(&mut self, space: &Space, runs: &[Run], own: bool) -> Result<(), ExploreError> {
        runs.iter().filter(|run| run.taint.is_none()).for_each(|run| self.measure(run));
        if !own {
            return Ok(());
        }
        let mut samples = std::mem::take(&mut self.samples);
        let waiting = samples.split_off(self.asked.min(samples.len()));
        for (sample, run) in samples.into_iter().zip(runs) {
            let further = self.further(space, sample, run)?;
            self.samples.extend(further);
        }
        self.samples.extend(waiting);
        Ok(())
    }

    fn cover(&self, _space: &Space, coverage: &mut Coverage, _tried: &dyn Fn(&Schedule) -> bool) {
        coverage.chance = Some(Chance {
            depth: self.depth,
            threads: self.threads as u64,
            moments: self.moments as u64,
            signals: self.signals as u64,
            samples: self.done,
            given_up: self.given_up,
            everywhere: self.everywhere,
        });
    }
}

#[cfg(test)]
mod tests;
