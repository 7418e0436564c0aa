//! Whether what a program leaves undone after a signal is lost.
//!
//! A signal just before a call and the same signal in the sleep of that call find the program with the same memory: between the two it
//! executes nothing. So if its handler runs in both, and the program acts only in the second, it is the sleep that nothing ends any
//! more. That it acts on the signal at all, and not only on a call that fails with EINTR, shows where the signal interrupts no call.

use super::error::Halt;
use super::ledger::{Entry, Ledger};
use super::space::Space;
use crate::schedule::{Schedule, Site, Step};

/// Places at which it is looked whether the program acts on the signal, where nobody knows yet: so many, the latest first.
const LOOKS: usize = 8;

/// True if the program does as in the reference run where the signal of this schedule comes in the next sleep, and also where it
/// interrupts no call.
pub(super) fn decides(ledger: &mut Ledger<'_, '_>, space: &Space, schedule: &Schedule) -> Result<bool, Halt> {
    let Some(control) = ledger.control(schedule).cloned() else { return Ok(false) };
    let usual = ledger.look(&space.home)?;
    let acts = |entry: Entry| entry.clean && entry.end == usual.end && entry.effects == usual.effects;
    if !acts(ledger.compare(&control)?) {
        return Ok(false);
    }
    let Some(here) = schedule.steps.iter().find(|step| step.action.signal().is_some()) else {
        return Ok(false);
    };
    // Before other visits of the same call it is likely to be lost as well.
    let uninterrupted = |step: &Step| {
        let asleep = matches!(step.at, Site::In(_) | Site::Quiet | Site::Entering(_));
        step.action == here.action && step.at != here.at && !asleep
    };
    let steps: Vec<Step> = space.first_steps().filter(uninterrupted).collect();
    let (known, unknown): (Vec<Schedule>, Vec<Schedule>) =
        steps.iter().rev().map(|step| space.one(step)).partition(|one| ledger.knows(one));
    for one in known.iter().chain(unknown.iter().take(LOOKS)) {
        if acts(ledger.compare(one)?) {
            return Ok(true);
        }
    }
    Ok(false)
}
