//! Page faults of one thread that the kernel could not handle, through perf events of software: SIGSEGV and SIGBUS come of them.
//!
//! The kernel counts PAGE_FAULTS before it looks for what belongs at the address, and PAGE_FAULTS_MIN or PAGE_FAULTS_MAJ once
//! it has put something there. So a fault with nothing counted after it came to nothing: see NOTE \[Unhandled\] in
//! `supervise/crash.rs`. Not every bad access is a page fault: an address that no address can be (canonical form), and one in
//! the kernel's half, are not.

use super::{
    Attributes, DATA_HEAD, EXCLUDE_KERNEL_AND_HYPERVISOR, PAGE, Registers, SAMPLED, open, registers,
};
use libc::c_void;
use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

const PERF_TYPE_SOFTWARE: u32 = 1;
const PAGE_FAULTS: u64 = 2;
const PAGE_FAULTS_MIN: u64 = 5;
const PAGE_FAULTS_MAJ: u64 = 6;
const PERF_SAMPLE_ADDR: u64 = 1 << 3;
const PERF_SAMPLE_REGS_USER: u64 = 1 << 12;
const PERF_SAMPLE_STACK_USER: u64 = 1 << 13;
/// Before all else in a sample: which event it is of.
const PERF_SAMPLE_IDENTIFIER: u64 = 1 << 16;
/// Bit 27 (Linux 4.7): what is new is written before what is old, so that the newest can always be found.
const WRITE_BACKWARD: u64 = 1 << 27;
const PERF_EVENT_IOC_SET_OUTPUT: libc::c_ulong = 0x2405;
const PERF_EVENT_IOC_ID: libc::c_ulong = 0x8008_2407;
const PERF_SAMPLE_REGS_ABI_64: u64 = 2;

/// How much of the stack is copied, from its top.
const STACK: u32 = 32 << 10;
/// Pages for the newest samples: a power of two, and more than the longest takes.
const DATA: usize = 16 * PAGE;
const RING: usize = PAGE + DATA;

/// The page faults of a thread. They are counted until this is dropped.
#[derive(Debug)]
pub struct Faults {
    /// All; those that were handled without a disk; those with one. Only the first is asked.
    events: [OwnedFd; 3],
    /// Which samples are of the first.
    id: u64,
    ring: NonNull<c_void>,
}

/// A page fault that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What was accessed.
    pub address: u64,
    /// The thread's registers, and the instruction that accessed it.
    pub registers: Registers,
    /// The memory from the stack pointer on, as far as it was copied.
    pub stack: Vec<u8>,
}

impl Faults {
    /// Those of this thread from now on.
    pub fn of(tid: i32) -> Result<Faults, Errno> {
        let event = |config, sample_type| {
            let attributes = Attributes {
                kind: PERF_TYPE_SOFTWARE,
                size: size_of::<Attributes>() as u32,
                config,
                sample_period: 1,
                sample_type: PERF_SAMPLE_IDENTIFIER | sample_type,
                sample_registers: if sample_type == 0 { 0 } else { SAMPLED },
                sample_stack: if sample_type == 0 { 0 } else { STACK },
                flags: EXCLUDE_KERNEL_AND_HYPERVISOR | WRITE_BACKWARD,
                ..Attributes::default()
            };
            open(&attributes, tid)
        };
        let all = PERF_SAMPLE_ADDR | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER;
        let events = [event(PAGE_FAULTS, all)?, event(PAGE_FAULTS_MIN, 0)?, event(PAGE_FAULTS_MAJ, 0)?];
        let [first, ..] = &events;
        let mut id: u64 = 0;
        let place: *mut u64 = &mut id;
        // SAFETY: the descriptor is a perf event's, and this request writes a number to where `place` points.
        Errno::result(unsafe { libc::ioctl(first.as_raw_fd(), PERF_EVENT_IOC_ID, place) })?;
        let length = NonZeroUsize::new(RING).ok_or(Errno::EINVAL)?;
        // SAFETY: a new mapping at an address of the kernel's choice; nothing of this process is overlaid. That it cannot be
        // written to tells the kernel to write over what is old.
        let ring = unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, first, 0) }?;
        let faults = Faults { id, ring, events };
        let [first, handled @ ..] = &faults.events;
        for handled in handled {
            // SAFETY: both descriptors are perf events', and this request takes a descriptor.
            let joined =
                unsafe { libc::ioctl(handled.as_raw_fd(), PERF_EVENT_IOC_SET_OUTPUT, first.as_raw_fd()) };
            Errno::result(joined)?;
        }
        Ok(faults)
    }

    /// A number that changes with each fault, and with each that is handled.
    pub fn moment(&self) -> u64 {
        // SAFETY: an aligned word inside the first page, which stays mapped as long as `self`; the kernel writes it as one.
        let head = unsafe { self.ring.byte_add(DATA_HEAD).cast::<AtomicU64>().as_ref() };
        // What the kernel has written before it moved the head is seen after this.
        head.load(Ordering::Acquire)
    }

    /// The last fault, if it came to nothing and this moment was before it. Only of a thread that has ended: another may
    /// be just about to have it handled.
    pub fn unhandled_since(&self, moment: u64) -> Option<Fault> {
        const PERF_RECORD_SAMPLE: u32 = 9;
        let head = self.moment();
        if head == moment {
            return None;
        }
        let mut words = (0..).map(|index: u64| self.data(head.wrapping_add(8 * index)));
        let kind = words.next()? as u32;
        if kind != PERF_RECORD_SAMPLE || words.next()? != self.id {
            return None;
        }
        let address = words.next()?;
        if words.next()? != PERF_SAMPLE_REGS_ABI_64 {
            return None;
        }
        let mut sampled = [0; 18];
        sampled.iter_mut().zip(&mut words).for_each(|(word, value)| *word = value);
        let size = words.next()?.min(u64::from(STACK)) as usize;
        let mut stack: Vec<u8> = words.by_ref().take(size / 8).flat_map(u64::to_ne_bytes).collect();
        // How many of them the kernel could copy; without any room for them it says nothing.
        let copied = if size == 0 { 0 } else { words.next()? };
        stack.truncate(usize::try_from(copied).ok()?);
        Some(Fault { address, registers: registers(&sampled), stack })
    }

    /// A word of the newest samples, at an offset that counts on for ever.
    fn data(&self, at: u64) -> u64 {
        let offset = PAGE + (at as usize & (DATA - 1) & !7);
        // SAFETY: an aligned word inside the mapping, after its first page. Its thread has ended, so nobody writes there.
        unsafe { self.ring.byte_add(offset).cast::<u64>().read() }
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        // SAFETY: mapped by `of` with this length, and no reference into it outlives `self`. That it fails is not possible.
        let _ = unsafe { munmap(self.ring, RING) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_is_handled_is_seen_as_such() {
        let tid = nix::unistd::gettid().as_raw();
        let faults = match Faults::of(tid) {
            Err(errno @ (Errno::EACCES | Errno::EPERM)) => {
                println!("skipped: this host gives no perf events: {errno}");
                return;
            }
            other => other.unwrap(),
        };
        let before = faults.moment();
        // The kernel gives memory for each page when it is first written to.
        let mut touched = std::hint::black_box(vec![0u8; 1 << 22]);
        touched.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1);
        std::hint::black_box(&touched);
        assert_ne!(faults.moment(), before);
        assert_eq!(faults.unhandled_since(before), None);
    }
}
