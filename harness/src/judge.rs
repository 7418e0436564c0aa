//! Compares a run with what was expected of it. Pure: values in, values out.
//!
//! Expectations come from a scenario, or from a reference run when there is no scenario. Either way one cause is
//! reported once: a run that hangs has no exit status and no complete output, so neither is compared.

use crate::scenario::{Exit, Expect, Text};
use crate::schedule::{Action, ThreadName};
use crate::signal::Signal;
use crate::trace::{Broken, End, ExecBlocked, LeftHow, Leftover, Outcome, Output, Run, Status, What};
use regex::bytes::Regex;
use std::collections::BTreeSet;

/// What must hold of a run. Beyond what it says, no run may hang, crash, spin or run out of time.
#[derive(Clone, Debug)]
pub struct Expectations {
    exit: Ending,
    stdout: Option<Wanted>,
    stderr: Option<Wanted>,
    zombies: Allowed,
    orphans: Allowed,
    exec_blocked: Allowed,
    idle: bool,
    stopped: bool,
}

/// How the first process may end.
#[derive(Clone, Debug)]
enum Ending {
    /// In any way.
    Any,
    /// In this way.
    As(Exit),
    /// Not at all: the reference run went on waiting.
    Never,
}

/// What a text has to be.
#[derive(Clone, Debug)]
enum Wanted {
    Exactly(Output),
    Matching(Regex),
}

/// Whether a text is as it has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Yes,
    No,
    /// What was kept of it does not tell.
    Unknown,
}

/// How much may be left over.
#[derive(Clone, Debug)]
enum Allowed {
    /// Any number.
    Any,
    /// At most so many.
    AtMost(u32),
    /// Only these processes: those that the reference run left.
    Only(BTreeSet<ThreadName>),
}

/// How runs are compared with a reference run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// True if the runs are sent a signal: then another exit status is an outcome of its own, and not broken.
    pub sends: bool,
    /// The exit code that every run must have, whatever the reference run did.
    pub exit: Option<i32>,
    /// True if every run must write the same standard output as the reference run.
    pub same_output: bool,
    /// A regular expression that must match something in every run's standard output.
    pub stdout: Option<String>,
}

/// A regular expression that is none.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{pattern}` is no regular expression: {reason}")]
pub struct BadRegex {
    /// What was given.
    pub pattern: String,
    /// What is wrong with it, in one line.
    pub reason: String,
}

/// Compiles a regular expression as expectations use it: over bytes, with Unicode classes.
pub fn regex(pattern: &str) -> Result<Regex, BadRegex> {
    Regex::new(pattern).map_err(|error| {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default();
        let reason = last.strip_prefix("error: ").unwrap_or(last).to_owned();
        BadRegex { pattern: pattern.to_owned(), reason }
    })
}

impl Wanted {
    fn of(text: &Text) -> Result<Wanted, BadRegex> {
        Ok(match text {
            Text::Is(text) => Wanted::Exactly(Output::Text(text.clone())),
            Text::Matches(pattern) => Wanted::Matching(regex(pattern)?),
        })
    }

    fn holds(&self, output: &Output) -> Holds {
        let bytes = output.bytes();
        let known = |holds| if holds { Holds::Yes } else { Holds::No };
        match (self, output.left_out()) {
            (Wanted::Exactly(wanted), 0) => known(wanted.left_out() == 0 && wanted.bytes() == bytes),
            // Both have been cut at the same limit, so that the digests are of the same part.
            (Wanted::Exactly(wanted @ Output::Cut { .. }), _) => known(wanted == output),
            (Wanted::Exactly(wanted), left_out) => {
                let length = bytes.len() as u64 + left_out;
                if wanted.bytes().len() as u64 == length && wanted.bytes().starts_with(bytes) {
                    Holds::Unknown
                } else {
                    Holds::No
                }
            }
            (Wanted::Matching(regex), 0) => known(regex.is_match(bytes)),
            // What matches up to the last byte that was kept may be something else in front of the next.
            (Wanted::Matching(regex), _) => match regex.shortest_match(bytes) {
                Some(end) if end < bytes.len() => Holds::Yes,
                _ => Holds::Unknown,
            },
        }
    }
}

impl Allowed {
    fn at_most(number: Option<u32>) -> Allowed {
        number.map_or(Allowed::Any, Allowed::AtMost)
    }

    /// Those of `found` that are too many: all of them when only their number is limited.
    fn excess<'a, T>(&self, found: Vec<&'a T>, process: impl Fn(&T) -> &ThreadName) -> Vec<&'a T> {
        match self {
            Allowed::Any => Vec::new(),
            Allowed::AtMost(most) if found.len() <= *most as usize => Vec::new(),
            Allowed::AtMost(_) => found,
            Allowed::Only(known) => found.into_iter().filter(|one| !known.contains(process(one))).collect(),
        }
    }
}

impl Expectations {
    /// What a scenario expects.
    pub fn of_scenario(expect: &Expect) -> Result<Expectations, BadRegex> {
        Ok(Expectations {
            exit: expect.exit.clone().map_or(Ending::Any, Ending::As),
            stdout: expect.stdout.as_ref().map(Wanted::of).transpose()?,
            stderr: expect.stderr.as_ref().map(Wanted::of).transpose()?,
            zombies: Allowed::at_most(expect.zombies),
            orphans: Allowed::at_most(expect.orphans),
            exec_blocked: Allowed::at_most(expect.exec_blocked),
            idle: expect.idle,
            stopped: false,
        })
    }

    /// What follows from a reference run: no other run may do worse.
    ///
    /// What is left over is compared by name, dead or alive alike: which of the two one sees is mere scheduling.
    /// Programs started with signals blocked are compared only where a scenario asks for it.
    pub fn against(reference: &Run, how: &Comparison) -> Result<Expectations, BadRegex> {
        let outcome = &reference.outcome;
        let exit = match (how.exit, &outcome.end) {
            (Some(code), _) => Ending::As(Exit::Code(code)),
            (None, _) if how.sends => Ending::Any,
            (None, End::Ended(Status::Exited(code))) => Ending::As(Exit::Code(*code)),
            (None, End::Ended(Status::Killed(signal))) => Ending::As(Exit::Signal(*signal)),
            (None, End::Idle(_) | End::Stopped) => Ending::Never,
            (None, End::Hang(_) | End::Spinning(_) | End::TimedOut | End::Ended(Status::Unseen)) => {
                Ending::Any
            }
        };
        let stdout = match &how.stdout {
            Some(pattern) => Some(Wanted::Matching(regex(pattern)?)),
            None => how.same_output.then(|| Wanted::Exactly(outcome.stdout.clone())),
        };
        let left: BTreeSet<_> = outcome.leftover.iter().map(|left| left.process.clone()).collect();
        Ok(Expectations {
            exit,
            stdout,
            stderr: None,
            zombies: Allowed::Only(left.clone()),
            orphans: Allowed::Only(left),
            exec_blocked: Allowed::Any,
            idle: matches!(outcome.end, End::Idle(_)),
            stopped: matches!(outcome.end, End::Stopped),
        })
    }

    fn exit_holds(&self, status: Status) -> bool {
        match &self.exit {
            Ending::Any => true,
            Ending::As(exit) => is_exit(exit, status),
            Ending::Never => false,
        }
    }

    /// Leftovers of one kind beyond what is allowed.
    fn too_many<'a>(&self, outcome: &'a Outcome, how: LeftHow) -> Vec<&'a Leftover> {
        let found = outcome.leftover.iter().filter(|left| left.how == how).collect();
        let allowed = match how {
            LeftHow::Zombie => &self.zombies,
            LeftHow::Orphan => &self.orphans,
        };
        allowed.excess(found, |left| &left.process)
    }

    fn started_blocked<'a>(&self, outcome: &'a Outcome) -> Vec<&'a ExecBlocked> {
        self.exec_blocked.excess(outcome.exec_blocked.iter().collect(), |one| &one.process)
    }

    /// The first process that a crash ended, if that was not expected.
    fn crash(&self, run: &Run) -> Option<(ThreadName, Signal)> {
        let sent = |process: &ThreadName, signal: Signal| {
            let steps = &mut run.schedule.steps.iter();
            steps.any(|step| step.thread.process() == *process && step.action == Action::Send(signal))
        };
        run.events.iter().find_map(|event| match event.what {
            What::End(Status::Killed(signal)) if signal.is_crash() => {
                let process = event.thread.process();
                let status = Status::Killed(signal);
                let asked = process == ThreadName::root()
                    && matches!(&self.exit, Ending::As(exit) if is_exit(exit, status))
                    && run.outcome.end == End::Ended(status);
                (!asked && !sent(&process, signal)).then_some((process, signal))
            }
            _ => None,
        })
    }
}

fn is_exit(exit: &Exit, status: Status) -> bool {
    match exit {
        Exit::Code(code) => status == Status::Exited(*code),
        Exit::Signal(signal) => status == Status::Killed(*signal),
        Exit::OneOf(exits) => exits.iter().any(|exit| is_exit(exit, status)),
    }
}

/// The expectations that a run breaks, the most telling first; none for a tainted run, which proves nothing.
///
/// A process that ends by a crash signal which the schedule itself sent to it has not crashed. A run that reached its
/// time limit, or was cut off while it span, breaks that alone: what it left is where it happened to be cut off.
pub fn broken(expect: &Expectations, run: &Run) -> Vec<Broken> {
    if run.taint.is_some() {
        return Vec::new();
    }
    let outcome = &run.outcome;
    let mut broken = BTreeSet::new();
    let mut complete = true;
    match &outcome.end {
        End::Ended(status) => {
            if !expect.exit_holds(*status) {
                broken.insert(Broken::Exit);
            }
        }
        End::TimedOut => return vec![Broken::TimedOut],
        End::Spinning(_) => complete = !broken.insert(Broken::Spinning),
        End::Hang(_) => complete = !broken.insert(Broken::Hang),
        End::Idle(_) if !expect.idle => complete = !broken.insert(Broken::Idle),
        End::Stopped if !expect.stopped => complete = !broken.insert(Broken::Stopped),
        End::Idle(_) | End::Stopped => {}
    }
    if expect.crash(run).is_some() {
        broken.insert(Broken::Crash);
    }
    if complete {
        let mut compare = |wanted: &Option<Wanted>, output, kind| match wanted
            .as_ref()
            .map(|wanted| wanted.holds(output))
        {
            None | Some(Holds::Yes) => {}
            Some(Holds::No) => drop(broken.insert(kind)),
            Some(Holds::Unknown) => drop(broken.insert(Broken::OutputLimit)),
        };
        compare(&expect.stdout, &outcome.stdout, Broken::Stdout);
        compare(&expect.stderr, &outcome.stderr, Broken::Stderr);
    }
    if !matches!(outcome.end, End::Spinning(_)) {
        if !expect.too_many(outcome, LeftHow::Zombie).is_empty() {
            broken.insert(Broken::Zombies);
        }
        if !expect.too_many(outcome, LeftHow::Orphan).is_empty() {
            broken.insert(Broken::Orphans);
        }
    }
    if !expect.started_blocked(outcome).is_empty() {
        broken.insert(Broken::ExecBlocked);
    }
    // An exit by the crash itself is the same cause.
    if broken.contains(&Broken::Crash) && ended_by_crash(outcome) {
        broken.remove(&Broken::Exit);
    }
    broken.into_iter().collect()
}

fn ended_by_crash(outcome: &Outcome) -> bool {
    matches!(outcome.end, End::Ended(Status::Killed(signal)) if signal.is_crash())
}

/// One sentence, without a full stop, that says what was expected and what came instead.
///
/// `kind` is one of those that [`broken`] gave for the same expectations and run.
pub fn explain(expect: &Expectations, kind: Broken, run: &Run) -> String {
    let outcome = &run.outcome;
    match (kind, &outcome.end) {
        (Broken::Hang, End::Hang(sleepers)) => {
            format!("every thread sleeps and nothing can wake any of them: {}", asleep(sleepers))
        }
        (Broken::Idle, End::Idle(sleepers)) => {
            format!("expected an end, but only the outside could go on: {}", asleep(sleepers))
        }
        (Broken::Hang, _) => "the run hung".to_owned(),
        (Broken::Idle, _) => "the run waits for the outside".to_owned(),
        (Broken::Crash, _) => match expect.crash(run) {
            Some((process, signal)) => format!("{process} was killed by {signal}"),
            None => "a process crashed".to_owned(),
        },
        (Broken::Spinning, End::Spinning(count)) => {
            format!("the program goes on without getting anywhere: {count}")
        }
        (Broken::Spinning, _) => "the program goes on without getting anywhere".to_owned(),
        (Broken::Stopped, _) => "expected an end, but what is left is stopped by job control".to_owned(),
        (Broken::Exit, End::Ended(status)) => match &expect.exit {
            Ending::As(exit) => format!("expected {}, got {status}", exit_words(exit)),
            _ => format!("expected it to go on waiting as the reference run did, got {status}"),
        },
        (Broken::Exit, _) => "the first process did not end as expected".to_owned(),
        (Broken::Stdout, _) => output_words("standard output", expect.stdout.as_ref(), &outcome.stdout),
        (Broken::Stderr, _) => output_words("standard error", expect.stderr.as_ref(), &outcome.stderr),
        (Broken::Zombies, _) => {
            let found = expect.too_many(outcome, LeftHow::Zombie);
            left_words(&expect.zombies, "zombies", &names(found.iter().map(|left| &left.process)))
        }
        (Broken::Orphans, _) => {
            let found = expect.too_many(outcome, LeftHow::Orphan);
            left_words(&expect.orphans, "orphans", &names(found.iter().map(|left| &left.process)))
        }
        (Broken::ExecBlocked, _) => {
            let found = expect.started_blocked(outcome);
            let each = found.iter().map(|one| {
                let signals: Vec<_> = one.signals.iter().map(Signal::to_string).collect();
                format!("{} ({}) with {}", one.process, one.file, signals.join(", "))
            });
            left_words(
                &expect.exec_blocked,
                "programs started with signals blocked",
                &each.collect::<Vec<_>>(),
            )
        }
        (Broken::OutputLimit, _) => {
            let outputs = [
                ("standard output", &expect.stdout, &outcome.stdout),
                ("standard error", &expect.stderr, &outcome.stderr),
            ];
            let unknown = outputs.into_iter().find(|(_, wanted, output)| {
                wanted.as_ref().is_some_and(|wanted| wanted.holds(output) == Holds::Unknown)
            });
            unknown.map_or_else(
                || "more was written than is kept".to_owned(),
                |(what, wanted, output)| {
                    let left_out = output.left_out();
                    let words = output_words(what, wanted.as_ref(), output);
                    format!("{words} and {left_out} bytes more, which were not kept (limit: output)")
                },
            )
        }
        (Broken::TimedOut, _) => "the time limit was reached".to_owned(),
    }
}

fn names<'a>(processes: impl Iterator<Item = &'a ThreadName>) -> Vec<String> {
    processes.map(ThreadName::to_string).collect()
}

fn asleep(sleepers: &[crate::trace::Sleeper]) -> String {
    let each: Vec<_> = sleepers.iter().map(|one| format!("{} in {}", one.thread, one.call)).collect();
    each.join(", ")
}

fn exit_words(exit: &Exit) -> String {
    match exit {
        Exit::Code(code) => Status::Exited(*code).to_string(),
        Exit::Signal(signal) => Status::Killed(*signal).to_string(),
        Exit::OneOf(exits) => exits.iter().map(exit_words).collect::<Vec<_>>().join(" or "),
    }
}

fn left_words(allowed: &Allowed, nouns: &str, found: &[String]) -> String {
    let list = found.join(", ");
    match allowed {
        Allowed::Only(_) => {
            format!("expected no {nouns} beyond those of the reference run, got {} more: {list}", found.len())
        }
        Allowed::AtMost(0) => format!("expected no {nouns}, got {}: {list}", found.len()),
        Allowed::AtMost(most) => format!("expected at most {most} {nouns}, got {}: {list}", found.len()),
        Allowed::Any => format!("{nouns}: {list}"),
    }
}

fn output_words(what: &str, wanted: Option<&Wanted>, got: &Output) -> String {
    let got = quoted(got);
    match wanted {
        Some(Wanted::Exactly(text)) => format!("expected {what} {}, got {got}", quoted(text)),
        Some(Wanted::Matching(regex)) => {
            format!(
                "expected {what} to match {}, got {got}",
                quoted(&Output::Text(regex.as_str().to_owned()))
            )
        }
        None => format!("{what} is {got}"),
    }
}

/// A text in quotes, escaped and shortened, for the middle of a sentence.
fn quoted(output: &Output) -> String {
    const MOST: usize = 60;
    let text = String::from_utf8_lossy(output.bytes());
    let short: String = text.chars().take(MOST).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{short:?}{more}")
}

#[cfg(test)]
mod tests;
