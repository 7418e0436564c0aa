//! The flags that several verbs share, and what follows from them.

use super::exit::{self, Exit};
use crate::explore::{Plan, Stop};
use crate::program::Limits;
use crate::scenario::{self, Strategy};
use crate::store;
use crate::suite::{self, How, Keep};
use clap::builder::{FalseyValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Runs of a strategy that is named on the command line, if their number is not.
pub(super) const RUNS: u64 = 1000;

/// How often a finding is confirmed, if nobody says so: where the first one is wanted, it is wanted soon.
const CONFIRM: u32 = 10;
const CONFIRM_FIRST: u32 = 3;

/// A length of time as people write it: above 0, and a year at most.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration.is_zero() || duration > Limits::MOST_TIME {
        return Err("expected more than nothing, and a year at most".to_owned());
    }
    Ok(duration)
}

/// How to search.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Search")]
pub(super) struct Search {
    /// How many runs each search may take [default: the scenario's own number, and what it takes to exhaust; 1000 for `explore` if no strategy is named]
    #[arg(long, env = "SIGRACE_RUNS", value_name = "N", value_parser = clap::value_parser!(u64).range(1..=scenario::Strategy::MOST_RUNS))]
    pub(super) runs: Option<u64>,
    /// How long to search, like `30s` or `5min`; with `--runs`, until the first of both is used up
    #[arg(long, env = "SIGRACE_TIME", value_name = "DURATION", value_parser = duration)]
    pub(super) time: Option<Duration>,
    /// How to look for failing schedules [default: the scenario's own; else random, then exhaustive]
    #[arg(long, env = "SIGRACE_STRATEGY", value_parser = strategy())]
    pub(super) strategy: Option<&'static str>,
    /// Up to how many steps to exhaust; means `--strategy exhaustive` [default: 1]
    #[arg(long, env = "SIGRACE_BOUND", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(scenario::Strategy::MOST_BOUND)))]
    pub(super) bound: Option<u32>,
    /// For bugs of how many orderings; means `--strategy pct` [default: 2]
    #[arg(long, env = "SIGRACE_DEPTH", value_name = "D", conflicts_with = "bound", value_parser = clap::value_parser!(u32).range(1..=i64::from(scenario::Strategy::MOST_DEPTH)))]
    pub(super) depth: Option<u32>,
    /// Make every run twice: what does not repeat itself is unstable
    #[arg(long, env = "SIGRACE_VERIFY", value_parser = FalseyValueParser::new())]
    pub(super) verify: bool,
    /// How many runs may go on at once, one for each CPU at most [default: that many]
    #[arg(long, short, env = "SIGRACE_JOBS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs: Option<u16>,
    /// Stop at the first finding; it is shrunk to what is close to it, and not told where else it shows; handlers are not checked then, and of several searches all try one step before any tries two
    #[arg(long, env = "SIGRACE_FIRST", value_parser = FalseyValueParser::new())]
    pub(super) first: bool,
    #[command(flatten)]
    pub(super) shrink: Shrink,
    #[command(flatten)]
    pub(super) seed: Seed,
    #[command(flatten)]
    pub(super) traces: Traces,
    #[command(flatten)]
    pub(super) output: Output,
}

impl Search {
    /// How to try, with this seed and so many workers for each search.
    pub(super) fn how(&self, seed: u64, jobs: usize, cancel: &Arc<AtomicBool>) -> Result<How, exit::Stop> {
        let plan = Plan {
            seed,
            runs: self.runs,
            time: self.time,
            verify: self.verify,
            shrink: !self.shrink.no_shrink,
            shrink_runs: self.shrink.shrink_runs,
            confirm: self.shrink.confirm.unwrap_or(if self.first { CONFIRM_FIRST } else { CONFIRM }),
            jobs,
            stop: if self.first { Stop::FirstFinding } else { Stop::Never },
            ..Plan::default()
        };
        let strategy = self.strategy()?;
        Ok(How { plan, strategy, keep: self.traces.keep(), baseline: None, cancel: Arc::clone(cancel) })
    }

    /// The strategy that was asked for, by its name or by what only one has. Its runs are those of `--runs`, or as many as
    /// are usual.
    fn strategy(&self) -> Result<Option<Strategy>, exit::Stop> {
        let given: Vec<(&str, u32)> = [("bound", self.bound), ("depth", self.depth)]
            .into_iter()
            .filter_map(|(name, n)| Some((name, n?)))
            .collect();
        let of =
            |name: &str| Strategy::KINDS.iter().find(|kind| kind.number.is_some_and(|own| own.name == name));
        for (name, _) in &given {
            let Some(kind) = of(name).filter(|kind| self.strategy.is_some_and(|asked| asked != kind.word))
            else {
                continue;
            };
            let what = format!("`--{name}` goes with `--strategy {}`", kind.word);
            return Err(exit::Stop::new(Exit::Usage, what));
        }
        let kind = match self.strategy {
            Some(word) => Strategy::KINDS.iter().find(|kind| kind.word == word),
            None => given.first().and_then(|(name, _)| of(name)),
        };
        Ok(kind.map(|kind| kind.strategy(given.first().map(|(_, number)| *number), RUNS)))
    }
}

/// The word of a strategy, as the list of them has it.
fn strategy() -> impl TypedValueParser<Value = &'static str> {
    let values = Strategy::KINDS.iter().map(|kind| PossibleValue::new(kind.word).help(kind.help));
    PossibleValuesParser::new(values).map(|word| {
        let kind = Strategy::KINDS.iter().find(|kind| kind.word == word);
        kind.map_or("", |kind| kind.word)
    })
}

/// What is done with a failing schedule.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Search")]
pub(super) struct Shrink {
    /// Report failing schedules as they were found
    #[arg(long, env = "SIGRACE_NO_SHRINK", value_parser = FalseyValueParser::new())]
    pub(super) no_shrink: bool,
    /// How many runs shrinking one finding may take
    #[arg(long, env = "SIGRACE_SHRINK_RUNS", value_name = "N", default_value_t = 500)]
    pub(super) shrink_runs: u64,
    /// How often a finding must go and end the same way before it is reported, more than once in any case [default: 10; 3 with --first]
    #[arg(long, env = "SIGRACE_CONFIRM", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) confirm: Option<u32>,
}

/// Where chance comes from.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Search")]
pub(super) struct Seed {
    /// Makes the same search again [default: 1 for `run`, so that a suite gives the same result every time; else a new one]
    #[arg(long, env = "SIGRACE_SEED", value_name = "N")]
    pub(super) seed: Option<u64>,
}

impl Seed {
    /// The seed given, or a new one, short enough to be typed again.
    pub(super) fn or_new(&self) -> u64 {
        self.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()))
    }
}

/// Where traces go.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Traces")]
pub(super) struct Traces {
    /// Where traces are written [default: target/sigrace/traces, or sigrace-traces where there is no target folder]
    #[arg(long, env = "SIGRACE_TRACE_DIR", value_name = "DIR")]
    trace_dir: Option<PathBuf>,
    /// Write a trace of every run, not only of findings
    #[arg(long, env = "SIGRACE_KEEP_ALL", value_parser = FalseyValueParser::new())]
    keep_all: bool,
}

impl Traces {
    /// Which traces are written, and where to.
    pub(super) fn keep(&self) -> Keep {
        let folder = self.trace_dir.clone().unwrap_or_else(suite::trace_directory);
        Keep { folder, all: self.keep_all, kept_runs: None }
    }

    /// Refuses a folder in which no trace could be written, before anything is found that would be lost.
    pub(super) fn check(&self) -> Result<(), exit::Stop> {
        store::writable_directory(&self.keep().folder).map_err(|error| {
            exit::Stop::refused(format_args!(
                "{error}: no trace could be written there; name another folder with --trace-dir"
            ))
        })
    }
}

/// For whom the report is.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(super) struct Output {
    /// For whom the report is
    #[arg(long, env = "SIGRACE_FORMAT", value_enum, default_value_t)]
    pub(super) format: Format,
}

/// Forms of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For a person
    #[default]
    Human,
    /// One JSON text on standard output; its schema is harness/report.schema.json
    Json,
    /// JUnit's XML on standard output, a test case for each scenario
    Junit,
}
