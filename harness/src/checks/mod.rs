//! What signal handlers must not do, checked in runs of the program.
//!
//! Each rule has a file of its own, which says what it cannot see. A rule first looks at the program's code for what could
//! break it, and then at runs: a report always stands for a run in which a signal came at one instruction of the main flow
//! and the handler did what it must not, with that instruction below it on the stack. What brings the signal about there: see
//! NOTE \[Causes\] in `runs`.
//!
//! In a process with several threads a handler is checked in the first one, and in those that do not block a signal which the first
//! one blocks: what is sent to a process the first one takes unless it blocks it.
//!
//! What no rule sees: handlers and data of shared libraries, and of the runtime of Go; what one thread sends to another (pthread_kill(3)) where
//! the first one would take it; what is called through pointers; places that are not executed, or only with another input or at a later visit
//! than the first eight; programs where nothing can be held at an instruction (`sigrace doctor`).

#![warn(clippy::wildcard_enum_match_arm)]

mod cached_flags;
mod errno;
mod families;
mod long_jumps;
mod program;
mod reentered;
mod runs;
mod safe;
mod shared_data;
mod unsafe_calls;

pub use reentered::{Handlers, Reentered, handlers, reentered};

use crate::code::CodeError;
use crate::schedule::{Label, Schedule, ThreadName};
use crate::signal::{Signal, SignalSet};
use crate::supervise::{Installed, RunError, Supervise};
use program::{Handler, Program, Site};
use runs::{Open, Runs};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

/// A rule that handlers have to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Rule {
    /// A handler that can interrupt a function that is not async-signal-safe calls none that is not
    /// (POSIX.1-2024, System Interfaces, 2.4.3 "Signal Actions"; signal-safety(7)).
    UnsafeCalls,
    /// A handler that returns leaves errno as it was (signal-safety(7), "errno").
    Errno,
    /// Data of both a handler and the main flow is not updated in several instructions between which the handler can run
    /// (C17, 7.14.1.1 paragraph 5; CERT C SIG31-C).
    SharedData,
    /// A handler is not left by a jump out of an unsafe function, nor before there is a place to jump to (signal-safety(7);
    /// siglongjmp(3)).
    LongJumps,
    /// A loop looks again at the flag for which it waits (C17, 5.1.2.3 paragraph 5).
    CachedFlags,
}

impl Rule {
    /// All of them.
    pub const ALL: [Rule; 5] =
        [Rule::UnsafeCalls, Rule::Errno, Rule::SharedData, Rule::LongJumps, Rule::CachedFlags];

    /// The places of the main flow at which the signal's coming would matter.
    fn places(self, program: &Program, handler: &Handler) -> Vec<Site> {
        match self {
            Rule::UnsafeCalls => unsafe_calls::places(program, handler),
            Rule::Errno => errno::places(program),
            Rule::SharedData => shared_data::places(program, handler),
            Rule::LongJumps => long_jumps::places(program, handler),
            Rule::CachedFlags => cached_flags::places(program, handler),
        }
    }

    fn prove(
        self,
        program: &Program,
        handler: &Handler,
        open: &Open,
        runs: &mut Runs<'_>,
    ) -> Result<Vec<Warning>, RunError> {
        match self {
            Rule::UnsafeCalls => unsafe_calls::prove(program, handler, open, runs),
            Rule::Errno => errno::prove(program, handler, open, runs),
            Rule::SharedData => shared_data::prove(program, handler, open, runs),
            Rule::LongJumps => long_jumps::prove(program, handler, open, runs),
            Rule::CachedFlags => cached_flags::prove(program, handler, open, runs),
        }
    }
}

/// A rule that a handler has been seen to break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The rule.
    pub rule: Rule,
    /// The signal.
    pub signal: Signal,
    /// The handler's name.
    pub handler: String,
    /// Where it is broken, `file.c:12`, or `function+0x1f` without debug information.
    pub line: String,
    /// The place that was interrupted, in the same form.
    pub interrupted: String,
    /// What happened, in a sentence without the handler's name.
    pub what: String,
    /// The steps of the run that showed it.
    pub schedule: Schedule,
}

impl fmt::Display for Warning {
    /// Writes `handler of SIGUSR1 on_sigusr1 (list.c:33): ...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Warning { rule, signal, handler, line, what, .. } = self;
        write!(f, "{line}: handler {handler} of {signal} {what} ({rule:?})")
    }
}

/// What the checks came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The rules that were broken, by rule and place, each once.
    pub warnings: Vec<Warning>,
    /// Runs that it took.
    pub runs: u64,
    /// True if the runs were used up before everything was looked at.
    pub cut: bool,
    /// True if this host does not allow it.
    pub unsupported: bool,
    /// What could not be checked, and why.
    pub notes: Vec<String>,
}

impl Checked {
    /// Nothing was checked, for this reason.
    pub fn not_done(why: &str) -> Checked {
        let notes = vec![format!("handlers were not checked: {why}")];
        Checked { unsupported: true, notes, ..Checked::default() }
    }
}

/// What is checked, and how.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The rules.
    pub rules: &'a [Rule],
    /// Only handlers of these signals; of all when empty.
    pub signals: &'a [Signal],
    /// The process to which they are sent.
    pub process: &'a ThreadName,
    /// What is done in every run besides: the reference run's schedule.
    pub base: &'a Schedule,
    /// Runs that it may cost.
    pub runs: u64,
    /// True if it may cost fewer where each run takes long.
    pub fits: bool,
}

/// True for a signal that comes by itself: of a child's end, of a timer, of a peer.
fn natural(signal: Signal) -> bool {
    const NAMED: [&str; 4] = ["SIGVTALRM", "SIGPROF", "SIGIO", "SIGURG"];
    let named = || NAMED.iter().any(|name| name.parse() == Ok(signal));
    signal == Signal::CHLD || signal == Signal::ALRM || named()
}

/// The most runs that checking one program may cost.
pub const MOST_RUNS: u64 = 300;

/// Processes whose handlers are checked, at most.
const MOST_PROCESSES: usize = 4;
/// Threads of each of them in which handlers are checked, at most.
const MOST_THREADS: usize = 4;

/// Checks the handlers of a program, in each of its processes if no signal is named.
pub fn check(asked: &Asked<'_>, supervisor: &mut dyn Supervise) -> Result<Checked, RunError> {
    let mut runs = Runs::new(asked, supervisor);
    let mut checked = Checked::default();
    let found = runs.found(true)?;
    // Who was not asked about is sent nothing.
    let all = if asked.signals.is_empty() { MOST_PROCESSES } else { 1 };
    let (mut left, mut threads_left) = (0, 0);
    let (mut unnamed, mut faults) = (Unnamed::default(), SignalSet::EMPTY);
    for (number, process) in found.processes.iter().enumerate() {
        let mut handlers = found.handlers_of(process);
        handlers.retain(|one| !one.signal.is_of_the_c_library());
        handlers.retain(|one| asked.signals.is_empty() || asked.signals.contains(&one.signal));
        // It interrupts what goes wrong, and nobody sends it elsewhere.
        let fault = |one: &Installed| asked.signals.is_empty() && one.signal.is_crash();
        faults = handlers
            .extract_if(.., |one| fault(one))
            .fold(faults, |faults, one| faults.union(SignalSet::only(one.signal)));
        let Some(last) = handlers.last() else { continue };
        if number >= all {
            left += u64::from(asked.signals.is_empty());
            continue;
        }
        let file = last.program.clone();
        let program = match Program::open(Path::new(&file)) {
            Ok(program) => program,
            Err(error) => {
                checked.notes.push(unreadable(&error));
                continue;
            }
        };
        handlers.retain(|one| one.program == file);
        let threads = found.threads_of(process);
        threads_left += threads.len().saturating_sub(MOST_THREADS);
        for thread in threads.iter().take(MOST_THREADS) {
            runs.turn_to(thread);
            let installed = (handlers.iter().copied(), found.on_stack(&file));
            check_program(asked, &program, installed, &mut runs, &mut checked, &mut unnamed)?;
        }
    }
    checked.notes.extend(unnamed.notes());
    checked.notes.extend(not_checked(faults, |one| match one {
        true => "it comes of what goes wrong in the program itself (--send for it from outside)",
        false => "they come of what goes wrong in the program itself (--send for them from outside)",
    }));
    if threads_left > 0 {
        let note = format!("handlers that could run in {threads_left} more threads were not checked there");
        checked.notes.push(note);
    }
    if left > 0 {
        let processes = if left == 1 { "process was" } else { "processes were" };
        checked.notes.push(format!(
            "the handlers of {left} more {processes} not checked (--send and --send-to for those of one)"
        ));
    }
    checked.notes.sort();
    checked.notes.dedup();
    if let Some(why) = runs.not_held() {
        checked.notes.push(format!(
            "handlers were not checked everywhere: at {why} (explore --send SIGNAL --points at:PLACE has one come at a place without a stop)"
        ));
    }
    checked.runs = runs.made();
    checked.cut = runs.cut();
    if checked.cut {
        let ((looked, all), runs) = (runs.places(), runs.made());
        checked.notes.push(format!(
            "handlers were not checked to the end: {runs} runs were used up, with a look at {looked} of {all} places where a signal's coming may matter (explore --handler-runs for more)"
        ));
    }
    checked.warnings.sort_by(|a, b| (a.rule, &a.line, &a.what).cmp(&(b.rule, &b.line, &b.what)));
    checked.warnings.dedup_by(|b, a| (a.rule, &a.line, &a.signal) == (b.rule, &b.line, &b.signal));
    Ok(checked)
}

/// The places where a program reads errno, as far as its own code tells; none if that cannot be read.
pub fn reads_of_errno(file: &Path) -> Vec<Label> {
    let program = Program::open(file);
    program.map_or_else(
        |_| Vec::new(),
        |program| errno::places(&program).iter().map(|site| site.place).collect(),
    )
}

fn unreadable(error: &CodeError) -> String {
    format!("handlers were not checked: {error}")
}

/// Adds to `unnamed` the signals whose handlers are no functions that the program's file names.
fn check_program<'a>(
    asked: &Asked<'_>,
    program: &Program,
    (installed, on_stack): (impl Iterator<Item = &'a Installed>, BTreeSet<u64>),
    runs: &mut Runs<'_>,
    checked: &mut Checked,
    unnamed: &mut Unnamed,
) -> Result<(), RunError> {
    if let Some(why) = program.cannot_be_checked() {
        checked.notes.push(format!("handlers were not checked: {why}"));
        return Ok(());
    }
    let mut handlers: Vec<Handler> = Vec::new();
    for one in installed {
        match program.handler(one.signal, one.address) {
            Some(handler) if !handlers.contains(&handler) => handlers.push(handler),
            Some(_) => {}
            None if program.is_of_go(one.address) => checked.notes.push(
                "handlers of the runtime of Go were not checked: nothing of the program runs in them"
                    .to_owned(),
            ),
            None => unnamed.add(one.signal, program.is_code(one.address)),
        }
    }
    let mut sites: Vec<Site> = Vec::new();
    for handler in &handlers {
        sites.extend(asked.rules.iter().flat_map(|rule| rule.places(program, handler)));
    }
    let signals = handlers.iter().map(|handler| handler.signal).collect();
    let open = runs.visit(&program.in_order(sites, &on_stack), signals)?;
    // A function that handles several signals is looked at for each, but first each function for one.
    let mut known = BTreeSet::new();
    let (first, more): (Vec<&Handler>, Vec<&Handler>) =
        handlers.iter().partition(|handler| known.insert(handler.function.start));
    for handler in first.into_iter().chain(more) {
        for rule in asked.rules {
            checked.warnings.extend(rule.prove(program, handler, &open, runs)?);
        }
    }
    Ok(())
}

/// Signals whose handlers are no functions that the program's file names.
#[derive(Default)]
struct Unnamed {
    /// They are code of another file.
    foreign: SignalSet,
    /// They are code of the program's file.
    own: SignalSet,
}

impl Unnamed {
    fn add(&mut self, signal: Signal, own: bool) {
        let set = if own { &mut self.own } else { &mut self.foreign };
        *set = set.union(SignalSet::only(signal));
    }

    /// Says that they were not checked, and what to do about it.
    fn notes(&self) -> impl Iterator<Item = String> {
        let foreign = not_checked(self.foreign, |one| match one {
            true => "it is none of the program's own functions",
            false => "they are none of the program's own functions",
        });
        let own = not_checked(self.own, |one| match one {
            true => "the program's file does not name it (next: the same with a build that is not stripped)",
            false => {
                "the program's file does not name them (next: the same with a build that is not stripped)"
            }
        });
        foreign.into_iter().chain(own)
    }
}

/// Says that the handlers of these signals were not checked, and why, of one or of several; nothing if there are none.
fn not_checked(signals: SignalSet, why: impl Fn(bool) -> &'static str) -> Option<String> {
    const FEW: usize = 4;
    let names: Vec<String> = signals.iter().map(|signal| signal.to_string()).collect();
    Some(match names.as_slice() {
        [] => return None,
        [one] => format!("the handler of {one} was not checked: {}", why(true)),
        all => {
            let (first, last) = match all.split_at_checked(FEW) {
                Some((few, rest @ [_, _, ..])) => (few, format!("{} more", rest.len())),
                _ => (&all[..all.len() - 1], all[all.len() - 1].clone()),
            };
            format!("the handlers of {} and {last} were not checked: {}", first.join(", "), why(false))
        }
    })
}

#[cfg(test)]
mod tests;
