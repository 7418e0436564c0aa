//! Whether it is the interruption of a call that makes a program end otherwise.
//!
//! Where every run sends a signal, another exit status than that of the reference run is an outcome of its own: many programs
//! end because of the signal, and how depends on what there was to do. The same signal handled just before the call, which is then
//! made, tells the two apart: if the program ends as in the reference run, what it does otherwise is due to the call that was
//! cut short (EINTR, or a short count). So it is with children that nobody waits for any more.
//!
//! NOTE \[The reference run's own\] The reference run's signal comes when everything sleeps, so it interrupts a call as well, and that may
//! be the one which is taken for an error. So what ends as it does is compared with the run that nothing disturbs: if the signal just before the
//! call lets the program end as that, and the signal in the call does not, the call is what it fails by. The same with what is read: a
//! `read` that fails with EINTR and is taken for the end of the file leaves the exit status as it is, but less is written than without the
//! signal. But a program that means to stop for the signal may also notice it only where a call fails. It notices it elsewhere too, sooner or
//! later: so the signal must change nothing wherever it interrupts no call, from the beginning on.

use super::error::Halt;
use super::ledger::{Entry, Ledger};
use super::space::Space;
use crate::schedule::{Schedule, Site, Step};
use crate::trace::{Object, Outcome, Status};
use std::collections::HashMap;

/// What a call returns that a signal has interrupted before it did anything (signal(7)).
const EINTR: i64 = -(libc::EINTR as i64);

/// So many places are looked at, the first ones, whether the signal changes anything where it interrupts no call.
const LOOKS: usize = 8;

/// True if the run of this schedule, which interrupts calls, ends otherwise than its control (`steps::uninterrupted`), and that as the
/// reference run; or if it leaves children that are waited for in both; or if the reference run is no better.
pub(super) fn decides(ledger: &mut Ledger<'_, '_>, space: &Space, schedule: &Schedule) -> Result<bool, Halt> {
    let Some(control) = ledger.control(schedule).cloned() else { return Ok(false) };
    let (here, reference) = (ledger.look(schedule)?, ledger.look(&space.home)?);
    let mut left = ledger.unwaited(schedule).to_vec();
    left.retain(|child| !ledger.unwaited(&space.home).contains(child));
    // Else it is children of which something is said.
    if left.is_empty() && here.end == reference.end {
        return fails_as_reference(ledger, space, schedule, &control);
    }
    let there = ledger.compare(&control)?;
    left.retain(|child| !ledger.unwaited(&control).contains(child));
    let otherwise = there.end != here.end || !left.is_empty();
    Ok(there.clean && there.end == reference.end && otherwise)
}

/// True if the run of this schedule, which ends as the reference run, is spoilt by the call that its signal interrupts:
/// NOTE \[The reference run's own\].
fn fails_as_reference(
    ledger: &mut Ledger<'_, '_>,
    space: &Space,
    schedule: &Schedule,
    control: &Schedule,
) -> Result<bool, Halt> {
    let Some((step, _)) = schedule.only_signal() else { return Ok(false) };
    let withheld = space.deviating(&[], &space.missing([]));
    let (here, plain) = (ledger.look(schedule)?, ledger.look(&withheld)?);
    let fails = here.end != plain.end;
    // As the judge has it: an error, or less than all.
    let (_, Some(Status::Exited(code))) = here.end else { return Ok(false) };
    let ended = matches!(plain.end, (_, Some(Status::Exited(_))));
    if !here.clean || !plain.clean || !ended || fails != (code != 0) || !fails && here.told == plain.told {
        return Ok(false);
    }
    let unchanged = |entry: Entry| entry.end == plain.end && (fails || entry.told == plain.told);
    let uninterrupted = |other: &Step| other.action == step.action && matches!(other.at, Site::Before(_));
    let places: Vec<Step> = space.first_steps().filter(uninterrupted).take(LOOKS).collect();
    let mut seen = false;
    for place in places {
        let entry = ledger.compare(&space.one(&place))?;
        if entry.clean && !unchanged(entry) {
            return Ok(false);
        }
        seen |= entry.clean;
    }
    let there = ledger.compare(control)?;
    if !seen || !there.clean || !unchanged(there) {
        return Ok(false);
    }
    Ok(fails || reads_less(ledger, schedule, step, &withheld)?)
}

/// True if the last of the calls that this step of the schedule interrupts fails with EINTR, and less is written than in the run of the
/// other schedule.
fn reads_less(
    ledger: &mut Ledger<'_, '_>,
    schedule: &Schedule,
    step: &Step,
    plain: &Schedule,
) -> Result<bool, Halt> {
    let Site::In(call) = step.at else { return Ok(false) };
    let returned = ledger.results(schedule, &step.thread, call)?;
    let last = returned.and_then(|all| all.last().and_then(|last| last.result));
    if last != Some(EINTR) {
        return Ok(false);
    }
    let made = ledger.make_extra(&[schedule.clone(), plain.clone()], "comparing what is written, at")?;
    let [here, whole] = made.as_slice() else { return Err(Halt::Interrupted) };
    Ok(less(&here.run.outcome, &whole.run.outcome))
}

/// True if standard output ends too early, or files are too short, and nothing else is in them.
fn less(here: &Outcome, whole: &Outcome) -> bool {
    let (cut, all) = (here.stdout.bytes(), whole.stdout.bytes());
    if here.stdout.left_out() > 0 || !all.starts_with(cut) {
        return false;
    }
    let (few, full) = (sizes(here), sizes(whole));
    let shorter = full.iter().any(|(name, size)| few.get(name).is_some_and(|few| few < size));
    let longer = few.iter().any(|(name, size)| full.get(name).is_none_or(|full| full < size));
    !longer && (shorter || cut.len() < all.len())
}

/// How large the files are that a run has written.
fn sizes(outcome: &Outcome) -> HashMap<&str, u64> {
    let changes = outcome.remains.changes.iter();
    let files = changes.filter_map(|change| match change.how.object()? {
        Object::File { size, .. } => Some((change.name.as_str(), *size)),
        Object::Folder
        | Object::MovedFolder(_)
        | Object::Link(_)
        | Object::Fifo
        | Object::Socket
        | Object::Device
        | Object::SharedMemory(_)
        | Object::Semaphores(_)
        | Object::Queue(_) => None,
    });
    files.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Change, Changing, End, Output, Remains};

    /// What writes this to standard output, and a file of this size.
    fn wrote(text: &str, size: u64) -> Outcome {
        let how = Changing::Made(Object::File { size, digest: None, cut: false });
        let changes = vec![Change { name: "out".to_owned(), how, before_signal: false }];
        let remains = Remains { changes, ..Remains::default() };
        let output = |text: &str| Output::Text(text.to_owned());
        Outcome {
            end: End::Ended(Status::Exited(0)),
            stdout: output(text),
            stderr: output(""),
            clients: Vec::new(),
            roused: Vec::new(),
            leftover: Vec::new(),
            unwaited: Vec::new(),
            exec_blocked: Vec::new(),
            remains,
            table: Vec::new(),
            took: Default::default(),
            terminal: None,
        }
    }

    #[test]
    fn less_is_what_ends_too_early_and_holds_nothing_else() {
        let whole = wrote("one\ntwo\n", 20);
        for (text, size, is_less) in [
            ("one\n", 20, true),
            ("", 0, true),
            ("one\ntwo\n", 10, true),
            ("one\ntwo\n", 20, false),
            ("two\n", 20, false),
            ("stopped\n", 10, false),
            ("one\n", 30, false),
        ] {
            assert_eq!(less(&wrote(text, size), &whole), is_less, "{text:?} {size}");
        }
        let mut other = wrote("one\n", 20);
        other.remains.changes[0].name = "other".to_owned();
        assert!(!less(&other, &whole));
    }
}
