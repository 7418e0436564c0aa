//! What calls return, and which handlers run, as values: see `returning`.

use crate::schedule::{Syscall, ThreadName};
use crate::signal::{Signal, SignalSet};
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::code::sampled::Sampled;
use crate::sys::perf::Registers;
use crate::trace::{CallResult, Handled, Returned, Seen, SeenCall};
use nix::errno::Errno;
use std::collections::{BTreeMap, HashMap};
use syscalls::Sysno;

/// A run that makes more calls is not told of whole: nobody could read it.
const MOST: usize = 20_000;
/// Calls that a thread is in at once: one, and those that handlers have interrupted.
const DEEPEST: usize = 8;
/// The highest error number that a call can return (linux/err.h).
const MAX_ERRNO: i64 = 4095;

/// A call that has not returned.
#[derive(Debug)]
pub(in crate::supervise) struct Open {
    /// The event with which its thread was let make it.
    pub(in crate::supervise) event: usize,
    pub(in crate::supervise) call: Syscall,
    pub(in crate::supervise) args: [u64; 6],
    /// Where it returns to, and the stack pointer there: a call leaves it as it was.
    pub(in crate::supervise) address: u64,
    pub(in crate::supervise) sp: u64,
}

/// What is known of the calls and handlers of a run.
#[derive(Debug, Default)]
pub(in crate::supervise) struct Results {
    /// Where calls return to.
    pub(in crate::supervise) returns: Sampled,
    /// Where handlers begin.
    pub(in crate::supervise) begins: Sampled,
    /// Threads that have come to a point since the threads were last settled.
    pub(in crate::supervise) held: Vec<ThreadId>,
    calls: BTreeMap<usize, SeenCall>,
    handled: Vec<Handled>,
    /// The calls that each thread is in, the innermost last.
    open: HashMap<ThreadId, Vec<Open>>,
    /// Where the handlers of each process are.
    handlers: HashMap<ProcessId, BTreeMap<Signal, u64>>,
    /// The signals that are pending for each process and blocked, and the event at which that was first seen. A process is not in it
    /// for which none is pending.
    pending: HashMap<ProcessId, BTreeMap<Signal, usize>>,
}

impl Results {
    /// The thread is about to make this call.
    pub(in crate::supervise) fn make(
        &mut self,
        thread: ThreadId,
        open: Open,
        sends: Option<(Signal, Vec<ThreadName>)>,
    ) {
        if sends.is_some() {
            self.called(open.event).sends = sends;
        }
        let calls = self.open.entry(thread).or_default();
        // What is made again, after a signal or a jump, comes in the place of what was made before.
        calls.retain(|other| (other.address, other.sp) != (open.address, open.sp));
        if calls.len() >= DEEPEST {
            calls.remove(0);
        }
        calls.push(open);
    }

    /// Watches this address, to which a call of this thread returns, and those of the calls that it interrupts rather than others.
    pub(in crate::supervise) fn watch_return(
        &mut self,
        (thread, tid): (ThreadId, i32),
        address: u64,
        most: usize,
    ) {
        let open = self.open.get(&thread);
        let keep = |other: u64| open.is_some_and(|calls| calls.iter().any(|open| open.address == other));
        self.returns.watch((thread, tid), address, most, keep);
    }

    /// True while there is room for more.
    pub(in crate::supervise) fn has_room(&self) -> bool {
        self.calls.len() < MOST && self.handled.len() < MOST
    }

    fn called(&mut self, event: usize) -> &mut SeenCall {
        self.calls.entry(event).or_insert(SeenCall { event, sends: None, returned: None })
    }

    /// The process has this handler from now on, or none where the address is none of a function (SIG_DFL, SIG_IGN).
    pub(in crate::supervise) fn install(&mut self, process: ProcessId, signal: Signal, address: u64) {
        let handlers = self.handlers.entry(process).or_default();
        if address > 1 {
            handlers.insert(signal, address);
        } else {
            handlers.remove(&signal);
        }
    }

    /// The process has its parent's handlers, unless it is known to have others.
    pub(in crate::supervise) fn inherit(&mut self, process: ProcessId, parent: Option<ProcessId>) {
        if !self.handlers.contains_key(&process) {
            let inherited = parent.and_then(|parent| self.handlers.get(&parent).cloned());
            self.handlers.insert(process, inherited.unwrap_or_default());
        }
    }

    /// The process runs another program, by this thread.
    pub(in crate::supervise) fn new_program(&mut self, process: ProcessId, thread: ThreadId) {
        self.handlers.insert(process, BTreeMap::new());
        self.open.remove(&thread);
        self.returns.forget(thread);
        self.begins.forget(thread);
    }

    /// The addresses of the process's handlers, each once, those of these signals first.
    pub(in crate::supervise) fn handlers(&self, process: ProcessId, first: SignalSet) -> Vec<u64> {
        let handlers = self.handlers.get(&process).into_iter().flatten();
        let mut handlers: Vec<(bool, u64)> =
            handlers.map(|(signal, address)| (!first.contains(*signal), *address)).collect();
        handlers.sort_by_key(|(later, _)| *later);
        let mut addresses = Vec::new();
        for (_, address) in handlers {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }

    /// A signal may be pending for the process from now on.
    pub(in crate::supervise) fn signalled(&mut self, process: ProcessId) {
        self.pending.entry(process).or_default();
    }

    /// False if it is known that no signal is pending for the process.
    pub(in crate::supervise) fn may_hold_back(&self, process: ProcessId) -> bool {
        self.pending.contains_key(&process)
    }

    /// None is pending for any of its threads.
    pub(in crate::supervise) fn has_none_pending(&mut self, process: ProcessId) {
        self.pending.remove(&process);
    }

    /// At the event with this index these signals are pending for the process, and blocked.
    pub(in crate::supervise) fn hold_back(&mut self, process: ProcessId, signals: SignalSet, event: usize) {
        let pending = self.pending.entry(process).or_default();
        pending.retain(|signal, _| signals.contains(*signal));
        for signal in signals.iter() {
            pending.entry(signal).or_insert(event);
        }
    }

    /// The thread has settled, and the next event will have the index `by`. Processes are named by their numbers in the run.
    pub(in crate::supervise) fn settle(
        &mut self,
        (thread, name, process): (ThreadId, &ThreadName, ProcessId),
        by: usize,
        named: impl Fn(i32) -> Option<ThreadName>,
    ) {
        let came = self.begins.take(thread);
        // Handlers that are begun at once run from the innermost outwards.
        let mut begun: Vec<_> = came.iter().filter_map(|sample| self.begun(process, sample)).collect();
        begun.sort_by_key(|(sp, _)| *sp);
        for (_, signal) in begun {
            let since = self.pending.get_mut(&process).and_then(|pending| pending.remove(&signal));
            self.handled.push(Handled { by, thread: name.clone(), signal, since });
        }
        let came = self.returns.take(thread);
        let Some(calls) = self.open.get_mut(&thread) else { return };
        let mut told = Vec::new();
        while let Some((index, raw)) = (0..calls.len()).rev().find_map(|index| {
            let open = calls.get(index)?;
            let back = |(address, registers): &&(u64, Registers)| {
                (*address, registers.general[SP]) == (open.address, open.sp)
            };
            came.iter().find(back).map(|(_, registers)| (index, registers.general[RESULT] as i64))
        }) {
            // Those inside it were left by a jump.
            calls.truncate(index + 1);
            if let Some(open) = calls.pop()
                && let Some(result) = telling(open.call, &open.args, raw, &named)
            {
                told.push((open.event, result));
            }
        }
        for (event, result) in told {
            self.called(event).returned = Some(Returned { by, result });
        }
    }

    /// The handler that was begun in this way, if one was, and the stack pointer.
    fn begun(&self, process: ProcessId, (address, registers): &(u64, Registers)) -> Option<(u64, Signal)> {
        // Its first argument is the signal (System V ABI, "Parameter Passing").
        let signal = Signal::from_number(registers.general[FIRST_ARGUMENT] as i32)?;
        let handler = self.handlers.get(&process)?.get(&signal)?;
        (handler == address).then_some((registers.general[SP], signal))
    }

    /// Takes all that was seen.
    pub(in crate::supervise) fn take(&mut self) -> Seen {
        let calls = std::mem::take(&mut self.calls).into_values().collect();
        Seen { calls, handlers: std::mem::take(&mut self.handled) }
    }
}

/// In the order of `Registers::general`.
const RESULT: usize = 0;
const FIRST_ARGUMENT: usize = 5;
const SP: usize = 7;

/// What the result of a call tells; nothing for most that succeed. No address, and no number of a process, is kept.
fn telling(
    call: Syscall,
    args: &[u64; 6],
    raw: i64,
    named: impl Fn(i32) -> Option<ThreadName>,
) -> Option<CallResult> {
    use Sysno as S;
    if (-MAX_ERRNO..0).contains(&raw) {
        let number = -raw as i32;
        return Some(CallResult::Failed(match Errno::from_raw(number) {
            Errno::UnknownErrno => format!("errno {number}"),
            errno => format!("{errno:?}"),
        }));
    }
    match call.sysno()? {
        S::read | S::write | S::pread64 | S::pwrite64 | S::sendto | S::recvfrom => {
            Some(CallResult::Bytes(raw as u64, args[2]))
        }
        S::readv | S::writev | S::sendmsg | S::recvmsg | S::sendfile | S::splice | S::copy_file_range => {
            Some(CallResult::Number(raw))
        }
        S::poll | S::ppoll | S::select | S::pselect6 | S::epoll_wait | S::epoll_pwait | S::epoll_pwait2 => {
            Some(CallResult::Number(raw))
        }
        S::wait4 if raw > 0 => named(raw as i32).map(CallResult::Process),
        S::wait4 => Some(CallResult::Number(raw)),
        S::rt_sigtimedwait => Signal::from_number(raw as i32).map(CallResult::Signal),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(call: Sysno, args: [u64; 3], raw: i64) -> Option<CallResult> {
        let [one, two, three] = args;
        let named = |number: i32| (number == 1001).then(|| ThreadName::root().child(1));
        telling(call.into(), &[one, two, three, 0, 0, 0], raw, named)
    }

    #[test]
    fn a_result_tells_an_error_a_count_or_a_name_and_nothing_else() {
        let failed = |name: &str| Some(CallResult::Failed(name.to_owned()));
        assert_eq!(of(Sysno::read, [3, 0, 10], 3), Some(CallResult::Bytes(3, 10)));
        assert_eq!(of(Sysno::read, [3, 0, 10], -4), failed("EINTR"));
        assert_eq!(of(Sysno::read, [3, 0, 10], -513), failed("errno 513"));
        assert_eq!(of(Sysno::wait4, [0; 3], 1001), Some(CallResult::Process("p0.1".parse().unwrap())));
        assert_eq!(of(Sysno::wait4, [0; 3], 0), Some(CallResult::Number(0)));
        assert_eq!(of(Sysno::wait4, [0; 3], -10), failed("ECHILD"));
        // A number of a process that is not known, an address, a success.
        assert_eq!(of(Sysno::wait4, [0; 3], 7), None);
        assert_eq!(of(Sysno::mmap, [0; 3], 0x7fff_0000_0000), None);
        assert_eq!(of(Sysno::getpid, [0; 3], 1000), None);
        assert_eq!(of(Sysno::close, [0; 3], 0), None);
        assert_eq!(of(Sysno::clone, [0; 3], 1001), None);
    }
}
