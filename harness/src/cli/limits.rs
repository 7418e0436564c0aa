//! How far one run may go, from the command line.

use super::options::duration;
use crate::program;
use clap::Args;
use std::time::Duration;

/// The limits of a scenario, each as a flag.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits of one run")]
pub(super) struct Limits {
    /// Wall-clock time of one run, the last resort [default: 30s]
    #[arg(long, env = "SIGRACE_LIMIT_TIME", value_name = "DURATION", value_parser = duration)]
    limit_time: Option<Duration>,
    /// CPU time that a thread may use without a system call before it counts as spinning [default: 5s]
    #[arg(long, env = "SIGRACE_LIMIT_CPU", value_name = "DURATION", value_parser = duration)]
    limit_cpu: Option<Duration>,
    /// Time of one run on the program's own clock before one that only sleeps again and again counts as stalled
    ///
    /// [default: 1h; `explore` follows a program that does so undisturbed for 15s to 2m in each further run]
    #[arg(long, env = "SIGRACE_LIMIT_CLOCK", value_name = "DURATION", value_parser = duration)]
    limit_clock: Option<Duration>,
    /// Points of one run before the program counts as spinning [default: 200000]
    #[arg(long, env = "SIGRACE_LIMIT_POINTS", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit_points: Option<u64>,
    /// Points after which a thread yields its turn when others wait [default: 1000]
    #[arg(long, env = "SIGRACE_LIMIT_TURN", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit_turn: Option<u32>,
    /// Processes and threads of one run; one more fails with EAGAIN [default: 1024]
    #[arg(long, env = "SIGRACE_LIMIT_PROCESSES", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit_processes: Option<u32>,
    /// Bytes that are kept of each of the program's two outputs [default: 67108864]
    #[arg(long, env = "SIGRACE_LIMIT_OUTPUT", value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    limit_output: Option<u64>,
    /// Bytes that the program may have in files of its own, in each folder that is covered [default: 1073741824]
    #[arg(long, env = "SIGRACE_LIMIT_FILES", value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    limit_files: Option<u64>,
}

impl Limits {
    /// True if somebody has said how far a run goes on the program's own clock.
    pub(super) fn has_clock(&self) -> bool {
        self.limit_clock.is_some()
    }

    /// Those that are given, the others as usual.
    pub(super) fn limits(&self) -> program::Limits {
        let usual = program::Limits::default();
        program::Limits {
            time: self.limit_time.unwrap_or(usual.time),
            cpu: self.limit_cpu.unwrap_or(usual.cpu),
            clock: self.limit_clock.unwrap_or(usual.clock),
            points: self.limit_points.unwrap_or(usual.points),
            turn: self.limit_turn.unwrap_or(usual.turn),
            processes: self.limit_processes.unwrap_or(usual.processes),
            output: self.limit_output.unwrap_or(usual.output),
            files: self.limit_files.unwrap_or(usual.files),
        }
    }
}
