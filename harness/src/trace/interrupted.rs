//! Which calls signals interrupt: those of the schedule, and those that a child's end, a timer or another thread of the run causes by
//! itself.
//!
//! Whom a call such as kill(2) reaches is not among the events, so anybody who slept then may have been meant. Whether the sleeper was
//! shows what its call returned.

use super::{Event, Run, What};
use crate::schedule::{Action, Point, Site, Syscall, ThreadName};
use std::collections::HashMap;
use syscalls::Sysno;

/// What may have interrupted a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupter {
    /// A signal that the schedule sent.
    Sent,
    /// Another process: the end of a child of the one that slept, by its SIGCHLD, if that is caught; or a signal that somebody of the run
    /// has sent (kill(2)).
    Child,
    /// A timer of the process.
    Timer,
}

/// A call in which a thread slept when it was sent a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// What may have come there. If it is a child's end, or somebody of the run, the call may also be over for another reason.
    pub by: Interrupter,
    /// Who of the run has sent somebody a signal in the meantime, if that may be it.
    pub sender: Option<Sender>,
    /// Where it slept.
    pub point: Point,
    /// Where it was just before the call.
    pub before: Point,
    /// The index of the event with which it went on. It may be its handler that did.
    pub after: usize,
    /// True if that is the same call: made again by the kernel (SA_RESTART, signal(7)) or by the program, or another one.
    pub again: bool,
}

/// Who may have sent the signal that interrupts a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// This thread.
    Thread(ThreadName),
    /// One of several: a child has ended as well.
    Another,
}

/// A thread that sleeps, while the events are read.
struct Asleep {
    point: Point,
    before: Point,
    /// The index of the event with which it fell asleep.
    since: usize,
    /// It was sent something there, and has not gone on.
    sent: bool,
}

impl Run {
    /// The calls that the schedule's signals interrupt, in their order. One that the kernel restarts (SA_RESTART, signal(7)), or that
    /// the program makes again, is none.
    pub fn interrupted(&self) -> Vec<Interruption> {
        interrupted(&self.events)
    }

    /// The calls that signals may have interrupted, whatever they come from, also those that are made again.
    pub fn cut_short(&self) -> Vec<Interruption> {
        cut_short(&self.events)
    }
}

/// The calls that the signals of the schedule interrupt in a run of these events.
pub fn interrupted(events: &[Event]) -> Vec<Interruption> {
    let mut all = cut_short(events);
    all.retain(|one| one.by == Interrupter::Sent && !one.again);
    all
}

fn cut_short(events: &[Event]) -> Vec<Interruption> {
    let mut begun: HashMap<&ThreadName, (Syscall, u32)> = HashMap::new();
    let mut asleep: HashMap<&ThreadName, Asleep> = HashMap::new();
    // What came last to each process by itself, and when.
    let mut came: HashMap<ThreadName, Came<'_>> = HashMap::new();
    // Who sent somebody a signal last, and when: never the sleeper itself, which does nothing.
    let mut sent_last: Option<(usize, &ThreadName)> = None;
    let mut interrupted = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let thread = &event.thread;
        if let Some((process, by)) = caused(event) {
            came.insert(process, Came { at: index, by, from: thread });
        }
        if event.what.begun().is_some_and(|(call, _)| signals(call)) {
            sent_last = Some((index, thread));
        }
        match &event.what {
            What::Step(Action::Send(_) | Action::SendGroup(_)) => {
                asleep.entry(thread).and_modify(|one| one.sent = true);
            }
            What::Sleep(call, nth) => {
                let at = |site, nth| Point { thread: thread.clone(), site, nth };
                if let Some((_, visit)) = begun.get(thread).filter(|(before, _)| before == call) {
                    let (point, before) = (at(Site::In(*call), *nth), at(Site::Before(*call), *visit));
                    asleep.insert(thread, Asleep { point, before, since: index, sent: false });
                } else {
                    asleep.remove(thread);
                }
            }
            What::Go(site, visit) => {
                let call = site.begun();
                if let Some(Asleep { point, before, since, sent }) = asleep.remove(thread) {
                    let came = came.get(&thread.process()).filter(|came| came.at > since);
                    let killer = sent_last.filter(|(at, _)| *at > since).map(|(_, from)| from);
                    let cause = if sent { Some((Interrupter::Sent, None)) } else { cause(came, killer) };
                    let again = Some(before.site) == call.map(Site::Before);
                    interrupted.extend(cause.map(|(by, sender)| Interruption {
                        by,
                        sender,
                        point,
                        before,
                        after: index,
                        again,
                    }));
                }
                match call {
                    Some(call) => begun.insert(thread, (call, *visit)),
                    None => begun.remove(thread),
                };
            }
            What::Exec(_)
            | What::Step(_)
            | What::Make(_)
            | What::Signal(_)
            | What::Stop
            | What::Continue
            | What::Expire(_)
            | What::Fire(_)
            | What::Refuse(..)
            | What::NotHeld(..)
            | What::End(_) => {}
        }
    }
    interrupted
}

/// What came last to a process by itself.
struct Came<'a> {
    at: usize,
    by: Interrupter,
    /// Who has ended, or has the timer.
    from: &'a ThreadName,
}

/// What may have interrupted a call, where this came by itself, and this thread sent somebody a signal. Who sends a signal before it
/// ends is told by that: most programs do not catch the SIGCHLD.
fn cause(came: Option<&Came<'_>>, killer: Option<&ThreadName>) -> Option<(Interrupter, Option<Sender>)> {
    match (came, killer) {
        (None, None) => None,
        (Some(Came { by: by @ (Interrupter::Timer | Interrupter::Sent), .. }), _)
        | (Some(Came { by, .. }), None) => Some((*by, None)),
        (None, Some(killer)) => Some((Interrupter::Child, Some(Sender::Thread(killer.clone())))),
        (Some(Came { by, from, .. }), Some(killer)) => {
            let same = from.process() == killer.process();
            let sender = if same { Sender::Thread(killer.clone()) } else { Sender::Another };
            Some((*by, Some(sender)))
        }
    }
}

/// True for a call that sends a signal to processes.
pub(super) fn signals(call: Syscall) -> bool {
    use Sysno as S;
    matches!(
        call.sysno(),
        Some(
            S::kill | S::tkill | S::tgkill | S::rt_sigqueueinfo | S::rt_tgsigqueueinfo | S::pidfd_send_signal
        )
    )
}

/// The process to which this may send a signal by itself, and as what.
fn caused(event: &Event) -> Option<(ThreadName, Interrupter)> {
    match &event.what {
        What::End(_) if event.thread.is_process() => Some((event.thread.parent()?, Interrupter::Child)),
        What::Fire(_) => Some((event.thread.process(), Interrupter::Timer)),
        What::End(_)
        | What::Exec(_)
        | What::Go(..)
        | What::Step(_)
        | What::Sleep(..)
        | What::Make(_)
        | What::Signal(_)
        | What::Stop
        | What::Continue
        | What::Expire(_)
        | What::Refuse(..)
        | What::NotHeld(..) => None,
    }
}
