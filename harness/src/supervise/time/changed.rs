//! Calls that tell of a file that was made or changed during the run: when, by the clock of the run (`dates`), and which number it
//! has, as in files that no other run has been in (`sys/own.rs`).

use crate::supervise::RunError;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::named::Named;
use crate::supervise::state::Turns;
use crate::supervise::time::dates::Dates;
use crate::supervise::time::face::machine;
use crate::sys::own::Shown;
use crate::sys::stat;
use nix::errno::Errno;
use std::os::fd::AsFd;
use std::rc::Rc;
use syscalls::Sysno;

/// What a user or group is called that a namespace has no number for (user_namespaces(7), `/proc/sys/kernel/overflowuid`).
const OVERFLOW: u32 = 65_534;

/// What comes of a call that tells of a file.
#[derive(Debug)]
pub(in crate::supervise) struct Told {
    /// What it is answered; none if it is to happen.
    pub(in crate::supervise) answer: Option<Result<i64, Errno>>,
    /// It may show the number of a file as it is.
    pub(in crate::supervise) shows: bool,
}

impl Told {
    /// It is not known of what it tells.
    const UNKNOWN: Told = Told { answer: None, shows: true };
    /// It tells of a file that the run has neither made nor changed.
    const OLDER: Told = Told { answer: None, shows: false };
}

/// How the kernel dates files could not be found out.
fn undated(errno: Errno) -> RunError {
    RunError::Fault(format!("asking the kernel for the date of a change: {errno}"))
}

impl Turns<'_> {
    /// The run begins.
    pub(in crate::supervise) fn begin_dates(&mut self) -> Result<(), RunError> {
        if self.clock.is_virtual() {
            self.kernel.dates = Dates::begin(Rc::clone(&self.date)).map_err(undated)?;
        }
        Ok(())
    }

    /// It is later by the run's clock than it was, and somebody is about to go on.
    pub(in crate::supervise) fn date(&mut self) -> Result<(), RunError> {
        let Some(dates) = &mut self.kernel.dates else { return Ok(()) };
        dates.goes_on(self.clock.now).map_err(undated)
    }

    /// Answers a call that tells of a file which was made or changed during the run.
    pub(in crate::supervise) fn tell_of_file(&self, id: ThreadId, call: Sysno, args: &[u64; 6]) -> Told {
        self.found_out(id, call, args).unwrap_or(Told::UNKNOWN)
    }

    /// None where it could not be found out.
    fn found_out(&self, id: ThreadId, call: Sysno, args: &[u64; 6]) -> Option<Told> {
        let dates = self.kernel.dates.as_ref()?;
        let door = &self.tree.thread(id).door;
        let named = |folder: i32, path: u64, flags: i32| door.named(folder, path, flags).ok().flatten();
        let (Named { file, by_path }, address) = match call {
            Sysno::fstat => (Named::held(door.duplicate(args[0] as i32).ok()?), args[1]),
            Sysno::stat => (named(libc::AT_FDCWD, args[0], 0)?, args[1]),
            Sysno::lstat => (named(libc::AT_FDCWD, args[0], libc::AT_SYMLINK_NOFOLLOW)?, args[1]),
            Sysno::newfstatat => (named(args[0] as i32, args[1], args[3] as i32)?, args[2]),
            Sysno::statx => (named(args[0] as i32, args[1], args[2] as i32)?, args[4]),
            _ => return None,
        };
        let (mut told, layout) = match call {
            Sysno::statx => {
                let how = args[2] as i32 & libc::AT_STATX_SYNC_TYPE;
                (stat::extended(file.as_fd(), how, args[3] as u32).ok()?, stat::EXTENDED)
            }
            _ => (stat::plain(file.as_fd()).ok()?, stat::PLAIN),
        };
        let (device, number) = layout.identity(&told)?;
        let mut any = false;
        // A folder that was copied for the run is as old as what it was copied from.
        for (field, which) in layout.given {
            // Nothing is there that was not asked for.
            let earlier = field.get(&told).is_some_and(|date| date != (0, 0) && dates.is_earlier(date));
            if earlier && let Some((seconds, nanos)) = self.cell.files().date((device, number), *which) {
                field.put(&mut told, seconds, nanos);
                any = true;
            }
        }
        any |= dates.tell(&mut told, layout, self.clock.face(), machine(libc::CLOCK_REALTIME)?);
        if !any {
            return Some(Told::OLDER);
        }
        if by_path && !door.finds_as_much().ok()? {
            return None;
        }
        for (at, map) in [(layout.user, "uid_map"), (layout.group, "gid_map")] {
            let number = u32::from_le_bytes(*told.get(at..)?.first_chunk()?);
            let number = door.number_of(number, map).ok()?.unwrap_or(OVERFLOW);
            stat::put(&mut told, at, &number.to_le_bytes());
        }
        let shown = self.cell.files().shown(device, number);
        if let Shown::Number(number) = shown {
            stat::put(&mut told, layout.number, &number.to_le_bytes());
        }
        let answer = door.write(address, &told).map(|()| 0);
        Some(Told { answer: Some(answer), shows: shown == Shown::Unknown })
    }
}
