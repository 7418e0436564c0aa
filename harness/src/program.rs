//! What to run: a command, or a source to build; arguments, environment, working directory, stdin; and how far it may go.

use crate::build::Build;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// What a scenario names as its program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// A program and its arguments; a name without a slash is looked up in `PATH`.
    Command(Vec<String>),
    /// One file of C, built with the machine's `cc`, or of Go, built with its `go`. Looked for beside the scenario and in the nearest `fixtures/` above it.
    Source(PathBuf),
}

impl Program {
    /// True for a source of Go.
    pub fn is_go(&self) -> bool {
        matches!(self, Program::Source(file) if file.extension().is_some_and(|extension| extension == "go"))
    }
}

/// Everything that decides how the program starts. All of it is recorded in a trace, so that a replay starts the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Launch {
    /// The executable file, absolute.
    pub file: PathBuf,
    /// What the program sees as its arguments, `argv[0]` included.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// The working directory, absolute.
    pub cwd: PathBuf,
    /// A file to read from; `/dev/null` when none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<PathBuf>,
    /// The source that `file` was built from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<PathBuf>,
    /// How the compiler built it, if not in the usual way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
}

/// How far one run may go. A limit that is reached is an outcome of its own, never a hang.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Wall-clock time of one run, in seconds: the last resort.
    #[serde(with = "seconds")]
    pub time: Duration,
    /// CPU time that a thread may use without making a system call, in seconds, before it counts as spinning.
    #[serde(with = "seconds")]
    pub cpu: Duration,
    /// Time of one run on the program's own clock, in seconds, before a program that only sleeps for a time again and again
    /// counts as stalled.
    #[serde(with = "seconds")]
    pub clock: Duration,
    /// Points of one run before the program counts as spinning.
    pub points: u64,
    /// Points after which a thread yields its turn when others wait.
    pub turn: u32,
    /// Processes and threads of one run; making one more fails with EAGAIN, as RLIMIT_NPROC would have it.
    pub processes: u32,
    /// Bytes that are kept of each of the program's two outputs. It may write more; of that, only how much it was is told.
    pub output: u64,
    /// Bytes that the program may have in files of its own, in each folder that is. More is more than the run can have.
    pub files: u64,
}

impl Limits {
    /// How far a program is followed on its own clock, if nobody says, that is known to do nothing but let time pass to the usual
    /// limit: what it does in a minute is seen, and each run need not take an hour's ticks. The farthest first, and less far for who
    /// does much in that time.
    pub const FOLLOWED: [Duration; 4] =
        [Duration::from_secs(120), Duration::from_secs(60), Duration::from_secs(30), Duration::from_secs(15)];

    /// The longest time that can be asked for: a year.
    pub const MOST_TIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

    /// The first limit that is none, by its name, and what was expected.
    pub fn wrong(&self) -> Option<(&'static str, &'static str)> {
        let Limits { time, cpu, clock, points, turn, processes, output, files } = self;
        let zeros = [
            ("time", time.is_zero()),
            ("cpu", cpu.is_zero()),
            ("clock", clock.is_zero()),
            ("points", *points == 0),
            ("turn", *turn == 0),
            ("processes", *processes == 0),
            ("output", *output == 0),
            ("files", *files == 0),
        ];
        let zero =
            zeros.into_iter().find(|(_, zero)| *zero).map(|(name, _)| (name, "expected a limit above 0"));
        let long = [("time", time), ("cpu", cpu), ("clock", clock)]
            .into_iter()
            .find(|(_, time)| **time > Limits::MOST_TIME);
        zero.or(long.map(|(name, _)| (name, "expected a year at most, 31536000.0 seconds")))
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            time: Duration::from_secs(30),
            cpu: Duration::from_secs(5),
            clock: Duration::from_secs(3600),
            points: 200_000,
            turn: 1_000,
            // Well above what programs do that are looked at run by run, and few enough for any machine: a fork bomb's
            // thousand take some hundred megabytes.
            processes: 1024,
            output: 64 << 20,
            files: 1 << 30,
        }
    }
}

/// Durations in RON are plain seconds.
pub(crate) mod seconds {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
    use std::time::Duration;

    pub(crate) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_secs_f64().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds)
            .map_err(|_| de::Error::custom(format!("expected a length of time in seconds, got {seconds:?}")))
    }
}
