//! Who runs the program: a supervisor with its own CPU.

use crate::supervise::{RunError, Settings, Supervise, Supervisor};
use std::time::Duration;

/// How long to wait for a CPU that other runs of sigrace use: longer than a suite's single scenario takes.
pub const WAIT_FOR_CPU: Duration = Duration::from_secs(600);

/// The supervisor of a program, pinned with it to this CPU. It belongs to the thread that makes it.
pub fn supervisor(settings: Settings, cpu: usize) -> Result<impl Supervise + use<>, RunError> {
    Supervisor::new(settings, cpu)
}
