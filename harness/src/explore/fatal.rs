//! A signal that a process does nothing about ends it, and what it has made may live on.
//!
//! NOTE \[What is lost\] Where a program does nothing about a signal, nobody has promised anything: whoever kills a shell leaves its
//! children running, and whoever kills a filter leaves half of its output, wherever the signal comes. What is worth a search is a
//! process that another one's end takes with it: by prctl(PR_SET_PDEATHSIG), or since it reads a pipe of which that had the other
//! end. It lives when everything sleeps, it is gone when the signal has come there, and nobody wants it to be left where the signal
//! comes a moment earlier. So one run shows whether there is anything to find, and what.

use super::beginning::{Beginning, Look, Why, index_of, visit};
use crate::schedule::{Point, Site, ThreadName};
use crate::signal::Signal;
use crate::trace::Event;
use syscalls::Sysno;

/// The signals that people and service managers send to end a program, in the order in which they are tried.
const ENDING: [Signal; 2] = [Signal::TERM, Signal::INT];

impl Look {
    /// What is worth sending to the first process although it does nothing about it: the first of the ending ones, if any process
    /// beside it lives when everything sleeps. By the others it would end in the same way.
    pub fn ends_by(&self) -> Option<Signal> {
        let root = ThreadName::root();
        // Who sleeps for a time ends by itself when that is over, or does something else: nothing is lost of it yet.
        let naps = |point: &Point| match point.site {
            Site::In(call) => matches!(call.sysno(), Some(Sysno::nanosleep | Sysno::clock_nanosleep)),
            Site::Before(_)
            | Site::Entering(_)
            | Site::After(_)
            | Site::At(_)
            | Site::Probe(_)
            | Site::Quiet => false,
        };
        let ours = |point: &&Point| point.thread.client_of().is_none() && !naps(point);
        let (own, others): (Vec<_>, Vec<_>) =
            self.run().first_quiet.iter().filter(ours).partition(|point| point.thread.process() == root);
        let receivers = self.receivers(true);
        let hears = |signal: &Signal| {
            receivers.iter().any(|one| one.process == root && one.signals.contains(*signal))
        };
        let both = !own.is_empty() && !others.is_empty();
        ENDING.into_iter().find(|signal| !hears(signal)).filter(|_| both)
    }
}

/// Where a search for what this signal's end leaves behind begins: before the first process has made another, there is nobody to
/// leave. What a launcher makes does not count, nor what it does itself.
pub fn with_others(look: &Look, signal: Signal) -> Option<Beginning> {
    let made = |event: &Event| event.what.made().is_some_and(ThreadName::is_process);
    let events = &look.run().events;
    let launched =
        look.begins(&[signal]).and_then(|beginning| index_of(look.run(), &beginning.point)).unwrap_or(0);
    let first = events.iter().skip(launched).position(made)?;
    let point = events.iter().skip(launched + first).find_map(visit)?;
    Some(Beginning { point, why: Why::Others })
}
