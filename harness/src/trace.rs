//! What happened in one run, as values: the events in order, and the outcome.
//!
//! Nothing here holds a pid, an address or a time of day: two runs of one schedule have equal events, but for what may
//! differ (NOTE \[By design\] in `trace::alike`).

mod alike;
mod answered;
mod asleep;
mod crash;
mod effects;
mod interrupted;
mod moment;
mod output;
mod places;
mod reference;
mod remains;
mod seen;
mod terminal;
mod threads;
mod undone;

pub use alike::{Essence, difference, first_difference};
pub use asleep::Meeting;
pub use crash::{Crash, crashes, last_call};
pub use effects::tells;
pub use interrupted::{Interrupter, Interruption, interrupted};
pub use output::Output;
pub use places::{Frame, InlinedCall, Line, Moment, Whereabouts};
pub use reference::ReferenceRun;
pub use remains::{Change, Changing, Object, Open, Remains, shape};
pub use seen::{CallResult, Handled, Returned, Seen, SeenCall};
pub use terminal::{Acts, Foreground, TerminalLeft};
pub use threads::Threads;
pub use undone::Undone;

use crate::program::{Launch, Limits};
use crate::schedule::{Action, Point, Schedule, Site, Step, Syscall, ThreadName};
use crate::signal::{Signal, SignalSet};
use crate::world::World;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// One run, told in full: what a person keeps, and what `replay` follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// Which version of sigrace recorded it.
    pub sigrace: String,
    /// Kernel release of the machine that recorded it (uname(2)).
    pub kernel: String,
    /// Its architecture.
    pub arch: String,
    /// How the program was started.
    pub launch: Launch,
    /// SHA-256 of the executable file, in hexadecimal.
    pub digest: String,
    /// What getrandom and AT_RANDOM gave the program was made from this.
    pub seed: u64,
    /// How far the run was allowed to go.
    pub limits: Limits,
    /// The world in which it took place.
    #[serde(default)]
    pub world: World,
    /// Folders whose files were the machine's, although they were to be the run's own, and why: a sentence for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<String>,
    /// True if signals may be sent where the program neither catches nor blocks them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub always: bool,
    /// Which expectations the outcome broke; empty for a trace that was kept all the same.
    pub breaks: Vec<Broken>,
    /// How far the search had gone that found it, in words; none for a trace that was kept while the search went on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    /// What the harness did.
    pub schedule: Schedule,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// How it ended.
    pub outcome: Outcome,
    /// Where in their code the threads were: at the schedule's steps, at the first of the other events that have a place
    /// (`Go`, `Signal`), at crashes and the calls before them, and at the end if it did not end by itself. Empty where that
    /// was not recorded, or could not be seen in a run that was equal in all else. For people: a replay does not compare it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Whereabouts>,
    /// What calls returned and which handlers ran, where that was seen, as `places` were. For people: a replay does not compare
    /// it.
    #[serde(default, skip_serializing_if = "Seen::is_nothing")]
    pub seen: Seen,
    /// The run with which it was compared, if that was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<ReferenceRun>,
}

/// One run as the supervisor reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// What was asked for.
    pub schedule: Schedule,
    /// What happened, in order: often very much, which every copy of the run shares.
    pub events: Arc<Vec<Event>>,
    /// How it ended.
    pub outcome: Outcome,
    /// The points that the run reached, in order, with what could have been done at each: what the next runs are planned from.
    pub reached: Vec<Reached>,
    /// Points at which a process had taken a handler away.
    pub lapses: Vec<Lapse>,
    /// The `In` points of the threads that slept when, for the first time, every thread slept; empty if that never was.
    pub first_quiet: Vec<Point>,
    /// Steps of the schedule whose point never came, or that could do nothing when it came.
    pub unreached: Vec<Step>,
    /// Those of them that could do nothing since a signal was pending: the same one, which is not queued again, or one that has woken
    /// a thread, beside which another would have run.
    pub merged: Vec<Step>,
    /// Some of the threads may have had memory in common while both could run, into which one of them could write: of one process
    /// (CLONE_VM of clone(2)), or of several by a shared mapping (mmap(2)) or a System V segment (shmat(2)).
    pub shares_memory: bool,
    /// Why the run proves nothing, if so: something reached a running thread that nobody controlled.
    pub taint: Option<String>,
    /// Real time from letting a thread go for the last time to knowing how the run had ended.
    pub verdict_after: std::time::Duration,
}

impl Run {
    /// The same without the points that it reached, of which nothing follows but what else can be tried.
    pub fn without_points(&self) -> Run {
        Run {
            schedule: self.schedule.clone(),
            events: self.events.clone(),
            outcome: self.outcome.clone(),
            reached: Vec::new(),
            lapses: self.lapses.clone(),
            first_quiet: self.first_quiet.clone(),
            unreached: self.unreached.clone(),
            merged: self.merged.clone(),
            shares_memory: self.shares_memory,
            taint: self.taint.clone(),
            verdict_after: self.verdict_after,
        }
    }
}

/// A point at which a process had the default action again of signals that it had caught before, and would end by them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lapse {
    /// The point.
    pub point: Point,
    /// The signals.
    pub signals: SignalSet,
    /// Those of them that the process caught or blocked again later in the run: their handlers were away for a moment.
    pub over: SignalSet,
}

/// A point that a run reached, and what could have been done there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reached {
    /// The point.
    pub point: Point,
    /// Threads that could have run instead.
    pub others: Threads,
    /// Signals that the process caught or blocked at this moment; only known when the run was asked to look.
    pub receivable: SignalSet,
    /// True if a timer of the process could have run out here, whose signal it caught or blocked.
    pub fires: bool,
    /// What a person could do at the run's terminal that would mean something to the process; nothing without a terminal.
    pub acts: Acts,
    /// True if the call that comes next opens, reads or closes a file at which it only looks; only known where others could run.
    pub looks: bool,
}

/// Something that happened, and who else could have been let run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// To whom.
    pub thread: ThreadName,
    /// What.
    pub what: What,
    /// The other threads that could have been let run at that moment.
    #[serde(default, skip_serializing_if = "Threads::is_none")]
    pub others: Threads,
}

/// The kinds of event.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum What {
    /// The thread runs a new program from here on: the file's path.
    Exec(String),
    /// The thread was let go on from this point, which it had reached for the nth time.
    Go(Site, u32),
    /// The harness did this here, by the schedule.
    Step(Action),
    /// The thread fell asleep inside a call, for the nth time in this call.
    Sleep(Syscall, u32),
    /// It made this process or thread.
    Make(ThreadName),
    /// A signal was pending and unblocked when the thread was let go: its handler, or its default action, comes first.
    Signal(Signal),
    /// The process was stopped by job control.
    Stop,
    /// The stopped process goes on.
    Continue,
    /// A sleep or a timeout in this call ran out; of timerfd_settime: a timer of this process that it had set.
    Expire(Syscall),
    /// A timer of this process ran out, and this signal was sent for it.
    Fire(Signal),
    /// The call was refused, with ENOSYS where nobody could follow it and EPERM where it reached for the run's init; and why.
    Refuse(Syscall, String),
    /// The thread could not be held at this kind of point, and why.
    NotHeld(Site, String),
    /// The process or thread ended.
    End(Status),
}

impl What {
    /// The process or thread that was made, if one was.
    pub fn made(&self) -> Option<&ThreadName> {
        if let What::Make(made) = self { Some(made) } else { None }
    }

    /// The file that is executed, if one is.
    pub fn executed(&self) -> Option<&str> {
        if let What::Exec(file) = self { Some(file) } else { None }
    }

    /// The call into which the thread is let go, and which time.
    pub fn begun(&self) -> Option<(Syscall, u32)> {
        if let What::Go(site, nth) = self { Some((site.begun()?, *nth)) } else { None }
    }

    /// The kind of point that the thread was at, or came to by falling asleep, and which time that was.
    pub fn visit(&self) -> Option<(Site, u32)> {
        match self {
            What::Go(site, nth) => Some((*site, *nth)),
            What::Sleep(call, nth) => Some((Site::In(*call), *nth)),
            What::Exec(_)
            | What::Step(_)
            | What::Make(_)
            | What::Signal(_)
            | What::Stop
            | What::Continue
            | What::Expire(_)
            | What::Fire(_)
            | What::Refuse(..)
            | What::NotHeld(..)
            | What::End(_) => None,
        }
    }
}

/// How a process ended (wait(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Status {
    /// It exited with this code.
    Exited(i32),
    /// This signal ended it.
    Killed(Signal),
    /// It ended, its parent took the status, and this kernel does not tell it again.
    Unseen,
}

impl Status {
    /// From the number that wait(2) gives.
    pub fn from_wait(status: i32) -> Status {
        match Signal::from_number(status & 0x7f) {
            Some(signal) => Status::Killed(signal),
            None => Status::Exited((status >> 8) & 0xff),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Exited(code) => write!(f, "exit code {code}"),
            Status::Killed(signal) => write!(f, "killed by {signal}"),
            Status::Unseen => f.write_str("ended, status unknown"),
        }
    }
}

/// How a run ended, as facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// What became of the first process.
    pub end: End,
    /// What the program wrote to its standard output; with a terminal all that came on its screen.
    pub stdout: Output,
    /// What it wrote to its standard error.
    pub stderr: Output,
    /// How each client ended, in the order in which they were started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<ClientEnd>,
    /// Who slept, with only the outside to go on, when clients came after the last signal that was sent, of a program that has
    /// ended since: without them it would have slept on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roused: Vec<Sleeper>,
    /// Processes that nobody waited for.
    pub leftover: Vec<Leftover>,
    /// Children for which their parents have not waited: they had ended, or their parents had. Unlike what is left over they may
    /// have ended by themselves since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unwaited: Vec<ThreadName>,
    /// Programs that were started with signals blocked which their parent had blocked only for a moment.
    pub exec_blocked: Vec<ExecBlocked>,
    /// Every process that was there at the end.
    pub table: Vec<Row>,
    /// How long it took.
    #[serde(default)]
    pub took: Took,
    /// How the terminal was left, if the run had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<TerminalLeft>,
    /// What it left of files and IPC objects, and what its processes held at their ends or at its own.
    #[serde(default, skip_serializing_if = "Remains::is_nothing")]
    pub remains: Remains,
}

/// How a client ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientEnd {
    /// Its first process: `c1`.
    pub client: ThreadName,
    /// What it was, as a person would type it.
    pub command: String,
    /// None if it had not ended when the run was over: it still waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// What it wrote to its standard output.
    pub stdout: Output,
    /// And to its standard error.
    pub stderr: Output,
}

/// How long a run took on the program's clock: until the first process ended, or until it was known that it would not. In
/// seconds. Two runs of one schedule may differ in it, by what was computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Took {
    /// From the start.
    #[serde(with = "crate::program::seconds")]
    pub whole: Duration,
    /// From the last signal that the schedule sent, or had a timer send; from the start if there was none.
    #[serde(with = "crate::program::seconds")]
    pub after: Duration,
    /// From that signal to the first time that ran out after it; zero if none did.
    #[serde(default, skip_serializing_if = "Duration::is_zero", with = "crate::program::seconds")]
    pub expired: Duration,
}

/// A time on the program's clock as people read it, in milliseconds at the finest.
pub fn lasting(time: Duration) -> impl fmt::Display {
    humantime::format_duration(Duration::from_millis(time.as_millis() as u64))
}

/// What became of the first process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// It ended.
    Ended(Status),
    /// Every thread sleeps, and nothing that is left in the run can wake any of them: the proof, thread by thread.
    Hang(Vec<Sleeper>),
    /// Every thread sleeps, and only the outside could go on.
    Idle(Vec<Sleeper>),
    /// What is left is stopped by job control.
    Stopped,
    /// It goes on and on without getting anywhere: what was counted.
    Spinning(String),
    /// It does nothing but sleep for a time, again and again, to the limit of its own clock: who sleeps in what.
    Stalled(Vec<Sleeper>),
    /// The time limit was reached; nothing is known of what it was doing.
    TimedOut,
}

/// A thread that sleeps, and why it does not wake by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sleeper {
    /// Who.
    pub thread: ThreadName,
    /// In which call.
    pub call: Syscall,
    /// Signals that it catches and does not block.
    pub caught: SignalSet,
    /// What it waits for, and why that cannot come (or that only the outside can bring it).
    pub why: String,
}

impl fmt::Display for Sleeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.thread, self.call)
    }
}

impl Sleeper {
    /// Who sleeps in what: `p0 in wait4, p0.1 in pause`.
    pub fn list(sleepers: &[Sleeper]) -> String {
        sleepers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// A process that nobody waited for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leftover {
    /// Which.
    pub process: ThreadName,
    /// In which way it was left.
    pub how: LeftHow,
}

/// In which way a process was left over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LeftHow {
    /// It has ended, and its parent, which lives, has not waited for it.
    Zombie,
    /// Its parent ended without waiting for it; it may live or have ended since.
    Orphan,
}

/// A program that was started with signals blocked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecBlocked {
    /// The process that runs it.
    pub process: ThreadName,
    /// The program's file.
    pub file: String,
    /// The signals.
    pub signals: Vec<Signal>,
}

/// One process at the end of the run, as `ps` would show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its name.
    pub process: ThreadName,
    /// Its parent's name; none if that is the init of the run.
    pub parent: Option<ThreadName>,
    /// STAT of ps(1): R, S, D, T, Z.
    pub stat: char,
    /// The command's name, at most 15 bytes (proc_pid_comm(5)).
    pub command: String,
    /// Signals pending for the process or its first thread.
    pub pending: SignalSet,
    /// Signals that its first thread blocks.
    pub blocked: SignalSet,
    /// Signals that it catches.
    pub caught: SignalSet,
}

/// The kinds of expectation that an outcome can break, the most telling first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Broken {
    /// The run hung: proven.
    Hang,
    /// The run should have ended, and waits for the outside.
    Idle,
    /// SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGABRT ended a process.
    Crash,
    /// The program spins for ever.
    Spinning,
    /// The program does nothing but sleep for a time, again and again.
    Stalled,
    /// What is left is stopped by job control, and should have ended.
    Stopped,
    /// The first process ended otherwise than expected.
    Exit,
    /// A client ended otherwise than expected.
    Client,
    /// Standard output is not as expected.
    Stdout,
    /// Standard error is not as expected.
    Stderr,
    /// More zombies than expected.
    Zombies,
    /// More orphans than expected.
    Orphans,
    /// Files or IPC objects are left that should not be, or a file is left half written.
    Files,
    /// Processes held more descriptors when they ended than they should.
    Descriptors,
    /// A program was started with signals blocked that its parent blocked only for a moment.
    ExecBlocked,
    /// The terminal is left in other modes than it should be.
    Modes,
    /// Another process group than expected is in the foreground of the terminal.
    Foreground,
    /// The first process ended otherwise than expected because a signal interrupted a call.
    Interrupted,
    /// A signal left the program waiting that ends it elsewhere.
    Lost,
    /// A signal's handler ran, and what the program does after it elsewhere waits for something else.
    Overlooked,
    /// The output has the same numbers in other lines, since children ended in another order.
    Paired,
    /// More was written than is kept, and it is not known whether that is as expected.
    OutputLimit,
    /// The run took longer on the program's clock than it may.
    Late,
    /// The first process ended otherwise than expected because a signal came between two instructions.
    Atomicity,
    /// A process that waits on after a signal holds descriptors that it does not hold where the signal comes elsewhere.
    Leaked,
    /// Something is left undone since a signal cut a call short: a child is not waited for, or the rest of something is not written.
    CutShort,
    /// The time limit was reached.
    TimedOut,
}
