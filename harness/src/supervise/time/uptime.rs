//! `/proc/uptime` (proc_uptime(5)): what is read there is the run's time since boot, as sysinfo(2) tells it.
//!
//! How long the processors were idle, its second number, is told as the same: in a run that begins anew they have done nothing.
//! Only read(2) and pread(2) of a file that was opened by this name are answered; other calls get the machine's.

use crate::supervise::books::ids::ThreadId;
use crate::supervise::state::Turns;
use nix::errno::Errno;
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use nix::unistd::{Whence, lseek};
use syscalls::Sysno;

impl Turns<'_> {
    /// Answers a call that reads it; none if the call is to happen.
    pub(in crate::supervise) fn read_uptime(
        &self,
        id: ThreadId,
        call: Sysno,
        args: &[u64; 6],
    ) -> Option<Result<i64, Errno>> {
        if !self.kernel.uptime_opened {
            return None;
        }
        let now = self.clock.is_virtual().then(|| self.clock.reading(libc::CLOCK_BOOTTIME)).flatten()?;
        let door = &self.tree.thread(id).door;
        // Seen from outside the run its `/proc` has no name.
        let path = door.descriptor(args[0] as i32).ok()?;
        if !["/proc/uptime", "/uptime"].contains(&path.as_str()) {
            return None;
        }
        let file = door.duplicate(args[0] as i32).ok()?;
        if fstatfs(&file).ok()?.filesystem_type() != PROC_SUPER_MAGIC {
            return None;
        }
        let at = match call {
            Sysno::read => lseek(&file, 0, Whence::SeekCur).ok()?,
            _ => args[3] as i64,
        };
        let at = usize::try_from(at).ok()?;
        let seconds = format!("{}.{:02}", now.as_secs(), now.subsec_millis() / 10);
        let text = format!("{seconds} {seconds}\n");
        let left = text.as_bytes().get(at..).unwrap_or_default();
        let told = &left[..left.len().min(usize::try_from(args[2]).unwrap_or(usize::MAX))];
        // The duplicate has the same place in the file as the program's own.
        let read = door.write(args[1], told).and_then(|()| match call {
            Sysno::read => lseek(&file, told.len() as i64, Whence::SeekCur).map(drop),
            _ => Ok(()),
        });
        Some(read.map(|()| told.len() as i64))
    }
}
