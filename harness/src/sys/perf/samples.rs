//! Where a thread is, and its registers, from time to time while it computes (perf_event_open(2), PERF_COUNT_SW_TASK_CLOCK).

use super::{
    Attributes, EXCLUDE_KERNEL_AND_HYPERVISOR, PERF_SAMPLE_REGS_USER, REMOVE_ON_EXEC, Registers, Ring,
    SAMPLED, open, registers,
};
use nix::errno::Errno;
use std::os::fd::OwnedFd;
use std::time::Duration;

const PERF_TYPE_SOFTWARE: u32 = 1;
const PERF_COUNT_SW_TASK_CLOCK: u64 = 1;
/// Where the flags are among the registers of a sample.
const FLAGS: usize = 9;

/// The general registers of a thread at one moment, and its flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its registers, the next instruction among them.
    pub registers: Registers,
    /// RFLAGS.
    pub flags: u64,
}

/// Samples of one thread, which are taken until this is dropped, or its pages are full.
#[derive(Debug)]
pub struct Samples {
    ring: Ring,
    /// It is what takes them.
    _fd: OwnedFd,
}

impl Samples {
    /// Of this thread, each time that it has had the CPU for so long.
    pub fn of(tid: i32, every: Duration) -> Result<Samples, Errno> {
        let attributes = Attributes {
            kind: PERF_TYPE_SOFTWARE,
            size: size_of::<Attributes>() as u32,
            config: PERF_COUNT_SW_TASK_CLOCK,
            sample_period: u64::try_from(every.as_nanos()).unwrap_or(u64::MAX),
            sample_type: PERF_SAMPLE_REGS_USER,
            sample_registers: SAMPLED,
            flags: EXCLUDE_KERNEL_AND_HYPERVISOR | REMOVE_ON_EXEC,
            ..Attributes::default()
        };
        let fd = open(&attributes, tid)?;
        Ok(Samples { ring: Ring::new(&fd)?, _fd: fd })
    }

    /// The oldest that was not taken yet.
    pub fn take(&mut self) -> Option<Sample> {
        let sampled = self.ring.next_sampled()?;
        Some(Sample { registers: registers(&sampled), flags: sampled[FLAGS] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_computes_is_seen_where_it_is() {
        let tid = nix::unistd::gettid().as_raw();
        let mut samples = match Samples::of(tid, Duration::from_micros(500)) {
            Err(errno @ (Errno::EACCES | Errno::EPERM | Errno::ENOENT | Errno::EOPNOTSUPP)) => {
                println!("skipped: this host gives no samples of registers: {errno}");
                return;
            }
            other => other.unwrap(),
        };
        let mut sum = 0_u64;
        let seen = (0_u64..).find_map(|number| {
            sum = std::hint::black_box(sum.wrapping_add(number));
            number.is_multiple_of(1 << 16).then(|| samples.take()).flatten()
        });
        let seen = seen.unwrap();
        // Bit 1 of the flags is always set; code lies in the lower half of memory.
        assert!(seen.flags & 2 == 2 && seen.registers.ip != 0 && seen.registers.ip >> 47 == 0, "{seen:?}");
    }
}
