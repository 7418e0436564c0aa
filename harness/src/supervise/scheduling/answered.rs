//! Answers the calls about scheduling from what the program believes of it: see `believed`.

use crate::supervise::RunError;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::scheduling::believed::{Rights, Wanted};
use crate::supervise::state::Turns;
use crate::sys::sched;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use syscalls::Sysno;

type Answer = Result<i64, Errno>;

impl Turns<'_> {
    /// Answers a call about the scheduling of a thread of the run; none where it is about another, which the kernel is asked.
    pub(in crate::supervise) fn scheduling_call(
        &mut self,
        id: ThreadId,
        call: Sysno,
        args: &[u64; 6],
    ) -> Result<Option<Answer>, RunError> {
        // 0 is the caller.
        let target = match args[0] as i32 {
            0 => Some(id),
            number => self.numbered(number)?,
        };
        let Some(target) = target else { return Ok(None) };
        let answer = match call {
            Sysno::sched_getscheduler => Ok(self.tree.thread(target).scheduling.policy()),
            Sysno::sched_getparam if args[1] == 0 => Err(Errno::EINVAL),
            Sysno::sched_getparam => {
                let parameters = self.tree.thread(target).scheduling.parameters();
                self.tree.thread(id).door.write(args[1], &parameters).map(|()| 0)
            }
            Sysno::sched_getattr => self.get_attributes(id, target, args),
            Sysno::sched_getaffinity => self.get_affinity(id, target, args),
            Sysno::sched_setaffinity => self.set_affinity(id, target, args)?,
            _ => match self.wanted(id, target, call, args) {
                Ok(wanted) => self.change_scheduling(id, target, &wanted)?,
                Err(errno) => Err(errno),
            },
        };
        Ok(Some(answer))
    }

    fn get_attributes(&self, id: ThreadId, target: ThreadId, args: &[u64; 6]) -> Answer {
        if args[1] == 0 || args[3] != 0 {
            return Err(Errno::EINVAL);
        }
        let thread = self.tree.thread(target);
        let nice = sched::nice(thread.door.tid())?;
        let bytes = thread.scheduling.attributes(args[2] & 0xffff_ffff, nice)?;
        self.tree.thread(id).door.write(args[1], &bytes).map(|()| 0)
    }

    /// What one of the three calls that set the policy asks for.
    fn wanted(&self, id: ThreadId, target: ThreadId, call: Sysno, args: &[u64; 6]) -> Result<Wanted, Errno> {
        let (door, now) = (&self.tree.thread(id).door, &self.tree.thread(target).scheduling);
        let (policy, address) = match call {
            Sysno::sched_setattr => {
                if args[1] == 0 || args[2] != 0 {
                    return Err(Errno::EINVAL);
                }
                let size = door.read_array(args[1]).map(u32::from_le_bytes)?;
                return Wanted::attributes(&door.read_bytes(args[1], Wanted::size(size)?)?);
            }
            Sysno::sched_setscheduler => (Some(args[1] as i32), args[2]),
            _ => (None, args[1]),
        };
        if address == 0 || policy.is_some_and(|policy| policy < 0) {
            return Err(Errno::EINVAL);
        }
        Ok(Wanted::policy(policy, door.read_array(address)?, now))
    }

    fn change_scheduling(
        &mut self,
        id: ThreadId,
        target: ThreadId,
        wanted: &Wanted,
    ) -> Result<Answer, RunError> {
        let Some((privileged, owner)) = self.rights_over(id, target)? else { return Ok(Err(Errno::ESRCH)) };
        let tid = self.tree.thread(target).door.tid();
        let nice = match sched::nice(tid) {
            Ok(nice) => nice.min(lowest_nice()),
            Err(errno) => return Ok(Err(errno)),
        };
        let rights = Rights { privileged, priority: sched::priority_limit(), nice, owner };
        let changed = self.tree.thread_mut(target).scheduling.change(wanted, rights);
        Ok(changed.and_then(|()| match wanted.nice {
            // How the run's one CPU is shared does not matter: one thread goes at a time.
            // What setpriority(2) refuses with EACCES, sched_setattr(2) does with EPERM.
            Some(nice) if nice != sched::nice(tid)? => sched::set_nice(tid, nice)
                .map(|()| 0)
                .map_err(|errno| if errno == Errno::EACCES { Errno::EPERM } else { errno }),
            _ => Ok(0),
        }))
    }

    /// What this thread may do to that one: whether it is privileged, and whether they have one owner. None if one is gone.
    fn rights_over(&self, id: ThreadId, target: ThreadId) -> Result<Option<(bool, bool)>, RunError> {
        let Some(status) = self.proc_status(id)? else { return Ok(None) };
        let privileged = sched::may_nice(status.capabilities);
        if privileged || target == id {
            return Ok(Some((privileged, true)));
        }
        let Some(other) = self.proc_status(target)? else { return Ok(None) };
        let ([_, effective, ..], [real, others, ..]) = (status.users, other.users);
        Ok(Some((false, [real, others].contains(&effective))))
    }

    fn get_affinity(&self, id: ThreadId, target: ThreadId, args: &[u64; 6]) -> Answer {
        let mask = self.tree.thread(target).scheduling.affinity.as_deref().unwrap_or(self.affinity);
        let room = args[1] as u32 as usize;
        if room < self.affinity.len() || !room.is_multiple_of(8) {
            return Err(Errno::EINVAL);
        }
        self.tree.thread(id).door.write(args[2], mask)?;
        Ok(mask.len() as i64)
    }

    /// Remembered, but not done: the run stays on its CPU.
    fn set_affinity(&mut self, id: ThreadId, target: ThreadId, args: &[u64; 6]) -> Result<Answer, RunError> {
        let room = (args[1] as u32 as usize).min(self.affinity.len());
        let mut wanted = match self.tree.thread(id).door.read_bytes(args[2], room) {
            Ok(wanted) => wanted,
            Err(errno) => return Ok(Err(errno)),
        };
        match self.rights_over(id, target)? {
            Some((false, false)) => return Ok(Err(Errno::EPERM)),
            Some(_) => {}
            None => return Ok(Err(Errno::ESRCH)),
        }
        wanted.resize(self.affinity.len(), 0);
        wanted.iter_mut().zip(self.affinity).for_each(|(wanted, allowed)| *wanted &= allowed);
        if wanted.iter().all(|byte| *byte == 0) {
            return Ok(Err(Errno::EINVAL));
        }
        self.tree.thread_mut(target).scheduling.affinity = Some(wanted);
        Ok(Ok(0))
    }
}

/// How low a nice value may be without privileges: RLIMIT_NICE counts down from 20 (getrlimit(2)).
fn lowest_nice() -> i32 {
    let limit = getrlimit(Resource::RLIMIT_NICE).map_or(0, |(soft, _)| soft);
    20 - limit.min(40) as i32
}
