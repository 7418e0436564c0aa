//! What a scenario must not say although its types allow it.

use crate::client::Client;
use crate::judge;
use crate::program::{Limits, Program};
use crate::scenario::{Exit, Expect, ExpectedFiles, Explore, Known, Scenario, Strategy, Text};
use crate::schedule::{Action, Schedule};
use crate::signal::Signal;
use crate::trace::Trace;
use crate::world::Files;
use std::collections::{BTreeMap, BTreeSet};

/// One step on the way to a value in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Field(&'static str),
    Item(usize),
}

use Key::{Field, Item};

/// What is wrong with a value, and the way to it from the top of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) at: Vec<Key>,
    pub(super) message: String,
}

fn complain<const N: usize>(at: [Key; N], message: impl Into<String>) -> Option<Complaint> {
    Some(Complaint { at: at.to_vec(), message: message.into() })
}

impl Complaint {
    /// The same about a value further down in the file.
    fn below(mut self, at: &[Key]) -> Complaint {
        self.at.splice(0..0, at.iter().copied());
        self
    }
}

/// The first thing that is wrong, if anything is.
pub(super) fn scenario(scenario: &Scenario) -> Option<Complaint> {
    program(scenario)
        .or_else(|| clients(scenario))
        .or_else(|| explore(&scenario.explore))
        .or_else(|| terminal(scenario))
        .or_else(|| limits(&scenario.limits))
        .or_else(|| expect(&scenario.expect))
        .or_else(|| files(scenario))
        .or_else(|| scenario.finds.iter().enumerate().find_map(|(index, known)| finds(index, known)))
}

fn program(scenario: &Scenario) -> Option<Complaint> {
    let nul = |text: &String| text.contains('\0');
    match &scenario.program {
        Program::Command(words) if words.first().is_none_or(String::is_empty) => {
            return complain(
                [Field("program")],
                "expected a program's name as the first word of the command",
            );
        }
        Program::Command(words) if words.iter().any(nul) => {
            return complain([Field("program")], "no argument can hold a NUL character");
        }
        Program::Command(_) if !scenario.args.is_empty() => {
            return complain(
                [Field("args")],
                "`args` goes with `Source`: a `Command` holds its own arguments",
            );
        }
        Program::Command(_) if !scenario.builds.is_empty() => {
            return complain([Field("builds")], "`builds` goes with `Source`: a `Command` is there already");
        }
        Program::Source(file) if file.as_os_str().is_empty() => {
            return complain([Field("program")], "expected the name of a C file");
        }
        Program::Command(_) | Program::Source(_) => {}
    }
    let mut seen = BTreeSet::new();
    if let Some(index) = scenario.builds.iter().position(|build| !seen.insert(build)) {
        return complain([Field("builds"), Item(index)], "this build is there twice");
    }
    if let Some(index) = scenario.args.iter().position(nul) {
        return complain([Field("args"), Item(index)], "no argument can hold a NUL character");
    }
    env(&scenario.env)
}

fn clients(scenario: &Scenario) -> Option<Complaint> {
    if !scenario.client.is_empty() && !scenario.clients.is_empty() {
        return complain(
            [Field("client")],
            "`client` is short for one `Command` in `clients`: expected one of the two",
        );
    }
    let wrong = |(index, client): (usize, &Client)| {
        client.wrong().and_then(|what| complain([Field("clients"), Item(index)], what))
    };
    let short = Client::Command(scenario.client.clone());
    let short = Some(short).filter(|_| !scenario.client.is_empty()).and_then(|client| client.wrong());
    short
        .and_then(|what| complain([Field("client")], what))
        .or_else(|| scenario.clients.iter().enumerate().find_map(wrong))
}

fn env(env: &BTreeMap<String, String>) -> Option<Complaint> {
    let bad = |(name, value): &(&String, &String)| {
        name.is_empty() || name.contains(['=', '\0']) || value.contains('\0')
    };
    let (name, _) = env.iter().find(bad)?;
    complain(
        [Field("env")],
        format!("{name:?} is no variable: expected a name without `=`, and no NUL in the name or value"),
    )
}

/// What needs a terminal has one.
fn terminal(scenario: &Scenario) -> Option<Complaint> {
    let at = match scenario {
        Scenario { tty: true, .. } => return None,
        _ if !scenario.explore.person.is_empty() => [Field("explore"), Field("person")],
        _ if scenario.expect.restored => [Field("expect"), Field("restored")],
        _ if scenario.expect.foreground.is_some() => [Field("expect"), Field("foreground")],
        _ => return None,
    };
    complain(at, "there is no terminal without `tty: true`")
}

fn explore(explore: &Explore) -> Option<Complaint> {
    let uncatchable = |signal: &Signal| matches!(*signal, Signal::KILL | Signal::STOP);
    if let Some(index) = explore.send.iter().position(uncatchable).filter(|_| !explore.always) {
        return complain(
            [Field("explore"), Field("send"), Item(index)],
            "no program can catch or block this signal: it is sent only with `always: true`",
        );
    }
    if !explore.send_to.process.is_process() {
        return complain(
            [Field("explore"), Field("send_to")],
            "signals are sent to a process: expected a name without `/`",
        );
    }
    let typed = |act: &Action| matches!(act, Action::Type(_) | Action::Resize(..) | Action::HangUp);
    if let Some(index) = explore.person.iter().position(|act| !typed(act)) {
        return complain(
            [Field("explore"), Field("person"), Item(index)],
            "expected what a person does at a terminal: `Type(\"^C\")`, `Resize(40, 12)` or `HangUp`",
        );
    }
    if explore.strategy.is_empty() {
        return complain(
            [Field("explore"), Field("strategy")],
            "expected at least 1 strategy, or leave the field out: without any nothing is searched",
        );
    }
    explore.strategy.iter().enumerate().find_map(|(index, strategy)| {
        let at = [Field("explore"), Field("strategy"), Item(index)];
        let (bound, depth, runs) = (Strategy::MOST_BOUND, Strategy::MOST_DEPTH, Strategy::MOST_RUNS);
        if strategy.runs().is_some_and(|asked| !(1..=runs).contains(&asked)) {
            return complain(at, format!("expected 1 to {runs} runs"));
        }
        match strategy {
            Strategy::Exhaustive { bound: asked, .. } if !(1..=bound).contains(asked) => {
                complain(at, format!("expected a bound of 1 to {bound} steps"))
            }
            Strategy::Pct { depth: asked, .. } if !(1..=depth).contains(asked) => {
                complain(at, format!("expected a depth of 1 to {depth}"))
            }
            Strategy::Random { .. } | Strategy::Exhaustive { .. } | Strategy::Pct { .. } => None,
        }
    })
}

fn limits(limits: &Limits) -> Option<Complaint> {
    let (name, message) = limits.wrong()?;
    complain([Field("limits"), Field(name)], message)
}

fn expect(expect: &Expect) -> Option<Complaint> {
    if let Some(message) = expect.exit.as_ref().and_then(exit) {
        return complain([Field("expect"), Field("exit")], message);
    }
    let text = |name, text: &Option<Text>| match text {
        Some(Text::Matches(pattern)) => {
            let bad = judge::regex(pattern).err()?;
            complain([Field("expect"), Field(name)], bad.to_string())
        }
        Some(Text::Is(_)) | None => None,
    };
    let globs = |name, globs: &[String]| {
        globs.iter().enumerate().find_map(|(index, pattern)| {
            let bad = judge::files::glob(pattern).err()?;
            complain([Field("expect"), Field("files"), Field(name), Item(index)], bad.to_string())
        })
    };
    let files = |files: &ExpectedFiles| {
        globs("left", files.left.as_deref().unwrap_or_default()).or_else(|| globs("same", &files.same))
    };
    text("stdout", &expect.stdout)
        .or_else(|| text("stderr", &expect.stderr))
        .or_else(|| expect.files.as_ref().and_then(files))
}

/// Of the machine's files nobody knows who has changed them.
fn files(scenario: &Scenario) -> Option<Complaint> {
    let blind = scenario.files == Files::Host && scenario.expect.files.is_some();
    let message = "with `files: Host` it is not known what a run leaves: expected files of the run's own";
    blind.then(|| complain([Field("expect"), Field("files")], message)).flatten()
}

fn exit(exit: &Exit) -> Option<String> {
    match exit {
        Exit::Code(code) if !(0..=255).contains(code) => {
            Some(format!("no process ends with exit code {code}: expected 0 to 255"))
        }
        Exit::Code(_) | Exit::Signal(_) => None,
        Exit::OneOf(exits) if exits.is_empty() => Some("`OneOf([])` allows no exit at all".to_owned()),
        Exit::OneOf(exits) => exits.iter().find_map(self::exit),
    }
}

fn finds(index: usize, known: &Known) -> Option<Complaint> {
    if known.schedule.steps.is_empty() {
        return complain(
            [Field("finds"), Item(index), Field("schedule")],
            "expected at least 1 step: what breaks without any is no race",
        );
    }
    steps(&known.schedule).map(|complaint| complaint.below(&[Field("finds"), Item(index)]))
}

fn steps(schedule: &Schedule) -> Option<Complaint> {
    let zero = schedule.steps.iter().position(|step| step.nth == 0)?;
    complain(
        [Field("schedule"), Item(zero), Field("nth")],
        "which time the thread gets there is counted from 1",
    )
}

/// The same for a trace: what no run could have been recorded with.
pub(super) fn trace(trace: &Trace) -> Option<Complaint> {
    let launch = &trace.launch;
    let nul = |text: &str| text.contains('\0');
    if launch.argv.is_empty() {
        return complain([Field("launch"), Field("argv")], "expected the program's name as the first word");
    }
    if let Some(index) = launch.argv.iter().position(|word| nul(word)) {
        return complain(
            [Field("launch"), Field("argv"), Item(index)],
            "no argument can hold a NUL character",
        );
    }
    if let Some(complaint) = env(&launch.env) {
        return Some(complaint.below(&[Field("launch")]));
    }
    let paths = [
        ("file", Some(&launch.file)),
        ("cwd", Some(&launch.cwd)),
        ("stdin", launch.stdin.as_ref()),
        ("source", launch.source.as_ref()),
    ];
    let relative = paths.into_iter().find(|(_, path)| {
        path.is_some_and(|path| !path.is_absolute() || path.as_os_str().as_encoded_bytes().contains(&0))
    });
    if let Some((name, _)) = relative {
        return complain(
            [Field("launch"), Field(name)],
            "expected an absolute path, without a NUL character",
        );
    }
    limits(&trace.limits).or_else(|| steps(&trace.schedule))
}
