//! The search: plans rounds, has them tried, takes the runs in their order, and follows up those that fail.

use super::beginning::Begun;
use super::confirm::verify;
use super::cover::cover;
use super::crew::{Crew, Queue, Tried};
use super::elsewhere::Races;
use super::error::{ExploreError, Halt};
use super::findings::Findings;
use super::follow::Follow;
use super::known::is;
use super::ledger::Ledger;
use super::plan::{Plan, Stop};
use super::planner::{Planned, Planner};
use super::progress::{Doing, Progress, Standing};
use super::reference::Reference;
use super::report::{Coverage, Cut, Report, Seen, Unstable};
use super::shrink::BY_OTHERS;
use super::space::Space;
use super::steps::{done_by, outside, same, taken};
use super::strategy::planners;
use super::tree::ScheduleTree;
use crate::scenario::Known;
use crate::schedule::{Action, Schedule, Step};
use crate::slots::Stopwatch;
use crate::supervise::{RunError, Supervise};
use crate::trace::{Broken, Run};
use proptest::strategy::ValueTree;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Schedules in a round: see NOTE \[Rounds\]. More would learn later, fewer would leave workers idle.
const ROUND: u64 = 16;
/// More findings than this nobody reads.
const MOST_FINDINGS: usize = 32;
/// So many distinct outcomes are kept.
const MOST_OUTCOMES: usize = 256;

/// A search at work.
struct Search<'a, 'env> {
    plan: &'a Plan,
    reference: &'a Arc<Reference>,
    space: Arc<Space>,
    ledger: Ledger<'a, 'env>,
    findings: Findings,
    races: Races,
    report: Report,
    progress: &'a dyn Progress,
    budget: u64,
    taken: HashSet<Step>,
    steps: u64,
    /// What the outside has done, and how often at most in one run.
    sent: HashMap<Action, usize>,
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
    let (queue, reference) = (Queue::default(), Arc::new(reference));
    let factory = |index| factory(index).map(|supervisor| Begun::new(supervisor, plan.from.as_ref()));
    std::thread::scope(|scope| {
        let crew = Crew::start(scope, &queue, plan.jobs, &factory, cancel)?;
        Search::new(plan, &reference, Ledger::new(&crew, judge), progress).run()
    })
}

impl<'a, 'env> Search<'a, 'env> {
    fn new(
        plan: &'a Plan,
        reference: &'a Arc<Reference>,
        ledger: Ledger<'a, 'env>,
        progress: &'a dyn Progress,
    ) -> Search<'a, 'env> {
        Search {
            plan,
            reference,
            space: Arc::new(Space::new(plan, reference)),
            ledger,
            findings: Findings::default(),
            races: Races::default(),
            report: Report::new(plan, reference),
            progress,
            budget: 0,
            taken: HashSet::new(),
            steps: 0,
            sent: HashMap::new(),
        }
    }

    fn run(mut self) -> Result<Report, ExploreError> {
        let mut planners = planners(self.plan, &self.space, self.reference);
        match self.all(&mut planners) {
            Ok(cut) => self.report.cut = cut,
            Err(Halt::Interrupted) => self.report.cut = Some(Cut::Interrupted),
            Err(Halt::Failed(error)) => return Err(error),
        }
        let runs = [self.reference.plain(), &self.reference.run];
        let reached = runs.into_iter().flat_map(|run| &run.reached).map(|reached| &reached.point).collect();
        let tried = |schedule: &Schedule| self.ledger.knows(schedule);
        let coverage = cover(&self.space, &reached, &self.taken, &tried, &planners);
        self.report.coverage = Coverage { steps: self.steps, ..coverage };
        let sent = self.sent.iter().flat_map(|(act, times)| std::iter::repeat_n(act, *times));
        self.report.signals_unsent = self.space.missing(sent).len();
        self.findings.order(&self.space);
        if self.report.cut != Some(Cut::Interrupted) {
            self.progress.at(&self.standing(Doing::Confirming));
            let (ledger, findings) = (&mut self.ledger, &mut self.findings);
            match self.races.tell(ledger, &self.space, findings, self.plan.confirm) {
                Ok(()) => {}
                Err(Halt::Interrupted) => self.report.cut = Some(Cut::Interrupted),
                Err(Halt::Failed(error)) => return Err(error),
            }
        }
        let shown = |breaks: &Broken| {
            let mut found = self.findings.found.iter().map(|found| &found.finding);
            found.any(|finding| finding.breaks == *breaks || finding.also.contains(breaks))
        };
        for seen in &mut self.report.outcomes {
            seen.breaks.retain(|breaks| !BY_OTHERS.contains(breaks) || shown(breaks));
        }
        self.report.findings = self.findings.found.into_iter().map(|found| found.finding).collect();
        self.report.unstable = self.findings.doubts;
        self.report.extra_runs = self.ledger.extra_runs();
        self.report.tainted = self.ledger.tainted();
        self.report.verdict = self.report.against(&[]);
        Ok(self.report)
    }

    /// Everything, in order; says why it ended early, if it did.
    fn all(&mut self, planners: &mut [Box<dyn Planner>]) -> Result<Option<Cut>, Halt> {
        let clock = Stopwatch::start(&self.plan.waited);
        if let Some(plain) = &self.reference.plain {
            self.ledger.enter(plain);
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
                let tried = |schedule: &Schedule| self.ledger.knows(schedule);
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
        let schedules: Vec<Schedule> = round.iter().map(|planned| planned.tree.current()).collect();
        let results = self.ledger.make(&schedules, "trying")?;
        let complete = results.len() == schedules.len();
        let mut runs = Vec::with_capacity(results.len());
        let mut cut = None;
        for (Planned { tree, probe, shared }, Tried { run, .. }) in round.into_iter().zip(results) {
            // What was to deviate did not, so this is the run of another schedule.
            let merged = run.merged.iter().any(|step| !self.space.is_at_home(step));
            let made = match (merged, shared) {
                (true, _) => &mut self.report.merged,
                (false, true) => &mut self.report.shared_runs,
                (false, false) => &mut self.report.runs,
            };
            *made += 1;
            if probe || merged {
                self.ledger.enter(&run);
            } else {
                self.take(tree, &run)?;
            }
            self.progress.at(&self.standing(Doing::Searching));
            runs.push(run);
            cut = self.satisfied();
            if cut.is_some() {
                break;
            }
        }
        self.verify(&runs.iter().collect::<Vec<_>>())?;
        let space = Arc::make_mut(&mut self.space);
        runs.iter().filter(|run| run.taint.is_none()).for_each(|run| space.absorb(run));
        if complete && !self.ledger.cancelled() { Ok((cut, runs)) } else { Err(Halt::Interrupted) }
    }

    /// Takes one run into account.
    fn take(&mut self, tree: ScheduleTree, run: &Run) -> Result<(), Halt> {
        let heeded = self.ledger.heeding().is_some();
        let (entry, before) = self.ledger.enter(run);
        if let Some(taint) = &run.taint {
            let why = format!("every run of it is tainted: {taint}");
            let (schedule, one) = (run.schedule.clone(), run.clone());
            self.findings.doubt(Unstable { breaks: None, schedule, why, one, other: None, differs: None });
            return Ok(());
        }
        if before.is_some_and(|before| before.clean && entry.clean && before.events != entry.events) {
            self.report.irregular += 1;
        }
        if !run.unreached.is_empty() && self.plan.fixed.iter().any(|fixed| same(fixed, &run.schedule)) {
            self.report.unmet.push((run.schedule.clone(), run.unreached.clone()));
        }
        let steps = taken(run);
        self.steps += steps.len() as u64;
        for act in steps.iter().filter_map(|step| outside(&step.action)) {
            let most = self.sent.entry(act.clone()).or_default();
            *most = done_by(act, &steps).max(*most);
        }
        self.taken.extend(steps);
        self.tally(run);
        if let Some(breaks) = entry.breaks {
            self.follow(tree, run, breaks)?;
        }
        // What the reference run has lost is known once another run shows that it was to be heeded.
        if !heeded && self.ledger.heeding().is_some() {
            let home = ScheduleTree::new(self.space.clone(), self.space.home.clone());
            let reference = self.reference;
            if self.ledger.look(&self.space.home)?.breaks == Some(Broken::Lost) {
                self.follow(home, &reference.run, Broken::Lost)?;
            }
        }
        Ok(())
    }

    /// Follows up a failing run.
    fn follow(&mut self, tree: ScheduleTree, run: &Run, breaks: Broken) -> Result<(), Halt> {
        let standing = self.standing(Doing::Searching);
        let follow = Follow {
            plan: self.plan,
            space: &self.space,
            ledger: &mut self.ledger,
            findings: &mut self.findings,
            races: &mut self.races,
            runs: self.report.runs,
            tell: &|doing| self.progress.at(&Standing { doing, ..standing }),
        };
        let result = follow.up(tree, run, breaks);
        if matches!(result, Err(Halt::Interrupted)) {
            self.report.unfinished = Some((breaks, run.clone()));
        }
        self.report.failing += u64::from(!matches!(result, Ok(false)));
        result?;
        // What was only made to compare with is not tried again.
        for run in self.ledger.take_aside() {
            let tree = ScheduleTree::new(self.space.clone(), run.schedule.clone());
            let ours = self.space.owns(&run.schedule) && self.satisfied().is_none();
            if let Some(breaks) = self.ledger.telling(&run).filter(|_| ours) {
                self.follow(tree, &run, breaks)?;
            }
        }
        Ok(())
    }

    /// Counts the outcome of a run.
    fn tally(&mut self, run: &Run) {
        let seen = self.report.outcomes.iter_mut().find(|seen| seen.outcome.is_like(&run.outcome));
        if let Some(seen) = seen {
            seen.runs += 1;
        } else if self.report.outcomes.len() < MOST_OUTCOMES {
            self.report.outcomes.push(Seen {
                outcome: run.outcome.clone(),
                breaks: self.ledger.judge(run),
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
        let (findings, known) = (&self.findings.found, &self.plan.known);
        let found = |known: &Known| findings.iter().any(|found| is(&found.finding, known));
        let all_known = || known.iter().all(found);
        match self.plan.stop {
            Stop::FirstFinding if !findings.is_empty() => Some(Cut::FirstFinding),
            Stop::KnownFound if !known.is_empty() && all_known() => Some(Cut::KnownFound),
            Stop::Never | Stop::FirstFinding | Stop::KnownFound => {
                (findings.len() >= MOST_FINDINGS).then_some(Cut::Full)
            }
        }
    }

    /// Where the plan is to verify, makes each of these runs a second time.
    fn verify(&mut self, runs: &[&Run]) -> Result<(), Halt> {
        if self.plan.verify {
            let (verified, doubts) = verify(&mut self.ledger, runs)?;
            self.report.verified += verified;
            doubts.into_iter().for_each(|doubt| self.findings.doubt(doubt));
        }
        Ok(())
    }

    fn standing(&self, doing: Doing) -> Standing {
        Standing {
            runs: self.report.runs,
            budget: self.budget,
            points: self.space.points(),
            findings: self.findings.found.len(),
            outcomes: self.report.outcomes.len(),
            doing,
        }
    }
}
