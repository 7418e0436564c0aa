//! One search, from its settings to its report and its traces.

use super::done::{Accepted, Done, SearchError};
use super::job::{Against, Job};
use super::kept_runs::Keeping;
use super::library::{self, ChartError, Charted};
use super::record::{KeepAll, Recorder};
use super::{budget, worker};
use crate::checks::{self, Asked, Checked};
use crate::explore::{
    self, Cut, Doing, ExploreError, Finding, Looked, Plan, Progress, Reference, Searching, Standing, Until,
    Went,
};
use crate::judge::{self, Expectations};
use crate::schedule::Schedule;
use crate::show::Extent;
use crate::slots::{Seats, Slots, Waited};
use crate::supervise::{Observe, RunError, Settings, Supervise};
use crate::trace::{Broken, ReferenceRun, Run};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A search that was left.
pub struct Halfway {
    charted: Charted,
    recorder: Recorder,
    expectations: Expectations,
    /// The schedule of the reference run.
    base: Schedule,
    /// There is more code of libraries to follow: NOTE \[A little of libraries\].
    more: bool,
    state: Box<Searching>,
}

/// In so many runs the code of libraries is followed at first.
///
/// NOTE \[A little of libraries\] To follow it to its end takes many runs before the first step is taken, and where a handler may not
/// enter a library again, most of the code is such that it may not. So who wants one step tried everywhere before two are tried anywhere
/// has it followed a little way at first; a search that finds nothing so begins anew, with all of it.
const FOLLOWED_AT_FIRST: usize = 8;

impl Halfway {
    /// How many runs its strategies have made.
    pub fn runs(&self) -> u64 {
        self.state.runs()
    }

    /// True if what it has left takes more than one step.
    pub fn is_past_one_step(&self) -> bool {
        self.state.is_past_one_step()
    }

    /// What its runs are compared with.
    pub fn reference(&self) -> &Reference {
        self.state.reference()
    }
}

/// Where a search has come to.
pub enum Reached {
    /// It was left, and can go on.
    Halfway(Box<Halfway>),
    /// It is over.
    Done(Box<Done>),
}

/// Searches, and writes the traces of what was found.
pub fn search(job: &Job, slots: &Slots, progress: &dyn Progress) -> Result<Done, SearchError> {
    go_on(None, job, slots, progress)
}

/// Begins, or goes on, with a round of schedules of one step. Where that found something it is over. Else the handlers are not
/// checked yet.
pub fn one_step(
    halfway: Option<Box<Halfway>>,
    job: &Job,
    slots: &Slots,
    progress: &dyn Progress,
) -> Result<Reached, SearchError> {
    advance(halfway, Until::OneStep, job, slots, progress)
}

/// Begins, or goes on, to the end. The job is the one that it began with, but for how many runs it may make in all, and how long
/// it may take from now on.
pub fn go_on(
    mut halfway: Option<Box<Halfway>>,
    job: &Job,
    slots: &Slots,
    progress: &dyn Progress,
) -> Result<Done, SearchError> {
    loop {
        match advance(halfway, Until::End, job, slots, progress)? {
            Reached::Halfway(further) => halfway = Some(further),
            Reached::Done(done) => return Ok(*done),
        }
    }
}

/// Goes that far, and no longer than the job's plan has time.
fn advance(
    halfway: Option<Box<Halfway>>,
    until: Until,
    job: &Job,
    slots: &Slots,
    progress: &dyn Progress,
) -> Result<Reached, SearchError> {
    let waited = Waited::default();
    let seats = Seats::new(slots, &waited);
    let plan = Plan { jobs: job.plan.jobs.min(slots.count()), waited: waited.clone(), ..job.plan.clone() };
    let user = &job.settings.cancel;
    let (mut result, used_up) = budget::within(&plan, user, |cancel| {
        let settings = Settings { cancel: Arc::clone(cancel), ..job.settings.clone() };
        advanced(halfway, until, &Job { settings, ..job.clone() }, &plan, &seats, progress)
    });
    // Who interrupts the checks of handlers has not had all that was asked for either.
    if let (Ok(Reached::Done(done)), false) = (&mut result, used_up)
        && user.load(Ordering::Relaxed)
    {
        done.report.cut = Some(Cut::Interrupted);
        done.report.verdict = done.report.against(&[]);
    }
    match (result, plan.time.filter(|_| used_up)) {
        (Ok(Reached::Done(mut done)), Some(_)) if done.report.cut == Some(Cut::Interrupted) => {
            done.report.cut = Some(Cut::Time);
            done.report.verdict = done.report.against(&[]);
            Ok(Reached::Done(done))
        }
        (Err(error), Some(_)) if error.is_interrupt() => Err(SearchError::OutOfTime),
        (result, _) => result,
    }
}

fn advanced(
    halfway: Option<Box<Halfway>>,
    until: Until,
    job: &Job,
    plan: &Plan,
    seats: &Seats<'_>,
    progress: &dyn Progress,
) -> Result<Reached, SearchError> {
    let keep_all = |recorder: &Recorder| job.keep.all.then(|| recorder.clone());
    let make = |recorder: Option<Recorder>| {
        let supervisor = worker::supervisor(job.settings.clone(), seats);
        let supervisor = Keeping::new(supervisor, job.keep.kept_runs.as_ref(), &job.settings);
        Ok(KeepAll { supervisor, recorder })
    };
    let halfway = match halfway {
        Some(halfway) => halfway,
        None => {
            progress.at(&Standing::BEGUN);
            let recorder = Recorder::new(&job.settings, &job.keep.folder)?;
            let factory = |_| make(keep_all(&recorder));
            let follow = (until == Until::OneStep).then_some(FOLLOWED_AT_FIRST);
            Box::new(begun(job, plan, recorder.clone(), follow, &factory)?)
        }
    };
    let Halfway { charted, recorder, expectations, base, more, state } = *halfway;
    let factory = |_| make(keep_all(&recorder));
    let judge = |run: &Run| {
        let mut broken = judge::broken(&expectations, run);
        if let Against::Only(kinds, _) = &job.against {
            broken.retain(|kind| kinds.contains(kind));
        }
        broken
    };
    let allowed = Plan {
        runs: plan.runs,
        time: plan.time,
        jobs: plan.jobs,
        waited: plan.waited.clone(),
        ..charted.plan.clone()
    };
    let cancel: &AtomicBool = &job.settings.cancel;
    let report = match state.go_on(&allowed, until, &factory, &judge, progress, cancel)? {
        Went::On(state) if more && state.is_past_one_step() => {
            return Ok(Reached::Halfway(Box::new(begun(job, plan, recorder.clone(), None, &factory)?)));
        }
        Went::On(state) => {
            let halfway = Halfway { charted, recorder, expectations, base, more, state };
            return Ok(Reached::Halfway(Box::new(halfway)));
        }
        Went::Over(report) => *report,
    };
    let checked = match report.cut {
        // Who asked for the first finding has it.
        Some(Cut::Interrupted | Cut::FirstFinding) => Checked::default(),
        _ => {
            progress.at(&Standing {
                runs: report.runs,
                points: report.coverage.reached,
                findings: report.findings.len(),
                outcomes: report.outcomes.len(),
                doing: Doing::Checking,
                ..Standing::BEGUN
            });
            check(job, &base, &factory)?
        }
    };
    let digest = recorder.digest().to_owned();
    let (file, asked) = (job.settings.launch.file.clone(), job.asked());
    let command = shell_words::join(&job.settings.launch.argv);
    let notes = job.settings.learnt.notes();
    let (swept, traces) = (charted.roots, Vec::new());
    let mut done = Done {
        report,
        digest,
        file,
        command,
        asked,
        swept,
        expectations,
        checked,
        notes,
        traces,
        subject: job.subject(),
        accepted: Accepted::default(),
        known: BTreeMap::new(),
    };
    let extent = Extent::of(&done.report).to_string();
    let findings = &done.report.findings;
    let reference = &done.report.reference.run;
    let runs: Vec<&Run> =
        findings.iter().filter(|one| one.looked.is_none()).map(|finding| &finding.run).collect();
    let supervisor = || Ok(worker::supervisor(job.settings.clone(), seats));
    // Whoever reads a finding reads what it was compared with.
    let mut seen = match findings.is_empty() {
        true => Vec::new(),
        false => looked(&[runs.as_slice(), &[reference]].concat(), supervisor),
    };
    let (places, of_reference) = seen.pop().unwrap_or_default();
    let mut seen = seen.into_iter();
    let seen = findings.iter().map(|one| one.looked.clone().or_else(|| seen.next()).unwrap_or_default());
    let reference = ReferenceRun::of(reference, places, of_reference);
    let record = |(finding, looked): (&Finding, Looked)| {
        let mut trace = recorder.trace(&finding.run, &breaks(finding), Some(extent.clone()));
        (trace.places, trace.seen) = looked;
        trace.reference.clone_from(&reference);
        let path = recorder.write(&trace);
        (trace, path)
    };
    let traces = findings.iter().zip(seen).map(record).collect();
    done.traces = traces;
    Ok(Reached::Done(Box::new(done)))
}

/// What a search begins with: the code that it looks into, what its runs are compared with.
fn begun<S, F>(
    job: &Job,
    plan: &Plan,
    recorder: Recorder,
    follow: Option<usize>,
    factory: &F,
) -> Result<Halfway, SearchError>
where
    S: Supervise,
    F: Fn(usize) -> Result<S, RunError> + Sync,
{
    let file = &job.settings.launch.file;
    let mut charted = library::charted(plan, file, &job.shown, factory).map_err(|error| match error {
        ChartError::Explore(error) => SearchError::Explore(error),
        ChartError::Code(error) => SearchError::Code(error),
    })?;
    charted.plan.code.follow = follow;
    // Whoever keeps all traces has those of all runs.
    let known = job.shown.undisturbed(&job.settings).filter(|_| !job.keep.all);
    let reference = reference(&charted.plan, known, factory)?;
    let expectations = job.against.expectations(&reference)?;
    if let (true, Some(note)) = (job.against.asks_for_files(), job.settings.learnt.notes().into_iter().next())
    {
        let doing = "comparing what runs leave".to_owned();
        return Err(ExploreError::Run { doing, source: RunError::Unsupported(note) }.into());
    }
    let base = reference.schedule.clone();
    let more = follow.is_some() && reference.executed.more;
    let state = Box::new(Searching::new(&charted.plan, reference));
    Ok(Halfway { charted, recorder, expectations, base, more, state })
}

/// Checks the handlers, in a thread of its own as well. On a host that does not allow it, that is what is said.
fn check<S, F>(job: &Job, base: &Schedule, factory: &F) -> Result<Checked, ExploreError>
where
    S: crate::supervise::Supervise,
    F: Fn(usize) -> Result<S, RunError> + Sync,
{
    let none = base.steps.is_empty() && job.shown.has_no_handler(&job.settings);
    if none || job.checks.is_empty() {
        return Ok(Checked::default());
    }
    let doing = |source| ExploreError::Run { doing: "checking the handlers".to_owned(), source };
    let asked = Asked {
        rules: &job.checks,
        signals: &job.plan.send,
        process: &job.plan.send_to.process,
        base,
        runs: job.plan.handler_runs.unwrap_or(checks::MOST_RUNS),
        // A scenario says which rules are kept: that is looked at with all that it may cost.
        fits: job.plan.handler_runs.is_none() && !matches!(job.against, Against::Scenario(_)),
    };
    let make = || checks::check(&asked, &mut factory(0)?);
    match worker::apart("that checks handlers", make).flatten() {
        Err(RunError::Unsupported(why)) => Ok(Checked::not_done(&why)),
        // What was found before is told all the same.
        Err(RunError::Interrupted) => Ok(Checked {
            notes: vec!["handlers were not checked to the end: the search was ended before".to_owned()],
            ..Checked::default()
        }),
        other => other.map_err(doing),
    }
}

/// How often a run is made to see it as it was.
const MOST_LOOKS: u32 = 3;

/// What is seen of each of these runs: it is made once more for that. A run that is not equal in all else tells nothing; it is the
/// machine's load that makes it so, and rarely does several times.
fn looked<S, F>(runs: &[&Run], supervisor: F) -> Vec<Looked>
where
    S: Supervise,
    F: Fn() -> Result<S, RunError> + Sync,
{
    let look = |supervisor: &mut S, one: &Run| {
        let (other, observed) =
            supervisor.observe(&one.schedule, &Observe::Where { crashes: one.crashes() }).ok()?;
        // What is seen is told by the numbers of the events.
        let equal =
            one.events == other.events && one.outcome.is_like(&other.outcome) && other.taint.is_none();
        equal.then_some((observed.places, observed.seen))
    };
    let look_at_all = || {
        let mut supervisor = supervisor().ok()?;
        let mut seen = |run: &&Run| (0..MOST_LOOKS).find_map(|_| look(&mut supervisor, run));
        Some(runs.iter().map(|run| seen(run).unwrap_or_default()).collect())
    };
    let none = || vec![Looked::default(); runs.len()];
    worker::apart("that looks where threads were", look_at_all).ok().flatten().unwrap_or_else(none)
}

/// Makes the reference run in a thread of its own: a supervisor pins its thread, and the workers that are started later
/// must not inherit that, since their programs would see fewer CPUs than the reference run did.
fn reference<S, F>(plan: &Plan, known: Option<Run>, factory: &F) -> Result<Reference, ExploreError>
where
    S: Supervise,
    F: Fn(usize) -> Result<S, RunError> + Sync,
{
    let doing = |source| ExploreError::Run { doing: "preparing the reference run".to_owned(), source };
    let make = || {
        let mut supervisor = factory(0).map_err(doing)?;
        explore::reference_after(known, plan, &mut supervisor)
    };
    worker::apart("of the reference run", make).map_err(doing).flatten()
}

/// All that a finding breaks, the most telling first.
fn breaks(finding: &Finding) -> Vec<Broken> {
    std::iter::once(finding.breaks).chain(finding.also.iter().copied()).collect()
}
