//! Which signals are worth sending to a program, and to which of its processes, where nobody says so.
//!
//! Those that somebody outside sends on purpose: to end, to stop, to reload, to tell (signal(7), kill(1)). What the kernel
//! sends by itself, for a child, a timer, a pipe, a fault, comes in its natural order, which is explored without any.

use crate::schedule::ThreadName;
use crate::signal::{Signal, SignalSet};
use crate::supervise::Receiver;

/// What people, service managers, terminals and other programs send; real-time signals are added.
/// A shell's job control (SIGTSTP, SIGCONT) is a matter of terminals.
const OUTSIDE: [&str; 8] =
    ["SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGWINCH", "SIGPWR"];
/// What is sent to a process whose language's runtime answers for it: it keeps others for itself.
const USUAL: [&str; 4] = ["SIGHUP", "SIGINT", "SIGUSR1", "SIGTERM"];
/// A process that has something to do with so many standard signals does not mean any of them: Go's runtime.
const EVERYTHING: usize = 20;
/// Nor one that catches its own faults: Java's. It suspends its threads by SIGUSR2.
const FAULTS: [&str; 3] = ["SIGSEGV", "SIGBUS", "SIGFPE"];

/// What to send, and what not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sendable {
    /// A signal, and who gets it, in the order of the signals' numbers.
    pub send: Vec<(Signal, ThreadName)>,
    /// Signals that some process has something to do with, but that come by themselves.
    pub natural: SignalSet,
    /// Further processes that have something to do with a signal that another is sent.
    pub others: Vec<(Signal, ThreadName)>,
    /// Signals that are left out since a runtime has something to do with them.
    pub runtime: Vec<(ThreadName, SignalSet)>,
}

/// True for what somebody outside sends on purpose; the others come by themselves.
pub(super) fn from_outside(signal: Signal) -> bool {
    signal.number() > 33 || OUTSIDE.iter().any(|name| name.parse() == Ok(signal))
}

/// What to send to these processes: each signal to the first of them, p0 before its children.
pub fn sendable(receivers: &[Receiver]) -> Sendable {
    let named = |names: &[&str]| -> SignalSet { names.iter().filter_map(|name| name.parse().ok()).collect() };
    let outside = (1..=64).filter_map(Signal::from_number).filter(|signal| from_outside(*signal)).collect();
    let mut chosen = Sendable::default();
    for Receiver { process, signals, from_within } in receivers {
        let standard = signals.iter().filter(|signal| signal.number() < 32).count();
        let faults = signals.intersection(named(&FAULTS)) == named(&FAULTS);
        let runtime = faults || standard >= EVERYTHING;
        // What one process of the run tells another, nobody else has to tell it.
        let from_outside = signals.intersection(outside).without(*from_within);
        chosen.natural = chosen.natural.union(signals.without(from_outside));
        let wanted = if runtime { named(&USUAL) } else { outside };
        let left = from_outside.without(wanted);
        if !left.is_empty() {
            chosen.runtime.push((process.clone(), left));
        }
        for signal in from_outside.intersection(wanted).iter() {
            let known = chosen.send.iter().any(|(other, _)| *other == signal);
            let list = if known { &mut chosen.others } else { &mut chosen.send };
            list.push((signal, process.clone()));
        }
    }
    chosen.send.sort_by_key(|(signal, _)| signal.number());
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver(process: &str, signals: &[&str]) -> Receiver {
        let signals = signals.iter().map(|name| name.parse::<Signal>().unwrap()).collect();
        Receiver { process: process.parse().unwrap(), signals, from_within: SignalSet::EMPTY }
    }

    fn told(list: &[(Signal, ThreadName)]) -> Vec<String> {
        list.iter().map(|(signal, process)| format!("{signal} to {process}")).collect()
    }

    #[test]
    fn each_signal_from_outside_goes_to_the_first_process_that_has_something_to_do_with_it() {
        let receivers = [
            receiver("p0", &["TERM", "CHLD", "HUP", "ALRM"]),
            receiver("p0.1", &["TERM", "USR1", "RTMIN+3", "PIPE"]),
        ];
        let Sendable { send, natural, others, runtime } = sendable(&receivers);
        assert_eq!(told(&send), ["SIGHUP to p0", "SIGUSR1 to p0.1", "SIGTERM to p0", "SIGRTMIN+3 to p0.1"]);
        assert_eq!(natural, receiver("p0", &["CHLD", "ALRM", "PIPE"]).signals);
        assert_eq!(told(&others), ["SIGTERM to p0.1"]);
        assert!(runtime.is_empty());
        assert_eq!(sendable(&[]), Sendable::default());
    }

    #[test]
    fn what_processes_tell_each_other_comes_by_itself() {
        let from_within = receiver("p0.1", &["USR1"]).signals;
        let child = Receiver { from_within, ..receiver("p0.1", &["USR1", "TERM"]) };
        let Sendable { send, natural, .. } = sendable(&[receiver("p0", &["USR1"]), child]);
        assert_eq!(told(&send), ["SIGUSR1 to p0", "SIGTERM to p0.1"]);
        assert_eq!(natural, from_within);
    }

    #[test]
    fn a_runtime_that_catches_everything_is_sent_the_usual_ones() {
        let all = (1..=64).filter_map(Signal::from_number).filter(|signal| *signal != Signal::KILL).collect();
        let go = Receiver { process: ThreadName::root(), signals: all, from_within: SignalSet::EMPTY };
        let Sendable { send, runtime, .. } = sendable(&[go]);
        assert_eq!(told(&send), ["SIGHUP to p0", "SIGINT to p0", "SIGUSR1 to p0", "SIGTERM to p0"]);
        let [(process, left)] = runtime.as_slice() else { panic!("{runtime:?}") };
        assert!(*process == ThreadName::root() && left.contains("SIGUSR2".parse().unwrap()));
        assert!(!left.contains(Signal::CHLD));
        let java = ["HUP", "INT", "TERM", "QUIT", "USR2", "SEGV", "BUS", "FPE"];
        let Sendable { send, runtime, .. } = sendable(&[receiver("p0", &java)]);
        assert_eq!(told(&send), ["SIGHUP to p0", "SIGINT to p0", "SIGTERM to p0"]);
        assert_eq!(runtime, [(ThreadName::root(), receiver("p0", &["QUIT", "USR2"]).signals)]);
    }
}
