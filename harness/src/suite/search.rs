//! One search, from its settings to its report and its traces.

use super::record::{DigestError, KeepAll, Recorder};
use super::worker;
use crate::checks::{self, Asked, Checked, Rule};
use crate::compile;
use crate::explore::{
    self, Chance, Coverage, Cut, Executed, ExploreError, Finding, Level, MOST_VISITS, Partition, Plan,
    Progress, Reference, Report, Verdict,
};
use crate::judge::{self, BadRegex, Expectations};
use crate::scenario::Expect;
use crate::schedule::Schedule;
use crate::show::{self, Page, count};
use crate::slots::{Seats, SlotError, Slots, Waited};
use crate::store::{self, FileError};
use crate::supervise::{Observe, RunError, Settings, Supervise};
use crate::trace::{Broken, End, Run, Sleeper, Trace, Whereabouts};
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

/// What runs are compared with.
#[derive(Clone, Debug)]
pub enum Against {
    /// What a scenario expects.
    Scenario(Expect),
    /// The reference run.
    Reference(judge::Comparison),
    /// Only these expectations of the first, those that a trace broke: what else breaks is another matter.
    Only(Vec<Broken>, Box<Against>),
}

/// Everything that one search needs.
#[derive(Clone, Debug)]
pub struct Job {
    /// The scenario's name, or the program's.
    pub name: String,
    /// How the program runs.
    pub settings: Settings,
    /// How to look. `jobs` is the most workers to use: one for each CPU.
    pub plan: Plan,
    /// What must hold.
    pub against: Against,
    /// The rules for handlers that are checked.
    pub checks: Vec<Rule>,
    /// Where traces go.
    pub trace_dir: PathBuf,
    /// Keep a trace of every run.
    pub keep_all: bool,
}

/// What came of a search.
#[derive(Debug)]
pub struct Done {
    /// The report.
    pub report: Report,
    /// The digest of the program.
    pub digest: String,
    /// The program's file.
    pub file: PathBuf,
    /// SHA-256 of the program's arguments and of what the search was asked to do: the same for all parts of one search.
    pub asked: String,
    /// What was expected.
    pub expectations: Expectations,
    /// What the checks of handlers came to, if any were asked for.
    pub checked: Checked,
    /// Each finding's trace, in the order of the findings, and its file or why there is none.
    pub traces: Vec<(Trace, Result<PathBuf, FileError>)>,
}

/// Why a search came to no end.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// No CPU.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// The program cannot be read.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// An expectation is none.
    #[error(transparent)]
    Regex(#[from] BadRegex),
    /// The search itself failed.
    #[error(transparent)]
    Explore(#[from] ExploreError),
}

impl SearchError {
    /// The verdict of a scenario that ended with this error; none if it says nothing about program or host.
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            SearchError::Explore(ExploreError::NeverQuiet(_) | ExploreError::NoReceiver { .. }) => {
                Some(Verdict::Unreached)
            }
            SearchError::Explore(error) => error.verdict(),
            _ => None,
        }
    }

    /// True if the user asked to stop.
    pub fn is_interrupt(&self) -> bool {
        matches!(
            self,
            SearchError::Slot(SlotError::Interrupted)
                | SearchError::Explore(ExploreError::Run { source: RunError::Interrupted, .. })
        )
    }
}

/// Searches, and writes the traces of what was found.
pub fn search(job: &Job, slots: &Slots, progress: &dyn Progress) -> Result<Done, SearchError> {
    let cancel: &AtomicBool = &job.settings.cancel;
    let waited = Waited::default();
    let seats = Seats::new(slots, &waited);
    let plan = Plan { jobs: job.plan.jobs.min(slots.count()), waited, ..job.plan.clone() };
    let recorder = Recorder::new(&job.settings, &job.trace_dir)?;
    let factory = |_| {
        let supervisor = worker::supervisor(job.settings.clone(), &seats);
        Ok(KeepAll { supervisor, recorder: job.keep_all.then(|| recorder.clone()) })
    };
    let reference = reference(&plan, &factory)?;
    let expectations = expectations(&job.against, &reference.run)?;
    let judge = |run: &Run| {
        let mut broken = judge::broken(&expectations, run);
        if let Against::Only(kinds, _) = &job.against {
            broken.retain(|kind| kinds.contains(kind));
        }
        broken
    };
    let base = reference.schedule.clone();
    let report = explore::search(&plan, reference, &factory, &judge, progress, cancel)?;
    let checked = match report.cut {
        Some(Cut::Interrupted) => Checked::default(),
        _ => check(job, &base, &factory)?,
    };
    let digest = recorder.digest().to_owned();
    let (file, asked) = (job.settings.launch.file.clone(), asked(job));
    let mut done = Done { report, digest, file, asked, expectations, checked, traces: Vec::new() };
    let extent = done.extent_of_report();
    let seen = places(&done.report.findings, || Ok(worker::supervisor(job.settings.clone(), &seats)));
    let record = |(finding, places): (&Finding, Vec<Whereabouts>)| {
        let mut trace = recorder.trace(&finding.run, &breaks(finding), Some(extent.clone()));
        trace.places = places;
        let path = recorder.write(&trace);
        (trace, path)
    };
    done.traces = done.report.findings.iter().zip(seen).map(record).collect();
    Ok(done)
}

/// What a search is: all that it was asked to do, but for the part, and the number of workers, which changes nothing.
fn asked(job: &Job) -> String {
    let plan = Plan { jobs: 0, part: None, ..job.plan.clone() };
    let Settings { launch, limits, .. } = &job.settings;
    let words = format!("{:?} {:?} {limits:?} {plan:?} {:?}", launch.argv, launch.stdin, job.against);
    compile::digest_of([words.as_bytes()])
}

/// Checks the handlers, in a thread of its own as well. On a host that does not allow it, that is what is said.
fn check<S, F>(job: &Job, base: &Schedule, factory: &F) -> Result<Checked, ExploreError>
where
    S: crate::supervise::Supervise,
    F: Fn(usize) -> Result<S, RunError> + Sync,
{
    if job.checks.is_empty() {
        return Ok(Checked::default());
    }
    let doing = |source| ExploreError::Run { doing: "checking the handlers".to_owned(), source };
    let asked = Asked {
        rules: &job.checks,
        signals: &job.plan.send,
        process: &job.plan.send_to,
        base,
        runs: checks::MOST_RUNS,
    };
    let make = || checks::check(&asked, &mut factory(0)?);
    let died = |_| Err(RunError::Fault("the thread that checks handlers panicked".to_owned()));
    match thread::scope(|scope| scope.spawn(make).join()).unwrap_or_else(died) {
        Err(RunError::Unsupported(why)) => Ok(Checked::not_done(&why)),
        other => other.map_err(doing),
    }
}

/// Where the threads were in the run of each finding: the run is made once more to see it. A run that is not equal in all
/// else tells nothing, and so there are none then.
fn places<S, F>(findings: &[Finding], supervisor: F) -> Vec<Vec<Whereabouts>>
where
    S: Supervise,
    F: Fn() -> Result<S, RunError> + Sync,
{
    let look = |supervisor: &mut S, finding: &Finding| {
        let (other, observed) = supervisor.observe(&finding.schedule, &Observe::Where).ok()?;
        let one = &finding.run;
        // The places are told by the numbers of the events.
        let equal =
            one.events == other.events && one.outcome.is_like(&other.outcome) && other.taint.is_none();
        equal.then_some(observed.places)
    };
    let look_at_all = || {
        let mut supervisor = supervisor().ok()?;
        Some(findings.iter().map(|finding| look(&mut supervisor, finding).unwrap_or_default()).collect())
    };
    let none = || vec![Vec::new(); findings.len()];
    if findings.is_empty() {
        return none();
    }
    // In a thread of its own, as the reference run.
    let seen = thread::scope(|scope| scope.spawn(look_at_all).join());
    seen.ok().flatten().unwrap_or_else(none)
}

/// Makes the reference run in a thread of its own: a supervisor pins its thread, and the workers that are started later
/// must not inherit that, since their programs would see fewer CPUs than the reference run did.
fn reference<S, F>(plan: &Plan, factory: &F) -> Result<Reference, ExploreError>
where
    S: Supervise,
    F: Fn(usize) -> Result<S, RunError> + Sync,
{
    let doing = |source| ExploreError::Run { doing: "preparing the reference run".to_owned(), source };
    let make = || {
        let mut supervisor = factory(0).map_err(doing)?;
        explore::reference(plan, &mut supervisor)
    };
    let died = |_| Err(doing(RunError::Fault("the thread of the reference run panicked".to_owned())));
    thread::scope(|scope| scope.spawn(make).join()).unwrap_or_else(died)
}

fn expectations(against: &Against, reference: &Run) -> Result<Expectations, BadRegex> {
    match against {
        Against::Scenario(expect) => Expectations::of_scenario(expect),
        Against::Reference(how) => Expectations::against(reference, how),
        Against::Only(_, whole) => expectations(whole, reference),
    }
}

/// All that a finding breaks, the most telling first.
fn breaks(finding: &Finding) -> Vec<Broken> {
    std::iter::once(finding.breaks).chain(finding.also.iter().copied()).collect()
}

impl Done {
    /// A finding for a person: what broke, in one sentence; the schedule, the run, and how to see it again.
    pub fn tell(&self, index: usize, name: &str, page: Page) -> String {
        let Some(finding) = self.report.findings.get(index) else { return String::new() };
        let sentence = judge::explain(&self.expectations, finding.breaks, &finding.run);
        let mut text = show::finding(name, finding.breaks, &sentence, &finding.schedule, page);
        text += &elsewhere(finding);
        if finding.shrink_cut {
            text += "  (the runs for shrinking were used up: a simpler schedule may exist)\n";
        }
        if let Some((trace, path)) = self.traces.get(index) {
            text += &format!("\n{}\n", show::run(trace, page));
            text += &match path {
                Ok(path) => format!("{}\n", replay(path)),
                Err(error) => format!("there is no trace of it: {error}\n"),
            };
        }
        text
    }

    /// The command that makes the run of a finding again, if its trace could be written: `replay: sigrace replay PATH`.
    pub fn replay(&self, index: usize) -> Option<String> {
        self.replay_command(index).map(|command| format!("replay: {command}"))
    }

    /// The same command alone.
    pub fn replay_command(&self, index: usize) -> Option<String> {
        let (_, path) = self.traces.get(index)?;
        path.as_ref().ok().map(|path| store::command("replay", path))
    }

    /// Why a trace could not be written, if one could not.
    pub fn unwritten(&self) -> Option<&FileError> {
        self.traces.iter().find_map(|(_, path)| path.as_ref().err())
    }

    /// What the checks of handlers have to say, a line each.
    pub fn warnings(&self) -> Vec<String> {
        let Checked { warnings, cut, notes, .. } = &self.checked;
        let mut lines: Vec<String> = warnings.iter().map(|warning| format!("warning: {warning}")).collect();
        lines.extend(notes.iter().map(|note| format!("note: {note}")));
        if *cut {
            lines.push(format!(
                "note: handlers were not checked to the end: {} runs were used up",
                self.checked.runs
            ));
        }
        lines
    }

    /// What did not repeat itself, for a person: why, and how both runs ended.
    pub fn tell_unstable(&self, page: Page) -> String {
        let mut text = String::new();
        for unstable in &self.report.unstable {
            text += &format!("unstable ({}): {}\n", unstable.schedule, unstable.why);
            text += &format!("  one run:     {}\n", ending(&unstable.one));
            if let Some(other) = &unstable.other {
                text += &format!("  another run: {}\n", ending(other));
                if let Some(index) = unstable.differs {
                    text += &show::diverged(&unstable.one.events, &other.events, index, page);
                }
            }
        }
        text
    }

    /// How far the search went: `200 runs, 212 of 212 one-step schedules, 38 points, 9 distinct outcomes`.
    pub fn extent(&self) -> String {
        let mut text = self.extent_of_report();
        if self.report.tainted > 0 {
            text += &format!(", {}", count(self.report.tainted, "tainted run"));
        }
        text
    }

    /// The same without what load decides: how many runs had to be made again.
    pub(super) fn extent_of_report(&self) -> String {
        let Report { runs, outcomes, verified, part, cut, more_outcomes, .. } = &self.report;
        let Coverage { levels, taken, open, chance, .. } = &self.report.coverage;
        let extent = Extent {
            part: *part,
            runs: *runs,
            levels,
            points: (*taken as u64, *open as u64),
            outcomes: outcomes.len() as u64,
            more_outcomes: *more_outcomes,
            chance: chance.as_ref(),
            verified: *verified,
            cut: *cut,
        };
        match self.swept() {
            Some(swept) => format!("{extent}, {swept}"),
            None => extent.to_string(),
        }
    }

    /// How much of the code that was to be swept the undisturbed run executes: `15 of 16 instructions executed`.
    fn swept(&self) -> Option<String> {
        let Executed { instructions, executed, visits, points } = self.report.reference.executed;
        let all = (instructions > 0).then(|| count(instructions as u64, "instruction"))?;
        let capped =
            if points < visits { format!(" (their first {MOST_VISITS} visits)") } else { String::new() };
        Some(format!("{executed} of {all} executed{capped}"))
    }
}

/// How far a search went, or its part, or all parts of it together: displayed as a list of numbers in words.
pub(super) struct Extent<'a> {
    pub(super) part: Option<Partition>,
    pub(super) runs: u64,
    pub(super) levels: &'a [Level],
    /// At how many steps were taken, and how many there are.
    pub(super) points: (u64, u64),
    pub(super) outcomes: u64,
    pub(super) more_outcomes: bool,
    pub(super) chance: Option<&'a Chance>,
    pub(super) verified: u64,
    pub(super) cut: Option<Cut>,
}

impl Display for Extent<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.part.map(|Partition { part, of }| format!("part {part} of {of}")));
        parts.push(count(self.runs, "run"));
        parts.extend(self.levels.iter().map(|level| self.level(level)));
        let (taken, open) = self.points;
        let points = count(open, "point");
        parts.push(if taken == open { points } else { format!("steps at {taken} of {points}") });
        let more = if self.more_outcomes { "more than " } else { "" };
        parts.push(format!("{more}{}", count(self.outcomes, "distinct outcome")));
        parts.extend(self.chance.map(told));
        if self.verified > 0 {
            parts.push(format!("{} made twice with equal events", self.verified));
        }
        f.write_str(&parts.join(", "))
    }
}

impl Extent<'_> {
    /// `212 of 212 one-step schedules`, and what is missing, if anything.
    fn level(&self, level: &Level) -> String {
        let steps = match level.steps {
            1 => "one-step".to_owned(),
            2 => "two-step".to_owned(),
            3 => "three-step".to_owned(),
            steps => format!("{steps}-step"),
        };
        let known = if level.open { "more than " } else { "" };
        let text =
            format!("{} of {known}{}", level.covered(), count(level.all, &format!("{steps} schedule")));
        let why = match self.cut {
            Some(Cut::Interrupted) => "interrupted",
            Some(Cut::Time) => "the time was used up",
            Some(Cut::FirstFinding) => "stopped at the first finding",
            Some(Cut::KnownFound) => "stopped when the known findings were found",
            Some(Cut::Full) => "stopped at so many findings",
            Some(Cut::Runs) | None => "the runs were used up",
        };
        if level.exhausted() { text } else { format!("{text} ({} not tried: {why})", not_tried(level)) }
    }
}

/// `12 samples of depth 2 over 3 threads and 25 moments, each with a chance of at least 1 in 75`.
fn told(chance: &Chance) -> String {
    let Chance { depth, threads, moments, samples, given_up, everywhere, .. } = chance;
    let bound = match chance.one_in() {
        Some(number) => format!("each with a chance of at least 1 in {number}"),
        None if *given_up > 0 => format!("no bound: {given_up} given up"),
        None if !everywhere => "no bound: only some kinds of points are used".to_owned(),
        None => "no bound worth telling".to_owned(),
    };
    format!(
        "{} of depth {depth} over {} and {}, {bound}",
        count(*samples, "sample"),
        count(*threads, "thread"),
        count(*moments, "moment")
    )
}

/// Other places where the same breaks: `also at: p0 before write #2; p0 before close; and 3 more`.
fn elsewhere(finding: &Finding) -> String {
    if finding.elsewhere.is_empty() {
        return String::new();
    }
    let short = |schedule: &Schedule| match (schedule.steps.as_slice(), finding.schedule.steps.as_slice()) {
        ([step], [headline]) if step.action == headline.action => step.point().to_string(),
        (steps, _) => steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "),
    };
    let mut places: Vec<String> = finding.elsewhere.iter().map(short).collect();
    if finding.elsewhere_more > 0 {
        places.push(format!("and {} more", finding.elsewhere_more));
    }
    format!("  also at: {}\n", places.join("; "))
}

fn not_tried(level: &Level) -> String {
    if level.open { format!("at least {}", level.missing()) } else { level.missing().to_string() }
}

/// The last line of a finding: the one command that continues.
fn replay(path: &Path) -> String {
    format!("replay: {}", store::command("replay", path))
}

/// How a run ended, in a few words.
pub fn ending(run: &Run) -> String {
    ending_of(&run.outcome.end)
}

/// An ending in a few words.
pub(super) fn ending_of(end: &End) -> String {
    let asleep = |sleepers: &[Sleeper]| {
        let each: Vec<_> = sleepers.iter().map(|one| format!("{} in {}", one.thread, one.call)).collect();
        each.join(", ")
    };
    match end {
        End::Ended(status) => status.to_string(),
        End::Hang(sleepers) => format!("hangs ({})", asleep(sleepers)),
        End::Idle(sleepers) => format!("waits for the outside ({})", asleep(sleepers)),
        End::Stopped => "stopped".to_owned(),
        End::Spinning(why) => format!("goes on for ever ({why})"),
        End::TimedOut => "the time limit was reached".to_owned(),
    }
}

/// The settings of a search that may be ended from outside.
pub fn settings(
    launch: crate::program::Launch,
    limits: crate::program::Limits,
    plan: &Plan,
    cancel: &Arc<AtomicBool>,
) -> Settings {
    Settings {
        limits,
        seed: plan.seed,
        always: plan.always,
        watch: plan.signals(),
        cancel: Arc::clone(cancel),
        ..Settings::of(launch)
    }
}
