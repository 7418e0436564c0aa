//! `sigrace shrink`: look for a simpler schedule than a trace's that breaks the same.

use super::exit::{Exit, Stop};
use super::options::Traces;
use super::progress::Progress;
use super::replay;
use super::say::{page, say};
use super::{host, interrupt};
use crate::explore::{Cut, Plan};
use crate::judge::{Comparison, Exits, LATE};
use crate::slots::Stopwatch;
use crate::store;
use crate::suite::{self, Against, Job};
use crate::trace::Broken;
use std::path::PathBuf;

/// Shrink a recorded failing schedule further
///
/// What the trace broke is measured against the undisturbed run, as `sigrace explore` does it.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The trace
    trace: PathBuf,
    /// How many runs shrinking may take
    #[arg(long, env = "SIGRACE_SHRINK_RUNS", value_name = "N", default_value_t = 5000)]
    shrink_runs: u64,
    /// How often the result must go and end the same way, more than once in any case
    #[arg(long, env = "SIGRACE_CONFIRM", value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    confirm: u32,
    /// How many runs may go on at once, one for each CPU at most [default: that many]
    #[arg(long, short, env = "SIGRACE_JOBS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    #[command(flatten)]
    traces: Traces,
}

pub(super) fn main(args: &Args) -> Result<Exit, Stop> {
    let trace = store::read_trace(&args.trace).map_err(Stop::refused)?;
    if trace.breaks.is_empty() {
        return Err(Stop::refused(format_args!(
            "{}: nothing broke in this run, so there is nothing to shrink towards",
            args.trace.display()
        )));
    }
    let cancel = interrupt::flag()?;
    let slots = host::slots()?;
    args.traces.check()?;
    let plan = Plan {
        always: trace.always,
        seed: trace.seed,
        shrink_runs: args.shrink_runs,
        confirm: args.confirm,
        jobs: args.jobs.map_or(slots.count(), usize::from),
        ..Plan::to_shrink(trace.schedule.clone())
    };
    let settings = crate::supervise::Settings { watch: plan.signals(), ..replay::settings(&trace, &cancel)? };
    let exits = match &trace.breaks {
        breaks if breaks.contains(&Broken::Atomicity) => Exits::Atomic,
        breaks
            if [Broken::Interrupted, Broken::Lost, Broken::Overlooked, Broken::Leaked, Broken::CutShort]
                .iter()
                .any(|one| breaks.contains(one)) =>
        {
            Exits::Uninterrupted
        }
        _ => Exits::Any,
    };
    let against = Against::Reference(Comparison {
        fatal: false,
        sends: plan.asks_for_an_end() && !trace.breaks.contains(&Broken::Exit),
        exits,
        heard: !plan.asks_for_an_end(),
        same_output: trace.breaks.contains(&Broken::Stdout),
        late: trace.breaks.contains(&Broken::Late).then_some(LATE),
        ..Comparison::default()
    });
    let job = Job {
        name: trace.launch.argv.first().cloned().unwrap_or_default(),
        settings,
        plan,
        against: Against::Only(trace.breaks.clone(), Box::new(against)),
        checks: Vec::new(),
        keep: args.traces.keep(),
        shown: Default::default(),
    };
    let clock = Stopwatch::start(slots.waited());
    let progress = Progress::new(None);
    let result = suite::search(&job, &slots, &progress);
    drop(progress);
    let done = result?;
    if done.report.findings.is_empty() && done.report.cut != Some(Cut::Interrupted) {
        say("the recorded schedule breaks nothing now, measured against the undisturbed run")?;
    } else if done.report.findings.iter().all(|finding| finding.schedule == trace.schedule) {
        say("no simpler schedule was found")?;
    }
    say(done.text(&job.name, clock.elapsed(), page()).trim_end())?;
    if let Some(error) = done.unwritten() {
        return Err(Stop::new(Exit::Harness, error));
    }
    Ok(match done.report.cut {
        Some(Cut::Interrupted) => Exit::Interrupted,
        _ if done.report.findings.is_empty() => Exit::Unclear,
        _ => Exit::AsExpected,
    })
}
