//! What is known of a thread of a run, and what it is doing as far as the supervisor knows.

use crate::schedule::{Label, Point, Site, Syscall, ThreadName};
use crate::supervise::books::door::Door;
use crate::supervise::books::held::Held;
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::code::ambush::Ambush;
use crate::supervise::scheduling::believed::Scheduling;
use crate::supervise::time::slept::{KernelTimer, Stretch};
use crate::supervise::time::wait::{Resume, Wait};
use crate::sys::perf::Registers;
use crate::sys::procfs::Inside;
use std::collections::HashMap;
use std::time::Instant;

/// What a thread is doing. All but `Running` are settled.
#[derive(Debug)]
pub(in crate::supervise) enum State {
    /// Let go, woken, or being ended: it will settle by itself.
    Running,
    /// Held at a point, until it is let go.
    Held(Held),
    /// Asleep in a call that has not been let happen yet, because it is to end after a time: see `clock`.
    Waiting(Held, Wait),
    /// Asleep in the kernel.
    Asleep(Inside),
    /// Stopped by job control.
    Stopped,
    /// No more.
    Ended,
}

#[derive(Debug)]
pub(in crate::supervise) struct Thread {
    pub(in crate::supervise) name: ThreadName,
    pub(in crate::supervise) process: ProcessId,
    pub(in crate::supervise) state: State,
    /// Its number in its own namespace, as its maker knows it.
    pub(in crate::supervise) own_tid: i32,
    /// A thread that it has made, which has come to a point before the call had returned that one's number.
    pub(super) made: Option<ThreadId>,
    /// How often it has been at each kind of place.
    pub(in crate::supervise) visits: HashMap<Site, u32>,
    /// When it was last found settled: smaller is longer ago.
    pub(in crate::supervise) since: u64,
    /// A `Switch` put it behind all others.
    pub(in crate::supervise) demoted: bool,
    pub(in crate::supervise) door: Door,
    /// Something has happened since it was last looked at that could have ended its sleep, or have it run for a moment.
    pub(in crate::supervise) stale: bool,
    /// A signal may have come for it, or for its process, since its signals were last looked at.
    pub(in crate::supervise) dirty: bool,
    /// It is known to be asleep at this point, and its steps there have been looked at.
    pub(in crate::supervise) told_asleep: bool,
    /// Woken, and not yet come to a point: the call that it slept in, and whether it was known to be asleep there.
    pub(in crate::supervise) woken_in: Option<(Inside, bool)>,
    /// The call that it was let into last, by number.
    pub(in crate::supervise) released: Option<i32>,
    /// Nothing tells when it has settled: it was let into a call in which it mostly sleeps, or which ends it alone.
    pub(in crate::supervise) untold: bool,
    /// It was let into a call that waits for its vfork child: the one sleep that is uninterruptible and may last.
    pub(in crate::supervise) vforks: bool,
    /// A sleep that a stop interrupted, to be taken up where it was: the call's address and arguments, and its end.
    pub(in crate::supervise) resume: Option<Resume>,
    /// A sleep in the kernel whose end was put off.
    pub(in crate::supervise) stretch: Option<Stretch>,
    /// A sleep that the kernel would end.
    pub(in crate::supervise) kernel_timer: Option<KernelTimer>,
    /// It has come to the end of a time that it slept for since the first process ended.
    pub(in crate::supervise) napped: bool,
    /// CPU time it had used when it was first seen running after its release, in nanoseconds, and when that was.
    pub(in crate::supervise) cpu_at_release: Option<(u64, Instant)>,
    /// Breakpoints that wait for it.
    pub(in crate::supervise) ambushes: Vec<Ambush>,
    /// Places in libraries that are not in memory yet, and which visit is waited for.
    pub(in crate::supervise) unmapped: Vec<(Label, u32)>,
    /// What it believes of its scheduling.
    pub(in crate::supervise) scheduling: Scheduling,
    /// Its registers at the code point where it is held, or was held last.
    pub(in crate::supervise) registers: Option<Registers>,
}

impl Thread {
    /// One that has just been made, by a door and its own number.
    pub(super) fn new(
        name: ThreadName,
        process: ProcessId,
        (door, own_tid): (Door, i32),
        scheduling: Scheduling,
    ) -> Thread {
        Thread {
            name,
            process,
            state: State::Running,
            own_tid,
            made: None,
            visits: HashMap::new(),
            since: 0,
            demoted: false,
            door,
            stale: true,
            dirty: false,
            told_asleep: false,
            woken_in: None,
            released: None,
            untold: false,
            vforks: false,
            resume: None,
            stretch: None,
            kernel_timer: None,
            napped: false,
            cpu_at_release: None,
            ambushes: Vec::new(),
            unmapped: Vec::new(),
            scheduling,
            registers: None,
        }
    }

    /// How often it has been at this kind of place.
    pub(in crate::supervise) fn times_at(&self, site: &Site) -> u32 {
        self.visits.get(site).copied().unwrap_or_default()
    }

    /// The point before this call, as often as the thread has come there.
    pub(in crate::supervise) fn before(&self, call: Syscall) -> Point {
        let site = Site::Before(call);
        Point { thread: self.name.clone(), site, nth: self.times_at(&site) }
    }

    /// It was let go, and is in none of the other states again.
    pub(in crate::supervise) fn runs(&self) -> bool {
        matches!(self.state, State::Running)
    }

    /// It was let end alone, and its end will be told.
    pub(in crate::supervise) fn tells_its_end(&self) -> bool {
        self.released.map(i64::from) == Some(libc::SYS_exit) && !self.untold
    }

    /// A signal may have come for it, or is about to.
    pub(in crate::supervise) fn may_be_signalled(&mut self) {
        (self.dirty, self.stale) = (true, true);
    }
}
