//! Handlers that are taken away for a moment: while a process reads its configuration again, say.
//!
//! NOTE \[Lapses\] A signal that a process has caught, and for which it has the default action again, ends it. For good, as
//! before a program sends the signal to itself, that is how it is to be; but where it catches the signal again later, whoever
//! sends it has met a gap. Whether it does is known only when the run is over, so a run tells of gaps where a signal could have
//! been sent, and of a signal that was sent that the handler had been taken away.

use super::RunError;
use crate::schedule::{Step, ThreadName};
use crate::signal::{Signal, SignalSet};
use crate::supervise::books::ids::{ProcessId, ThreadId};
use crate::supervise::state::Turns;
use crate::sys::procfs::Status as ProcStatus;
use crate::trace::{Lapse, Reached};

/// Which of the watched signals a process could be sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reception {
    /// It catches or blocks them, or the run was asked to send them in any case; and none like it is pending.
    pub(super) receivable: SignalSet,
    /// It has caught them before, and would end by them now.
    pub(super) lapsed: SignalSet,
}

impl Turns<'_> {
    /// Which of the watched signals the thread's process could be sent now.
    pub(super) fn reception(&mut self, thread: ThreadId) -> Result<Reception, RunError> {
        let watched = self.settings.watched();
        if watched.union(self.sends).is_empty() {
            return Ok(Reception::default());
        }
        let Some(status) = self.proc_status(thread)? else { return Ok(Reception::default()) };
        let process = self.tree.thread(thread).process;
        let known = self.tree.process_mut(process);
        known.ever_caught = known.ever_caught.union(status.caught);
        let again = known.lapsed.intersection(status.caught);
        if !again.is_empty() {
            known.lapsed = known.lapsed.without(again);
            close(&mut self.journal.lapses, &known.name, again);
        }
        let standard: SignalSet = watched.iter().filter(|signal| signal.is_standard()).collect();
        let pending = status.pending_process.intersection(standard);
        let heard = if self.settings.always { watched } else { self.heard(thread, &status) };
        let receivable = heard.intersection(watched).without(pending);
        let lapsed = self.lapsed(process, &status).intersection(watched).without(heard);
        let known = self.tree.process_mut(process);
        known.lapsed = known.lapsed.union(lapsed);
        Ok(Reception { receivable, lapsed })
    }

    /// Signals that the process has caught before, and would end by now.
    fn lapsed(&self, process: ProcessId, status: &ProcStatus) -> SignalSet {
        let known = status.caught.union(status.ignored).union(status.blocked);
        let gone = self.tree.process(process).ever_caught.without(known);
        gone.iter().filter(|signal| signal.ends()).collect()
    }

    /// True if something comes of the signal in the thread's process: it catches or blocks it, or has taken the handler away.
    pub(super) fn takes(&self, thread: ThreadId, status: &ProcStatus, signal: Signal) -> bool {
        let process = self.tree.thread(thread).process;
        self.settings.always
            || self.heard(thread, status).contains(signal)
            || self.lapsed(process, status).contains(signal)
    }
}

/// These signals are caught again by the process: the gaps of it so far are over.
pub(super) fn close(lapses: &mut [Lapse], process: &ThreadName, signals: SignalSet) {
    for lapse in lapses.iter_mut().filter(|lapse| lapse.point.thread.process() == *process) {
        lapse.over = lapse.over.union(lapse.signals.intersection(signals));
    }
}

/// The run is over: where a handler was away for a moment, its signal could have been sent. Both are in the order of the run.
pub(super) fn open(lapses: &[Lapse], reached: &mut [Reached]) {
    let mut lapses = lapses.iter().peekable();
    for one in reached {
        if let Some(lapse) = lapses.next_if(|lapse| lapse.point == one.point) {
            one.receivable = one.receivable.union(lapse.over);
        }
    }
}

/// Those of the steps that were not taken since the signal was pending already.
pub(super) fn merged(unreached: &[Step], refused: SignalSet) -> Vec<Step> {
    let was = |step: &&Step| step.action.signal().is_some_and(|signal| refused.contains(signal));
    unreached.iter().filter(was).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Action, Point, Site, Syscall};
    use crate::trace::{Acts, Threads};

    fn set(names: &[&str]) -> SignalSet {
        names.iter().map(|name| name.parse::<Signal>().unwrap()).collect()
    }

    /// The `nth` call of this process, where these could be sent.
    fn reached(process: &str, nth: u32, signals: &[&str]) -> Reached {
        let point = Point { thread: process.parse().unwrap(), site: Site::Before(Syscall(1)), nth };
        let receivable = set(signals);
        Reached {
            point,
            others: Threads::default(),
            receivable,
            fires: false,
            acts: Acts::NOTHING,
            looks: false,
        }
    }

    fn lapse(process: &str, nth: u32, signals: &[&str]) -> Lapse {
        let point = reached(process, nth, &[]).point;
        Lapse { point, signals: set(signals), over: SignalSet::EMPTY }
    }

    #[test]
    fn a_gap_is_one_only_if_the_same_process_catches_the_signal_again() {
        let mut points = [
            reached("p0", 1, &["HUP", "TERM"]),
            reached("p0", 2, &[]),
            reached("p0.1", 1, &["TERM"]),
            reached("p0", 3, &["HUP"]),
            reached("p0", 4, &[]),
        ];
        let mut lapses = vec![lapse("p0", 2, &["HUP", "TERM"])];
        close(&mut lapses, &"p0.1".parse().unwrap(), set(&["TERM"]));
        close(&mut lapses, &ThreadName::root(), set(&["HUP", "USR1"]));
        lapses.push(lapse("p0", 4, &["HUP", "TERM"]));
        assert_eq!((lapses[0].over, lapses[1].over), (set(&["HUP"]), SignalSet::EMPTY));
        open(&lapses, &mut points);
        let receivable: Vec<SignalSet> = points.iter().map(|point| point.receivable).collect();
        let only = |name| set(&[name]);
        let both = set(&["HUP", "TERM"]);
        assert_eq!(receivable, [both, only("HUP"), only("TERM"), only("HUP"), SignalSet::EMPTY]);
    }

    #[test]
    fn only_what_was_to_send_a_pending_signal_has_merged() {
        let point = reached("p0", 1, &[]).point;
        let step = |action| Step::new(point.clone(), action);
        let [hup, term] = ["HUP", "TERM"].map(|name| step(Action::Send(name.parse().unwrap())));
        assert_eq!(merged(&[hup.clone(), term, step(Action::HangUp)], set(&["HUP"])), [hup]);
    }
}
