//! Runs the program once, under control: one thread at a time, by the default rule and the deviations of a schedule.
//!
//! This module knows schedules, not scenarios or verdicts: it reports and obeys.
//!
//! NOTE \[Points\]. When things happen, relative to a thread's instructions:
//!
//! * `Before(call)`: the thread has executed the `syscall` instruction, and the kernel has not begun the call. A signal
//!   that is sent here, or that arrived while the thread was held here, is handled first; then the thread executes the
//!   `syscall` instruction again, which is the same place for the next time (`nth` is one more). A signal that the thread
//!   blocks stays pending, and the call happens.
//! * `After(Fork)`: the kernel has returned from fork, vfork, clone or clone3, and the thread has not executed the
//!   instruction after it. In the child it is the first thing that happens.
//! * `In(call)`: the thread sleeps inside the call. A signal sent here arrives during the call, with the consequences
//!   that signal(7) describes (EINTR, or the call again, which is the same `Before` for the next time).
//! * `At(place)`: the thread has not executed the instruction at this place: see `breakpoint`.
//! * `Probe(name)`: as before a call, which the program makes only to be held there: see `probe`.
//! * The dynamic loader's calls up to the first call from elsewhere are no points, and do not count for `nth`; later ones
//!   (dlopen(3)) are points, except those that only find and map files, which wake nobody: see `loader`.
//! * A step is taken when the thread is about to be let go from its point, not when it gets there.
//!
//! The turn loop (`turn`) lets one thread go, waits until every thread is settled (`settle`), and picks the next.

mod arrive;
mod asking;
mod books;
mod calls;
mod cells;
mod clients;
mod code;
mod computing;
mod deliver;
mod emulate;
mod ended;
mod entering;
mod execute;
mod fire;
mod futex;
mod group;
mod hang;
mod killing;
mod lapse;
mod leftover;
mod listen;
mod listening;
mod network;
mod numbers;
mod observed;
mod outcome;
mod output;
mod patience;
mod probe;
mod reach;
mod receivers;
mod release;
mod remains;
mod scheduling;
mod settle;
mod sharing;
mod standstill;
mod started;
mod state;
mod steps;
mod taking;
mod terminal;
mod time;
mod turn;
mod window;

use crate::program::{Launch, Limits};
use crate::schedule::{Label, Schedule, ThreadName};
use crate::signal::{Signal, SignalSet};
/// For a process that does nothing but make runs.
pub use crate::sys::allocator::give_back_large;
use crate::sys::cell::Cell;
use crate::sys::sched;
use crate::sys::stage::{Blame, CellError, Stage, remedy_of_lack};
use crate::sys::tick::Tick;
use crate::trace::{self, Run, Whereabouts};
use crate::world::World;
pub use asking::WantsTerminal;
pub use calls::{Effects, Shared, may_wait, shared};
pub use cells::Cells;
use cells::Purpose;
pub use code::ambush::MOST as MOST_OBSERVED;
pub use code::called::{Called, Wanted};
pub use code::learnt::Learnt;
pub use code::lookout::images;
use code::lookout::memory;
pub use code::seen::{Installed, RETURN, Visit, Watch, Word};
use nix::errno::Errno;
use patience::NEWS;
pub use receivers::Receiver;
pub use standstill::{Stand, Standing, Standstill, Visitor};
pub use started::Start;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use time::dates::Dates;
pub use time::face::begun;

/// What all runs of one search have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How the program starts.
    pub launch: Launch,
    /// And each of the world's clients.
    pub clients: Vec<Launch>,
    /// How far a run may go.
    pub limits: Limits,
    /// The world of each run.
    pub world: World,
    /// What getrandom and AT_RANDOM give is made from this.
    pub seed: u64,
    /// Send also where the signal is neither caught nor blocked.
    pub always: bool,
    /// Signals whose reception the run has to look up at every point (`Reached::receivable`).
    pub watch: Vec<Signal>,
    /// Set from outside to end the present run early, with `RunError::Interrupted`.
    pub cancel: Arc<AtomicBool>,
    /// Where a run stands still for somebody who looks at it, if it does.
    pub standstill: Option<Standstill>,
    /// Shared by all supervisors of the search.
    pub learnt: Arc<Learnt>,
    /// The same.
    pub cells: Arc<Cells>,
}

impl Settings {
    /// The signals that are watched, as a set.
    pub fn watched(&self) -> SignalSet {
        self.watch.iter().copied().collect()
    }

    /// Those of a search that looks for nothing yet and knows nothing yet of the program.
    pub fn of(launch: Launch) -> Settings {
        Settings {
            launch,
            clients: Vec::new(),
            limits: Limits::default(),
            world: World::default(),
            seed: 1,
            always: false,
            watch: Vec::new(),
            cancel: Arc::default(),
            standstill: None,
            learnt: Arc::default(),
            cells: Arc::default(),
        }
    }
}

/// What a run is looked at for, besides what every run reports. The program cannot notice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Observe {
    /// Nothing.
    #[default]
    Nothing,
    /// How often these threads execute the instructions at these places. The first visits of each are points, and are
    /// reported as such.
    Executions(Counted),
    /// Which handlers are installed, and what is so at some places of a thread's code.
    Handlers(Watch),
    /// Where in their code the threads are at the steps, at the first of the other events that have a place, and at the end
    /// of a run that does not end by itself; what calls return, and which handlers run. Costs time, and some memory. Where a thread
    /// that crashes does so is seen if the run is known to have `crashes`: watching for them takes tens of milliseconds.
    Where {
        /// It has.
        crashes: bool,
    },
    /// From where in their code these threads make these calls, and what the calls return. Costs time.
    Calls(Wanted),
    /// Which processes have something to do with which signals, which handlers are installed, and how the program starts: where the
    /// first process opens this file, an absolute path, if one is named.
    Signals(Option<PathBuf>),
}

impl Observe {
    /// True if it needs breakpoints.
    fn uses_code(&self) -> bool {
        matches!(self, Observe::Executions(_) | Observe::Handlers(_))
    }

    /// True if the threads are looked at where they are.
    fn is_where(&self) -> bool {
        matches!(self, Observe::Where { .. })
    }
}

/// Places whose executions are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// By which thread, and where: at most [`MOST_OBSERVED`] for one thread.
    pub places: Vec<(ThreadName, Label)>,
    /// How many visits of each are points, at least one.
    pub points: u32,
    /// Only visits at which a handler could be made to run are points: of a signal that is watched (`Settings::watch`), or,
    /// where none is, of a child's end or of a timer.
    pub open: bool,
}

/// What was seen of what a run was looked at for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// How often each place was executed, in the order in which they were asked for.
    pub executions: Vec<u64>,
    /// The handlers that were installed, in order, each once.
    pub installed: Vec<Installed>,
    /// The threads, but for the first one of each process, in which a handler of a signal that is sent to their process could run.
    pub takers: Vec<ThreadName>,
    /// The visits of places that were watched and of the code points of the schedule, in order.
    pub visits: Vec<Visit>,
    /// A place that was watched and at which its thread could not be stopped to the end, and why.
    pub not_held: Option<String>,
    /// Where the program spun, if it did: the address in its own code, as it was linked, and those to which calls return that lead there.
    pub spins: Vec<u64>,
    /// Where calls return to that were on a stack when a thread made a system call, as they were linked: the file of the program that
    /// it runs, and the address in it. Only if that was asked for (`Watch::stacks`).
    pub on_stack: Vec<(String, u64)>,
    /// The files that the process whose handlers were looked at had in its memory as code, the program first; of the first process, if
    /// none was named.
    pub modules: Vec<PathBuf>,
    /// Where the threads were, in the order of the events.
    pub places: Vec<Whereabouts>,
    /// What calls returned and which handlers ran, where the threads were looked at.
    pub seen: trace::Seen,
    /// The processes that have something to do with signals, by name.
    pub receivers: Vec<Receiver>,
    /// Where the program waits to be connected to when everything sleeps, as a client's script has it: `tcp:8080`, `unix:@name`.
    pub listens: Vec<String>,
    /// What the program wants of a terminal that it does not have.
    pub wants_terminal: WantsTerminal,
    /// What the first process does as it starts.
    pub start: Start,
    /// The calls that were asked for, in order; of one that was made again after a signal each time.
    pub calls: Vec<Called>,
}

/// Something that can run the program by a schedule: the supervisor, or a model of it in a test of exploration.
pub trait Supervise {
    /// Runs the program once, from its start until nothing of it can run any more; nothing of it is left afterwards.
    fn run(&mut self, schedule: &Schedule) -> Result<Run, RunError>;

    /// The same, with a closer look. What a run reports is the same with any look but for points that are looked at; and a thread
    /// that is looked at there goes on before its siblings do.
    fn observe(&mut self, schedule: &Schedule, observe: &Observe) -> Result<(Run, Observed), RunError> {
        let _ = (schedule, observe);
        Err(RunError::Unsupported("this is no program whose code can be looked at".to_owned()))
    }

    /// Waits until a run can begin at once, or until `still` is false; tells which. To be called by who does not want to wait
    /// later, with a schedule at hand that others could run meanwhile.
    fn ready(&mut self, still: &dyn Fn() -> bool) -> Result<bool, RunError> {
        Ok(still())
    }

    /// Told that nothing is to be run for now, so that others can have what is kept for the next run.
    fn rest(&mut self) {}
}

impl<S: Supervise + ?Sized> Supervise for &mut S {
    fn run(&mut self, schedule: &Schedule) -> Result<Run, RunError> {
        (**self).run(schedule)
    }

    fn observe(&mut self, schedule: &Schedule, observe: &Observe) -> Result<(Run, Observed), RunError> {
        (**self).observe(schedule, observe)
    }

    fn ready(&mut self, still: &dyn Fn() -> bool) -> Result<bool, RunError> {
        (**self).ready(still)
    }

    fn rest(&mut self) {
        (**self).rest();
    }
}

/// Why there is no run to report.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RunError {
    /// This host, or this program, does not allow what the run needs. Never the program's fault.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// The program could not be started: which step of starting it failed, on what, and why.
    #[error("cannot start {file}: {stage}: {reason}")]
    Start {
        /// The program's file.
        file: String,
        /// Which step.
        stage: String,
        /// The error number's text.
        reason: String,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// sigrace itself went wrong.
    #[error("harness fault: {0}")]
    Fault(String),
}

/// Runs one program again and again, on one CPU. It belongs to the thread that made it, which must outlive it.
#[derive(Debug)]
pub struct Supervisor {
    settings: Settings,
    cpu: usize,
    /// The CPUs as the program is to see them: what sched_getaffinity(2) said before pinning.
    affinity: Vec<u8>,
    /// None after a fault: what is left in a cell that went wrong is not trusted with another run.
    cell: Option<Furnished>,
    tick: Tick,
    /// What tells how files are dated, for all runs.
    date: Rc<OwnedFd>,
}

/// A cell, and what it was made for.
#[derive(Debug)]
struct Furnished {
    cell: Cell,
    purpose: Purpose,
}

impl Supervisor {
    /// Pins the calling thread to `cpu` and makes a cell there.
    pub fn new(settings: Settings, cpu: usize) -> Result<Supervisor, RunError> {
        let fault = |what: &str, errno| RunError::Fault(format!("{what} CPU {cpu}: {errno}"));
        let affinity =
            sched::raw_affinity().map_err(|errno| fault("reading the CPUs before pinning to", errno))?;
        sched::supervise_on(cpu).map_err(|errno| unpinned(cpu, errno))?;
        let settings = Settings { world: begun(settings.world.clone()), ..settings };
        settings.learnt.recall(&**memory(), &settings.launch.file);
        let tick = Tick::new(NEWS).map_err(|errno| RunError::failed("making a timer", errno))?;
        let date = Dates::file().map_err(|errno| RunError::failed("making a file in memory", errno))?;
        let mut supervisor = Supervisor { settings, cpu, affinity, cell: None, tick, date };
        supervisor.cell = Some(supervisor.furnish()?);
        Ok(supervisor)
    }

    /// What a cell is to serve, with what is known now.
    fn purpose(&self) -> Purpose {
        let Settings { launch, clients, world, limits, learnt, .. } = &self.settings;
        Purpose {
            launch: launch.clone(),
            clients: clients.clone(),
            world: world.clone(),
            room: limits.files,
            cpu: self.cpu,
            unnotified: learnt.loader(),
        }
    }

    /// Takes a cell that is idle, in which something of an earlier run may be left, or makes one.
    fn furnish(&self) -> Result<Furnished, RunError> {
        let purpose = self.purpose();
        match self.settings.cells.take(&purpose) {
            Some(cell) => Ok(Furnished { cell, purpose }),
            None => self.furnish_anew(purpose),
        }
    }

    fn furnish_anew(&self, purpose: Purpose) -> Result<Furnished, RunError> {
        let cell = self.settings.cells.make(&purpose)?;
        self.settings.learnt.shared(&cell.files().shared);
        Ok(Furnished { cell, purpose })
    }

    /// The cell that was kept, unless its filter does not have what is known now of the dynamic loader.
    fn take_kept(&mut self) -> Option<Furnished> {
        self.cell.take().filter(|kept| kept.purpose.unnotified == self.settings.learnt.loader())
    }
}

impl Drop for Supervisor {
    /// Its cell can serve another one.
    fn drop(&mut self) {
        if let Some(Furnished { cell, purpose }) = self.take_kept() {
            self.settings.cells.put(purpose, cell);
        }
    }
}

/// The thread could not be pinned.
fn unpinned(cpu: usize, errno: Errno) -> RunError {
    RunError::Unsupported(format!("this host does not allow pinning to CPU {cpu}: {}", errno.desc()))
}

/// Sorts the errors of making a cell, and of starting the program in it: the program's own, the host's, ours.
fn unmade(error: CellError, launch: &Launch) -> RunError {
    let CellError { stage, errno } = error;
    let reason = errno.desc().to_owned();
    match error.blame() {
        Blame::Host(remedy) => {
            let remedy = remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
            RunError::Unsupported(format!("this host does not allow {stage}: {reason}{remedy}"))
        }
        Blame::Launch => {
            let stage = match stage {
                Stage::WorkingDirectory => format!("{stage} {}", launch.cwd.display()),
                _ => stage.to_string(),
            };
            RunError::Start { file: launch.file.display().to_string(), stage, reason }
        }
        Blame::Harness => RunError::Fault(error.to_string()),
    }
}

impl RunError {
    /// What was being done did not work. That is the host's fault where it has too little of something, and else ours.
    fn failed(doing: impl fmt::Display, error: impl Into<io::Error>) -> RunError {
        let error = error.into();
        let remedy = error.raw_os_error().map(Errno::from_raw).and_then(remedy_of_lack);
        match remedy {
            Some(remedy) => RunError::Unsupported(format!("{doing}: {error}; {remedy}")),
            None => RunError::Fault(format!("{doing}: {error}")),
        }
    }
}

impl Supervise for Supervisor {
    fn run(&mut self, schedule: &Schedule) -> Result<Run, RunError> {
        self.observe(schedule, &Observe::Nothing).map(|(run, _)| run)
    }

    fn observe(&mut self, schedule: &Schedule, observe: &Observe) -> Result<(Run, Observed), RunError> {
        let told = self.once(schedule, observe)?;
        // An init is ended from outside, by a person or for want of memory. That says nothing about the program.
        let told = if told.is_none() { self.once(schedule, observe)? } else { told };
        told.ok_or_else(|| {
            let program =
                if nix::unistd::geteuid().is_root() { ", or by the program, which is root's" } else { "" };
            RunError::Fault(format!(
                "the run's init was ended from outside{program}, in the repeated run too (too little memory?)"
            ))
        })
    }
}

impl Supervisor {
    /// One run; none if its init ended in the middle of it.
    fn once(&mut self, schedule: &Schedule, observe: &Observe) -> Result<Option<(Run, Observed)>, RunError> {
        // Taken out for the run: after an error it is dropped, which ends everything in it. So is one whose filter does not
        // have what is known now, before another takes its place.
        let mut furnished = self.take_kept().map_or_else(|| self.furnish(), Ok)?;
        // What the run before has written is thrown away, as late as possible: there may be no next.
        if !matches!(furnished.cell.refresh(!self.settings.learnt.numbers_matter()), Ok(true)) {
            drop(furnished);
            furnished = self.furnish_anew(self.purpose())?;
        }
        let Furnished { cell, purpose: Purpose { unnotified, .. } } = &furnished;
        let (on, asked) = ((cell, &self.tick, Rc::clone(&self.date)), (schedule, observe));
        let turns = state::Turns::new(on, &self.settings, &self.affinity, asked, unnotified.clone());
        let (run, loaders) = turns.run();
        // It would interrupt whatever this thread does next.
        self.tick.stop(cell.control()).map_err(|errno| RunError::failed("stopping a timer", errno))?;
        // One program whose loader is not where the filter has it makes the run worth nothing: once more, all notified.
        if unnotified.as_ref().is_some_and(|range| loaders.iter().any(|other| other != range)) {
            self.settings.learnt.loader_is_elsewhere();
            drop(furnished);
            return self.once(schedule, observe);
        }
        // So does one that may have looked at numbers of files which are others than in a fresh cell.
        if cell.files().are_worn() && self.settings.learnt.numbers_matter() {
            drop(furnished);
            return self.once(schedule, observe);
        }
        let run = match run {
            Err(RunError::Fault(_) | RunError::Unsupported(_) | RunError::Start { .. }) if cell.is_gone() => {
                return Ok(None);
            }
            other => other?,
        };
        self.settings.learnt.loaders(&**memory(), &self.settings.launch.file, &loaders);
        images().remember();
        self.cell = Some(furnished);
        Ok(Some(run))
    }
}
