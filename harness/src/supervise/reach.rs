//! Calls that reach for the run's init are refused, and the trace says so: root may trace and end it, or take its descriptors,
//! and then nothing that the run showed would be true. Of an ordinary user the kernel refuses them already.

use super::RunError;
use crate::schedule::Syscall;
use crate::supervise::books::held::Held;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::news::News;
use crate::supervise::state::Turns;
use crate::sys::procfs;
use crate::trace::What;
use nix::errno::Errno;
use syscalls::Sysno;

/// The init's number in the run's pid namespace.
const INIT: i32 = 1;

/// What became of a call that could reach for the init.
enum Reach {
    /// It does not.
    No,
    /// It does, and would do this.
    Refused(&'static str),
    /// Asks to be traced by its parent, which is the init. That would only take signals to where nobody looks at them, so
    /// the call succeeds and is not let happen.
    TracedByInit,
}

impl Turns<'_> {
    /// Answers a call that reaches for the run's init, or gives the thread back to be let go.
    pub(super) fn keep_off_init(
        &mut self,
        id: ThreadId,
        held: Held,
        call: Sysno,
    ) -> Result<Option<Held>, RunError> {
        let listener = self.cell.listener();
        let answer = match self.reach(id, call, held.args())? {
            Reach::No => return Ok(Some(held)),
            Reach::TracedByInit => held.succeed(listener, 0),
            Reach::Refused(why) => {
                let call = Syscall(held.number() as u32);
                self.journal.news.push((id, News::Told(What::Refuse(call, why.to_owned()))));
                held.fail(listener, Errno::EPERM)
            }
        };
        self.answered(id, answer)?;
        Ok(None)
    }

    fn reach(&self, id: ThreadId, call: Sysno, args: [u64; 6]) -> Result<Reach, RunError> {
        let named = |argument: usize| args[argument] as i32 == INIT;
        let why = match call {
            Sysno::ptrace => match args[0] as libc::c_uint {
                libc::PTRACE_TRACEME => {
                    let parent = self.proc_status(id)?.map(|status| status.parent);
                    let by_init = parent == Some(self.cell.init());
                    return Ok(if by_init { Reach::TracedByInit } else { Reach::No });
                }
                libc::PTRACE_ATTACH | libc::PTRACE_SEIZE if named(1) => "it would trace the run's init",
                _ => return Ok(Reach::No),
            },
            Sysno::process_vm_readv | Sysno::process_vm_writev if named(0) => {
                "it would reach into the memory of the run's init"
            }
            Sysno::perf_event_open if named(1) => "it would watch the run's init",
            Sysno::prlimit64 if named(0) && args[2] != 0 => "it would limit the run's init",
            Sysno::reboot => "it would end the run's init",
            Sysno::pidfd_getfd => {
                let thread = self.tree.thread(id);
                return match procfs::process_of_pidfd(thread.door.tid(), args[0] as i32) {
                    Ok(Some(pid)) if pid == self.cell.init() => {
                        Ok(Reach::Refused("it would take a descriptor of the run's init"))
                    }
                    // What is no pidfd is the kernel's to refuse.
                    Ok(_) => Ok(Reach::No),
                    Err(error) if procfs::gone(&error) => Ok(Reach::No),
                    Err(error) => {
                        let name = &thread.name;
                        Err(RunError::Fault(format!("reading what a descriptor of {name} is: {error}")))
                    }
                };
            }
            _ => return Ok(Reach::No),
        };
        // In a pid namespace that the program made for itself, the number is one of its own processes.
        let nested = self.proc_status(id)?.is_some_and(|status| status.nested);
        Ok(if nested { Reach::No } else { Reach::Refused(why) })
    }
}
