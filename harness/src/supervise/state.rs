//! One run in progress, as parts: each says what it is, and what is no business of another is not in it.

use super::{Observe, RunError, Settings};
use crate::schedule::{Schedule, Site};
use crate::signal::{Signal, SignalSet};
use crate::supervise::books::clients::Clients;
use crate::supervise::books::doubts::Doubts;
use crate::supervise::books::held::Held;
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::books::journal::Journal;
use crate::supervise::books::news::Guard;
use crate::supervise::books::noted::Noted;
use crate::supervise::books::pick::Picker;
use crate::supervise::books::ports::Ports;
use crate::supervise::books::seat::Seat;
use crate::supervise::books::thread::State;
use crate::supervise::books::tree::Tree;
use crate::supervise::code::ambush::Counter;
use crate::supervise::code::beside::Siblings;
use crate::supervise::code::called::Calls;
use crate::supervise::code::lookout::Lookout;
use crate::supervise::code::results::Results;
use crate::supervise::code::seen::Seen;
use crate::supervise::code::suspect::Suspect;
use crate::supervise::output::Written;
use crate::supervise::patience::UnderWay;
use crate::supervise::time::armed::CpuTimer;
use crate::supervise::time::clock::Clock;
use crate::supervise::time::dates::Dates;
use crate::sys::cell::Cell;
use crate::sys::procfs::Status as ProcStatus;
use crate::sys::stage::CellError;
use crate::sys::tick::Tick;
use crate::trace::{Status, What};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// One run in progress.
pub(super) struct Turns<'a> {
    pub(super) cell: &'a Cell,
    /// What ends its waits for calls.
    pub(super) tick: &'a Tick,
    /// What tells how files are dated (`Dates::file`).
    pub(super) date: Rc<OwnedFd>,
    pub(super) settings: &'a Settings,
    pub(super) affinity: &'a [u8],
    pub(super) schedule: &'a Schedule,
    /// The signals that it sends.
    pub(super) sends: SignalSet,
    pub(super) observe: &'a Observe,
    /// For each step whether it has been taken.
    pub(super) taken: Vec<bool>,
    /// Processes and threads, and what each is doing.
    pub(super) tree: Tree,
    /// What is told of the run.
    pub(super) journal: Journal,
    /// Whose turn it is.
    pub(super) picker: Picker,
    /// Time, and what ends by it.
    pub(super) clock: Clock,
    /// What the kernel does by itself for the program.
    pub(super) kernel: Kernel,
    /// What is known of the program's code.
    pub(super) code: Code,
    /// Who goes on since the threads were last settled.
    pub(super) going: Going,
    /// What speaks against the run.
    pub(super) doubts: Doubts,
    /// What the program has written.
    pub(super) stdout: Written,
    pub(super) stderr: Written,
    /// Who talks to it.
    pub(super) clients: Clients,
    /// Its terminal, if it has one.
    pub(super) seat: Option<Seat>,
    /// What is noted of what the run leaves.
    pub(super) noted: Noted,
    /// Beginning and end.
    pub(super) course: Course,
    /// Calls of getrandom so far, so that each gets other bytes.
    pub(super) random_calls: u64,
}

/// What the kernel does by itself for the program, at moments of its own.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    /// A descriptor may send signals by itself.
    pub(super) asynchronous: bool,
    /// Timers of CPU time.
    pub(super) cpu_timers: Vec<CpuTimer>,
    /// The program has made a pseudoterminal of its own.
    pub(super) terminals: bool,
    /// And a call was let happen that may have written to one.
    pub(super) terminal_written: bool,
    /// Those that it chooses.
    pub(super) ports: Ports,
    /// A program has opened random(4).
    pub(super) random_opened: bool,
    /// Threads or processes may have memory in common: see `Run::shares_memory`.
    pub(super) shares_memory: bool,
    /// A program has opened /proc/uptime.
    pub(super) uptime_opened: bool,
    /// A timeout of a socket has been set.
    pub(super) socket_timeouts: bool,
    /// How it dates files; none if time is the machine's.
    pub(super) dates: Option<Dates>,
    /// Since when nobody can run.
    pub(super) quiet_since: Option<Instant>,
}

/// What is known of the program's code, and looked at there.
#[derive(Debug, Default)]
pub(super) struct Code {
    /// Where the filter lets the dynamic loader's calls on files pass.
    pub(super) unnotified: Option<Range<u64>>,
    /// Where the loader of each program was that ran, empty for none.
    pub(super) loaders: Vec<Range<u64>>,
    /// Executions that are counted.
    pub(super) counters: Vec<Counter>,
    /// What was seen of what `Observe::Handlers` asked for.
    pub(super) seen: Seen,
    /// Where threads are, if the run is looked at for that.
    pub(super) lookout: Lookout,
    /// The calls of threads, if the run is looked at for them.
    pub(super) calls: Calls,
    /// What calls return and which handlers run, if the run is looked at for that.
    pub(super) results: Results,
    /// A thread that computes, and may go round for ever.
    pub(super) suspect: Option<Suspect>,
    /// A breakpoint's time has come, and its thread is about to stop.
    pub(super) parking: bool,
    /// Threads beside one that is parked, or was.
    pub(super) siblings: Siblings,
}

/// Who goes on since the threads were last settled.
#[derive(Debug)]
pub(super) struct Going {
    /// The thread that was let go last.
    pub(super) released: Option<ThreadId>,
    /// When.
    pub(super) released_at: Instant,
    /// Who came to a point while that one was still on its way to its own.
    pub(super) overtaken_by: Option<ThreadId>,
    /// Processes that are to end, or to stop, by a signal as soon as all have settled.
    pub(super) to_end: Vec<(ProcessId, Signal)>,
    /// What is watched over until a process that was let end has ended.
    pub(super) guard: Option<Guard>,
}

/// Beginning and end of a run.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) started: Instant,
    /// It has stood still where it was to (`standstill`).
    pub(super) stood: bool,
    /// After so many points the program counts as spinning.
    pub(super) most_points: u64,
    /// The logical time at which the first process ended.
    pub(super) first_ended: Option<u64>,
    /// And that at which the schedule last sent a signal, and how many times had run out by then.
    pub(super) last_sent: Option<(u64, u64)>,
    /// And that at which a time first ran out after that.
    pub(super) first_expiry: Option<u64>,
    /// And on the real clock.
    pub(super) first_ended_at: Option<Instant>,
    /// What could not be done of starting the program, from the init.
    pub(super) failed_start: Option<CellError>,
    /// It ended, in this way, before anything of it was seen.
    pub(super) ended_unseen: Option<Status>,
}

impl<'a> Turns<'a> {
    pub(super) fn new(
        (cell, tick, date): (&'a Cell, &'a Tick, Rc<OwnedFd>),
        settings: &'a Settings,
        affinity: &'a [u8],
        (schedule, observe): (&'a Schedule, &'a Observe),
        unnotified: Option<Range<u64>>,
    ) -> Turns<'a> {
        let now = Instant::now();
        Turns {
            cell,
            tick,
            date,
            settings,
            affinity,
            schedule,
            sends: schedule.steps.iter().filter_map(|step| step.action.signal()).collect(),
            observe,
            taken: vec![false; schedule.steps.len()],
            tree: Tree::default(),
            journal: Journal::default(),
            picker: Picker::default(),
            clock: Clock::of(&settings.world),
            kernel: Kernel::default(),
            code: Code { unnotified, ..Code::default() },
            going: Going {
                released: None,
                released_at: now,
                overtaken_by: None,
                to_end: Vec::new(),
                guard: None,
            },
            doubts: Doubts::default(),
            stdout: Written::up_to(settings.limits.output),
            stderr: Written::up_to(settings.limits.output),
            clients: Clients::default(),
            seat: None,
            noted: Noted::default(),
            course: Course {
                started: now,
                stood: false,
                most_points: settings.limits.points,
                first_ended: None,
                last_sent: None,
                first_expiry: None,
                first_ended_at: None,
                failed_start: None,
                ended_unseen: None,
            },
            random_calls: 0,
        }
    }

    pub(super) fn interrupted(&self) -> Result<(), RunError> {
        if self.settings.cancel.load(Ordering::Relaxed) { Err(RunError::Interrupted) } else { Ok(()) }
    }

    /// What is waited for was looked for in vain once more. True if it will not come.
    pub(super) fn is_overdue(&self, wait: &mut UnderWay) -> Result<bool, RunError> {
        self.interrupted()?;
        Ok(wait.is_overdue())
    }

    pub(super) fn event(&mut self, thread: ThreadId, what: What) {
        let name = self.tree.thread(thread).name.clone();
        if matches!(what, What::Expire(_)) && self.course.last_sent.is_some() {
            self.course.first_expiry.get_or_insert(self.clock.now);
        }
        self.journal.event(name, what);
        self.note_where(thread);
    }

    /// The nth visit of a thread to a kind of place.
    pub(super) fn visit(&mut self, thread: ThreadId, site: Site) -> u32 {
        let visits = self.tree.thread_mut(thread).visits.entry(site).or_insert(0);
        *visits += 1;
        *visits
    }

    /// A signal may be pending for this process, which the next release of each of its threads has to look at.
    pub(super) fn signalled(&mut self, process: ProcessId) {
        let threads: Vec<ThreadId> = self.tree.threads_of(process).collect();
        threads.into_iter().for_each(|id| self.tree.thread_mut(id).may_be_signalled());
        self.code.results.signalled(process);
    }

    pub(super) fn proc_status(&self, id: ThreadId) -> Result<Option<ProcStatus>, RunError> {
        let thread = self.tree.thread(id);
        thread
            .door
            .status()
            .map_err(|error| RunError::failed(format!("reading the status of thread {}", thread.name), error))
    }

    /// Takes a held thread out of the books, to be answered.
    pub(super) fn take_held(&mut self, id: ThreadId) -> Option<Held> {
        let state = &mut self.tree.thread_mut(id).state;
        match std::mem::replace(state, State::Running) {
            State::Held(held) => Some(held),
            other => {
                *state = other;
                None
            }
        }
    }
}
