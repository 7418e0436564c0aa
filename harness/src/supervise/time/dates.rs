//! When files were changed, by the clock of the run.
//!
//! The kernel dates files by the machine's clock, and cannot be told another time. So moments of the run are remembered with
//! the machine's time at each, and what the program asks of a file that was changed during the run (stat(2), statx(2)) is
//! answered with the time that the run had then. Files that are older keep their dates, and so do those that the program has
//! given a file itself (utimensat(2)): runs begin ahead of the machine's clock (`face`, NOTE \[File times\]), so they lie
//! ahead of what the kernel gives.
//!
//! NOTE \[Moments\] The kernel's dates go on by ticks of some milliseconds, in which a run does much. But since Linux 6.13 a
//! file whose date was asked for gets at its next change one that is later than all that were given before, and none that is
//! given afterwards, to whatever file, is earlier (multigrain timestamps, Documentation/filesystems/multigrain-ts.rst). So a
//! file of the harness's own, changed and asked twice, tells before from after. Where it does not, dates stay the machine's.

use crate::supervise::time::deadline::Logical;
use crate::supervise::time::face::Face;
use crate::sys::stat::Layout;
use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::{Mode, fchmod, fstat};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

/// Moments are told apart that are so far from each other, by the run's clock: what the kernel's dates tell apart at best by
/// their ticks (CONFIG_HZ of 1,000).
const GRAIN: Logical = 1_000_000;

/// Moments of a run, and what the machine's clock said at them.
#[derive(Debug)]
pub(in crate::supervise) struct Dates {
    /// Changed to see what date the kernel gives.
    file: Rc<OwnedFd>,
    /// The first date that was given after the moment, and the moment.
    moments: Vec<(Duration, Logical)>,
}

impl Dates {
    /// A file whose date tells moments apart: one for many runs, of which one is made at a time.
    pub(in crate::supervise) fn file() -> Result<Rc<OwnedFd>, Errno> {
        memfd_create(c"date", MFdFlags::MFD_CLOEXEC).map(Rc::new)
    }

    /// Those of a run that begins now; none where the kernel does not tell moments apart.
    pub(in crate::supervise) fn begin(file: Rc<OwnedFd>) -> Result<Option<Dates>, Errno> {
        let mut dates = Dates { file, moments: Vec::new() };
        let (first, second) = (dates.given()?, dates.given()?);
        dates.moments.push((second, 0));
        Ok((first < second).then_some(dates))
    }

    /// The date that a change gets now.
    fn given(&self) -> Result<Duration, Errno> {
        fchmod(&self.file, Mode::S_IRUSR)?;
        let told = fstat(&self.file)?;
        Ok(Duration::new(told.st_ctime.unsigned_abs(), told.st_ctime_nsec.unsigned_abs() as u32))
    }

    /// It is this time by the run's clock, and somebody is about to go on.
    pub(in crate::supervise) fn goes_on(&mut self, now: Logical) -> Result<(), Errno> {
        if self.moments.last().is_some_and(|(_, last)| now >= last.saturating_add(GRAIN)) {
            self.given()?;
            let date = self.given()?;
            self.moments.push((date, now));
        }
        Ok(())
    }

    /// The run's moment in which the kernel gave this date; none if it is of before the run, or not the kernel's.
    fn moment(&self, date: Duration, machine: Duration) -> Option<Logical> {
        let since = self.moments.partition_point(|(first, _)| *first <= date).checked_sub(1)?;
        self.moments.get(since).filter(|_| date <= machine).map(|(_, moment)| *moment)
    }

    /// True if the kernel gave this date before the run.
    pub(in crate::supervise) fn is_earlier(&self, (seconds, nanos): (i64, u32)) -> bool {
        let began = self.moments.first().map(|(first, _)| *first);
        began
            .zip(u64::try_from(seconds).ok())
            .is_none_or(|(began, seconds)| Duration::new(seconds, nanos) < began)
    }

    /// Puts the run's dates in the place of the machine's; false if there are none.
    pub(in crate::supervise) fn tell(
        &self,
        told: &mut [u8],
        layout: Layout,
        face: Face,
        machine: Duration,
    ) -> bool {
        let mut any = false;
        for field in layout.dates {
            let date = field.get(told).and_then(|(seconds, nanos)| {
                let seconds = u64::try_from(seconds).ok()?;
                let moment = self.moment(Duration::new(seconds, nanos), machine)?;
                Face { passed: Duration::from_nanos(moment), ..face }.reading(libc::CLOCK_REALTIME)
            });
            if let Some(date) = date {
                field.put(told, i64::try_from(date.as_secs()).unwrap_or(i64::MAX), date.subsec_nanos());
                any = true;
            }
        }
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::time::face::machine;

    #[test]
    fn what_is_changed_between_two_moments_has_the_date_of_the_first() {
        let Some(mut dates) = Dates::begin(Dates::file().unwrap()).unwrap() else {
            return println!("the kernel does not tell moments apart");
        };
        let other = memfd_create(c"other", MFdFlags::MFD_CLOEXEC).unwrap();
        let changed = || {
            fchmod(&other, Mode::S_IRWXU).unwrap();
            let told = fstat(&other).unwrap();
            Duration::new(told.st_ctime as u64, told.st_ctime_nsec as u32)
        };
        let machine = || machine(libc::CLOCK_REALTIME).unwrap();
        for moment in 0..2_000 {
            dates.goes_on(moment * GRAIN).unwrap();
            assert_eq!(dates.moment(changed(), machine()), Some(moment * GRAIN));
        }
        let last = changed();
        dates.goes_on(1_999 * GRAIN + 1).unwrap();
        assert_eq!(dates.moment(changed(), machine()), Some(1_999 * GRAIN), "too near to be told apart");
        dates.goes_on(5_000 * GRAIN).unwrap();
        assert_eq!(dates.moment(last, machine()), Some(1_999 * GRAIN));
    }

    #[test]
    fn dates_of_before_the_run_and_those_that_the_program_gives_stay() {
        let Some(dates) = Dates::begin(Dates::file().unwrap()).unwrap() else {
            return println!("the kernel does not tell moments apart");
        };
        let now = machine(libc::CLOCK_REALTIME).unwrap();
        assert_eq!(dates.moment(now - Duration::from_secs(1), now), None);
        assert_eq!(dates.moment(now + Duration::from_secs(3_600), now), None);
        assert_eq!(dates.moment(Duration::MAX, now), None);
        assert_eq!(dates.moment(now, now), Some(0));
    }
}
