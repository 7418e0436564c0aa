//! Hardware breakpoints through perf events (perf_event_open(2)).

use nix::errno::Errno;
use std::fs::File;
use std::io::Read;
use std::os::fd::FromRawFd;

/// struct perf_event_attr of linux/perf_event.h in its second version, the first that knows breakpoints.
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
}

const PERF_TYPE_BREAKPOINT: u32 = 5;
const HW_BREAKPOINT_X: u32 = 4;
/// What x86 demands for breakpoints on code: `sizeof(long)`.
const LENGTH: u64 = 8;
/// Bits 5 and 6: what an ordinary user may not observe.
const EXCLUDE_KERNEL_AND_HYPERVISOR: u64 = 0b110_0000;
const PERF_FLAG_FD_CLOEXEC: usize = 8;

#[inline(never)]
extern "C" fn watched(number: u32) -> u32 {
    std::hint::black_box(number)
}

/// Puts a breakpoint on a function of this process, calls it once in this thread, and gives the count of the breakpoint.
pub fn counted_executions() -> Result<u64, Errno> {
    let function: extern "C" fn(u32) -> u32 = std::hint::black_box(watched);
    let attributes = Attributes {
        kind: PERF_TYPE_BREAKPOINT,
        size: size_of::<Attributes>() as u32,
        flags: EXCLUDE_KERNEL_AND_HYPERVISOR,
        breakpoint_type: HW_BREAKPOINT_X,
        breakpoint_address: function as usize as u64,
        breakpoint_length: LENGTH,
        ..Attributes::default()
    };
    // This thread, on every CPU, in no group.
    // SAFETY: `attributes` is as long as its `size` says and lives through the call.
    let fd = Errno::result(unsafe {
        libc::syscall(libc::SYS_perf_event_open, &raw const attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC)
    })?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    let mut counter = unsafe { File::from_raw_fd(fd as i32) };
    function(1);
    let mut count = [0; 8];
    let read = counter.read_exact(&mut count);
    read.map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))?;
    Ok(u64::from_ne_bytes(count))
}
