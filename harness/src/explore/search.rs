//! The search: plans rounds, has them tried, judges the runs in their order, and follows up those that fail.

use super::crew::{Crew, Queue, Tried};
use super::elsewhere::Elsewhere;
use super::report::{Cut, Report, Seen, Unstable, alike};
use super::shrink::Entry;
use super::space::{Space, sends, taken};
use super::strategy::{Planned, Planner, planners};
use super::tree::ScheduleTree;
use super::verdict::{is, same};
use super::{Coverage, Doing, ExploreError, Plan, Progress, Reference, Standing, Stop, Verdict};
use crate::schedule::{Schedule, Step};
use crate::slots::Stopwatch;
use crate::supervise::{RunError, Supervise};
use crate::trace::{Broken, Run};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Schedules in a round: see NOTE \[Rounds\]. More would learn later, fewer would leave workers idle.
const ROUND: u64 = 16;
/// More findings than this nobody reads.
const MOST_FINDINGS: usize = 32;
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
    pub(super) judge: &'a J,
    progress: &'a dyn Progress,
    budget: u64,
    /// Minimal schedules of the findings, in the order of the points of the space.
    pub(super) minimal: Vec<Schedule>,
    /// Races that are to be told along with the findings that break the same.
    pub(super) elsewhere: Vec<Elsewhere>,
    pub(super) taken: HashSet<Step>,
    sent: HashSet<i32>,
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
    let queue = Queue::default();
    std::thread::scope(|scope| {
        let crew = Crew::start(scope, &queue, plan.jobs, factory, cancel)?;
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
            part: plan.part,
            shared_runs: 0,
            verdict: Verdict::Unreached,
            reference: reference.clone(),
            runs: 0,
            extra_runs: 0,
            failing: 0,
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
            elsewhere: Vec::new(),
            taken: HashSet::new(),
            sent: HashSet::new(),
        }
    }

    fn run(mut self) -> Result<Report, ExploreError> {
        let mut planners = planners(self.plan, &self.space, self.reference);
        match self.all(&mut planners) {
            Ok(cut) => self.report.cut = cut,
            Err(Halt::Interrupted) => self.report.cut = Some(Cut::Interrupted),
            Err(Halt::Failed(error)) => return Err(error),
        }
        self.cover(&planners);
        let unsent = self.space.signals.iter().filter(|signal| !self.sent.contains(&signal.number()));
        self.report.signals_unsent = unsent.count();
        self.order();
        if self.report.cut != Some(Cut::Interrupted) {
            match self.tell_elsewhere() {
                Ok(()) => {}
                Err(Halt::Interrupted) => self.report.cut = Some(Cut::Interrupted),
                Err(Halt::Failed(error)) => return Err(error),
            }
        }
        self.report.verdict = self.report.against(&[]);
        Ok(self.report)
    }

    /// Everything, in order; says why it ended early, if it did.
    fn all(&mut self, planners: &mut [Box<dyn Planner>]) -> Result<Option<Cut>, Halt> {
        let clock = Stopwatch::start(&self.plan.waited);
        if let Some(plain) = &self.reference.plain {
            self.ledger.insert(plain.schedule.clone(), self.entry(plain));
            self.verify(&[plain])?;
        }
        let reference = self.reference;
        self.take(ScheduleTree::new(self.space.clone(), reference.schedule.clone()), &reference.run)?;
        self.verify(&[&reference.run])?;
        for index in 0..planners.len() {
            let mut own = 0;
            loop {
                if let Some(cut) = self.satisfied() {
                    return Ok(Some(cut));
                }
                if self.plan.time.is_some_and(|time| clock.elapsed() >= time) {
                    return Ok(Some(Cut::Time));
                }
                let expected = planners.iter().map(|planner| planner.expected()).fold(0, u64::saturating_add);
                let most = self.plan.runs.map_or(u64::MAX, |runs| self.plan.share(runs));
                self.budget = expected.min(most);
                let Some(planner) = planners.get_mut(index) else { break };
                let left = planner.budget().saturating_sub(own);
                let left = left.min(most.saturating_sub(self.report.runs));
                // With no run left, one schedule is planned all the same, to see whether there is one.
                let size = usize::try_from(left.clamp(1, ROUND)).unwrap_or(1);
                let tried = |schedule: &Schedule| self.ledger.contains_key(schedule);
                let round = planner.round(&self.space, &tried, size)?;
                if round.is_empty() {
                    break;
                }
                if left == 0 {
                    if planner.exhausts() {
                        return Ok(Some(Cut::Runs));
                    }
                    break;
                }
                own += round.iter().filter(|planned| !planned.shared).count() as u64;
                let (cut, runs) = self.round(round)?;
                for (other, planner) in planners.iter_mut().enumerate() {
                    planner.learn(&self.space, &runs, other == index)?;
                }
                if cut.is_some() {
                    return Ok(cut);
                }
            }
        }
        Ok(self.satisfied())
    }

    /// Has one round tried, and takes its results in order. Gives those that were taken, and why it ended early if it did.
    fn round(&mut self, round: Vec<Planned>) -> Result<(Option<Cut>, Vec<Run>), Halt> {
        let schedules: Vec<Schedule> =
            round.iter().map(|planned| proptest::strategy::ValueTree::current(&planned.tree)).collect();
        let results = self.crew.try_all(&schedules).map_err(|(index, error)| {
            let schedule = schedules.get(index).cloned().unwrap_or_default();
            ExploreError::run(format!("trying ({schedule})"))(error)
        })?;
        let complete = results.len() == schedules.len();
        let mut runs = Vec::with_capacity(results.len());
        let mut cut = None;
        for (Planned { tree, probe, shared }, Tried { run, tainted }) in round.into_iter().zip(results) {
            let made = if shared { &mut self.report.shared_runs } else { &mut self.report.runs };
            *made += 1;
            self.report.tainted += tainted;
            if probe {
                self.ledger.insert(run.schedule.clone(), self.entry(&run));
            } else {
                self.take(tree, &run)?;
            }
            self.tell(Doing::Searching);
            runs.push(run);
            cut = self.satisfied();
            if cut.is_some() {
                break;
            }
        }
        self.verify(&runs.iter().collect::<Vec<_>>())?;
        let space = Arc::make_mut(&mut self.space);
        runs.iter().filter(|run| run.taint.is_none()).for_each(|run| space.absorb(run));
        if complete && !self.crew.cancelled() { Ok((cut, runs)) } else { Err(Halt::Interrupted) }
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
        if !run.unreached.is_empty() && self.plan.fixed.iter().any(|fixed| same(fixed, &run.schedule)) {
            self.report.unmet.push((run.schedule.clone(), run.unreached.clone()));
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
