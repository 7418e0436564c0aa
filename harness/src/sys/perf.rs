//! Hardware breakpoints through perf events (perf_event_open(2)): on an instruction of a thread that others decide about,
//! with a signal to that thread exactly before it executes the instruction, and its registers at that moment.

use super::descriptors;
use libc::c_void;
use nix::errno::Errno;
use std::fs::File;
use std::io::Read;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

mod faults;
mod samples;

pub use faults::{Fault, Faults};
pub use samples::{Sample, Samples};

/// struct perf_event_attr of linux/perf_event.h in its fourth version, the first that samples registers.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    breakpoint_address: u64,
    breakpoint_length: u64,
    branch_sample_type: u64,
    sample_registers: u64,
    sample_stack: u32,
    clock: i32,
}

const PERF_TYPE_BREAKPOINT: u32 = 5;
const HW_BREAKPOINT_X: u32 = 4;
/// What x86 demands for breakpoints on code: `sizeof(long)`.
const CODE_LENGTH: u64 = 8;
const PERF_SAMPLE_REGS_USER: u64 = 1 << 12;
const DISABLED: u64 = 1;
/// Bits 5 and 6: what an ordinary user may not observe.
const EXCLUDE_KERNEL_AND_HYPERVISOR: u64 = 0b110_0000;
/// Bit 36 (Linux 5.13): the addresses of the next program are others.
const REMOVE_ON_EXEC: u64 = 1 << 36;
const PERF_FLAG_FD_CLOEXEC: usize = 8;
const PERF_EVENT_IOC_REFRESH: libc::c_ulong = 0x2402;
const PERF_EVENT_IOC_ENABLE: libc::c_ulong = 0x2400;
const PERF_EVENT_IOC_PERIOD: libc::c_ulong = 0x4008_2404;
/// A count that no run reaches.
static NEVER: u64 = i64::MAX as u64;

/// The registers that a sample holds, in the order of the bits of linux's asm/perf_regs.h: ax bx cx dx si di bp sp ip flags
/// r8..r15.
const SAMPLED: u64 = 0x3ff | 0xff << 16;

/// The general registers of a thread of x86-64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// In the order of the DWARF numbers of the psABI: rax rdx rcx rbx rsi rdi rbp rsp r8..r15.
    pub general: [u64; 16],
    /// The next instruction.
    pub ip: u64,
}

/// Pages that the kernel writes its samples to: one that says where they are, and one for them.
#[derive(Debug)]
struct Ring(NonNull<c_void>);

/// What is mapped: the smallest that the kernel allows.
const PAGE: usize = 4096;
const RING: usize = 2 * PAGE;
/// Offsets in struct perf_event_mmap_page.
const DATA_HEAD: usize = 1024;
const DATA_TAIL: usize = 1032;

/// A breakpoint on one thread. It is gone when this is dropped.
#[derive(Debug)]
pub struct Breakpoint {
    fd: OwnedFd,
    ring: Ring,
}

impl Breakpoint {
    /// On executing the instruction at `address`, for the `nth` time from now on. It waits until it is aimed.
    pub fn on_code(tid: i32, address: u64, nth: u64) -> Result<Breakpoint, Errno> {
        let attributes = Attributes {
            sample_period: nth,
            sample_type: PERF_SAMPLE_REGS_USER,
            sample_registers: SAMPLED,
            flags: DISABLED | EXCLUDE_KERNEL_AND_HYPERVISOR | REMOVE_ON_EXEC,
            wakeup_events: 1,
            ..code(address)
        };
        let fd = open(&attributes, tid)?;
        let ring = Ring::new(&fd)?;
        Ok(Breakpoint { fd, ring })
    }

    /// Has the kernel send this signal to the thread when the breakpoint's time comes, in place of what was chosen before.
    pub fn aim(&self, tid: i32, signal: i32) -> Result<(), Errno> {
        descriptors::signal(self.fd.as_fd(), tid, signal)
    }

    /// No signal is sent; what is counted goes on.
    pub fn aim_at_nobody(&self) -> Result<(), Errno> {
        descriptors::signal_nobody(self.fd.as_fd())
    }

    /// Watches until its time has come once; then it has to be started again.
    pub fn start(&self) -> Result<(), Errno> {
        self.control(PERF_EVENT_IOC_REFRESH, 1)
    }

    /// Watches for ever: the signal comes each time. What has watched once stays stopped if it is started again while its
    /// thread is off the CPU (Linux 6.18).
    pub fn start_for_ever(&self) -> Result<(), Errno> {
        self.control(PERF_EVENT_IOC_ENABLE, 0)
    }

    /// From now on it only counts, for ever. While its thread is off the CPU, only what was started for ever does.
    pub fn count_on(&self) -> Result<(), Errno> {
        self.aim_at_nobody()?;
        // In the other order it counts nothing more on Linux 6.18, as the test below shows.
        self.control(PERF_EVENT_IOC_ENABLE, 0)?;
        let period: *const u64 = &NEVER;
        // SAFETY: the descriptor is a perf event's, and this request takes the address of a number, which is a constant's.
        Errno::result(unsafe { libc::ioctl(self.fd.as_raw_fd(), PERF_EVENT_IOC_PERIOD, period) }).map(drop)
    }

    fn control(&self, request: libc::c_ulong, argument: libc::c_ulong) -> Result<(), Errno> {
        // SAFETY: the descriptor is a perf event's, and these requests take a number.
        Errno::result(unsafe { libc::ioctl(self.fd.as_raw_fd(), request, argument) }).map(drop)
    }

    /// How often the place was come to while this was watching.
    pub fn count(&self) -> Result<u64, Errno> {
        let mut bytes = [0; 8];
        match nix::unistd::read(&self.fd, &mut bytes)? {
            8 => Ok(u64::from_ne_bytes(bytes)),
            _ => Err(Errno::EIO),
        }
    }

    /// The thread's registers when the breakpoint's time came, once for each time; none if it has not come again.
    pub fn registers(&mut self) -> Option<Registers> {
        self.ring.next()
    }
}

impl AsFd for Breakpoint {
    /// Polls readable when the breakpoint's time has come.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn code(address: u64) -> Attributes {
    Attributes {
        kind: PERF_TYPE_BREAKPOINT,
        size: size_of::<Attributes>() as u32,
        breakpoint_type: HW_BREAKPOINT_X,
        breakpoint_address: address,
        breakpoint_length: CODE_LENGTH,
        ..Attributes::default()
    }
}

/// For one thread, on every CPU, in no group.
fn open(attributes: &Attributes, tid: i32) -> Result<OwnedFd, Errno> {
    let attributes: *const Attributes = attributes;
    // SAFETY: what `attributes` points to is as long as its `size` says and lives through the call.
    let fd = Errno::result(unsafe {
        libc::syscall(libc::SYS_perf_event_open, attributes, tid, -1, -1, PERF_FLAG_FD_CLOEXEC)
    })?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

impl Ring {
    fn new(fd: &OwnedFd) -> Result<Ring, Errno> {
        let length = NonZeroUsize::new(RING).ok_or(Errno::EINVAL)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice; nothing of this process is overlaid.
        unsafe { mmap(None, length, protection, MapFlags::MAP_SHARED, fd, 0) }.map(Ring)
    }

    fn word(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: the two offsets asked for are aligned words inside the first page, which stays mapped as long as `self`;
        // the kernel and this process both access them as single words.
        unsafe { self.0.byte_add(offset).cast::<AtomicU64>().as_ref() }
    }

    /// A word of the data page, at an offset that counts on for ever.
    fn data(&self, at: u64) -> u64 {
        let offset = PAGE + (at as usize & (PAGE - 1) & !7);
        // SAFETY: an aligned word inside the second page. The kernel does not write there again before the tail is moved.
        unsafe { self.0.byte_add(offset).cast::<u64>().read() }
    }

    /// Takes the oldest sample.
    fn next(&mut self) -> Option<Registers> {
        self.next_sampled().map(|sampled| registers(&sampled))
    }

    /// The same in the order of a sample.
    fn next_sampled(&mut self) -> Option<[u64; 18]> {
        const PERF_RECORD_SAMPLE: u32 = 9;
        loop {
            // What the kernel has written before it moved the head is seen after this.
            let head = self.word(DATA_HEAD).load(Ordering::Acquire);
            let tail = self.word(DATA_TAIL).load(Ordering::Relaxed);
            if tail >= head {
                return None;
            }
            let header = self.data(tail);
            let (kind, size) = (header as u32, header >> 48);
            let sample = (kind == PERF_RECORD_SAMPLE && size >= 16 + 18 * 8).then(|| {
                // The header, then which ABI the registers are of, then they.
                let mut sampled = [0; 18];
                for (word, at) in sampled.iter_mut().zip((tail + 16..).step_by(8)) {
                    *word = self.data(at);
                }
                sampled
            });
            // A record of no size would be read for ever.
            self.word(DATA_TAIL).store(tail + size.max(8), Ordering::Release);
            if sample.is_some() {
                return sample;
            }
        }
    }
}

/// From the order of a sample to that of DWARF.
fn registers(sampled: &[u64; 18]) -> Registers {
    let [ax, bx, cx, dx, si, di, bp, sp, ip, _flags, r8, r9, r10, r11, r12, r13, r14, r15] = *sampled;
    Registers { general: [ax, dx, cx, bx, si, di, bp, sp, r8, r9, r10, r11, r12, r13, r14, r15], ip }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length, and no reference into it outlives `self`. That it fails is not possible.
        let _ = unsafe { munmap(self.0, RING) };
    }
}

#[inline(never)]
extern "C" fn watched(number: u32) -> u32 {
    std::hint::black_box(number)
}

/// Puts a breakpoint on a function of this process, calls it once in this thread, and gives the count of the breakpoint.
pub fn counted_executions() -> Result<u64, Errno> {
    let function: extern "C" fn(u32) -> u32 = std::hint::black_box(watched);
    let attributes = Attributes { flags: EXCLUDE_KERNEL_AND_HYPERVISOR, ..code(function as usize as u64) };
    let mut counter = File::from(open(&attributes, 0)?);
    function(1);
    let mut count = [0; 8];
    let read = counter.read_exact(&mut count);
    read.map_err(super::errno_of)?;
    Ok(u64::from_ne_bytes(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breakpoint_comes_at_the_time_that_was_asked_for() {
        let function: extern "C" fn(u32) -> u32 = std::hint::black_box(watched);
        let tid = nix::unistd::gettid().as_raw();
        let mut breakpoint = match Breakpoint::on_code(tid, function as usize as u64, 2) {
            Err(errno @ (Errno::EACCES | Errno::EPERM | Errno::ENOENT | Errno::EOPNOTSUPP)) => {
                println!("skipped: this host gives no hardware breakpoints: {errno}");
                return;
            }
            other => other.unwrap(),
        };
        breakpoint.start().unwrap();
        function(1);
        assert_eq!((breakpoint.registers(), breakpoint.count().unwrap()), (None, 1));
        function(7);
        let registers = breakpoint.registers().unwrap();
        assert_eq!((registers.ip, registers.general[5]), (function as usize as u64, 7));
        function(1);
        assert_eq!((breakpoint.registers(), breakpoint.count().unwrap()), (None, 2));
        breakpoint.count_on().unwrap();
        for number in 0..5 {
            function(number);
        }
        assert_eq!(breakpoint.count().unwrap(), 7);
    }
}
