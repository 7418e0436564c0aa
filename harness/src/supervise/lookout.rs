//! What has been seen of where threads are in their code, as a value: see `whereabouts`.

use super::ids::{ProcessId, ThreadId};
use crate::code::{Modules, Registers};
use crate::sys::perf;
use crate::trace::{Frame, Whereabouts};
use std::collections::HashMap;
use std::path::PathBuf;

/// A stack for people, and whether it is complete.
pub(super) type Seen = (Vec<Frame>, bool);

/// What has been seen of where threads are.
#[derive(Debug, Default)]
pub(super) struct Lookout {
    pub(super) places: Vec<Whereabouts>,
    /// What each process has in its memory.
    pub(super) modules: HashMap<ProcessId, Modules>,
    /// Where each thread is that has been looked at since it settled.
    pub(super) seen: HashMap<ThreadId, Seen>,
    /// Instructions by file and address.
    pub(super) instructions: HashMap<(PathBuf, u64), Option<String>>,
}

impl Lookout {
    /// Takes all that was noted.
    pub(super) fn places(&mut self) -> Vec<Whereabouts> {
        std::mem::take(&mut self.places)
    }

    /// This thread does not stay where it was.
    pub(super) fn goes_on(&mut self, id: ThreadId) {
        self.seen.remove(&id);
    }

    /// This process has other code in its memory now.
    pub(super) fn new_program(&mut self, id: ProcessId) {
        self.modules.remove(&id);
    }
}

/// All registers, as a breakpoint tells them.
pub(super) fn known(registers: &perf::Registers) -> Registers {
    let mut all = Registers::default();
    for (number, value) in (0..).zip(registers.general) {
        all.set(number, Some(value));
    }
    all.set(Registers::RIP, Some(registers.ip));
    all
}
