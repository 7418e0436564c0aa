//! Timers of CPU time, which only the kernel can keep: it alone knows when they go off.
//!
//! Where one goes off differs from run to run, so a run in which one did is tainted; a watchdog that never went off changes
//! nothing. Whether it can have gone off is told by what its process has used: no timer of a process, and none of its
//! threads, goes off before the process has used that much.

use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::state::Turns;
use crate::supervise::time::armed::{Armed, CpuTimer};
use crate::sys::timer;
use crate::trace::Status;
use std::time::Duration;

impl Turns<'_> {
    /// A thread arms a timer of CPU time, or disarms it with zero.
    pub(in crate::supervise) fn note_timer_of_cpu(
        &mut self,
        id: ThreadId,
        armed: Armed,
        value: Duration,
        absolute: bool,
    ) {
        let process = self.tree.thread(id).process;
        self.check_cpu_timers(process, None);
        self.kernel.cpu_timers.retain(|timer| (timer.process, timer.armed) != (process, armed));
        if value.is_zero() {
            return;
        }
        let now = || timer::cpu_time(self.tree.process(process).pid, armed.clock()).ok();
        let at = if absolute { Some(value) } else { now().map(|now| now + value) };
        self.kernel.cpu_timers.push(CpuTimer { process, armed, at });
    }

    /// The same for setitimer(2), whose new value is at this address.
    pub(in crate::supervise) fn note_interval_of_cpu(&mut self, id: ThreadId, which: u64, address: u64) {
        let door = &self.tree.thread(id).door;
        let word = |offset: u64| door.read_word(address.wrapping_add(offset)).ok();
        // The value comes after the interval. A bad address is the kernel's to report.
        let Some((seconds, micros)) = word(16).zip(word(24)) else { return };
        let value = Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros));
        self.note_timer_of_cpu(id, Armed::Interval(which), value, false);
    }

    /// Taints the run if a timer of CPU time of this process may have gone off; `status` if it has just ended.
    pub(in crate::supervise) fn check_cpu_timers(&mut self, process: ProcessId, status: Option<Status>) {
        if !self.kernel.cpu_timers.iter().any(|timer| timer.process == process) {
            return;
        }
        let pid = self.tree.process(process).pid;
        let killed = matches!(status, Some(Status::Killed(_)));
        let may_have = |timer: &CpuTimer| match (timer.at, timer::cpu_time(pid, timer.armed.clock())) {
            (Some(at), Ok(used)) => used >= at,
            (None, _) => true,
            // Nobody knows what it has used: it is gone.
            (Some(_), Err(_)) => killed,
        };
        let mut own = self.kernel.cpu_timers.iter().filter(|timer| timer.process == process);
        if own.any(may_have) {
            let name = &self.tree.process(process).name;
            self.doubts
                .taint(format!("{name} has a timer of CPU time, which may have gone off at any place"));
        }
        if status.is_some() {
            self.kernel.cpu_timers.retain(|timer| timer.process != process);
        }
    }
}
