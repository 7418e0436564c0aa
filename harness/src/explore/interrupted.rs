//! Whether it is the interruption of a call that makes a program end otherwise.
//!
//! Where every run sends a signal, another exit status than that of the reference run is an outcome of its own: many programs
//! end because of the signal, and how depends on what there was to do. The same signal handled just before the call, which is then
//! made, tells the two apart: if the program ends as in the reference run, what it does otherwise is due to the call that was
//! cut short (EINTR, or a short count). So it is with children that nobody waits for any more.

use super::error::Halt;
use super::ledger::Ledger;
use super::space::Space;
use crate::schedule::Schedule;

/// True if the run of this schedule, which interrupts calls, ends otherwise than its control (`steps::uninterrupted`), and that as the
/// reference run; or if it leaves children that are waited for in both.
pub(super) fn decides(ledger: &mut Ledger<'_, '_>, space: &Space, schedule: &Schedule) -> Result<bool, Halt> {
    let Some(control) = ledger.control(schedule).cloned() else { return Ok(false) };
    let (here, there) = (ledger.look(schedule)?, ledger.compare(&control)?);
    let reference = ledger.look(&space.home)?;
    let mut left = ledger.unwaited(schedule).to_vec();
    left.retain(|child| {
        !ledger.unwaited(&control).contains(child) && !ledger.unwaited(&space.home).contains(child)
    });
    let otherwise = there.end != here.end || !left.is_empty();
    Ok(there.clean && there.end == reference.end && otherwise)
}
