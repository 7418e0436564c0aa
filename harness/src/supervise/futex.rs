//! Futexes, whose waiters are held instead of let sleep in the kernel.
//!
//! The threads of one memory must not run beside each other, and whom the kernel wakes runs as soon as there is a CPU for it,
//! before its waker has come to its next call. So the waiters of a futex that only one memory has are held, the calls
//! that wake them are answered from here, and whoever is woken goes on when it is its turn. One thread goes at a time:
//! comparing the word, and changing it, is atomic.
//!
//! What is not found here is the kernel's: other memory, other operations, and whatever it is to refuse. So no futex has
//! waiters in both places, except where futex_waitv(2) or a stop took one into the kernel; a wake that would have to go to
//! both taints the run.

use super::RunError;
use crate::schedule::{Site, Syscall};
use crate::supervise::books::futexes::{Key, Operation, PRIVATE, Waiter, is_own};
use crate::supervise::books::held::Held;
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::books::news::News;
use crate::supervise::books::thread::State;
use crate::supervise::calls::{self, Sleep};
use crate::supervise::state::Turns;
use crate::supervise::time::timeout;
use crate::supervise::time::wait::{Kind, Wait};
use nix::errno::Errno;
use std::time::Duration;
use syscalls::Sysno;

/// In the word of a robust or priority-inheriting lock (linux/futex.h).
const OWNER_DIED: u32 = 0x4000_0000;
const OWNER: u32 = 0x3fff_ffff;

impl Turns<'_> {
    /// Answers the call, or holds its thread as one that sleeps in it; or gives the thread back, for the kernel to do it.
    pub(super) fn futex(
        &mut self,
        id: ThreadId,
        held: Held,
        call: Syscall,
        loading: bool,
    ) -> Result<Option<Held>, RunError> {
        let args = held.args();
        let operation = Some(&args).filter(|_| call == Sysno::futex.into()).and_then(Operation::of);
        let answer = match operation {
            None => None,
            Some(Operation::Wait { value, bitset }) => return self.wait(id, held, (value, bitset), loading),
            Some(Operation::Wake { most, bitset }) => self.wake(id, &args, most, bitset),
            Some(Operation::Requeue { wake, requeue, to, value }) => {
                self.requeue(id, &args, (wake, requeue), to, value)
            }
            Some(Operation::WakeOp { wake, other, wake_other, change }) => {
                let (own, others) = (self.waiters(id, &args, args[0]), self.waiters(id, &args, other));
                let any = [&own, &others].into_iter().flatten().any(|waiters| !waiters.is_empty());
                match (own, others, self.word(id, other)) {
                    (Some(_), Some(others), Ok(word)) if any => {
                        let (new, both) = change.apply(word);
                        let written = self.tree.thread(id).door.write(other, &new.to_le_bytes());
                        if written.is_err() {
                            return Ok(Some(held));
                        }
                        let one = self.wake(id, &args, wake, u32::MAX).unwrap_or(0);
                        let others = if both { others } else { Vec::new() };
                        [args[0], other].into_iter().for_each(|at| self.check_kernel_has_none(id, at));
                        Some(one + self.wake_first(others, wake_other, u32::MAX))
                    }
                    (None, ..) | (_, None, _) if any => {
                        self.elsewhere(id);
                        None
                    }
                    _ => None,
                }
            }
        };
        let Some(count) = answer else { return Ok(Some(held)) };
        self.comes_back(id);
        let answer = held.succeed(self.cell.listener(), count);
        self.answered(id, answer)?;
        Ok(None)
    }

    fn word(&self, id: ThreadId, address: u64) -> Result<u32, Errno> {
        self.tree.thread(id).door.read_array(address).map(u32::from_le_bytes)
    }

    /// The futex at this address, as this thread's call means it; none if it is the kernel's.
    fn key(&self, id: ThreadId, args: &[u64; 6], address: u64) -> Option<Key> {
        let private = args[1] & PRIVATE != 0;
        let thread = self.tree.thread(id);
        let own = private || thread.door.maps().is_ok_and(|maps| is_own(&maps, address));
        own.then(|| Key { memory: self.memory_of(thread.process), address, private })
    }

    /// Who waits for the futex at this address, in the order in which they are woken; none if it is the kernel's.
    fn waiters(&self, id: ThreadId, args: &[u64; 6], address: u64) -> Option<Vec<(ThreadId, Waiter)>> {
        let memory = self.memory_of(self.tree.thread(id).process);
        let private = args[1] & PRIVATE != 0;
        let found = self.waiting_for(Key { memory, address, private });
        // What lies in other memory is looked up only where that could matter.
        (!found.is_empty() || self.key(id, args, address).is_some()).then_some(found)
    }

    fn waiting_for(&self, key: Key) -> Vec<(ThreadId, Waiter)> {
        let mut found: Vec<_> = self.sleepers().filter(|(_, waiter)| waiter.key == key).collect();
        found.sort_by_key(|(_, waiter)| waiter.rank);
        found
    }

    fn sleepers(&self) -> impl Iterator<Item = (ThreadId, Waiter)> + '_ {
        self.tree.live().filter_map(|id| match &self.tree.thread(id).state {
            State::Waiting(_, Wait { kind: Kind::Futex(waiter), .. }) => Some((id, *waiter)),
            _ => None,
        })
    }

    /// Compares, and holds the thread if it is to sleep.
    fn wait(
        &mut self,
        id: ThreadId,
        held: Held,
        (value, bitset): (u32, u32),
        loading: bool,
    ) -> Result<Option<Held>, RunError> {
        let (args, ip, call) = (held.args(), held.ip(), Syscall(held.number() as u32));
        let door = &self.tree.thread(id).door;
        let timeout = timeout::of(door, call, &args, self.clock.face());
        // What has no time to sleep, or a timeout that makes no sense, does not sleep.
        let sleeps = args[3] == 0 || timeout.is_some_and(|timeout| !timeout.duration.is_zero());
        if !sleeps || self.word(id, args[0]) != Ok(value) {
            return Ok(Some(held));
        }
        let Some(key) = self.key(id, &args, args[0]) else { return Ok(Some(held)) };
        let resumed = self.tree.thread_mut(id).resume.take();
        let deadline = timeout.map(|timeout| self.clock.after(timeout)).map(|deadline| match resumed {
            Some((address, same, earlier)) if (address, same) == (ip, args) => earlier,
            _ => deadline,
        });
        let rank = (self.tree.thread(id).scheduling.rank(), self.journal.next_stamp());
        let kind = Kind::Futex(Waiter { key, value, bitset, rank });
        let duration = timeout.map_or(Duration::ZERO, |timeout| timeout.duration);
        let thread = self.tree.thread_mut(id);
        let waiting = State::Waiting(held, Wait { call, duration, deadline, kind });
        // However it woke up last: this is another sleep.
        (thread.state, thread.told_asleep) = (waiting, false);
        if !loading {
            self.journal.news.push((id, News::Slept(call)));
        }
        Ok(None)
    }

    /// Wakes from here whom FUTEX_WAKE would wake; none if nobody of them is here.
    fn wake(&mut self, id: ThreadId, args: &[u64; 6], most: i32, bitset: u32) -> Option<i64> {
        let memory = self.memory_of(self.tree.thread(id).process);
        let found = self.waiting_for(Key { memory, address: args[0], private: args[1] & PRIVATE != 0 });
        let count = self.wake_first(found, most, bitset);
        if i64::from(most) > count && count > 0 {
            self.check_kernel_has_none(id, args[0]);
        }
        (count > 0).then_some(count)
    }

    /// Wakes the first of these that match; at least one, as the kernel does.
    fn wake_first(&mut self, waiters: Vec<(ThreadId, Waiter)>, most: i32, bitset: u32) -> i64 {
        let matching = waiters.into_iter().filter(|(_, waiter)| waiter.bitset & bitset != 0);
        let mut count = 0;
        for (woken, _) in matching.take(usize::try_from(most).unwrap_or(0).max(1)) {
            self.wakes_up(woken);
            count += 1;
        }
        count
    }

    /// This thread is woken: it goes on when it is its turn.
    fn wakes_up(&mut self, id: ThreadId) {
        let since = self.journal.next_stamp();
        let thread = self.tree.thread_mut(id);
        match std::mem::replace(&mut thread.state, State::Running) {
            State::Waiting(held, wait) => {
                let nth = thread.times_at(&Site::In(wait.call));
                thread.state = State::Held(held.woken(wait.call, nth));
                (thread.told_asleep, thread.since) = (false, since);
            }
            other => thread.state = other,
        }
    }

    /// FUTEX_REQUEUE and FUTEX_CMP_REQUEUE; none if they are the kernel's to do, or fail.
    fn requeue(
        &mut self,
        id: ThreadId,
        args: &[u64; 6],
        (wake, requeue): (i32, i32),
        to: u64,
        value: Option<u32>,
    ) -> Option<i64> {
        let memory = self.memory_of(self.tree.thread(id).process);
        let from = Key { memory, address: args[0], private: args[1] & PRIVATE != 0 };
        let found = self.waiting_for(from);
        if found.is_empty() || value.is_some_and(|value| self.word(id, args[0]) != Ok(value)) {
            return None;
        }
        let Some(key) = self.key(id, args, to) else {
            self.elsewhere(id);
            return None;
        };
        let (wake, requeue) = (wake as usize, requeue as usize);
        let count = found.len().min(wake.saturating_add(requeue));
        for (nth, (waiter, _)) in found.into_iter().take(count).enumerate() {
            if nth < wake {
                self.wakes_up(waiter);
                continue;
            }
            let stamp = self.journal.next_stamp();
            if key != from
                && let State::Waiting(_, Wait { kind: Kind::Futex(waiter), .. }) =
                    &mut self.tree.thread_mut(waiter).state
            {
                (waiter.key, waiter.rank.1) = (key, stamp);
            }
        }
        Some(count as i64)
    }

    /// A wake that would go on to those who sleep in the kernel does not.
    fn check_kernel_has_none(&mut self, id: ThreadId, address: u64) {
        let memory = self.memory_of(self.tree.thread(id).process);
        let there = self.tree.live().any(|other| {
            let thread = self.tree.thread(other);
            let State::Asleep(inside) = &thread.state else { return false };
            let may = match calls::numbered(inside.number).sleep {
                Sleep::Futexes => true,
                Sleep::Futex => inside.args[0] == address,
                _ => false,
            };
            may && self.memory_of(thread.process) == memory
        });
        if there {
            self.elsewhere(id);
        }
    }

    fn elsewhere(&mut self, id: ThreadId) {
        let name = &self.tree.thread(id).name;
        self.doubts.taint(format!("{name} uses a futex whose waiters are not all held"));
    }

    /// A thread has ended. The kernel has cleared the word that was to tell it (CLONE_CHILD_CLEARTID of clone(2)), has marked
    /// the locks that it held (get_robust_list(2)), and has woken one waiter of each: here, where they are.
    pub(super) fn wake_after_end(&mut self, process: ProcessId) {
        let memory = self.memory_of(process);
        let mut keys: Vec<Key> = Vec::new();
        for (id, waiter) in self.sleepers() {
            if waiter.key.memory != memory || waiter.key.private || keys.contains(&waiter.key) {
                continue;
            }
            let told = self.word(id, waiter.key.address).is_ok_and(|word| {
                let cleared = word == 0 && self.was_thread(memory, waiter.value);
                let died = word & (OWNER_DIED | OWNER) == OWNER_DIED && waiter.value & OWNER_DIED == 0;
                cleared || died
            });
            if told {
                keys.push(waiter.key);
            }
        }
        for key in keys {
            let found = self.waiting_for(key);
            self.wake_first(found, 1, u32::MAX);
        }
    }

    /// True if this is the number, in the run's namespace, of a thread that used this memory and has ended.
    fn was_thread(&self, memory: ProcessId, number: u32) -> bool {
        self.tree.threads.iter().any(|thread| {
            matches!(thread.state, State::Ended)
                && thread.own_tid as u32 == number
                && self.memory_of(thread.process) == memory
        })
    }
}
