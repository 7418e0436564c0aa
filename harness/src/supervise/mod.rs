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
mod breakpoint;
mod calls;
mod clock;
mod cpu_time;
mod deliver;
mod door;
mod emulate;
mod execute;
mod handlers;
mod held;
mod killing;
mod learnt;
mod listen;
mod loader;
mod obstacle;
mod outcome;
mod places;
mod plant;
mod probe;
mod proof;
mod quiet;
mod release;
mod scheduled;
mod scheduling;
mod settle;
mod snapshot;
mod stretch;
mod timeout;
mod timers;
mod tree;
mod turn;
mod wait;
mod whereabouts;

use crate::program::{Launch, Limits};
use crate::schedule::{Label, Schedule, ThreadName};
use crate::signal::Signal;
use crate::sys::cell::{Cell, CellError};
use crate::sys::sched;
use crate::trace::{Run, Whereabouts};
pub use breakpoint::MOST as MOST_OBSERVED;
pub use handlers::{Installed, RETURN, Visit, Watch, Word};
pub use learnt::Learnt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What all runs of one search have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How the program starts.
    pub launch: Launch,
    /// How far a run may go.
    pub limits: Limits,
    /// What getrandom and AT_RANDOM give is made from this.
    pub seed: u64,
    /// Send also where the signal is neither caught nor blocked.
    pub always: bool,
    /// Signals whose reception the run has to look up at every point (`Reached::receivable`).
    pub watch: Vec<Signal>,
    /// Set from outside to end the present run early, with `RunError::Interrupted`.
    pub cancel: Arc<AtomicBool>,
    /// Shared by all supervisors of the search.
    pub learnt: Arc<Learnt>,
}

impl Settings {
    /// Those of a search that looks for nothing yet and knows nothing yet of the program.
    pub fn of(launch: Launch) -> Settings {
        Settings {
            launch,
            limits: Limits::default(),
            seed: 1,
            always: false,
            watch: Vec::new(),
            cancel: Arc::default(),
            learnt: Arc::default(),
        }
    }
}

/// What a run is looked at for, besides what every run reports. The program cannot notice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Observe {
    /// Nothing.
    #[default]
    Nothing,
    /// How often these threads execute the instructions at these places: at most [`MOST_OBSERVED`] for one thread. The
    /// first visit of each is a point, and is reported as such.
    Executions(Vec<(ThreadName, Label)>),
    /// Which handlers are installed, and what is so at some places of a thread's code.
    Handlers(Watch),
    /// Where in their code the threads are at the steps, at the first of the other events that have a place, and at the end
    /// of a run that does not end by itself. Costs time, and some memory.
    Where,
}

impl Observe {
    /// True if it needs breakpoints.
    fn uses_code(&self) -> bool {
        matches!(self, Observe::Executions(_) | Observe::Handlers(_))
    }
}

/// What was seen of what a run was looked at for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// How often each place was executed, in the order in which they were asked for.
    pub executions: Vec<u64>,
    /// The handlers that were installed, in order, each once.
    pub installed: Vec<Installed>,
    /// The visits of places that were watched and of the code points of the schedule, in order.
    pub visits: Vec<Visit>,
    /// A place that was watched and at which its thread could not be stopped to the end, and why.
    pub not_held: Option<String>,
    /// Where the program spun, if it did: the address in its own code, as it was linked, and those to which calls return that lead there.
    pub spins: Vec<u64>,
    /// Where the threads were, in the order of the events.
    pub places: Vec<Whereabouts>,
}

/// Something that can run the program by a schedule: the supervisor, or a model of it in a test of exploration.
pub trait Supervise {
    /// Runs the program once, from its start until nothing of it can run any more; nothing of it is left afterwards.
    fn run(&mut self, schedule: &Schedule) -> Result<Run, RunError>;

    /// The same, with a closer look. What a run reports is the same with any look but for points that are looked at.
    fn observe(&mut self, schedule: &Schedule, observe: &Observe) -> Result<(Run, Observed), RunError> {
        let _ = (schedule, observe);
        Err(RunError::Unsupported("this is no program whose code can be looked at".to_owned()))
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
}

/// A cell, and where its filter lets the dynamic loader's calls on files pass.
#[derive(Debug)]
struct Furnished {
    cell: Cell,
    unnotified: Option<Range<u64>>,
}

impl Supervisor {
    /// Pins the calling thread to `cpu` and makes a cell there.
    pub fn new(settings: Settings, cpu: usize) -> Result<Supervisor, RunError> {
        let fault = |what: &str, errno| RunError::Fault(format!("{what} CPU {cpu}: {errno}"));
        let affinity =
            sched::raw_affinity().map_err(|errno| fault("reading the CPUs before pinning to", errno))?;
        sched::supervise_on(cpu).map_err(|errno| {
            RunError::Unsupported(format!("this host does not allow pinning to CPU {cpu}: {}", errno.desc()))
        })?;
        let mut supervisor = Supervisor { settings, cpu, affinity, cell: None };
        supervisor.cell = Some(supervisor.furnish()?);
        Ok(supervisor)
    }

    /// Makes a cell with what is known now.
    fn furnish(&self) -> Result<Furnished, RunError> {
        let unnotified = self.settings.learnt.loader();
        let launch = &self.settings.launch;
        let cell = Cell::new(launch, self.cpu, unnotified.clone()).map_err(|error| unmade(error, launch))?;
        Ok(Furnished { cell, unnotified })
    }
}

/// Sorts a cell's errors: the program's own, the host's, ours.
fn unmade(error: CellError, launch: &Launch) -> RunError {
    if error.stage.contains("working directory") {
        RunError::Start {
            file: launch.file.display().to_string(),
            stage: format!("{} {}", error.stage, launch.cwd.display()),
            reason: error.errno.desc().to_owned(),
        }
    } else if error.forbidden() {
        RunError::Unsupported(format!("this host does not allow {}: {}", error.stage, error.errno.desc()))
    } else {
        RunError::Fault(error.to_string())
    }
}

impl Supervise for Supervisor {
    fn run(&mut self, schedule: &Schedule) -> Result<Run, RunError> {
        self.observe(schedule, &Observe::Nothing).map(|(run, _)| run)
    }

    fn observe(&mut self, schedule: &Schedule, observe: &Observe) -> Result<(Run, Observed), RunError> {
        // Taken out for the run: after an error it is dropped, which ends everything in it. So is one whose filter does not
        // have what is known now, before another takes its place.
        let kept = self.cell.take().filter(|kept| kept.unnotified == self.settings.learnt.loader());
        let furnished = kept.map_or_else(|| self.furnish(), Ok)?;
        let Furnished { cell, unnotified } = &furnished;
        let turns =
            turn::Turns::new(cell, &self.settings, &self.affinity, (schedule, observe), unnotified.clone());
        let (run, loaders) = turns.run();
        // One program whose loader is not where the filter has it makes the run worth nothing: once more, all notified.
        if unnotified.as_ref().is_some_and(|range| loaders.iter().any(|other| other != range)) {
            self.settings.learnt.loader_varies();
            drop(furnished);
            return self.observe(schedule, observe);
        }
        let run = run?;
        self.settings.learnt.loaders(&loaders);
        self.cell = Some(furnished);
        Ok(run)
    }
}
