//! `sigrace points`: where a program can be disturbed.

use super::exit::{Exit, Stop};
use super::interrupt;
use super::say::say;
use super::target::Target;
use crate::schedule::{Point, Schedule};
use crate::show::{count, end_words, sources};
use crate::signal::{Signal, SignalSet};
use crate::slots::Slots;
use crate::suite::worker::{self, WAIT_FOR_CPU};
use crate::supervise::{Observe, Settings, Supervise};
use crate::trace::{Reached, Run};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use std::sync::Arc;

/// List the points that the unperturbed run reaches, where in the code they are, and what could be done at each
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Only tell where these signals could be sent [default: all]; repeatable
    #[arg(long, value_name = "SIG")]
    send: Vec<Signal>,
    #[command(flatten)]
    target: Target,
}

pub(super) fn main(args: &Args) -> Result<Exit, Stop> {
    let stop = interrupt::flag()?;
    let all = || (1..=64).filter_map(Signal::from_number).collect();
    let settings = Settings {
        cancel: Arc::clone(&stop),
        watch: if args.send.is_empty() { all() } else { args.send.clone() },
        ..Settings::of(args.target.launch()?)
    };
    let slot = Slots::new()?.take(WAIT_FOR_CPU, &stop)?;
    let mut supervisor = worker::supervisor(settings, slot.cpu)?;
    let (run, observed) = supervisor.observe(&Schedule::empty(), &Observe::Where)?;
    say(table(&run, &sources(&run.events, &observed.places)))?;
    Ok(Exit::AsExpected)
}

/// One line for each point, with the place in the program's own code that led to it, and a last one that counts them.
fn table(run: &Run, sources: &HashMap<Point, String>) -> String {
    let width = run.reached.iter().map(|reached| reached.point.to_string().len()).max().unwrap_or(0);
    let source_width = sources.values().map(|source| source.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for reached in &run.reached {
        let source = sources.get(&reached.point).map_or("", String::as_str);
        let point = reached.point.to_string();
        let line = match source_width {
            0 => format!("{point:width$}{}", possible(reached)),
            _ => format!("{point:width$}  {source:source_width$}{}", possible(reached)),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let threads: BTreeSet<_> = run.reached.iter().map(|reached| &reached.point.thread).collect();
    let switches = run.reached.iter().filter(|reached| !reached.others.is_empty()).count() as u64;
    let sends = run.reached.iter().filter(|reached| !reached.receivable.is_empty()).count() as u64;
    let _ = write!(
        text,
        "{} in {}; another thread could run at {}, a signal could be sent at {}; the run's end: {}",
        count(run.reached.len() as u64, "point"),
        count(threads.len() as u64, "thread"),
        switches,
        sends,
        end_words(&run.outcome.end),
    );
    text
}

/// What could be done at a point.
fn possible(reached: &Reached) -> String {
    let mut text = String::new();
    if !reached.others.is_empty() {
        let names: Vec<String> = reached.others.iter().map(ToString::to_string).collect();
        let _ = write!(text, "  could run: {}", names.join(" "));
    }
    if !reached.receivable.is_empty() {
        let _ = write!(text, "  could be sent: {}", signals(reached.receivable));
    }
    text
}

fn signals(set: SignalSet) -> String {
    set.iter().map(|signal| signal.to_string()).collect::<Vec<_>>().join(" ")
}
