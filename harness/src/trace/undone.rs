//! What a run leaves undone after a call that a signal may have cut short.

use super::interrupted::{Sender, signals};
use super::{Interrupter, Interruption, Run};
use crate::schedule::{Site, Syscall, ThreadName};
use crate::signal::Signal;
use syscalls::Sysno;

/// What may be left undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undone {
    /// These children are never waited for, and their parent was cut short in waiting.
    Children(Vec<ThreadName>),
    /// The rest of what the call was to write.
    Rest,
}

/// So many are looked at.
const MOST: usize = 64;

impl Interruption {
    /// What may have come there, in a few words.
    pub fn cause(&self) -> String {
        match (self.by, &self.sender) {
            (Interrupter::Sent, _) => "the signal".to_owned(),
            (Interrupter::Timer, _) => "the timer's signal".to_owned(),
            (Interrupter::Child, None) => "another child's SIGCHLD".to_owned(),
            // It may have ended since: then its SIGCHLD is from it as well.
            (Interrupter::Child, Some(Sender::Thread(thread))) => format!("a signal from {thread}"),
            (Interrupter::Child, Some(Sender::Another)) => "a signal from another process".to_owned(),
        }
    }
}

impl Run {
    /// The calls that a signal may have cut short and after which something may be left undone; the first few. Of signals that are
    /// sent only those that do not ask for an end: then it may be meant to be.
    pub fn left_undone(&self) -> Vec<(Interruption, Undone)> {
        let undone = |one: &Interruption| {
            let Site::In(call) = one.point.site else { return None };
            if writes(call) {
                return (!self.asks(one)).then_some(Undone::Rest);
            }
            let may = waits(call) && one.by != Interrupter::Sent && !self.outcome.unwaited.is_empty();
            may.then(|| self.given_up(one)).filter(|children| !children.is_empty()).map(Undone::Children)
        };
        let all = self.cut_short().into_iter();
        all.filter_map(|one| undone(&one).map(|undone| (one, undone))).take(MOST).collect()
    }

    /// The children of the process that were there when its wait was cut short and for which nobody has waited; none if it sends
    /// signals after that: it may have sent them away.
    fn given_up(&self, one: &Interruption) -> Vec<ThreadName> {
        let process = one.point.thread.process();
        let (before, after) = self.events.split_at(one.after);
        let mut own = after.iter().filter(|event| event.thread.process() == process);
        if own.any(|event| event.what.begun().is_some_and(|(call, _)| signals(call))) {
            return Vec::new();
        }
        let made = before.iter().filter(|event| event.thread.process() == process);
        let made = made.filter_map(|event| event.what.made());
        made.filter(|child| self.outcome.unwaited.contains(child)).cloned().collect()
    }

    /// True if what was sent there asks for an end.
    fn asks(&self, one: &Interruption) -> bool {
        let mut there = self.schedule.steps.iter().filter(|step| step.point() == one.point);
        there.any(|step| {
            let ends = [Signal::INT, Signal::QUIT, Signal::TERM, Signal::HUP];
            step.action.signal().is_some_and(|signal| ends.contains(&signal))
        })
    }
}

/// True for a call that waits for children.
fn waits(call: Syscall) -> bool {
    matches!(call.sysno(), Some(Sysno::wait4 | Sysno::waitid))
}

/// True for a call that sleeps until all that it was given is written, and tells how much that was (write(2), pipe(7), send(2)).
fn writes(call: Syscall) -> bool {
    use Sysno as S;
    matches!(
        call.sysno(),
        Some(S::write | S::writev | S::sendto | S::sendmsg | S::sendfile | S::splice | S::vmsplice | S::tee)
    )
}
