//! sigrace in one's own tests: the verbs of the command as builders, in its words.

use crate::cli::called::{self, Answer};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Looks for signal races in a program, as `sigrace explore` does: [`Exploration::assert_no_findings`] is a test.
///
/// Of the command its program, its arguments, its folder and the variables that it sets count. What else it would inherit of this
/// process is left out, but for a few harmless variables, as it is on the command line.
///
/// ```no_run
/// use std::process::Command;
///
/// sigrace::explore(&Command::new("./prog")).send("SIGUSR1").runs(100).assert_no_findings();
/// ```
pub fn explore(command: &Command) -> Exploration {
    let set = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let env = set.map(|(name, value)| word("env", [name, value].join("=".as_ref())));
    let cwd = command.get_current_dir().map(|folder| word("cwd", folder));
    let program = std::iter::once(command.get_program()).chain(command.get_args());
    let program = program.map(OsString::from).collect();
    Exploration { words: env.chain(cwd).collect(), program }
}

/// Makes a recorded run again, as `sigrace replay` does: [`Replay::assert_followed`] is a test.
///
/// ```no_run
/// sigrace::replay("traces/prog-hang-4545467f.ron").times(20).assert_followed();
/// ```
pub fn replay(trace: impl Into<PathBuf>) -> Replay {
    Replay { trace: trace.into(), times: 1 }
}

/// An option with its value, as one word.
fn word(name: &str, value: impl Into<OsString>) -> OsString {
    let mut word = OsString::from(format!("--{name}="));
    word.push(value.into());
    word
}

/// What is to be explored, and how. The methods are named after the options of `sigrace explore`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "nothing is explored before run() or assert_no_findings()"]
pub struct Exploration {
    words: Vec<OsString>,
    program: Vec<OsString>,
}

impl Exploration {
    /// Any option: `.option("sweep", "insert")` is `--sweep insert`.
    pub fn option(mut self, name: &str, value: impl Into<OsString>) -> Exploration {
        self.words.push(word(name, value));
        self
    }

    /// Any option that has no value: `.flag("tty")` is `--tty`.
    pub fn flag(mut self, name: &str) -> Exploration {
        self.words.push(format!("--{name}").into());
        self
    }

    /// A signal that each run sends, by name or number, or `none`; several are sent one after the other. Without it, it is found out which ones
    /// the program does something about, and each of them is sent in turn.
    pub fn send(self, signal: impl fmt::Display) -> Exploration {
        self.option("send", signal.to_string())
    }

    /// Who gets the signals: `p0`, `p0.1`, `group:p0`.
    pub fn send_to(self, receiver: &str) -> Exploration {
        self.option("send-to", receiver)
    }

    /// How many runs the search may take.
    pub fn runs(self, runs: u64) -> Exploration {
        self.option("runs", runs.to_string())
    }

    /// How long it may take.
    pub fn time(self, time: Duration) -> Exploration {
        self.option("time", format!("{}ms", time.as_millis()))
    }

    /// What chance is made from.
    pub fn seed(self, seed: u64) -> Exploration {
        self.option("seed", seed.to_string())
    }

    /// Every run has to end with this exit code.
    pub fn exit(self, code: u8) -> Exploration {
        self.option("exit", code.to_string())
    }

    /// A client that talks to the program: a command line, or a script for one.
    pub fn client(self, client: &str) -> Exploration {
        self.option("client", client)
    }

    /// Where the traces of findings are written.
    pub fn trace_dir(self, folder: impl AsRef<Path>) -> Exploration {
        self.option("trace-dir", folder.as_ref())
    }

    /// Explores.
    ///
    /// # Errors
    ///
    /// [`Untold`] if that says nothing of the program: bad options, a program that cannot be started, a host that does not allow what a run
    /// needs, a fault of sigrace itself.
    pub fn run(self) -> Result<Explored, Untold> {
        let words = self.words.into_iter().chain([OsString::from("--")]).chain(self.program);
        let Answer { code, text, report } = called::explored(words);
        let Some(report) = report else { return Err(Untold { code, text }) };
        let results = report.searches.iter().filter_map(|search| search.result.as_ref());
        let new = results.flat_map(|result| &result.findings).filter(|finding| finding.accepted.is_none());
        let findings = new.map(|finding| Finding {
            what: finding.explanation.clone(),
            schedule: finding.schedule.clone(),
            replay: finding.replay.clone(),
        });
        Ok(Explored { findings: findings.collect(), code, text, json: report.json() })
    }

    /// Explores, and panics with what a person would read unless all is as expected.
    ///
    /// # Panics
    ///
    /// If there is a finding, if the search was unreached or unstable, and if it could not be made: what was not explored is no pass.
    #[track_caller]
    pub fn assert_no_findings(self) {
        match self.run() {
            Ok(explored) if explored.is_as_expected() => {}
            Ok(Explored { text, code, .. }) | Err(Untold { text, code }) => {
                panic!("{}\nsigrace explore: exit code {code}", text.trim_end())
            }
        }
    }
}

/// What came of exploring.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explored {
    /// What was found, and not accepted before.
    pub findings: Vec<Finding>,
    /// The exit code that `sigrace explore` would have ended with.
    pub code: u8,
    /// What a person would have read.
    pub text: String,
    /// The report for machines, as `--format json` prints it.
    pub json: String,
}

impl Explored {
    /// Nothing was found, and nothing kept the search from looking.
    pub fn is_as_expected(&self) -> bool {
        self.code == 0
    }
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What broke, in a sentence.
    pub what: String,
    /// The steps of the minimal schedule, in the order in which they are taken.
    pub schedule: Vec<String>,
    /// The command that shows it again, if its trace could be written.
    pub replay: Option<String>,
}

/// Nothing is known of the program: why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}\nexit code {code}", text.trim_end())]
#[non_exhaustive]
pub struct Untold {
    /// The exit code that the command would have ended with: 2 for bad options, 69 for a host that does not allow it, 102 for a file
    /// that is refused, 111 for a fault of sigrace itself.
    pub code: u8,
    /// What a person would have read.
    pub text: String,
}

/// A recorded run that is to be made again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "nothing is run before run() or assert_followed()"]
pub struct Replay {
    trace: PathBuf,
    times: u64,
}

impl Replay {
    /// How often, at least once.
    pub fn times(self, times: u64) -> Replay {
        Replay { times: times.max(1), ..self }
    }

    /// Makes the run again; true if it was followed each time, and ended as recorded.
    ///
    /// # Errors
    ///
    /// [`Untold`] if it could not be made.
    pub fn run(&self) -> Result<bool, Untold> {
        let Answer { code, text, .. } = called::replayed(&self.trace, self.times);
        match code {
            0 => Ok(true),
            101 => Ok(false),
            code => Err(Untold { code, text }),
        }
    }

    /// Makes the run again, and panics with what was otherwise unless it was followed each time, and ended as recorded: the race is there.
    ///
    /// # Panics
    ///
    /// If it was not, or could not be made.
    #[track_caller]
    pub fn assert_followed(&self) {
        let Answer { code, text, .. } = called::replayed(&self.trace, self.times);
        assert!(code == 0, "{}\nsigrace replay: exit code {code}", text.trim_end());
    }
}
