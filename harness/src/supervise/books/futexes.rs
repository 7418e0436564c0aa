//! What futex(2) is asked for, as values: the operations whose sleepers are held instead of asleep in the kernel. Pure.

use crate::supervise::books::ids::ProcessId;

/// FUTEX_PRIVATE_FLAG: only threads of one memory use it.
pub(in crate::supervise) const PRIVATE: u64 = 128;
const CLOCK_REALTIME: u32 = 256;
const ANY: u32 = u32::MAX;

/// What the kernel tells one futex from another by, as long as its word is in memory that only one address space has. One
/// word is two futexes: private waiters are not found by what is not private (`get_futex_key` of kernel/futex/core.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervise) struct Key {
    pub(in crate::supervise) memory: ProcessId,
    pub(in crate::supervise) address: u64,
    pub(in crate::supervise) private: bool,
}

/// A thread's place among those that wait for a futex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervise) struct Waiter {
    pub(in crate::supervise) key: Key,
    /// The word when it began to wait.
    pub(in crate::supervise) value: u32,
    pub(in crate::supervise) bitset: u32,
    /// Real-time priorities go first, and else who has waited longest.
    pub(in crate::supervise) rank: (u32, u64),
}

/// An operation, without the address that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervise) enum Operation {
    Wait { value: u32, bitset: u32 },
    Wake { most: i32, bitset: u32 },
    Requeue { wake: i32, requeue: i32, to: u64, value: Option<u32> },
    WakeOp { wake: i32, other: u64, wake_other: i32, change: Change },
}

/// What FUTEX_WAKE_OP does to the other word, and when it wakes there as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervise) struct Change {
    operation: u32,
    operand: i32,
    comparison: u32,
    compared: i32,
}

impl Operation {
    /// None for those that are the kernel's: priority inheritance, and what it will refuse.
    pub(in crate::supervise) fn of(args: &[u64; 6]) -> Option<Operation> {
        let flags = PRIVATE as u32 | CLOCK_REALTIME;
        let (command, realtime) = (args[1] as u32 & !flags, args[1] as u32 & CLOCK_REALTIME != 0);
        let value = args[2] as u32;
        let counts = || Some((args[2] as i32, args[3] as i32)).filter(|(one, two)| *one >= 0 && *two >= 0);
        let operation = match command {
            0 => Operation::Wait { value, bitset: ANY },
            1 => Operation::Wake { most: args[2] as i32, bitset: ANY },
            3 => {
                let (wake, requeue) = counts()?;
                Operation::Requeue { wake, requeue, to: args[4], value: None }
            }
            4 => {
                let (wake, requeue) = counts()?;
                Operation::Requeue { wake, requeue, to: args[4], value: Some(args[5] as u32) }
            }
            5 => Operation::WakeOp {
                wake: args[2] as i32,
                other: args[4],
                wake_other: args[3] as i32,
                change: Change::of(args[5] as u32)?,
            },
            9 => Operation::Wait { value, bitset: args[5] as u32 },
            10 => Operation::Wake { most: args[2] as i32, bitset: args[5] as u32 },
            _ => return None,
        };
        let sound = match operation {
            Operation::Wait { bitset, .. } => bitset != 0 && (!realtime || command == 9),
            Operation::Wake { bitset, .. } => bitset != 0 && !realtime,
            Operation::Requeue { to, .. } => to.is_multiple_of(4) && !realtime,
            Operation::WakeOp { other, .. } => other.is_multiple_of(4) && !realtime,
        };
        (sound && args[0].is_multiple_of(4)).then_some(operation)
    }
}

impl Change {
    fn of(encoded: u32) -> Option<Change> {
        let extended = |bits: u32| (bits << 20) as i32 >> 20;
        let (operation, comparison) = ((encoded >> 28) & 7, (encoded >> 24) & 15);
        let operand = extended((encoded >> 12) & 0xfff);
        let operand = if encoded >> 31 == 1 { 1i32 << (operand & 31) } else { operand };
        let change = Change { operation, operand, comparison, compared: extended(encoded & 0xfff) };
        (operation <= 4 && comparison <= 5).then_some(change)
    }

    /// What becomes of a word, and whether to wake those who wait for it.
    pub(in crate::supervise) fn apply(self, word: u32) -> (u32, bool) {
        let operand = self.operand as u32;
        let new = match self.operation {
            0 => operand,
            1 => word.wrapping_add(operand),
            2 => word | operand,
            3 => word & !operand,
            _ => word ^ operand,
        };
        let (old, compared) = (word as i32, self.compared);
        let wakes = match self.comparison {
            0 => old == compared,
            1 => old != compared,
            2 => old < compared,
            3 => old <= compared,
            4 => old > compared,
            _ => old >= compared,
        };
        (new, wakes)
    }
}

/// True if this line of `maps` (proc_pid_maps(5)) has the address in memory that its process may write and shares with
/// nobody; a futex there is told from others by its address alone.
pub(in crate::supervise) fn is_own(maps: &str, address: u64) -> bool {
    let bound = |text: &str| u64::from_str_radix(text, 16).ok();
    maps.lines().any(|line| {
        let mut fields = line.split_whitespace();
        let (Some((start, end)), Some(rights)) =
            (fields.next().and_then(|range| range.split_once('-')), fields.next())
        else {
            return false;
        };
        bound(start) <= Some(address)
            && Some(address) < bound(end)
            && rights.as_bytes().get(1) == Some(&b'w')
            && rights.ends_with('p')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(operation: u32, operand: u32, comparison: u32, compared: u32) -> Option<Change> {
        Change::of(operation << 28 | comparison << 24 | operand << 12 | compared)
    }

    #[test]
    fn words_are_changed_and_compared_as_signed_numbers() {
        let apply = |change: Option<Change>, word| change.unwrap().apply(word);
        assert_eq!(apply(change(0, 5, 0, 7), 7), (5, true));
        assert_eq!(apply(change(1, 0xfff, 4, 0), u32::MAX), (u32::MAX - 1, false));
        assert_eq!(apply(change(2, 6, 2, 0), u32::MAX - 7), (u32::MAX - 1, true));
        assert_eq!(apply(change(3, 6, 1, 7), 7), (1, false));
        assert_eq!(apply(change(4 | 8, 4, 5, 0xfff), 16), (0, true));
        assert_eq!((change(5, 0, 0, 0), change(0, 0, 6, 0)), (None, None));
    }

    #[test]
    fn what_the_kernel_refuses_is_its_own() {
        let operation = |args| Operation::of(&args);
        assert_eq!(operation([8, 128, 3, 0, 0, 0]), Some(Operation::Wait { value: 3, bitset: ANY }));
        assert_eq!(operation([8, 128 | 256, 3, 0, 0, 0]), None);
        assert_eq!(operation([8, 9 | 256, 3, 0, 0, 6]), Some(Operation::Wait { value: 3, bitset: 6 }));
        assert_eq!(operation([8, 9, 3, 0, 0, 0]), None);
        assert_eq!(operation([9, 0, 3, 0, 0, 0]), None);
        assert_eq!(operation([8, 1, 1, 0, 0, 0]), Some(Operation::Wake { most: 1, bitset: ANY }));
        assert_eq!(operation([8, 4, u64::MAX, 1, 16, 0]), None);
        let requeue = Operation::Requeue { wake: 1, requeue: 2, to: 16, value: Some(9) };
        assert_eq!(operation([8, 4, 1, 2, 16, 9]), Some(requeue));
        assert_eq!(operation([8, 6, 0, 0, 0, 0]), None);
    }

    #[test]
    fn memory_of_its_own() {
        let maps =
            "1000-2000 rw-p 0 00:00 0\n2000-3000 rw-s 0 00:01 5 /dev/shm/x\n3000-4000 r--p 0 00:00 0\n";
        let own: Vec<bool> =
            [0xfff, 0x1000, 0x1fff, 0x2000, 0x3004].iter().map(|at| is_own(maps, *at)).collect();
        assert_eq!(own, [false, true, true, false, false]);
    }
}
