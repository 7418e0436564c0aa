//! What one thread did that the kernel answers with a signal: page faults that come to nothing, and the processor's other
//! exceptions, through perf events.
//!
//! The kernel counts PAGE_FAULTS before it looks for what belongs at the address, and PAGE_FAULTS_MIN or PAGE_FAULTS_MAJ once
//! it has put something there. So a fault with nothing counted after it came to nothing: see NOTE \[Unhandled\] in
//! `supervise/crash.rs`.
//!
//! A division by zero is no page fault, an instruction that is none is not, nor is an address that none can be (not in
//! canonical form) or that is in the kernel's half. These are seen by the signal that the kernel makes of them, at the
//! tracepoint signal_generate, and only by root: others may not watch the kernel (`perf_event_paranoid`).

use super::{
    Attributes, DATA_HEAD, EXCLUDE_KERNEL_AND_HYPERVISOR, PAGE, Registers, SAMPLED, open, registers,
};
use libc::c_void;
use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use std::ffi::CStr;
use std::fs;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

const PERF_TYPE_SOFTWARE: u32 = 1;
const PERF_TYPE_TRACEPOINT: u32 = 2;
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
const PERF_EVENT_IOC_SET_FILTER: libc::c_ulong = 0x4008_2406;
const PERF_EVENT_IOC_ID: libc::c_ulong = 0x8008_2407;
const PERF_SAMPLE_REGS_ABI_64: u64 = 2;

/// Bit 6: what the kernel does is watched.
const EXCLUDE_HYPERVISOR: u64 = 0b100_0000;
/// Where the kernel tells the number of its tracepoint (tracefs).
const SIGNAL_GENERATE: [&str; 2] = [
    "/sys/kernel/tracing/events/signal/signal_generate/id",
    "/sys/kernel/debug/tracing/events/signal/signal_generate/id",
];
/// A thread sends many signals. An exception's has a code of the kernel's own, above that of kill(2) (sigaction(2)): SIGILL,
/// SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGSYS.
const EXCEPTIONS: &CStr =
    c"code > 0 && (sig == 4 || sig == 5 || sig == 7 || sig == 8 || sig == 11 || sig == 31)";

/// How much of the stack is copied, from its top.
const STACK: u32 = 28 << 10;
/// Pages for the newest samples: a power of two, and more than two of the longest take.
const DATA: usize = 16 * PAGE;
const RING: usize = PAGE + DATA;

/// The page faults of a thread. They are counted until this is dropped.
#[derive(Debug)]
pub struct Faults {
    /// Page faults: all.
    all: OwnedFd,
    /// Which samples are of these.
    id: u64,
    ring: NonNull<c_void>,
    /// Which samples are of exceptions, if they are watched.
    exceptions: Option<u64>,
    /// What else writes to the ring.
    others: Vec<OwnedFd>,
}

/// What the kernel answers with a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What was accessed; none if it was no page fault.
    pub address: Option<u64>,
    /// The thread's registers, and the instruction that did it.
    pub registers: Registers,
    /// The memory from the stack pointer on, as far as it was copied.
    pub stack: Vec<u8>,
}

impl Faults {
    /// Those of this thread from now on.
    pub fn of(tid: i32) -> Result<Faults, Errno> {
        let short = |config| Attributes {
            kind: PERF_TYPE_SOFTWARE,
            size: size_of::<Attributes>() as u32,
            config,
            sample_period: 1,
            sample_type: PERF_SAMPLE_IDENTIFIER,
            flags: EXCLUDE_KERNEL_AND_HYPERVISOR | WRITE_BACKWARD,
            ..Attributes::default()
        };
        let whole = |config| Attributes {
            sample_type: PERF_SAMPLE_IDENTIFIER
                | PERF_SAMPLE_ADDR
                | PERF_SAMPLE_REGS_USER
                | PERF_SAMPLE_STACK_USER,
            sample_registers: SAMPLED,
            sample_stack: STACK,
            ..short(config)
        };
        let all = open(&whole(PAGE_FAULTS), tid)?;
        let length = NonZeroUsize::new(RING).ok_or(Errno::EINVAL)?;
        // SAFETY: a new mapping at an address of the kernel's choice; nothing of this process is overlaid. That it cannot be
        // written to tells the kernel to write over what is old.
        let ring = unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, &all, 0) }?;
        let id = id(&all);
        let mut faults = Faults { all, id: 0, ring, exceptions: None, others: Vec::new() };
        faults.id = id?;
        for config in [PAGE_FAULTS_MIN, PAGE_FAULTS_MAJ] {
            faults.join(open(&short(config), tid)?)?;
        }
        if let Some(number) = signal_generate() {
            let flags = EXCLUDE_HYPERVISOR | WRITE_BACKWARD;
            let attributes = Attributes { kind: PERF_TYPE_TRACEPOINT, flags, ..whole(number) };
            // Who may not watch the kernel does without.
            if let Ok(event) = open(&attributes, tid) {
                only(&event, EXCEPTIONS)?;
                let id = self::id(&event)?;
                faults.join(event)?;
                faults.exceptions = Some(id);
            }
        }
        Ok(faults)
    }

    /// Has another event of the same thread write to the same ring, in the order in which things happen.
    fn join(&mut self, event: OwnedFd) -> Result<(), Errno> {
        // SAFETY: both descriptors are perf events', and this request takes a descriptor.
        let joined =
            unsafe { libc::ioctl(event.as_raw_fd(), PERF_EVENT_IOC_SET_OUTPUT, self.all.as_raw_fd()) };
        self.others.push(event);
        Errno::result(joined).map(drop)
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
        let head = self.moment();
        if head == moment {
            return None;
        }
        let (id, size, fault) = self.sample(head)?;
        if id == self.id {
            return Some(fault);
        }
        if Some(id) != self.exceptions {
            return None;
        }
        // The signal may be that of the page fault before it, which also tells the address.
        let before = head.wrapping_add(size);
        let before = if before == moment { None } else { self.sample(before) };
        let same =
            |(id, _, before): &(u64, u64, Fault)| *id == self.id && before.registers == fault.registers;
        Some(match before.filter(same) {
            Some((_, _, page_fault)) => page_fault,
            None => Fault { address: None, ..fault },
        })
    }

    /// The sample at this offset, which event it is of, and how long it is; none if it is of one that tells no registers.
    fn sample(&self, at: u64) -> Option<(u64, u64, Fault)> {
        const PERF_RECORD_SAMPLE: u32 = 9;
        let mut words = (0..).map(|index: u64| self.data(at.wrapping_add(8 * index)));
        let header = words.next()?;
        let (kind, size) = (header as u32, header >> 48);
        let id = words.next()?;
        if kind != PERF_RECORD_SAMPLE || (id != self.id && Some(id) != self.exceptions) {
            return None;
        }
        let address = words.next();
        if words.next()? != PERF_SAMPLE_REGS_ABI_64 {
            return None;
        }
        let mut sampled = [0; 18];
        sampled.iter_mut().zip(&mut words).for_each(|(word, value)| *word = value);
        let length = words.next()?.min(u64::from(STACK)) as usize;
        let mut stack: Vec<u8> = words.by_ref().take(length / 8).flat_map(u64::to_ne_bytes).collect();
        // How many of them the kernel could copy; without any room for them it says nothing.
        let copied = if length == 0 { 0 } else { words.next()? };
        stack.truncate(usize::try_from(copied).ok()?);
        Some((id, size, Fault { address, registers: registers(&sampled), stack }))
    }

    /// A word of the newest samples, at an offset that counts on for ever.
    fn data(&self, at: u64) -> u64 {
        let offset = PAGE + (at as usize & (DATA - 1) & !7);
        // SAFETY: an aligned word inside the mapping, after its first page. Its thread has ended, so nobody writes there.
        unsafe { self.ring.byte_add(offset).cast::<u64>().read() }
    }
}

/// What the samples of this event call it.
fn id(event: &OwnedFd) -> Result<u64, Errno> {
    let mut id: u64 = 0;
    let place: *mut u64 = &mut id;
    // SAFETY: the descriptor is a perf event's, and this request writes a number to where `place` points.
    Errno::result(unsafe { libc::ioctl(event.as_raw_fd(), PERF_EVENT_IOC_ID, place) })?;
    Ok(id)
}

/// Has a tracepoint's event count only what this expression holds of.
fn only(event: &OwnedFd, filter: &CStr) -> Result<(), Errno> {
    // SAFETY: the descriptor is a perf event's, and this request reads a text, which lives through the call.
    let set = unsafe { libc::ioctl(event.as_raw_fd(), PERF_EVENT_IOC_SET_FILTER, filter.as_ptr()) };
    Errno::result(set).map(drop)
}

/// The number of the tracepoint; none where it is not told, to this user or to anybody.
fn signal_generate() -> Option<u64> {
    let number = |path: &&str| fs::read_to_string(path).ok()?.trim().parse().ok();
    SIGNAL_GENERATE.iter().find_map(number)
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
    use nix::sys::mman::mmap_anonymous;

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
        let pages = NonZeroUsize::new(64 * PAGE).unwrap();
        let rights = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice; nothing of this process is overlaid.
        let memory = unsafe { mmap_anonymous(None, pages, rights, MapFlags::MAP_PRIVATE) }.unwrap();
        let before = faults.moment();
        // The kernel gives memory for each page when it is first written to. An allocator's may have been written to before.
        for offset in (0..pages.get()).step_by(PAGE) {
            // SAFETY: a byte inside the mapping, of which nobody else knows.
            unsafe { memory.byte_add(offset).cast::<u8>().write_volatile(1) };
        }
        assert_ne!(faults.moment(), before);
        assert_eq!(faults.unhandled_since(before), None);
        // SAFETY: mapped above with this length, and not used any more.
        unsafe { munmap(memory, pages.get()) }.unwrap();
    }
}
