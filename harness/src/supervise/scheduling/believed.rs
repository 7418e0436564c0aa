//! What the program believes of its scheduling (sched(7)).
//!
//! All of its threads run under one policy on one CPU, or control would be lost; so these calls are answered from here:
//! checked as the kernel checks them, remembered as it remembers them, and without effect. Pure.

use nix::errno::Errno;

/// SCHED_EXT is not among them: it needs a scheduler that somebody has loaded.
const DEADLINE: i32 = 6;
/// The highest priority of a real-time policy.
const MOST: u32 = 99;

/// Flags of struct sched_attr (sched_setattr(2)).
const RESET_ON_FORK: u64 = 1;
const KEEP_POLICY: u64 = 8;
const KEEP_PARAMS: u64 = 16;
const UTIL_CLAMP: u64 = 32 | 64;
const ALL_FLAGS: u64 = 0x7f;

/// The first version of struct sched_attr, and the one with the limits of utilisation.
const FIRST_SIZE: usize = 48;
const SIZE: usize = 56;

/// What a thread is scheduled by, as far as it can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::supervise) struct Scheduling {
    policy: i32,
    priority: u32,
    reset_on_fork: bool,
    /// Runtime, deadline and period of SCHED_DEADLINE, in nanoseconds; the first is a slice for ordinary policies.
    times: [u64; 3],
    /// The CPUs that it asked for, as sched_setaffinity(2) has them; none if it never did.
    pub(in crate::supervise) affinity: Option<Vec<u8>>,
}

/// What the kernel lets a thread change.
#[derive(Clone, Copy, Debug)]
pub(in crate::supervise) struct Rights {
    /// CAP_SYS_NICE on the machine itself.
    pub(in crate::supervise) privileged: bool,
    /// RLIMIT_RTPRIO (getrlimit(2)).
    pub(in crate::supervise) priority: u64,
    /// How low a nice value may be that it sets: as it is, or what RLIMIT_NICE allows (getrlimit(2)).
    pub(in crate::supervise) nice: i32,
    /// The other's user, real or effective, is its own effective one (`check_same_owner` of kernel/sched/syscalls.c).
    pub(in crate::supervise) owner: bool,
}

/// A change that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervise) struct Wanted {
    /// None to keep it.
    policy: Option<i32>,
    priority: u32,
    /// Keep the priority of a real-time thread.
    keeps: bool,
    reset_on_fork: bool,
    pub(in crate::supervise) nice: Option<i32>,
    times: [u64; 3],
}

impl Scheduling {
    /// As a program starts that nobody has given another policy.
    pub(in crate::supervise) fn new(slice: u64) -> Scheduling {
        Scheduling { policy: 0, priority: 0, reset_on_fork: false, times: [slice, 0, 0], affinity: None }
    }

    /// Of a thread that this one makes (SCHED_RESET_ON_FORK).
    pub(in crate::supervise) fn inherited(&self) -> Scheduling {
        let ordinary = Scheduling { affinity: self.affinity.clone(), ..Scheduling::new(self.times[0]) };
        match (self.reset_on_fork, is_real_time(self.policy) || self.policy == DEADLINE) {
            (true, true) => ordinary,
            (true, false) => Scheduling { reset_on_fork: false, ..self.clone() },
            (false, _) => self.clone(),
        }
    }

    /// What sched_getscheduler(2) returns.
    pub(in crate::supervise) fn policy(&self) -> i64 {
        i64::from(self.policy | if self.reset_on_fork { libc::SCHED_RESET_ON_FORK } else { 0 })
    }

    /// The smaller, the earlier it is woken of those who wait for one thing (`normal_prio` of kernel/sched/syscalls.c).
    pub(in crate::supervise) fn rank(&self) -> u32 {
        match self.policy {
            DEADLINE => 0,
            policy if is_real_time(policy) => 1 + MOST - self.priority,
            _ => 1 + MOST,
        }
    }

    /// struct sched_param, as sched_getparam(2) gives it.
    pub(in crate::supervise) fn parameters(&self) -> [u8; 4] {
        self.priority.to_le_bytes()
    }

    /// What sched_getattr(2) writes for a caller that has room for so many bytes.
    pub(in crate::supervise) fn attributes(&self, size: u64, nice: i32) -> Result<Vec<u8>, Errno> {
        let room = usize::try_from(size).ok().filter(|size| (FIRST_SIZE..=4096).contains(size));
        let room = room.ok_or(Errno::EINVAL)?;
        let mut bytes = Vec::with_capacity(room);
        bytes.extend((room.min(SIZE) as u32).to_le_bytes());
        bytes.extend((self.policy as u32).to_le_bytes());
        bytes.extend(u64::from(self.reset_on_fork).to_le_bytes());
        bytes.extend(if is_real_time(self.policy) { 0 } else { nice }.to_le_bytes());
        bytes.extend(self.priority.to_le_bytes());
        self.times.iter().for_each(|time| bytes.extend(time.to_le_bytes()));
        // Without limits of utilisation: from nothing to all (SCHED_CAPACITY_SCALE).
        bytes.extend(0u32.to_le_bytes());
        bytes.extend(1024u32.to_le_bytes());
        bytes.resize(room, 0);
        Ok(bytes)
    }

    /// Changes it, if that is valid and allowed.
    pub(in crate::supervise) fn change(&mut self, wanted: &Wanted, rights: Rights) -> Result<(), Errno> {
        let policy = wanted.policy.unwrap_or(self.policy);
        let keeps = wanted.keeps && is_real_time(self.policy);
        let priority = if keeps { self.priority } else { wanted.priority };
        let known =
            [libc::SCHED_OTHER, libc::SCHED_FIFO, libc::SCHED_RR, libc::SCHED_BATCH, libc::SCHED_IDLE];
        if !known.contains(&policy) && policy != DEADLINE {
            return Err(Errno::EINVAL);
        }
        if priority > MOST || is_real_time(policy) != (priority != 0) {
            return Err(Errno::EINVAL);
        }
        let [runtime, deadline, period] = wanted.times;
        let in_order = runtime >= 1024 && runtime <= deadline && (period == 0 || deadline <= period);
        if policy == DEADLINE && !in_order {
            return Err(Errno::EINVAL);
        }
        let beyond_limit = is_real_time(policy)
            && ((policy != self.policy && rights.priority == 0)
                || (priority > self.priority && u64::from(priority) > rights.priority));
        let out_of_idle = self.policy == libc::SCHED_IDLE && policy != libc::SCHED_IDLE;
        let unreset = self.reset_on_fork && !wanted.reset_on_fork;
        let ordinary = [libc::SCHED_OTHER, libc::SCHED_BATCH].contains(&policy);
        let too_nice = ordinary && wanted.nice.is_some_and(|nice| nice < rights.nice);
        let refused = beyond_limit || policy == DEADLINE || out_of_idle || unreset || too_nice;
        if !rights.privileged && (refused || !rights.owner) {
            return Err(Errno::EPERM);
        }
        (self.policy, self.priority, self.reset_on_fork) = (policy, priority, wanted.reset_on_fork);
        if policy == DEADLINE {
            self.times = [runtime, deadline, if period == 0 { deadline } else { period }];
        } else {
            self.times[1..].fill(0);
        }
        Ok(())
    }
}

fn is_real_time(policy: i32) -> bool {
    policy == libc::SCHED_FIFO || policy == libc::SCHED_RR
}

impl Wanted {
    /// What sched_setscheduler(2) asks for; without a policy, sched_setparam(2).
    pub(in crate::supervise) fn policy(policy: Option<i32>, parameters: [u8; 4], now: &Scheduling) -> Wanted {
        let reset = policy.map_or(now.reset_on_fork, |policy| policy & libc::SCHED_RESET_ON_FORK != 0);
        Wanted {
            policy: policy.map(|policy| policy & !libc::SCHED_RESET_ON_FORK),
            priority: u32::from_le_bytes(parameters),
            keeps: false,
            reset_on_fork: reset,
            nice: None,
            times: [0; 3],
        }
    }

    /// What sched_setattr(2) asks for, from the bytes of its struct sched_attr, which says itself how long it is.
    pub(in crate::supervise) fn attributes(bytes: &[u8]) -> Result<Wanted, Errno> {
        let mut whole = [0; SIZE];
        let length = bytes.len().min(SIZE);
        whole[..length].copy_from_slice(&bytes[..length]);
        if bytes.iter().skip(SIZE).any(|byte| *byte != 0) {
            return Err(Errno::E2BIG);
        }
        let half = |at: usize| u32::from_le_bytes([whole[at], whole[at + 1], whole[at + 2], whole[at + 3]]);
        let word = |at: usize| u64::from(half(at)) | u64::from(half(at + 4)) << 32;
        let flags = word(8);
        if flags & !ALL_FLAGS != 0 || (flags & UTIL_CLAMP != 0 && bytes.len() < SIZE) {
            return Err(Errno::EINVAL);
        }
        let policy = half(4) as i32;
        if policy < 0 {
            return Err(Errno::EINVAL);
        }
        let keeps = |flag: u64| flags & flag != 0;
        Ok(Wanted {
            policy: (!keeps(KEEP_POLICY)).then_some(policy),
            priority: half(20),
            keeps: keeps(KEEP_PARAMS),
            reset_on_fork: keeps(RESET_ON_FORK),
            nice: (!keeps(KEEP_PARAMS) && !is_real_time(policy)).then(|| (half(16) as i32).clamp(-20, 19)),
            times: [word(24), word(32), word(40)],
        })
    }

    /// How many bytes a struct sched_attr has whose first word is this.
    pub(in crate::supervise) fn size(word: u32) -> Result<usize, Errno> {
        match word as usize {
            0 => Ok(FIRST_SIZE),
            size if (FIRST_SIZE..=4096).contains(&size) => Ok(size),
            _ => Err(Errno::E2BIG),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: Rights = Rights { privileged: false, priority: 0, nice: 0, owner: true };
    const ROOT: Rights = Rights { privileged: true, owner: false, ..USER };

    fn set(now: &mut Scheduling, policy: i32, priority: u32, rights: Rights) -> Result<(), Errno> {
        let wanted = Wanted::policy(Some(policy), priority.to_le_bytes(), now);
        now.change(&wanted, rights)
    }

    #[test]
    fn what_is_set_is_remembered() {
        let mut now = Scheduling::new(3_000_000);
        assert_eq!((now.policy(), now.parameters()), (0, [0; 4]));
        assert_eq!(set(&mut now, libc::SCHED_FIFO, 10, ROOT), Ok(()));
        assert_eq!((now.policy(), now.parameters()), (1, [10, 0, 0, 0]));
        assert_eq!(set(&mut now, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, 10, ROOT), Ok(()));
        assert_eq!(now.policy(), i64::from(1 | libc::SCHED_RESET_ON_FORK));
        assert_eq!(now.inherited(), Scheduling::new(3_000_000));
    }

    #[test]
    fn it_is_checked_as_the_kernel_checks_it() {
        let mut now = Scheduling::new(0);
        assert_eq!(set(&mut now, libc::SCHED_FIFO, 1000, ROOT), Err(Errno::EINVAL));
        assert_eq!(set(&mut now, libc::SCHED_FIFO, 0, ROOT), Err(Errno::EINVAL));
        assert_eq!(set(&mut now, libc::SCHED_OTHER, 1, ROOT), Err(Errno::EINVAL));
        assert_eq!(set(&mut now, 4, 0, ROOT), Err(Errno::EINVAL));
        assert_eq!(set(&mut now, libc::SCHED_FIFO, 1, USER), Err(Errno::EPERM));
        assert_eq!(set(&mut now, libc::SCHED_FIFO, 5, Rights { priority: 5, ..USER }), Ok(()));
        assert_eq!(set(&mut now, libc::SCHED_FIFO, 6, Rights { priority: 5, ..USER }), Err(Errno::EPERM));
        assert_eq!(set(&mut now, libc::SCHED_IDLE, 0, USER), Ok(()));
        assert_eq!(set(&mut now, libc::SCHED_OTHER, 0, USER), Err(Errno::EPERM));
        let kept = Wanted::policy(None, 77u32.to_le_bytes(), &now);
        assert_eq!(now.change(&kept, ROOT), Err(Errno::EINVAL));
    }

    #[test]
    fn of_others_and_upwards_only_the_privileged_set_it() {
        let other = Rights { owner: false, ..USER };
        let mut now = Scheduling::new(0);
        assert_eq!(set(&mut now, libc::SCHED_OTHER, 0, other), Err(Errno::EPERM));
        assert_eq!(set(&mut now, libc::SCHED_BATCH, 0, other), Err(Errno::EPERM));
        assert_eq!(set(&mut now, libc::SCHED_BATCH, 1, other), Err(Errno::EINVAL));
        assert_eq!(set(&mut now, libc::SCHED_BATCH, 0, ROOT), Ok(()));
        let mut nicer = Wanted::policy(Some(libc::SCHED_OTHER), [0; 4], &now);
        nicer.nice = Some(-1);
        assert_eq!(now.change(&nicer, USER), Err(Errno::EPERM));
        assert_eq!(now.change(&nicer, Rights { nice: -1, ..USER }), Ok(()));
        assert_eq!(now.change(&nicer, ROOT), Ok(()));
    }

    #[test]
    fn attributes_are_read_as_they_are_written() {
        let mut now = Scheduling::new(2_800_000);
        assert_eq!(set(&mut now, libc::SCHED_RR, 50, ROOT), Ok(()));
        let bytes = now.attributes(56, 5).unwrap();
        assert_eq!((bytes.len(), bytes[0], bytes[4], bytes[20]), (56, 56, 2, 50));
        let mut other = Scheduling::new(2_800_000);
        assert_eq!(other.change(&Wanted::attributes(&bytes[..48]).unwrap(), ROOT), Ok(()));
        assert_eq!(other, now);
        assert_eq!(now.attributes(47, 0), Err(Errno::EINVAL));
        assert_eq!(now.attributes(64, 0).map(|bytes| bytes.len()), Ok(64));
        assert_eq!(Wanted::size(0), Ok(48));
        assert_eq!(Wanted::size(7), Err(Errno::E2BIG));
        // Both kept: of a real-time thread all is, of another the priority has to be none.
        let kept =
            [&56u32.to_le_bytes()[..], &[0; 4], &(KEEP_POLICY | KEEP_PARAMS).to_le_bytes(), &[0; 4], &[3]];
        let kept = [kept.concat(), vec![0; 35]].concat();
        assert_eq!(other.change(&Wanted::attributes(&kept).unwrap(), ROOT), Ok(()));
        assert_eq!(other, now);
        let mut ordinary = Scheduling::new(0);
        assert_eq!(ordinary.change(&Wanted::attributes(&kept).unwrap(), ROOT), Err(Errno::EINVAL));
        let mut odd = vec![0; 64];
        odd[60] = 1;
        assert_eq!(Wanted::attributes(&odd), Err(Errno::E2BIG));
    }
}
