//! Whether what a run leaves undone is due to a signal that cuts a call short.
//!
//! NOTE \[Cut short\] The run is compared with one in which the signal comes just before the same call. One that a child's end or a timer
//! causes by itself comes there where the others run first, or the timer runs out. If the program ends alike in both and leaves
//! nothing undone in the second, it means to do it. And that the call was cut short, and did not return for another reason, shows
//! what it returned: a wait has failed with EINTR. A write has written less than the same one does in the second run, and just that is missing
//! of all that the thread has written in the end: a program that writes the rest, then or later, comes to the same sum.

use super::error::Halt;
use super::ledger::{Ledger, LeftUndone};
use super::space::Space;
use crate::schedule::{Schedule, Site, Syscall, ThreadName};
use crate::supervise::Called;
use crate::trace::{Interrupter, Interruption, Undone};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// What a call returns that a signal has interrupted before it did anything (signal(7)).
const EINTR: i64 = -(libc::EINTR as i64);

/// True if a call that was cut short in the run of this schedule leaves undone what is done where it is not.
pub(super) fn decides(ledger: &mut Ledger<'_, '_>, _: &Space, schedule: &Schedule) -> Result<bool, Halt> {
    let all = ledger.left_undone(schedule).to_vec();
    let by_itself = all.iter().all(|left| left.call.by != Interrupter::Sent);
    if all.is_empty() || by_itself && !ledger.looks_for_undone() {
        return Ok(false);
    }
    let mut returned = HashMap::new();
    for left in &all {
        if leaves(ledger, schedule, left, &mut returned)? {
            return Ok(true);
        }
    }
    if by_itself {
        ledger.note_futile();
    }
    Ok(false)
}

/// What calls of threads return in one run, where that was seen.
type Returned = HashMap<(ThreadName, Syscall), Option<Vec<Called>>>;

/// True if the call was cut short, and what is left undone is done where it is not.
fn leaves(
    ledger: &mut Ledger<'_, '_>,
    schedule: &Schedule,
    left: &LeftUndone,
    returned: &mut Returned,
) -> Result<bool, Halt> {
    let LeftUndone { call: Interruption { by, point, before, .. }, what, control } = left;
    let (thread, Site::In(call)) = (&point.thread, point.site) else { return Ok(false) };
    let (here, there) = (ledger.look(schedule)?, ledger.compare(control)?);
    // Where there is nothing to see it need not be looked at. And a write that is cut short there too may have lost its reader, whose
    // end is a child's.
    if *what == Undone::Rest && (here.told == there.told || there.breaks.is_some()) {
        return Ok(false);
    }
    let cut = match returned.entry((thread.clone(), call)) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(unknown) => unknown.insert(ledger.results(schedule, thread, call)?),
    };
    let Some(cut) = cut else { return Ok(false) };
    let Some(result) = cut.iter().find(|one| one.point == *before).and_then(|one| one.result) else {
        return Ok(false);
    };
    if matches!(what, Undone::Children(_)) && result != EINTR {
        return Ok(false);
    }
    if !here.clean || !there.clean || here.end != there.end {
        return Ok(false);
    }
    match what {
        Undone::Children(children) => {
            let (left, done) = (ledger.unwaited(schedule), ledger.unwaited(control));
            let fewer = done.iter().all(|child| left.contains(child));
            // Who waits no longer than a time, and says that it was over, means it.
            let says = *by == Interrupter::Timer && here.told != there.told;
            Ok(!says && fewer && children.iter().any(|child| !done.contains(child)))
        }
        Undone::Rest => {
            let Some(whole) = ledger.results(control, thread, call)? else { return Ok(false) };
            let at = |all: &[Called]| written(all.iter().find(|one| one.point.nth >= before.nth)?);
            let sum = |all: &[Called]| all.iter().map(written).sum::<Option<i64>>();
            let missing = |of: &dyn Fn(&[Called]) -> Option<i64>| Some(of(&whole)? - of(cut)?);
            Ok(missing(&at).is_some_and(|bytes| bytes > 0) && missing(&at) == missing(&sum))
        }
    }
}

/// How many bytes a call has written; none if that was not seen.
fn written(one: &Called) -> Option<i64> {
    one.result.map(|bytes| bytes.max(0))
}
