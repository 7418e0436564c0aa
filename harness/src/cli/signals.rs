//! `sigrace signals`: which there are, as `kill -l` lists them, and what they do.

use super::exit::{Exit, Stop};
use super::say::say;
use crate::signal::{DefaultAction, Elsewhere, Signal, Standard};

/// List the signals, as `kill -l` does, with what each does to a process that has not asked for anything else
///
/// Numbers are those of x86, ARM and most other architectures; in the last three columns are those of Alpha and SPARC, of MIPS and
/// of PA-RISC, where they are others (signal(7)). Real-time signals are counted from glibc's SIGRTMIN, 34.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// These alone, by name or number, such as `TERM`, `SIGRTMIN+3` or `15` [default: all]
    #[arg(value_name = "SIGNAL")]
    signals: Vec<Signal>,
}

pub(super) fn main(args: &Args) -> Result<Exit, Stop> {
    let all: Vec<Signal> = (1..=64).filter_map(Signal::from_number).collect();
    let signals = if args.signals.is_empty() { &all } else { &args.signals };
    let head =
        ["number", "name", "default", "defined by", "Alpha, SPARC", "MIPS", "PA-RISC"].map(str::to_owned);
    let rows: Vec<String> =
        std::iter::once(head).chain(signals.iter().map(|signal| row(*signal))).map(line).collect();
    say(rows.join("\n")).map(|()| Exit::AsExpected)
}

fn line([number, name, does, by, alpha, mips, parisc]: [String; 7]) -> String {
    let line = format!("{number:>6}  {name:<11}  {does:<9}  {by:<12}  {alpha:>12}  {mips:>4}  {parisc:>7}");
    line.trim_end().to_owned()
}

fn row(signal: Signal) -> [String; 7] {
    let does = match signal.default_action() {
        DefaultAction::Terminate => "terminate",
        DefaultAction::Core => "core",
        DefaultAction::Ignore => "ignore",
        DefaultAction::Stop => "stop",
        DefaultAction::Continue => "continue",
    };
    let by = match signal.standard() {
        _ if signal.is_of_the_c_library() => "the C library",
        Standard::Posix1990 => "POSIX.1-1990",
        Standard::Posix2001 => "POSIX.1-2001",
        Standard::Linux => "Linux",
    };
    let there = |of: fn(&Elsewhere) -> Option<u8>| match signal.elsewhere() {
        // Those that are the same everywhere need no second look.
        Some(elsewhere) if of(&elsewhere).map(i32::from) != Some(signal.number()) => {
            of(&elsewhere).map_or("-".to_owned(), |number| number.to_string())
        }
        _ => String::new(),
    };
    let [alpha, mips, parisc] = [there(|at| at.alpha), there(|at| at.mips), there(|at| at.parisc)];
    [signal.number().to_string(), signal.to_string(), does.to_owned(), by.to_owned(), alpha, mips, parisc]
}
