//! What has been seen of where threads are in their code, as a value: see `whereabouts`.

use crate::code::{Images, Memory, Modules, Registers};
use crate::kept::{self, Kept};
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::code::watched::Watch;
use crate::sys::{perf, procfs};
use crate::trace::{Frame, Whereabouts};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// A stack for people, and whether it is complete.
pub(in crate::supervise) type Seen = (Vec<Frame>, bool);

/// What has been seen of where threads are.
#[derive(Debug, Default)]
pub(in crate::supervise) struct Lookout {
    pub(in crate::supervise) places: Vec<Whereabouts>,
    /// What each process has in its memory.
    pub(in crate::supervise) modules: HashMap<ProcessId, Modules>,
    /// How much that was when its files were last listed for a crash.
    sizes: HashMap<ProcessId, u64>,
    /// Who may crash.
    pub(in crate::supervise) watched: HashMap<ThreadId, Watch>,
    /// Where each thread is that has been looked at since it settled.
    pub(in crate::supervise) seen: HashMap<ThreadId, Seen>,
    /// Instructions by file and address.
    pub(in crate::supervise) instructions: HashMap<(PathBuf, u64), Option<String>>,
}

impl Lookout {
    /// Takes all that was noted, by moment.
    pub(in crate::supervise) fn places(&mut self) -> Vec<Whereabouts> {
        let mut places = std::mem::take(&mut self.places);
        places.sort_by_key(|place| place.at);
        places
    }

    /// Lists what this process has in its memory, unless it has as much as when that was last done: after its end nobody
    /// could be asked.
    pub(in crate::supervise) fn refresh_modules(&mut self, process: ProcessId, tid: i32) {
        let size = procfs::memory_size(tid).ok();
        if size.is_some() && self.sizes.get(&process).copied() == size && self.modules.contains_key(&process)
        {
            return;
        }
        let Ok(maps) = procfs::maps(tid) else { return };
        self.modules.insert(process, Modules::parse(&maps, images()));
        match size {
            Some(size) => self.sizes.insert(process, size),
            None => self.sizes.remove(&process),
        };
    }

    /// This thread does not stay where it was.
    pub(in crate::supervise) fn goes_on(&mut self, id: ThreadId) {
        self.seen.remove(&id);
    }

    /// This process has other code in its memory now.
    pub(in crate::supervise) fn new_program(&mut self, id: ProcessId) {
        self.modules.remove(&id);
    }
}

/// The files in the memory of all programs of all supervisors: libraries are read once.
pub fn images() -> &'static Arc<Images> {
    static IMAGES: OnceLock<Arc<Images>> = OnceLock::new();
    IMAGES.get_or_init(|| Arc::new(Images::remembered_by(Arc::clone(memory()))))
}

/// Where what is known of the machine's files is kept from one command to the next.
pub(in crate::supervise) fn memory() -> &'static Arc<dyn Memory> {
    static MEMORY: OnceLock<Arc<dyn Memory>> = OnceLock::new();
    MEMORY.get_or_init(|| Arc::new(Kept::new(kept::directories("code"))))
}

/// All registers, as perf events tell them.
pub(in crate::supervise) fn known(registers: &perf::Registers) -> Registers {
    let mut all = Registers::default();
    for (number, value) in (0..).zip(registers.general) {
        all.set(number, Some(value));
    }
    all.set(Registers::RIP, Some(registers.ip));
    all
}
