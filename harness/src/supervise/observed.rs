//! A program that reads how another thread of the run is doing (proc_pid_stat(5), proc_pid_status(5)) must not see how it is
//! held: a thread that waits for its turn would say S there, as one that sleeps does. So who is observed goes first, until
//! it really sleeps, stops or ends, or has had its turn.

use super::{RunError, WantsTerminal};
use crate::schedule::Syscall;
use crate::supervise::books::held::Place;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::thread::State;
use crate::supervise::calls::{self, Changes, Sleep};
use crate::supervise::state::Turns;

/// How often who is observed has a turn before one call: it may be held back by the schedule, or make calls without end.
const DEFERRED: u8 = 3;

/// How the paths begin that lead there.
const PROC: [u8; 5] = *b"/proc";
/// And those of devices.
const DEV: [u8; 5] = *b"/dev/";
/// The one that is a clock, the terminal that a process has, and those of the devices that give other bytes in every run.
const UPTIME: [u8; 13] = *b"/proc/uptime\0";
const TERMINAL: [u8; 9] = *b"/dev/tty\0";
const RANDOM: [[u8; 12]; 2] = [*b"/dev/urandom", *b"/dev/random\0"];

impl Turns<'_> {
    /// The held thread of the run whose state this thread is about to read, if it is to go first.
    pub(super) fn observed_by(&mut self, id: ThreadId) -> Result<Option<ThreadId>, RunError> {
        let process = self.tree.thread(id).process;
        if !self.tree.process(process).reads_proc {
            return Ok(None);
        }
        let State::Held(held) = &mut self.tree.thread_mut(id).state else { return Ok(None) };
        let Place::Before(call, _) = held.place() else { return Ok(None) };
        let Sleep::Read(fd) = calls::of(call).sleep else { return Ok(None) };
        if held.deferred == DEFERRED {
            return Ok(None);
        }
        held.deferred += 1;
        let fd = held.args()[fd] as i32;
        // What cannot be found out will not be read either.
        let Ok(path) = self.tree.thread(id).door.descriptor(fd) else { return Ok(None) };
        let Some(number) = observed(&path) else { return Ok(None) };
        let target = self.numbered(number)?.map(|thread| self.tree.thread(thread).process);
        let held = target.into_iter().flat_map(|target| self.tree.threads_of(target));
        Ok(held.into_iter().find(|other| *other != id && self.tree.is_held(*other)))
    }

    /// Takes note of a call that opens something under `/proc`, or random(4).
    pub(super) fn note_opening(&mut self, id: ThreadId, call: Syscall, args: &[u64; 6]) {
        let row = calls::of(call);
        if row.sleep != Sleep::Opening || !row.changes.contains(Changes::DESCRIPTORS) {
            return;
        }
        // After the directory, where there is one.
        let path = if call == syscalls::Sysno::open.into() { args[0] } else { args[1] };
        let door = &self.tree.thread(id).door;
        let first = door.read_array(path);
        let begins = first == Ok(PROC);
        self.kernel.random_opened |=
            first == Ok(DEV) && door.read_array(path).is_ok_and(|path| RANDOM.contains(&path));
        if first == Ok(DEV) && self.seat.is_none() && door.read_array(path) == Ok(TERMINAL) {
            self.journal.wants_terminal = self.journal.wants_terminal.max(WantsTerminal::Asks);
        }
        self.kernel.uptime_opened |= begins && door.read_array(path) == Ok(UPTIME);
        let process = self.tree.thread(id).process;
        self.tree.process_mut(process).reads_proc |= begins;
    }
}

/// The number of the thread or process whose state this file tells. Seen from outside the run its `/proc` has no name.
fn observed(path: &str) -> Option<i32> {
    let mut parts = path.strip_prefix("/proc").unwrap_or(path).strip_prefix('/')?.split('/');
    let process = parts.next()?.parse().ok()?;
    let rest: Vec<&str> = parts.collect();
    let (number, file) = match rest.as_slice() {
        [file] => (process, file),
        ["task", thread, file] => (thread.parse().ok()?, file),
        _ => return None,
    };
    ["stat", "status", "wchan", "syscall", "stack", "sched"].contains(file).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_tell_a_state() {
        assert_eq!(observed("/proc/1001/stat"), Some(1001));
        assert_eq!(observed("/1001/stat"), Some(1001));
        assert_eq!(observed("/proc/1001/task/1003/status"), Some(1003));
        assert_eq!(observed("/proc/1001/maps"), None);
        assert_eq!(observed("/proc/self/stat"), None);
        assert_eq!(observed("/proc/stat"), None);
        assert_eq!(observed("/files/1001/stat"), None);
    }
}
