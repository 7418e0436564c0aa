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
use super::ledger::{Entries, Ledger};
use super::novelty::Novelty;
use super::plan::{Plan, Stop};
use super::planner::{Planned, Planner};
use super::progress::{Doing, Progress, Standing};
use super::reference::Reference;
use super::report::{Coverage, Cut, Report, Seen, Unstable};
use super::shrink::is_decided_by_others;
use super::space::Space;
use super::steps::{done_by, outside, same, taken};
use super::strategy::planners;
use super::tree::ScheduleTree;
use crate::scenario::Known;
use crate::schedule::{Action, Point, Schedule, Step};
use crate::slots::Stopwatch;
use crate::supervise::{RunError, Supervise};
use crate::trace::{Broken, Outcome, Run};
use proptest::strategy::ValueTree;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Schedules in a round: see NOTE \[Rounds\]. More would learn later, fewer would leave workers idle.
const ROUND: u64 = 16;
/// And in one where the first finding is wanted.
const ROUND_TO_FIRST: u64 = 4;
/// And where other searches have their turn between two.
const ROUND_IN_TURN: u64 = 2;
/// The runs of a round are kept until all have been made. Where they are long they are fewer, so that they have no more events than
/// these, some 200 bytes each with its point; but no fewer than so many.
const MOST_EVENTS_OF_ROUND: usize = 200_000;
const FEWEST_OF_ROUND: u64 = 4;
/// More findings than this nobody reads.
const MOST_FINDINGS: usize = 32;
/// So many distinct outcomes are kept.
const MOST_OUTCOMES: usize = 256;

/// A search that has not begun, or was left, and goes on from there.
pub struct Searching {
    reference: Arc<Reference>,
    space: Arc<Space>,
    planners: Vec<Box<dyn Planner>>,
    /// The planner whose turn it is, and how many runs it has made; none before the reference run was looked at.
    turn: Option<(usize, u64)>,
    past_one_step: bool,
    entries: Entries,
    findings: Findings,
    races: Races,
    novelty: Novelty,
    report: Report,
    taken: HashSet<Step>,
    steps: u64,
    /// The outcomes in the report, without what only says when it was.
    kinds: Vec<Outcome>,
    /// What the outside has done, and how often at most in one run.
    sent: HashMap<Action, usize>,
}

/// How far a search goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// One round of schedules of one step, if there are any left.
    OneStep,
    /// To its end.
    End,
}

/// Where a search has come to.
pub enum Went {
    /// It is left, and can go on.
    On(Box<Searching>),
    /// It is over.
    Over(Box<Report>),
}

/// A search at work.
struct Search<'a, 'env> {
    plan: &'a Plan,
    until: Until,
    ledger: Ledger<'a, 'env>,
    progress: &'a dyn Progress,
    budget: u64,
    state: Searching,
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
    let mut state = Box::new(Searching::new(plan, reference));
    loop {
        match state.go_on(plan, Until::End, factory, judge, progress, cancel)? {
            Went::On(further) => state = further,
            Went::Over(report) => return Ok(*report),
        }
    }
}

impl Searching {
    /// Before its first run.
    pub fn new(plan: &Plan, mut reference: Reference) -> Searching {
        let space = Arc::new(Space::new(plan, &reference));
        reference.loops.forget_points();
        let reference = Arc::new(reference);
        Searching {
            planners: planners(plan, &space, &reference),
            report: Report::new(plan, &reference),
            space,
            reference,
            turn: None,
            past_one_step: false,
            entries: Entries::default(),
            findings: Findings::default(),
            races: Races::default(),
            novelty: Novelty::default(),
            taken: HashSet::new(),
            steps: 0,
            kinds: Vec::new(),
            sent: HashMap::new(),
        }
    }

    /// What its runs are compared with.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Schedules in a round.
    fn round(&self) -> u64 {
        let fit = MOST_EVENTS_OF_ROUND / self.reference.run.events.len().max(1);
        u64::try_from(fit).unwrap_or(u64::MAX).clamp(FEWEST_OF_ROUND, ROUND)
    }

    /// How many runs the strategies have made.
    pub fn runs(&self) -> u64 {
        self.report.runs
    }

    /// True if what it has left takes more than one step.
    pub fn is_past_one_step(&self) -> bool {
        self.past_one_step
    }

    /// Takes in what a run has shown, where that may end the search.
    fn learn(&mut self, plan: &Plan, run: &Run) {
        if !plan.settles {
            return;
        }
        self.novelty.learn(run, self.report.outcomes.len(), self.space.is_rest(&run.schedule));
    }

    /// True if enough of what takes several steps, or is far inside a loop, has shown nothing new, and these are more of the same.
    fn is_settled(&self, round: &[Planned]) -> bool {
        self.novelty.is_over() && round.iter().all(|planned| self.space.is_rest(&planned.tree.current()))
    }

    /// Goes on as far as that, as [`search`] does. The plan is the one that it began with, but for how many runs all
    /// strategies together may make, and how long it may take from now on.
    pub fn go_on<S, F, J>(
        self,
        plan: &Plan,
        until: Until,
        factory: &F,
        judge: &J,
        progress: &dyn Progress,
        cancel: &AtomicBool,
    ) -> Result<Went, ExploreError>
    where
        S: Supervise,
        F: Fn(usize) -> Result<S, RunError> + Sync,
        J: Fn(&Run) -> Vec<Broken>,
    {
        let mut state = self;
        let (queue, entries) = (Queue::default(), std::mem::take(&mut state.entries));
        let factory = |index| factory(index).map(|supervisor| Begun::new(supervisor, plan.from.as_ref()));
        std::thread::scope(|scope| {
            let crew = Crew::start(scope, &queue, plan.jobs, &factory, cancel)?;
            let ledger = Ledger::new(&crew, judge, entries);
            Search { plan, until, ledger, progress, budget: 0, state }.run()
        })
    }
}

/// Why a search makes no more rounds.
enum Stopped {
    /// All that it was to do is done, or this ended it early.
    Over(Option<Cut>),
    /// It has come to where it was to be left.
    Left,
}

impl Search<'_, '_> {
    fn run(mut self) -> Result<Went, ExploreError> {
        let mut planners = std::mem::take(&mut self.state.planners);
        let stopped = self.all(&mut planners);
        match stopped {
            Ok(Stopped::Left) => {
                let entries = self.ledger.into_entries();
                return Ok(Went::On(Box::new(Searching { planners, entries, ..self.state })));
            }
            Ok(Stopped::Over(cut)) => self.state.report.cut = cut,
            Err(Halt::Interrupted) => self.state.report.cut = Some(Cut::Interrupted),
            Err(Halt::Failed(error)) => return Err(error),
        }
        self.report(&planners).map(|report| Went::Over(Box::new(report)))
    }

    /// What came of it all.
    fn report(mut self, planners: &[Box<dyn Planner>]) -> Result<Report, ExploreError> {
        let reference = Arc::clone(&self.state.reference);
        let runs = [reference.plain(), &reference.run];
        let reached = runs.into_iter().flat_map(|run| &run.reached).map(|reached| &reached.point).collect();
        let tried = |schedule: &Schedule| self.ledger.knows(schedule);
        let coverage = cover(&self.state.space, &reached, &self.state.taken, &tried, planners);
        let taken: HashSet<Point> = self.state.taken.iter().map(Step::point).collect();
        let loops = reference.loops.all.iter();
        let loops = loops.map(|one| (one.clone(), one.times_with(|point| taken.contains(point)))).collect();
        let children = reference.loops.children.iter();
        let children =
            children.map(|one| (one.clone(), one.those_with(|point| taken.contains(point)))).collect();
        self.state.report.coverage = Coverage { steps: self.state.steps, loops, children, ..coverage };
        let sent = self.state.sent.iter().flat_map(|(act, times)| std::iter::repeat_n(act, *times));
        self.state.report.signals_unsent = self.state.space.missing(sent).len();
        self.state.findings.order(&self.state.space);
        // Who wants the first finding is not told where else it shows.
        if !matches!(self.state.report.cut, Some(Cut::Interrupted | Cut::FirstFinding)) {
            self.progress.at(&self.standing(Doing::Confirming));
            let Searching { space, findings, races, .. } = &mut self.state;
            match std::mem::take(races).tell(&mut self.ledger, space, findings, self.plan.confirm) {
                Ok(()) => {}
                Err(Halt::Interrupted) => self.state.report.cut = Some(Cut::Interrupted),
                Err(Halt::Failed(error)) => return Err(error),
            }
        }
        let Searching { findings, mut report, .. } = self.state;
        let shown = |breaks: &Broken| {
            let mut found = findings.found.iter().map(|found| &found.finding);
            found.any(|finding| finding.breaks == *breaks || finding.also.contains(breaks))
        };
        for seen in &mut report.outcomes {
            seen.breaks.retain(|breaks| !is_decided_by_others(*breaks) || shown(breaks));
        }
        report.findings = findings.found.into_iter().map(|found| found.finding).collect();
        report.unstable = findings.doubts;
        report.extra_runs = self.ledger.extra_runs();
        report.tainted = self.ledger.tainted();
        report.verdict = report.against(&[]);
        Ok(report)
    }

    /// Everything, in order, from where it was left.
    fn all(&mut self, planners: &mut [Box<dyn Planner>]) -> Result<Stopped, Halt> {
        let clock = Stopwatch::start(&self.plan.waited);
        let begin = match self.state.turn {
            Some(turn) => turn,
            None => {
                self.begin()?;
                (0, 0)
            }
        };
        let mut own = begin.1;
        let mut over = None;
        let mut made = false;
        for index in begin.0..planners.len() {
            loop {
                if let Some(cut) = self.satisfied() {
                    return Ok(Stopped::Over(Some(cut)));
                }
                if self.plan.time.is_some_and(|time| clock.elapsed() >= time) {
                    return Ok(Stopped::Over(Some(Cut::Time)));
                }
                let expected = planners.iter().map(|planner| planner.expected()).fold(0, u64::saturating_add);
                let most = self.plan.runs.map_or(u64::MAX, |runs| self.plan.share(runs));
                self.budget = expected.min(most);
                let Some(planner) = planners.get_mut(index) else { break };
                let tried = |schedule: &Schedule| self.ledger.knows(schedule);
                self.state.turn = Some((index, own));
                self.state.past_one_step = planner.is_past_one_step(&self.state.space, &tried);
                if self.until == Until::OneStep && (self.state.past_one_step || made) {
                    return Ok(Stopped::Left);
                }
                let left = planner.budget().saturating_sub(own);
                let left = left.min(most.saturating_sub(self.state.report.runs));
                // With no run left, one schedule is planned all the same, to see whether there is one.
                let most = match self.plan.stop {
                    _ if self.plan.in_turns => ROUND_IN_TURN,
                    Stop::FirstFinding => ROUND_TO_FIRST,
                    Stop::Never | Stop::KnownFound => self.state.round(),
                };
                let size = usize::try_from(left.clamp(1, most)).unwrap_or(1);
                let round = planner.round(&self.state.space, &tried, size)?;
                if round.is_empty() {
                    break;
                }
                let settled = self.plan.settles && self.state.is_settled(&round);
                if left == 0 || settled {
                    let cut = if settled { Cut::NothingNew } else { Cut::Runs };
                    if planner.exhausts() {
                        return Ok(Stopped::Over(Some(cut)));
                    }
                    over = settled.then_some(cut).or(over);
                    break;
                }
                own += round.iter().filter(|planned| !planned.shared).count() as u64;
                let (cut, runs) = self.round(round)?;
                made = true;
                for (other, planner) in planners.iter_mut().enumerate() {
                    planner.learn(&self.state.space, &runs, other == index)?;
                }
                if cut.is_some() {
                    return Ok(Stopped::Over(cut));
                }
            }
            own = 0;
        }
        Ok(Stopped::Over(self.satisfied().or(over)))
    }

    /// Takes in the reference run, and the one that nothing disturbed.
    fn begin(&mut self) -> Result<(), Halt> {
        let reference = Arc::clone(&self.state.reference);
        if let Some(plain) = &reference.plain {
            self.ledger.enter(plain);
            self.verify(&[plain])?;
        }
        let home = ScheduleTree::new(self.state.space.clone(), reference.schedule.clone());
        self.take(home, &reference.run)?;
        self.state.learn(self.plan, reference.plain());
        self.state.learn(self.plan, &reference.run);
        self.verify(&[&reference.run])
    }

    /// Has one round tried, and takes its results in order. Gives those that were taken, and why it ended early if it did.
    fn round(&mut self, mut round: Vec<Planned>) -> Result<(Option<Cut>, Vec<Run>), Halt> {
        let mut runs = Vec::with_capacity(round.len());
        let mut cut = None;
        let mut complete = true;
        while cut.is_none() && complete && !round.is_empty() {
            let schedules: Vec<Schedule> = round.iter().map(|planned| planned.tree.current()).collect();
            // Who wants the first finding needs none of the runs behind it.
            let results;
            (results, complete) = self.ledger.make_round(&schedules, self.plan.stop == Stop::FirstFinding)?;
            for (planned, Tried { run, .. }) in round.drain(..results.len()).zip(results) {
                self.take_planned(planned, &run)?;
                self.state.learn(self.plan, &run);
                self.progress.at(&self.standing(Doing::Searching));
                runs.push(run);
                cut = self.satisfied();
                if cut.is_some() {
                    break;
                }
            }
        }
        self.verify(&runs.iter().collect::<Vec<_>>())?;
        let space = Arc::make_mut(&mut self.state.space);
        runs.iter().for_each(|run| space.absorb(run));
        if complete && !self.ledger.cancelled() { Ok((cut, runs)) } else { Err(Halt::Interrupted) }
    }

    /// Takes the run of a planned schedule into account.
    fn take_planned(&mut self, planned: Planned, run: &Run) -> Result<(), Halt> {
        let Planned { tree, probe, shared } = planned;
        // What was to deviate did not, so this is the run of another schedule.
        let merged = run.merged.iter().any(|step| !self.state.space.is_at_home(step));
        // What belongs to another part is counted there.
        let made = match (shared, merged) {
            (true, _) => &mut self.state.report.shared_runs,
            (false, true) => &mut self.state.report.merged,
            (false, false) => &mut self.state.report.runs,
        };
        *made += 1;
        if probe || merged {
            self.ledger.enter(run);
            Ok(())
        } else {
            self.take(tree, run)
        }
    }

    /// Takes one run into account.
    fn take(&mut self, tree: ScheduleTree, run: &Run) -> Result<(), Halt> {
        let heeded = self.ledger.heeding().is_some();
        let (entry, before) = self.ledger.enter(run);
        if let Some(taint) = &run.taint {
            let why = format!("every run of it is tainted: {taint}");
            let (schedule, one) = (run.schedule.clone(), run.clone());
            self.state.findings.doubt(Unstable {
                breaks: None,
                schedule,
                why,
                one,
                other: None,
                differs: None,
            });
            return Ok(());
        }
        if before.is_some_and(|before| before.clean && entry.clean && before.events != entry.events) {
            self.state.report.irregular += 1;
        }
        if !run.unreached.is_empty() && self.plan.fixed.iter().any(|fixed| same(fixed, &run.schedule)) {
            self.state.report.unmet.push((run.schedule.clone(), run.unreached.clone()));
        }
        let steps = taken(run);
        self.state.steps += steps.len() as u64;
        for act in steps.iter().filter_map(|step| outside(&step.action)) {
            let most = self.state.sent.entry(act.clone()).or_default();
            *most = done_by(act, &steps).max(*most);
        }
        self.state.taken.extend(steps);
        self.tally(run, entry.breaks);
        if let Some(breaks) = entry.breaks {
            self.follow(tree, run, breaks)?;
        }
        // What the reference run has lost is known once another run shows that it was to be heeded.
        if !heeded && self.ledger.heeding().is_some() {
            let home = ScheduleTree::new(self.state.space.clone(), self.state.space.home.clone());
            let reference = Arc::clone(&self.state.reference);
            if self.ledger.look(&self.state.space.home)?.breaks == Some(Broken::Lost) {
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
            space: &self.state.space,
            ledger: &mut self.ledger,
            findings: &mut self.state.findings,
            races: &mut self.state.races,
            runs: self.state.report.runs,
            tell: &|doing| self.progress.at(&Standing { doing, ..standing }),
            found: &|finding| {
                // The first one ends the search where no more are wanted.
                if self.plan.stop != Stop::FirstFinding {
                    self.progress.found(finding);
                }
            },
        };
        let result = follow.up(tree, run, breaks);
        if matches!(result, Err(Halt::Interrupted)) {
            self.state.report.unfinished = Some((breaks, run.clone()));
        }
        self.state.report.failing += u64::from(!matches!(result, Ok(false)));
        result?;
        // What was only made to compare with is not tried again.
        for run in self.ledger.take_aside() {
            let tree = ScheduleTree::new(self.state.space.clone(), run.schedule.clone());
            let ours = self.state.space.owns(&run.schedule) && self.satisfied().is_none();
            if let Some(breaks) = self.ledger.telling(&run).filter(|_| ours) {
                self.follow(tree, &run, breaks)?;
            }
        }
        Ok(())
    }

    /// Counts the outcome of a run. What differs only in dates, times and the numbers of processes is one outcome, unless it breaks
    /// something else: who ends as the others do, but late, is told apart.
    fn tally(&mut self, run: &Run, breaks: Option<Broken>) {
        let outcomes = &mut self.state.report.outcomes;
        let decided =
            |breaks: Option<&Broken>| breaks.copied().filter(|breaks| !is_decided_by_others(*breaks));
        let mut found = outcomes.iter().position(|seen| {
            seen.outcome.is_like(&run.outcome)
                && decided(seen.breaks.iter().min()) == decided(breaks.as_ref())
        });
        let mut kind = None;
        if found.is_none() {
            let kind = kind.insert(run.outcome.without_moments());
            let alike = |(seen, known): (&Seen, &Outcome)| {
                seen.breaks.iter().min() == breaks.as_ref() && known.is_like(kind)
            };
            found = outcomes.iter().zip(&self.state.kinds).position(alike);
        }
        if let Some(seen) = found.and_then(|index| outcomes.get_mut(index)) {
            seen.runs += 1;
        } else if outcomes.len() < MOST_OUTCOMES {
            self.state.kinds.extend(kind);
            outcomes.push(Seen {
                outcome: run.outcome.clone(),
                breaks: self.ledger.judge(run),
                // What was done, so that nobody looks for what was not.
                example: Schedule { steps: taken(run) },
                first: self.state.report.runs,
                runs: 1,
            });
        } else {
            self.state.report.more_outcomes = true;
        }
    }

    /// Why to stop here, if so.
    fn satisfied(&self) -> Option<Cut> {
        let (findings, known) = (&self.state.findings.found, &self.plan.known);
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
            self.state.report.verified += verified;
            doubts.into_iter().for_each(|doubt| self.state.findings.doubt(doubt));
        }
        Ok(())
    }

    fn standing(&self, doing: Doing) -> Standing {
        Standing {
            runs: self.state.report.runs,
            budget: self.budget,
            points: self.state.space.points(),
            findings: self.state.findings.found.len(),
            outcomes: self.state.report.outcomes.len(),
            doing,
        }
    }
}

#[cfg(test)]
mod tests;
