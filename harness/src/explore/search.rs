//! The search: plans rounds, has them tried, judges the runs in their order, and follows up those that fail.

use super::confirm::Confirmed;
use super::crew::{Crew, Tried};
use super::report::{Cut, Finding, Report, Seen, Unstable, alike};
use super::shrink::Entry;
use super::space::{Space, sends, taken, within};
use super::strategy::planners;
use super::tree::ScheduleTree;
use super::verdict::{is, same};
use super::{Coverage, Doing, ExploreError, Plan, Progress, Reference, Standing, Stop, Verdict, reference};
use crate::schedule::{Point, Schedule, Step};
use crate::supervise::{RunError, Supervise};
use crate::trace::{Broken, Run};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Schedules in a round: see NOTE \[Rounds\]. More would learn later, fewer would leave workers idle.
const ROUND: u64 = 16;
/// More findings than this nobody reads.
const MOST_FINDINGS: usize = 32;
/// So many pieces of unstable evidence are kept.
const MOST_UNSTABLE: usize = 8;
/// So many distinct outcomes are kept.
const MOST_OUTCOMES: usize = 256;

/// Why a search ends early.
pub(super) enum Halt {
    Interrupted,
    Failed(ExploreError),
}

impl From<ExploreError> for Halt {
    fn from(error: ExploreError) -> Halt {
        match error {
            ExploreError::Run { source: RunError::Interrupted, .. } => Halt::Interrupted,
            error => Halt::Failed(error),
        }
    }
}

/// A search at work.
pub(super) struct Search<'a, 'env, J> {
    pub(super) plan: &'a Plan,
    pub(super) reference: &'a Reference,
    pub(super) crew: &'a Crew<'env>,
    pub(super) space: Arc<Space>,
    /// What each schedule does that was run.
    pub(super) ledger: HashMap<Schedule, Entry>,
    pub(super) report: Report,
    judge: &'a J,
    progress: &'a dyn Progress,
    budget: u64,
    /// Minimal schedules of the findings, in the order of the points of the space.
    minimal: Vec<Schedule>,
    taken: HashSet<Step>,
    sent: HashSet<i32>,
}

/// Makes the reference run, has `judge_of` make the judge, and searches. The reference run is made by a supervisor of
/// its own, number 0, in a thread of its own: a supervisor may pin its thread to a CPU, and the caller stays free.
pub fn explore<S, F, J, M>(
    plan: &Plan,
    factory: &F,
    judge_of: M,
    progress: &dyn Progress,
    cancel: &AtomicBool,
) -> Result<Report, ExploreError>
where
    S: Supervise,
    F: Fn(usize) -> Result<S, RunError> + Sync,
    J: Fn(&Run) -> Vec<Broken>,
    M: FnOnce(&Reference) -> J,
{
    let make = || {
        let mut supervisor = factory(0).map_err(ExploreError::run("preparing the reference run"))?;
        reference(plan, &mut supervisor)
    };
    let made = std::thread::scope(|scope| scope.spawn(make).join());
    let reference = made.unwrap_or_else(|_| {
        let panicked = RunError::Fault("the supervisor panicked".to_owned());
        Err(ExploreError::run("making the reference run")(panicked))
    })?;
    let judge = judge_of(&reference);
    search(plan, reference, factory, &judge, progress, cancel)
}

/// Looks for schedules whose outcome `judge` finds fault with.
///
/// `factory` makes one supervisor for each worker, in the worker's own thread; it is given the worker's number, counted
/// from 0. `judge` names the expectations that a run breaks, none for a run that is as expected; the most telling one
/// is what the run is about. When `cancel` becomes true, what was found so far is reported.
pub fn search<S, F, J>(
    plan: &Plan,
    reference: Reference,
    factory: &F,
    judge: &J,
    progress: &dyn Progress,
    cancel: &AtomicBool,
) -> Result<Report, ExploreError>
where
    S: Supervise,
    F: Fn(usize) -> Result<S, RunError> + Sync,
    J: Fn(&Run) -> Vec<Broken>,
{
    let (jobs, queue) = Crew::queue();
    std::thread::scope(|scope| {
        let crew = Crew::start(scope, (jobs, &queue), plan.jobs, factory, cancel)?;
        Search::new(plan, &reference, &crew, judge, progress).run()
    })
}

impl<'a, 'env, J: Fn(&Run) -> Vec<Broken>> Search<'a, 'env, J> {
    fn new(
        plan: &'a Plan,
        reference: &'a Reference,
        crew: &'a Crew<'env>,
        judge: &'a J,
        progress: &'a dyn Progress,
    ) -> Search<'a, 'env, J> {
        let report = Report {
            seed: plan.seed,
            verdict: Verdict::Unreached,
            reference: reference.clone(),
            runs: 0,
            extra_runs: 0,
            failing: 0,
            tainted: 0,
            irregular: 0,
            signals_unsent: 0,
            coverage: Coverage::default(),
            outcomes: Vec::new(),
            more_outcomes: false,
            findings: Vec::new(),
            unstable: Vec::new(),
            unfinished: None,
            cut: None,
        };
        Search {
            plan,
            reference,
            crew,
            space: Arc::new(Space::new(plan, reference)),
            ledger: HashMap::new(),
            report,
            judge,
            progress,
            budget: 0,
            minimal: Vec::new(),
            taken: HashSet::new(),
            sent: HashSet::new(),
        }
    }

    fn run(mut self) -> Result<Report, ExploreError> {
        match self.all() {
            Ok(cut) => self.report.cut = cut,
            Err(Halt::Interrupted) => self.report.cut = Some(Cut::Interrupted),
            Err(Halt::Failed(error)) => return Err(error),
        }
        self.cover();
        let unsent = self.space.signals.iter().filter(|signal| !self.sent.contains(&signal.number()));
        self.report.signals_unsent = unsent.count();
        self.report.verdict = self.report.against(&[]);
        Ok(self.report)
    }

    /// Everything, in order; says why it ended early, if it did.
    fn all(&mut self) -> Result<Option<Cut>, Halt> {
        let start = Instant::now();
        let mut planners = planners(self.plan);
        self.budget = planners.iter().map(|planner| planner.budget()).fold(0, u64::saturating_add);
        if let Some(plain) = &self.reference.plain {
            self.ledger.insert(plain.schedule.clone(), self.entry(plain));
        }
        let reference = self.reference;
        self.take(ScheduleTree::new(self.space.clone(), reference.schedule.clone()), &reference.run)?;
        for planner in &mut planners {
            let mut left = planner.budget();
            while left > 0 {
                if let Some(cut) = self.satisfied() {
                    return Ok(Some(cut));
                }
                if self.plan.time.is_some_and(|time| start.elapsed() >= time) {
                    return Ok(Some(Cut::Time));
                }
                let size = usize::try_from(left.min(ROUND)).unwrap_or(1);
                let trees =
                    planner.round(&self.space, &|schedule| self.ledger.contains_key(schedule), size)?;
                if trees.is_empty() {
                    break;
                }
                left = left.saturating_sub(trees.len() as u64);
                if let Some(cut) = self.round(trees)? {
                    return Ok(Some(cut));
                }
            }
        }
        Ok(self.satisfied())
    }

    /// Has one round tried, and takes its results in order.
    fn round(&mut self, trees: Vec<ScheduleTree>) -> Result<Option<Cut>, Halt> {
        let schedules: Vec<Schedule> = trees.iter().map(proptest::strategy::ValueTree::current).collect();
        let results = self.crew.try_all(&schedules).map_err(|(index, error)| {
            let schedule = schedules.get(index).cloned().unwrap_or_default();
            ExploreError::run(format!("trying ({schedule})"))(error)
        })?;
        let complete = results.len() == schedules.len();
        let mut runs = Vec::with_capacity(results.len());
        for (tree, Tried { run, tainted }) in trees.into_iter().zip(results) {
            self.report.runs += 1;
            self.report.tainted += tainted;
            self.take(tree, &run)?;
            self.tell(Doing::Searching);
            if let Some(cut) = self.satisfied() {
                return Ok(Some(cut));
            }
            runs.push(run);
        }
        let space = Arc::make_mut(&mut self.space);
        runs.iter().filter(|run| run.taint.is_none()).for_each(|run| space.absorb(run));
        if complete && !self.crew.cancelled() { Ok(None) } else { Err(Halt::Interrupted) }
    }

    /// Takes one run into account.
    fn take(&mut self, tree: ScheduleTree, run: &Run) -> Result<(), Halt> {
        let entry = self.entry(run);
        let before = self.ledger.insert(run.schedule.clone(), entry);
        if let Some(taint) = &run.taint {
            let why = format!("every run of it is tainted: {taint}");
            let (schedule, one) = (run.schedule.clone(), run.clone());
            self.doubt(Unstable { breaks: None, schedule, why, one, other: None, differs: None });
            return Ok(());
        }
        if before.is_some_and(|before| before.clean && entry.clean && before.events != entry.events) {
            self.report.irregular += 1;
        }
        let steps = taken(run);
        self.report.coverage.steps += steps.len() as u64;
        self.sent.extend(steps.iter().filter_map(|step| sends(&step.action)).map(|signal| signal.number()));
        self.taken.extend(steps);
        self.tally(run);
        match entry.breaks {
            None => Ok(()),
            Some(breaks) => {
                self.report.failing += 1;
                let result = self.follow_up(tree, run, breaks);
                if matches!(result, Err(Halt::Interrupted)) {
                    self.report.unfinished = Some((breaks, run.clone()));
                }
                result
            }
        }
    }

    /// Shrinks, groups and confirms what a failing run shows.
    fn follow_up(&mut self, tree: ScheduleTree, run: &Run, breaks: Broken) -> Result<(), Halt> {
        let schedule = self.space.sorted(taken(run));
        if self.attributed(&schedule, breaks, within) || !self.counts(&schedule, breaks)? {
            return Ok(());
        }
        // A step that was not taken explains nothing: the finding has to show without it.
        let tree = if schedule == run.schedule {
            tree
        } else if self.breaks(&schedule, breaks)? {
            ScheduleTree::new(self.space.clone(), schedule.clone())
        } else {
            let why = format!("{breaks:?} breaks, but not when only the steps that were taken are asked for");
            let one = run.clone();
            let breaks = Some(breaks);
            self.doubt(Unstable { breaks, schedule, why, one, other: None, differs: None });
            return Ok(());
        };
        let (mut minimal, mut shrink_runs, mut shrink_cut) = (schedule, 0, false);
        if self.plan.shrink {
            let known = self.plan.known.iter().filter(|known| known.breaks == breaks);
            let hints: Vec<Schedule> = known
                .map(|known| self.space.sorted(known.schedule.steps.clone()))
                .chain(self.same_kind(breaks).map(|index| self.minimal[index].clone()))
                .collect();
            let shrunk = self.shrink(tree.with_hints(hints), breaks)?;
            (minimal, shrink_runs, shrink_cut) = (shrunk.schedule, shrunk.runs, shrunk.cut);
            if self.attributed(&minimal, breaks, same) {
                return Ok(());
            }
        }
        match self.confirm(&minimal, breaks, run)? {
            Confirmed::No(unstable) => self.doubt(*unstable),
            Confirmed::Yes(confirmed) => {
                let mut also = (self.judge)(&confirmed);
                also.retain(|other| *other != breaks);
                self.found(
                    minimal,
                    Finding {
                        breaks,
                        schedule: confirmed.schedule.clone(),
                        run: *confirmed,
                        also,
                        first: self.report.runs,
                        runs: 1,
                        shrink_runs,
                        shrink_cut,
                        confirmed: self.plan.confirm.max(1),
                    },
                );
            }
        }
        Ok(())
    }

    /// Keeps a finding. Findings of several steps give way to a simpler one that breaks the same: they would have been
    /// shrunk to it, had it been known.
    fn found(&mut self, minimal: Schedule, mut finding: Finding) {
        if self.plan.shrink {
            let simplicity = self.space.simplicity(&minimal);
            let outdone =
                |other: &Schedule| other.steps.len() > 1 && self.space.simplicity(other) > simplicity;
            let indices = self.same_kind(finding.breaks).filter(|&index| outdone(&self.minimal[index]));
            for index in indices.collect::<Vec<_>>().into_iter().rev() {
                self.minimal.remove(index);
                let other = self.report.findings.remove(index);
                finding.first = finding.first.min(other.first);
                finding.runs += other.runs;
            }
        }
        self.minimal.push(minimal);
        self.report.findings.push(finding);
    }

    /// Indices of the findings that break this.
    fn same_kind(&self, breaks: Broken) -> impl Iterator<Item = usize> {
        let indices = self.report.findings.iter().enumerate();
        let like = indices.filter(|(_, finding)| finding.breaks == breaks).map(|(index, _)| index);
        like.collect::<Vec<_>>().into_iter()
    }

    /// True if something that is already reported explains why `schedule` breaks this. Where it is a finding, the run
    /// counts for it.
    fn attributed(
        &mut self,
        schedule: &Schedule,
        breaks: Broken,
        explains: fn(&Schedule, &Schedule) -> bool,
    ) -> bool {
        for (finding, minimal) in self.report.findings.iter_mut().zip(&self.minimal) {
            if finding.breaks == breaks && explains(minimal, schedule) {
                finding.runs += 1;
                return true;
            }
        }
        let mut unstable = self.report.unstable.iter();
        unstable.any(|other| other.breaks == Some(breaks) && explains(&other.schedule, schedule))
    }

    fn doubt(&mut self, unstable: Unstable) {
        if self.report.unstable.len() < MOST_UNSTABLE {
            self.report.unstable.push(unstable);
        }
    }

    /// Counts the outcome of a run.
    fn tally(&mut self, run: &Run) {
        let seen = self.report.outcomes.iter_mut().find(|seen| alike(&seen.outcome, &run.outcome));
        if let Some(seen) = seen {
            seen.runs += 1;
        } else if self.report.outcomes.len() < MOST_OUTCOMES {
            self.report.outcomes.push(Seen {
                outcome: run.outcome.clone(),
                breaks: (self.judge)(run),
                example: run.schedule.clone(),
                first: self.report.runs,
                runs: 1,
            });
        } else {
            self.report.more_outcomes = true;
        }
    }

    /// Counts where steps were taken, of those that the baseline offers.
    fn cover(&mut self) {
        let runs = [self.reference.plain(), &self.reference.run];
        let reached: HashSet<&Point> =
            runs.into_iter().flat_map(|run| &run.reached).map(|reached| &reached.point).collect();
        let coverage = &mut self.report.coverage;
        coverage.reached = reached.len();
        coverage.discovered = self.space.points().saturating_sub(reached.len());
        let taken_at: HashSet<Point> = self.taken.iter().map(Step::point).collect();
        let open: HashSet<Point> = self.space.first_steps().map(Step::point).collect();
        coverage.open = open.len();
        coverage.taken = open.intersection(&taken_at).count();
        for step in self.space.first_steps() {
            let taken = usize::from(self.taken.contains(step));
            let (all, done) = match sends(&step.action) {
                Some(_) => (&mut coverage.sends, &mut coverage.sends_taken),
                None => (&mut coverage.switches, &mut coverage.switches_taken),
            };
            *all += 1;
            *done += taken;
        }
    }

    /// Why to stop here, if so.
    fn satisfied(&self) -> Option<Cut> {
        let (findings, known) = (&self.report.findings, &self.plan.known);
        let all_known = || known.iter().all(|known| findings.iter().any(|finding| is(finding, known)));
        match self.plan.stop {
            Stop::FirstFinding if !findings.is_empty() => Some(Cut::FirstFinding),
            Stop::KnownFound if !known.is_empty() && all_known() => Some(Cut::KnownFound),
            _ => (findings.len() >= MOST_FINDINGS).then_some(Cut::Full),
        }
    }

    /// The most telling expectation that the run breaks.
    pub(super) fn telling(&self, run: &Run) -> Option<Broken> {
        (self.judge)(run).into_iter().min()
    }

    /// What is remembered of a run.
    pub(super) fn entry(&self, run: &Run) -> Entry {
        let tainted = run.taint.is_some();
        let breaks = if tainted { None } else { self.telling(run) };
        let mut hasher = DefaultHasher::new();
        format!("{:?}", run.events).hash(&mut hasher);
        Entry { breaks, clean: !tainted && run.unreached.is_empty(), events: hasher.finish() }
    }

    pub(super) fn tell(&self, doing: Doing) {
        self.progress.at(&Standing {
            runs: self.report.runs,
            budget: self.budget,
            points: self.space.points(),
            findings: self.report.findings.len(),
            outcomes: self.report.outcomes.len(),
            doing,
        });
    }
}
