//! Compares a run with what was expected of it. Pure: values in, values out.
//!
//! Expectations come from a scenario, or from a reference run when there is no scenario. Either way one cause is
//! reported once: a run that hangs has no exit status and no complete output, so neither is compared.
//!
//! Each expectation has a file of its own: its name, what holds, and how a breach is explained. One more is one more file,
//! its line in the list here, and its name among those that scenarios have for it ([`Broken`]).

#![warn(clippy::wildcard_enum_match_arm)]

mod atomicity;
mod client;
mod crash;
mod cut_short;
mod descriptors;
mod exec_blocked;
mod exit;
pub(crate) mod files;
mod foreground;
mod hang;
mod idle;
mod interrupted;
mod late;
mod leaked;
mod left;
mod lost;
mod modes;
mod output;
mod overlooked;
mod paired;
mod spinning;
mod stalled;
mod stopped;
mod timed_out;

pub use hang::{goes_on, waits_again};
pub use left::ended_with;

use crate::scenario::Expect;
use crate::schedule::Action;
use crate::signal::SignalSet;
use crate::trace::{Broken, End, Run, Status, What};
use regex::bytes::Regex;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// A kind of expectation.
struct Kind {
    /// What breaks with it.
    broken: Broken,
    /// What broke, in a few words that follow a name and a colon.
    title: &'static str,
    /// The same in a word, for the names of files.
    word: &'static str,
    /// Which runs it says something of.
    scope: Scope,
    /// What a scenario expects, where the reference run went like this; none if it expects nothing of this kind.
    of_scenario: fn(&Expect, &Arc<Run>) -> Result<Option<Held>, BadPattern>,
    /// What follows from a reference run: no other run may do worse.
    against: fn(&Arc<Run>, &Comparison) -> Result<Option<Held>, BadPattern>,
}

macro_rules! expectations {
    ($($broken:ident: $kind:path;)*) => {
        const KINDS: &[Kind] = &[$($kind),*];

        fn kind(broken: Broken) -> &'static Kind {
            match broken { $(Broken::$broken => const { &$kind },)* }
        }
    };
}

expectations! {
    Hang: hang::KIND;
    Idle: idle::KIND;
    Crash: crash::KIND;
    Spinning: spinning::KIND;
    Stalled: stalled::KIND;
    Stopped: stopped::KIND;
    Exit: exit::KIND;
    Client: client::KIND;
    Stdout: output::STDOUT;
    Stderr: output::STDERR;
    Zombies: left::ZOMBIES;
    Orphans: left::ORPHANS;
    Files: files::KIND;
    Descriptors: descriptors::KIND;
    ExecBlocked: exec_blocked::KIND;
    Modes: modes::KIND;
    Foreground: foreground::KIND;
    Interrupted: interrupted::KIND;
    Lost: lost::KIND;
    Overlooked: overlooked::KIND;
    Paired: paired::KIND;
    OutputLimit: output::LIMIT;
    Late: late::KIND;
    Atomicity: atomicity::KIND;
    Leaked: leaked::KIND;
    CutShort: cut_short::KIND;
    TimedOut: timed_out::KIND;
}

/// Which runs an expectation says something of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// All.
    Every,
    /// Those that did not reach their time limit.
    InTime,
    /// Those that were not cut off at any limit: what a run has left by then is where it happened to be.
    Uncut,
    /// Those whose end is as expected, which alone have a complete output.
    Complete,
}

/// Something that must hold of a run.
trait Expectation: Debug + Send + Sync {
    /// One sentence, without a full stop, that says what was expected and what came instead; none if it holds.
    fn breach(&self, run: &Run) -> Option<String>;
}

/// An expectation with what it needs to know.
type Held = Arc<dyn Expectation>;

/// What must hold of a run. Beyond what it says, no run may hang, crash, spin, stall or run out of time.
#[derive(Clone, Debug)]
pub struct Expectations(Vec<(Broken, Held)>);

/// How much later than the reference run a run may end if nobody says otherwise.
pub const LATE: Duration = Duration::from_secs(10);

/// How runs that are sent a signal may end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exits {
    /// In any way.
    Any,
    /// In any way, but for one that is due to a call which the signal interrupts.
    Uninterrupted,
    /// The same, and but for one that comes only where the signal comes between two instructions, and not a few instructions
    /// before or after.
    #[default]
    Atomic,
    /// As the reference run.
    Same,
}

/// What a person types in all runs. Whoever has been typed at may wait for more: one can type again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Typed {
    /// Nothing.
    #[default]
    Nothing,
    /// Keys that cause signals.
    Keys,
    /// Text: it waits until it is read, or is thrown away by who begins to ask (TCSAFLUSH, termios(3)).
    Text,
}

/// How runs are compared with a reference run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// True if the runs are sent a signal: then another exit status may be an outcome of its own, and not broken.
    pub sends: bool,
    /// Whether it may.
    pub exits: Exits,
    /// True if the outside could send one more signal that the program hears: then a program that sleeps as the
    /// reference run does at its end waits for that, as a server does.
    pub heard: bool,
    /// True if the signal ends the first process, which does nothing about it: then only who is left behind is compared.
    pub fatal: bool,
    /// True if the program is a script, and nobody has asked for what is sent: its interpreter may catch a signal for itself, only to end by it: then nothing was done about
    /// it, as where nobody catches it.
    pub interpreted: bool,
    /// Clients that do not read all that they are sent, as they are told: what they wrote is not compared.
    pub hasty: Vec<String>,
    /// True if nobody has said of the clients that they are to be served: see NOTE \[Nobody's clients\].
    pub visitors: bool,
    /// What is typed at the program's terminal.
    pub typed: Typed,
    /// Signals whose handlers the first process takes away for a moment.
    pub gaps: SignalSet,
    /// Files that the undisturbed run leaves: they are what the program is for, and no rest where a run ends before they are
    /// complete.
    pub products: Vec<String>,
    /// The exit code that every run must have, whatever the reference run did.
    pub exit: Option<i32>,
    /// True if every run must write the same standard output as the reference run.
    pub same_output: bool,
    /// True if numbers may be in other lines of the output than in the reference run where children end in another order.
    pub any_output: bool,
    /// A regular expression that must match something in every run's standard output.
    pub stdout: Option<String>,
    /// How much longer than the reference run a run may take on the program's clock, from the last signal sent; none if
    /// that is not compared.
    pub late: Option<Duration>,
}

/// A regular expression or a glob that is none.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{pattern}` is no {kind}: {reason}")]
pub struct BadPattern {
    /// What was given.
    pub pattern: String,
    /// What it should have been.
    pub kind: &'static str,
    /// What is wrong with it, in one line.
    pub reason: String,
}

/// Compiles a regular expression as expectations use it: over bytes, with Unicode classes.
pub fn regex(pattern: &str) -> Result<Regex, BadPattern> {
    Regex::new(pattern).map_err(|error| {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default();
        let reason = last.strip_prefix("error: ").unwrap_or(last).to_owned();
        BadPattern { pattern: pattern.to_owned(), kind: "regular expression", reason }
    })
}

impl Comparison {
    /// True if somebody said how every run ends, and no signal that is not sent here could be what it waits for.
    fn must_end(&self) -> bool {
        self.exit.is_some() && !self.heard
    }
}

impl Expectations {
    fn new(make: impl Fn(&Kind) -> Result<Option<Held>, BadPattern>) -> Result<Expectations, BadPattern> {
        let each =
            KINDS.iter().filter_map(|kind| make(kind).map(|held| Some((kind.broken, held?))).transpose());
        each.collect::<Result<_, _>>().map(Expectations)
    }

    /// What a scenario expects, where the reference run went like this.
    pub fn of_scenario(expect: &Expect, reference: &Run) -> Result<Expectations, BadPattern> {
        let reference = Arc::new(reference.without_points());
        Expectations::new(|kind| (kind.of_scenario)(expect, &reference))
    }

    /// What follows from a reference run: no other run may do worse.
    ///
    /// What is left over is compared by name, dead or alive alike: which of the two one sees is mere scheduling.
    /// Programs started with signals blocked are compared only where a scenario asks for it. A run may be cut off at a
    /// limit if the reference run was.
    pub fn against(reference: &Run, how: &Comparison) -> Result<Expectations, BadPattern> {
        let compared = |kind: &Kind| !how.fatal || kind.broken == Broken::Orphans;
        // Several keep it, and it may be long.
        let reference = Arc::new(reference.without_points());
        let against = |kind: &Kind| (kind.against)(&reference, how);
        Expectations::new(|kind| if compared(kind) { against(kind) } else { Ok(None) })
    }
}

/// True if a person has done something at the terminal that was not done in the reference run, and that may call for another
/// end: typed, or hung up.
fn answers_more(run: &Run, reference: &Run) -> bool {
    let acts = |run: &Run| -> Vec<Action> {
        let mut actions = Vec::new();
        for event in run.events.iter() {
            if let What::Step(action @ (Action::Type(_) | Action::HangUp)) = &event.what {
                actions.push(action.clone());
            }
        }
        actions
    };
    let known = acts(reference);
    acts(run).iter().any(|act| !known.contains(act))
}

/// The expectations that a run breaks, the most telling first; none for a tainted run, which proves nothing.
///
/// A process that ends by a crash signal which the schedule itself sent to it has not crashed. A run that reached its
/// time limit breaks that alone: what it left is where it happened to be cut off.
pub fn broken(expect: &Expectations, run: &Run) -> Vec<Broken> {
    if run.taint.is_some() {
        return Vec::new();
    }
    let mut broken = BTreeSet::new();
    let mut complete = !run.outcome.end.is_limit();
    let asked = |kind: &Kind, complete: bool| match kind.scope {
        Scope::Every => true,
        Scope::InTime => run.outcome.end != End::TimedOut,
        Scope::Uncut => !run.outcome.end.is_limit(),
        Scope::Complete => complete,
    };
    // How it ended comes first in the list: an end that is not as expected leaves no complete output.
    for (one, held) in &expect.0 {
        let kind = kind(*one);
        if asked(kind, complete) && held.breach(run).is_some() {
            complete &= kind.scope != Scope::Every;
            broken.insert(*one);
        }
    }
    // An exit by the crash itself is the same cause.
    let by_crash = matches!(run.outcome.end, End::Ended(Status::Killed(signal)) if signal.is_crash());
    if broken.contains(&Broken::Crash) && by_crash {
        broken.remove(&Broken::Exit);
    }
    broken.into_iter().collect()
}

/// One sentence, without a full stop, that says what was expected and what came instead.
///
/// `broken` is one of those that [`broken`] gave for the same expectations and run.
pub fn explain(expect: &Expectations, broken: Broken, run: &Run) -> String {
    let held = expect.0.iter().find(|(one, _)| *one == broken);
    held.and_then(|(_, held)| held.breach(run)).unwrap_or_else(|| title(broken).to_owned())
}

/// All kinds of expectation, the most telling first.
pub fn kinds() -> impl Iterator<Item = Broken> {
    KINDS.iter().map(|kind| kind.broken)
}

/// What broke, in a few words that follow a name and a colon.
pub fn title(broken: Broken) -> &'static str {
    kind(broken).title
}

/// What broke, in one word, as the names of traces have it.
pub fn word(broken: Broken) -> &'static str {
    kind(broken).word
}

#[cfg(test)]
mod tests;
