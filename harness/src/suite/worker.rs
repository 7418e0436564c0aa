//! Who runs the program: a supervisor with its own CPU.

use crate::schedule::Schedule;
use crate::slots::{Seats, SlotError, Turnstile};
use crate::supervise::{Observe, Observed, RunError, Settings, Supervise, Supervisor};
use crate::trace::Run;
use std::thread;
use std::time::Duration;

/// How long to wait for a CPU that other runs of sigrace use: longer than a suite's single scenario takes.
pub const WAIT_FOR_CPU: Duration = Duration::from_secs(600);

/// A supervisor that has its CPU when it runs the program, and lets others have it in between (`slots`).
#[derive(Debug)]
struct Worker<'a> {
    settings: Settings,
    turnstile: Turnstile<'a>,
    /// Made with the first run, on the CPU that it then has.
    supervisor: Option<Supervisor>,
}

/// Does it in a thread of its own: a supervisor pins the thread that makes it, and what that starts later would inherit it. If the
/// thread panics, that is a fault: `who` says which one it was.
pub fn apart<T: Send>(who: &str, work: impl FnOnce() -> T + Send) -> Result<T, RunError> {
    let done = thread::scope(|scope| scope.spawn(work).join());
    done.map_err(|_| RunError::Fault(format!("the thread {who} panicked")))
}

/// The supervisor of a program, pinned with it to a CPU of its own from its first run on. It belongs to the thread that makes it.
pub fn supervisor<'a>(settings: Settings, seats: &Seats<'a>) -> impl Supervise + use<'a> {
    let turnstile = seats.turnstile(WAIT_FOR_CPU, &settings.cancel);
    Worker { settings, turnstile, supervisor: None }
}

impl Worker<'_> {
    /// The supervisor, on its CPU; none if `still` has become false while that was waited for.
    fn on_its_cpu(&mut self, still: &dyn Fn() -> bool) -> Result<Option<&mut Supervisor>, RunError> {
        let cpu = match self.turnstile.pass(still) {
            Ok(Some(cpu)) => cpu,
            Ok(None) => return Ok(None),
            Err(SlotError::Interrupted) => return Err(RunError::Interrupted),
            Err(error) => return Err(RunError::Unsupported(error.to_string())),
        };
        if self.supervisor.is_none() {
            self.supervisor = Some(Supervisor::new(self.settings.clone(), cpu)?);
        }
        Ok(self.supervisor.as_mut())
    }

    fn now(&mut self) -> Result<&mut Supervisor, RunError> {
        let none = || RunError::Fault("there is no CPU although it was waited for".to_owned());
        self.on_its_cpu(&|| true)?.ok_or_else(none)
    }
}

impl Supervise for Worker<'_> {
    fn run(&mut self, schedule: &Schedule) -> Result<Run, RunError> {
        self.now()?.run(schedule)
    }

    fn observe(&mut self, schedule: &Schedule, observe: &Observe) -> Result<(Run, Observed), RunError> {
        self.now()?.observe(schedule, observe)
    }

    fn ready(&mut self, still: &dyn Fn() -> bool) -> Result<bool, RunError> {
        self.on_its_cpu(still).map(|supervisor| supervisor.is_some())
    }

    fn rest(&mut self) {
        self.turnstile.leave();
    }
}
