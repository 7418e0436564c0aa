//! What a scenario must not say although its types allow it.

use crate::judge;
use crate::program::{Limits, Program};
use crate::scenario::{Exit, Expect, Explore, Known, Scenario, Strategy, Text};
use crate::signal::Signal;

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

/// The first thing that is wrong, if anything is.
pub(super) fn scenario(scenario: &Scenario) -> Option<Complaint> {
    program(scenario)
        .or_else(|| explore(&scenario.explore))
        .or_else(|| limits(&scenario.limits))
        .or_else(|| expect(&scenario.expect))
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
    let twice = |index: &usize| {
        scenario.builds.iter().take(*index).any(|build| Some(build) == scenario.builds.get(*index))
    };
    if let Some(index) = (0..scenario.builds.len()).find(twice) {
        return complain([Field("builds"), Item(index)], "this build is there twice");
    }
    if let Some(index) = scenario.args.iter().position(nul) {
        return complain([Field("args"), Item(index)], "no argument can hold a NUL character");
    }
    let bad =
        |(name, value): &(&String, &String)| name.is_empty() || name.contains(['=', '\0']) || nul(value);
    let (name, _) = scenario.env.iter().find(bad)?;
    complain(
        [Field("env")],
        format!("{name:?} is no variable: expected a name without `=`, and no NUL in the name or value"),
    )
}

fn explore(explore: &Explore) -> Option<Complaint> {
    let uncatchable = |signal: &Signal| matches!(*signal, Signal::KILL | Signal::STOP);
    if let Some(index) = explore.send.iter().position(uncatchable).filter(|_| !explore.always) {
        return complain(
            [Field("explore"), Field("send"), Item(index)],
            "no program can catch or block this signal: it is sent only with `always: true`",
        );
    }
    if !explore.send_to.is_process() {
        return complain(
            [Field("explore"), Field("send_to")],
            "signals are sent to a process: expected a name without `/`",
        );
    }
    explore.strategy.iter().enumerate().find_map(|(index, strategy)| {
        let at = [Field("explore"), Field("strategy"), Item(index)];
        match strategy {
            _ if strategy.runs() == Some(0) => complain(at, "expected at least 1 run"),
            Strategy::Exhaustive { bound: 0, .. } => complain(at, "expected a bound of at least 1 step"),
            Strategy::Pct { depth: 0, .. } => complain(at, "expected a depth of at least 1"),
            Strategy::Random { .. } | Strategy::Exhaustive { .. } | Strategy::Pct { .. } => None,
        }
    })
}

fn limits(limits: &Limits) -> Option<Complaint> {
    let zeros = [
        ("time", limits.time.is_zero()),
        ("cpu", limits.cpu.is_zero()),
        ("points", limits.points == 0),
        ("turn", limits.turn == 0),
        ("processes", limits.processes == 0),
        ("output", limits.output == 0),
    ];
    let (name, _) = zeros.into_iter().find(|(_, zero)| *zero)?;
    complain([Field("limits"), Field(name)], "expected a limit above 0")
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
    text("stdout", &expect.stdout).or_else(|| text("stderr", &expect.stderr))
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
    let zero = known.schedule.steps.iter().position(|step| step.nth == 0)?;
    complain(
        [Field("finds"), Item(index), Field("schedule"), Item(zero), Field("nth")],
        "which time the thread gets there is counted from 1",
    )
}
