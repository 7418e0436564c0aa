//! What a person asks for: a program, how to explore it, and what must hold of every outcome.

#![warn(clippy::wildcard_enum_match_arm)]

use crate::build::Build;
use crate::checks::Rule;
use crate::client::Client;
use crate::program::{Limits, Program};
use crate::schedule::{Action, Point, Receiver, Schedule, Site, ThreadName};
use crate::signal::Signal;
use crate::trace::Broken;
use crate::world::{Clock, Files, Network, World};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A scenario, as it is written in a file. Which fields may be left out, and what then holds, is in `scenarios/README.md`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What to run.
    pub program: Program,
    /// How to build a `Source`: each of these builds is tried like a scenario of its own. The usual build when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub builds: Vec<Build>,
    /// Arguments, for a `Source`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Variables added to the small environment that every scenario's program gets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// A file for standard input, relative to the scenario's own folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<PathBuf>,
    /// The working directory, relative to the scenario's own folder, which is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<PathBuf>,
    /// How to explore.
    #[serde(default)]
    pub explore: Explore,
    /// How far each run may go.
    #[serde(default)]
    pub limits: Limits,
    /// Whose network each run sees.
    #[serde(default)]
    pub network: Network,
    /// By whose time each run lives.
    #[serde(default)]
    pub clock: Clock,
    /// Whose files it sees and changes.
    #[serde(default)]
    pub files: Files,
    /// One client's command: a short way to name one in `clients`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client: Vec<String>,
    /// Who talks to the program.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<Client>,
    /// True if it has a terminal of its own.
    #[serde(default)]
    pub tty: bool,
    /// What must hold of every outcome.
    #[serde(default)]
    pub expect: Expect,
    /// What a broken program is known to do: exactly these findings, with these minimal schedules. Without it none is allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finds: Vec<Known>,
    /// What the handlers of a broken program are known to do: exactly these rules are broken at these places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warns: Vec<Warned>,
    /// Traces whose schedules are tried first, relative to the scenario's own folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<PathBuf>,
}

impl Scenario {
    /// The world of each run.
    pub fn world(&self) -> World {
        let short = (!self.client.is_empty()).then(|| Client::Command(self.client.clone()));
        let clients = short.into_iter().chain(self.clients.iter().cloned()).collect();
        let Scenario { network, clock, files, tty, .. } = *self;
        World { network, clock, files, start: None, clients, tty }
    }
}

/// How to explore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Explore {
    /// Signals that the outside world may send; each run sends each once.
    pub send: Vec<Signal>,
    /// To whom.
    pub send_to: Receiver,
    /// What a person does at the terminal; each run does each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub person: Vec<Action>,
    /// Send also where the signal is neither caught nor blocked.
    pub always: bool,
    /// Only these kinds of points; all when empty.
    pub points: Vec<Site>,
    /// The point at which the search begins: what comes before it is passed by. The program's start if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Point>,
    /// Functions whose instructions are points, with those of what they call of the program's own code.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sweep: Vec<String>,
    /// True if all of the program's own code is swept.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sweep_all: bool,
    /// How to look for a failing schedule, one after the other.
    pub strategy: Vec<Strategy>,
}

impl Default for Explore {
    fn default() -> Explore {
        Explore {
            send: Vec::new(),
            send_to: Receiver::default(),
            person: Vec::new(),
            always: false,
            points: Vec::new(),
            from: None,
            sweep: Vec::new(),
            sweep_all: false,
            strategy: Strategy::defaults(200),
        }
    }
}

impl Explore {
    /// What a person may do at the terminal, if there is one and it is not said what is done there: each is tried by itself.
    pub fn may(&self, tty: bool) -> Vec<Action> {
        let keys = ["^C", "^\\", "^Z"].into_iter().filter_map(|keys| keys.parse().ok().map(Action::Type));
        let all = || keys.chain([Action::Resize(40, 12), Action::HangUp]).collect();
        if tty && self.person.is_empty() { all() } else { Vec::new() }
    }
}

/// A way to look for failing schedules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strategy {
    /// Random schedules over the points that earlier runs have reached.
    Random {
        /// How many runs.
        runs: u64,
    },
    /// Probabilistic concurrency testing: threads with random priorities.
    Pct {
        /// How many orderings of threads a bug may need, at least 1.
        depth: u32,
        /// How many runs; a sample takes several.
        runs: u64,
    },
    /// Every schedule of up to so many steps, over the points that are reachable by fewer.
    Exhaustive {
        /// How many steps: deviations from the reference run, at least 1.
        bound: u32,
        /// How many runs at most; none means as many as it takes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        runs: Option<u64>,
    },
}

/// A kind of strategy, as a command line asks for it.
#[derive(Clone, Copy, Debug)]
pub struct StrategyKind {
    /// The word for it.
    pub word: &'static str,
    /// What it does, in a few words.
    pub help: &'static str,
    /// The number that only it has, besides the runs.
    pub number: Option<StrategyNumber>,
    /// The strategy with this number, and so many runs where they have to be given.
    make: fn(u32, u64) -> Strategy,
}

/// A number that one kind of strategy has.
#[derive(Clone, Copy, Debug)]
pub struct StrategyNumber {
    /// Its name, which is that of the flag.
    pub name: &'static str,
    /// What it is if nobody says.
    pub usual: u32,
}

impl StrategyKind {
    /// The strategy with this number, or the usual one.
    pub fn strategy(&self, number: Option<u32>, runs: u64) -> Strategy {
        (self.make)(number.unwrap_or(self.number.map_or(0, |number| number.usual)), runs)
    }
}

impl Strategy {
    /// The most steps that can be exhausted, and orderings that can be asked for: more than anybody has time for.
    pub const MOST_BOUND: u32 = 32;
    /// See [`Strategy::MOST_BOUND`].
    pub const MOST_DEPTH: u32 = 256;
    /// The most runs that can be asked for: a thousand a second take thirty years.
    pub const MOST_RUNS: u64 = 1_000_000_000_000;
    /// All kinds of strategy.
    pub const KINDS: [StrategyKind; 3] = [
        StrategyKind {
            word: "random",
            help: "Random schedules over the points that earlier runs have reached",
            number: None,
            make: |_, runs| Strategy::Random { runs },
        },
        StrategyKind {
            word: "exhaustive",
            help: "Every schedule of up to `--bound` steps",
            number: Some(StrategyNumber { name: "bound", usual: 1 }),
            make: |bound, _| Strategy::Exhaustive { bound, runs: None },
        },
        StrategyKind {
            word: "pct",
            help: "Random priorities, for bugs of up to `--depth` orderings",
            number: Some(StrategyNumber { name: "depth", usual: 2 }),
            make: |depth, runs| Strategy::Pct { depth, runs },
        },
    ];

    /// What is done where nobody names a strategy: so many random runs, then every schedule of one step.
    pub fn defaults(runs: u64) -> Vec<Strategy> {
        vec![Strategy::Random { runs }, Strategy::Exhaustive { bound: 1, runs: None }]
    }

    /// True if it comes to an end by itself: it tries all that there is, and then has nothing left to try.
    pub fn exhausts(&self) -> bool {
        match self {
            Strategy::Exhaustive { .. } => true,
            Strategy::Random { .. } | Strategy::Pct { .. } => false,
        }
    }

    /// How many runs it may make.
    pub fn runs(&self) -> Option<u64> {
        match self {
            Strategy::Random { runs } | Strategy::Pct { runs, .. } => Some(*runs),
            Strategy::Exhaustive { runs, .. } => *runs,
        }
    }

    /// The same with another number of runs.
    pub fn with_runs(&self, runs: u64) -> Strategy {
        match self {
            Strategy::Random { .. } => Strategy::Random { runs },
            Strategy::Pct { depth, .. } => Strategy::Pct { depth: *depth, runs },
            Strategy::Exhaustive { bound, .. } => Strategy::Exhaustive { bound: *bound, runs: Some(runs) },
        }
    }
}

/// What must hold of every outcome. That nothing hangs, crashes, spins or runs out of time is always expected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// How the first process ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// Its standard output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdout: Option<Text>,
    /// Its standard error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stderr: Option<Text>,
    /// Zombies left, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zombies: Option<u32>,
    /// Orphans left, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orphans: Option<u32>,
    /// How clients end: each in one of these ways. In any way when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<Served>,
    /// Programs started with signals blocked that their parent had blocked only for a moment, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec_blocked: Option<u32>,
    /// True if the program may end up waiting for the outside (a server that was told nothing).
    pub idle: bool,
    /// True if the first process ends no other way than in the reference run because a signal interrupts a call, and nothing is left
    /// undone because of that.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub uninterrupted: bool,
    /// True if no signal is lost: what ends the first process in some runs ends it in all, and what it does after a signal it
    /// does wherever that comes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub heeded: bool,
    /// True if the output has each number in the same line as in the reference run, in whatever order children end.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub paired: bool,
    /// True if the first process ends no other way than in the reference run because a signal comes between two instructions.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub atomic: bool,
    /// How long the first process may take to end, on its own clock: from the last signal that is sent, or from the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<Length>,
    /// True if the terminal is to be left in the modes in which it was found, wherever the first process ends.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub restored: bool,
    /// Whose process group is in the foreground of the terminal wherever the first process does not end: that of this process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreground: Option<ThreadName>,
    /// What is left of files and IPC objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<ExpectedFiles>,
    /// How many descriptors a process may hold at its end beyond those that it held in the reference run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptors: Option<u32>,
    /// True if a process that waits on after a signal holds no descriptor because of where that came.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
    /// Which rules the handlers of the signals that are sent must keep, or all handlers if none is sent.
    #[serde(skip_serializing_if = "Handlers::is_empty")]
    pub handlers: Handlers,
}

/// What is expected of files and IPC objects when a run has ended, by globs of their names (`trace::Change::name`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExpectedFiles {
    /// What may be there that was not there before; anything if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<Vec<String>>,
    /// What must be as it was before, or as the reference run left it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub same: Vec<String>,
}

/// A length of time, written as people write it: `"100ms"`, `"1m 30s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length(pub Duration);

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(self.0))
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Length, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map(Length).map_err(|error| {
            de::Error::custom(format!("expected a length of time like \"100ms\", got {text:?}: {error}"))
        })
    }
}

/// Rules for handlers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Handlers {
    /// Nothing is checked.
    #[default]
    Nothing,
    /// These.
    Only(Vec<Rule>),
    /// All that there are.
    All,
}

impl Handlers {
    /// The rules.
    pub fn rules(&self) -> &[Rule] {
        match self {
            Handlers::Nothing => &[],
            Handlers::Only(rules) => rules,
            Handlers::All => &Rule::ALL,
        }
    }

    fn is_empty(&self) -> bool {
        *self == Handlers::Nothing
    }
}

/// A rule that a handler of a broken program is known to break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warned {
    /// The rule.
    pub rule: Rule,
    /// The source line, `file.c:12`; without debug information `function+0x1f`.
    pub line: String,
}

/// How the first process is expected to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(Signal),
    /// In one of these ways.
    OneOf(Vec<Exit>),
}

/// How a client is expected to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Served {
    /// In which way.
    pub exit: Exit,
    /// What it writes to its standard output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<Text>,
}

/// What a text is expected to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Text {
    /// Exactly this.
    Is(String),
    /// Something in it matches this regular expression (syntax of the `regex` crate).
    Matches(String),
}

/// A finding that a broken program is known to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Which expectation breaks.
    pub breaks: Broken,
    /// The minimal schedule that breaks it.
    pub schedule: Schedule,
}
