//! `sigrace points`: where a program can be disturbed.

use super::config::Config;
use super::exit::{Exit, Stop};
use super::say::say;
use super::target::Target;
use super::{host, interrupt};
use crate::schedule::{Point, Schedule};
use crate::show::{count, end_words, padded, sources, width};
use crate::signal::{Signal, SignalSet};
use crate::slots::Seats;
use crate::suite::worker;
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
    config: Config,
    #[command(flatten)]
    target: Target,
}

pub(super) fn main(args: &Args) -> Result<Exit, Stop> {
    let stop = interrupt::flag()?;
    let all = || (1..=64).filter_map(Signal::from_number).collect();
    let launch = args.target.launch()?;
    let settings = Settings {
        clients: args.target.clients(&launch)?,
        cancel: Arc::clone(&stop),
        watch: if args.send.is_empty() { all() } else { args.send.clone() },
        limits: args.target.limits(),
        world: args.target.world(),
        ..Settings::of(launch)
    };
    let slots = host::slots()?;
    let mut supervisor = worker::supervisor(settings, &Seats::new(&slots, slots.waited()));
    let (run, observed) = supervisor.observe(&Schedule::empty(), &Observe::Where { crashes: false })?;
    say(table(&run, &sources(&run.events, &observed.places)))?;
    Ok(Exit::AsExpected)
}

/// One line for each point, with the place in the program's own code that led to it, and a last one that counts them.
fn table(run: &Run, sources: &HashMap<Point, String>) -> String {
    let widest = run.reached.iter().map(|reached| width(&reached.point.to_string())).max().unwrap_or(0);
    let widest_source = sources.values().map(|source| width(source)).max().unwrap_or(0);
    let mut text = String::new();
    for reached in &run.reached {
        let source = sources.get(&reached.point).map_or("", String::as_str);
        let point = reached.point.to_string();
        let (point, source) = (padded(&point, widest), padded(source, widest_source));
        let gap = if widest_source > 0 { "  " } else { "" };
        let line = format!("{point}{gap}{source}{}", possible(reached));
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
    if reached.fires {
        text.push_str("  a timer could run out");
    }
    if !reached.acts.is_empty() {
        let _ = write!(text, "  at the terminal: {}", reached.acts);
    }
    text
}

/// Who blocks nearly all, as the C library does while it makes a thread, is told by what is left out.
fn signals(set: SignalSet) -> String {
    let names = |set: SignalSet| set.iter().map(|signal| signal.to_string()).collect::<Vec<_>>().join(" ");
    let never = [Signal::KILL, Signal::STOP];
    let all = (1..=64).filter_map(Signal::from_number).filter(|signal| !never.contains(signal));
    let rest = all.collect::<SignalSet>().without(set);
    match (rest.is_empty(), rest.iter().count() < set.iter().count()) {
        (true, _) => "any signal".to_owned(),
        (false, true) => format!("any signal but {}", names(rest)),
        (false, false) => names(set),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_signals_are_told_by_what_is_left_out() {
        let all: SignalSet = (1..=64).filter_map(Signal::from_number).collect();
        let two = SignalSet::only(Signal::TERM).union(SignalSet::only(Signal::CHLD));
        assert_eq!(signals(all), "any signal");
        assert_eq!(signals(all.without(SignalSet::only(Signal::KILL))), "any signal");
        assert_eq!(signals(all.without(two)), "any signal but SIGTERM SIGCHLD");
        assert_eq!(signals(two), "SIGTERM SIGCHLD");
    }
}
