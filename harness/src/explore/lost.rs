//! Whether a signal that leaves a program waiting is one that ends it elsewhere.
//!
//! The reference run need not be the one in which all is well: where a SIGTERM (or a ^C) comes when everything sleeps, a program may lose it,
//! and heed it everywhere else. So what the reference run does is wrong if any run shows that SIGTERM asks the program to end: one
//! that does nothing but send the same signals, not in a call, and in which the program ends by itself. Another signal that comes in a
//! call is compared with the same just before that call, when the program's memory is the same: if the program ends by itself after
//! that, the call that fails with EINTR, or is made again, has kept it from doing so.

use super::error::Halt;
use super::ledger::Ledger;
use super::space::Space;
use crate::schedule::{Action, Schedule, Site, Step};
use crate::trace::Status;

/// Of the places at which it is looked whether SIGTERM ends the program, where nobody knows yet: so many, the latest first.
const LOOKS: usize = 8;

/// A schedule in which SIGTERM ends the program.
fn heeding(ledger: &mut Ledger<'_, '_>, space: &Space) -> Result<Option<Schedule>, Halt> {
    let asks =
        |step: &Step| step.action.asks_to_end().is_some() && !matches!(step.at, Site::In(_) | Site::Quiet);
    let steps: Vec<Step> = space.first_steps().filter(asks).collect();
    for step in steps.iter().rev().take(LOOKS) {
        if ledger.heeding().is_some() {
            break;
        }
        ledger.compare(&space.one(step))?;
    }
    Ok(ledger.heeding().cloned())
}

/// True if the run of this schedule, in which the signal leaves the program waiting, is unlike another that was made; and if without any
/// signal the program would not have ended.
pub(super) fn decides(ledger: &mut Ledger<'_, '_>, space: &Space, schedule: &Schedule) -> Result<bool, Halt> {
    let asks = schedule.steps.iter().any(|step| step.action.asks_to_end().is_some());
    let other = if asks { heeding(ledger, space)? } else { ledger.control(schedule).cloned() };
    let Some(other) = other else { return Ok(false) };
    let withheld = space.deviating(&[], &space.missing([]));
    let (there, here, none) = (ledger.compare(&other)?, ledger.look(schedule)?, ledger.look(&withheld)?);
    // By a key it may end in another way while it starts.
    let typed = space.home.steps.iter().any(|step| matches!(step.action, Action::Type(_)));
    if typed && ledger.look(&space.home)?.end != there.end {
        return Ok(false);
    }
    let ended = asks || matches!(there.end, (_, Some(Status::Exited(_))));
    Ok(ended && there.clean && here.clean && none.clean && there.end != here.end && there.end != none.end)
}
