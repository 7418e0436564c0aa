//! What follows when nobody is held and every live thread sleeps or is stopped: a hang, a wait for the outside, or only time.
//!
//! Pure: what was found out about the sleepers goes in (`snapshot` collects it), a verdict comes out. A hang is proven, not
//! timed: each thread waits for something that only another thread of the run could bring about, and all of them sleep.

use crate::schedule::{Syscall, ThreadName};
use crate::signal::SignalSet;
use crate::trace::Sleeper;

/// What was found out at a moment at which nothing of the run could go on by itself.
#[derive(Clone, Debug, Default)]
pub(in crate::supervise) struct Snapshot {
    /// Every thread that sleeps.
    pub(in crate::supervise) sleepers: Vec<Sleeping>,
    /// Some thread is stopped by job control.
    pub(in crate::supervise) stopped: bool,
    /// The run has a terminal, at which somebody could type that what is stopped goes on.
    pub(in crate::supervise) terminal: bool,
    /// Descriptors that send signals by themselves (O_ASYNC of open(2)), and whose they are.
    pub(in crate::supervise) asynchronous: Vec<(ThreadName, Source)>,
    /// What was sent over a connection of the run and has not arrived.
    pub(in crate::supervise) in_flight: bool,
}

impl Snapshot {
    /// True if a thread of the program waits for somebody to connect, whatever else it or others wait for.
    pub(in crate::supervise) fn waits_for_clients(&self) -> bool {
        let program = self.sleepers.iter().filter(|sleeper| sleeper.thread.client_of().is_none());
        let connects = |source: &Source| matches!(source, Source::Descriptor(_, Kind::Listening));
        program.flat_map(|sleeper| &sleeper.sources).any(connects)
    }

    /// The same where no client is waited for to come to the end of a time: it would only look, and wait once more. What it does
    /// then matters only where the program waits for what a client could do.
    pub(in crate::supervise) fn without_time_of_clients(mut self) -> Snapshot {
        let (clients, program): (Vec<_>, Vec<_>) =
            self.sleepers.iter_mut().partition(|sleeper| sleeper.thread.client_of().is_some());
        let alone = program.iter().flat_map(|sleeper| &sleeper.sources).all(only_the_program);
        for sleeper in clients {
            if waker_of(&sleeper.sources) == Waker::Time {
                sleeper.sources.retain(|source| alone && waker(source) != Waker::Time);
                if sleeper.sources.is_empty() {
                    sleeper.sources.push(Source::Unknown);
                }
            }
        }
        self
    }
}

/// A thread that sleeps.
#[derive(Clone, Debug)]
pub(in crate::supervise) struct Sleeping {
    pub(in crate::supervise) thread: ThreadName,
    /// In which call.
    pub(in crate::supervise) call: Syscall,
    /// Signals that it catches and does not block.
    pub(in crate::supervise) caught: SignalSet,
    /// A signal is pending that it does not block: it is about to wake.
    pub(in crate::supervise) signalled: bool,
    /// Any of these could end its sleep; none means that only a signal could.
    pub(in crate::supervise) sources: Vec<Source>,
}

/// What a sleeper waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::supervise) enum Source {
    /// A signal.
    Signal,
    /// A child that changes.
    Child,
    /// The child of its vfork(2).
    Offspring,
    /// A futex of memory that only the run has.
    Futex,
    /// A futex in this file, which others can use.
    FutexOf(String),
    /// System V queues or semaphores of the run's own namespace.
    Ipc,
    /// A POSIX message queue of the run's own namespace.
    Queue,
    /// A descriptor.
    Descriptor(i32, Kind),
    /// A lock of a file.
    Lock,
    /// The other end of a FIFO.
    Opening,
    /// The kernel's work on requests.
    Requests,
    /// The time that its call was given.
    Time,
    /// It is not known what.
    Unknown,
}

/// What a descriptor is, as far as it matters who could make it ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::supervise) enum Kind {
    /// A pipe of the run's own.
    Pipe,
    /// The run's terminal, to read what is typed there.
    Terminal,
    /// The program's own standard output or error, which the supervisor empties all the time.
    Output,
    /// eventfd(2)
    Event,
    /// signalfd(2)
    Signals,
    /// pidfd_open(2)
    Process,
    /// timerfd_create(2), armed in the kernel or not.
    Timer(bool),
    /// An epoll(7) set without members.
    EmptySet,
    /// A socket that clients connect to.
    Listening,
    /// A socket or terminal whose wait its own timeout ends (SO_RCVTIMEO, SO_SNDTIMEO; VTIME).
    Timed,
    /// A TCP connection that is being made, which the kernel tries several times (tcp(7), tcp_syn_retries).
    Connecting,
    /// A socket that is connected to another in the run's own network.
    Connected,
    /// A socket whose peer is a process of the run.
    Inside,
    /// A socket whose peer may be anybody.
    Outside,
    /// A file of this name, which others can use: also a terminal, a FIFO, a device.
    File(String),
    /// It could not be found out.
    Unknown,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::supervise) enum Proof {
    /// Nothing that is left in the run can wake any of them.
    Hang(Vec<Sleeper>),
    /// Only the outside could go on.
    Idle(Vec<Sleeper>),
    /// What is left is stopped, and nothing else can go on.
    Stopped,
    /// The kernel will end a sleep by its own time, or by work that it does by itself.
    Time,
    /// Nothing yet, and why.
    NotYet(&'static str),
}

/// Who could end a sleep; the one that knows least of the others' sleep is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::supervise) enum Waker {
    /// Only another thread of the run.
    Inside,
    /// Also something outside the run.
    Outside,
    /// The kernel, in time.
    Time,
}

/// The verdict.
pub(in crate::supervise) fn prove(snapshot: &Snapshot) -> Proof {
    if snapshot.sleepers.iter().any(|sleeper| sleeper.signalled) {
        return Proof::NotYet("a signal is about to be handled");
    }
    let wakers = snapshot.sleepers.iter().map(|sleeper| waker_of(&sleeper.sources));
    // A descriptor that signals by itself wakes whoever has it, whatever that sleeps for.
    let asynchronous = snapshot.asynchronous.iter().map(|(_, source)| waker(source));
    let most = wakers.chain(asynchronous).max();
    if snapshot.in_flight || most == Some(Waker::Time) {
        return Proof::Time;
    }
    // With a terminal a shell waits for what is typed while its job is stopped.
    if snapshot.stopped && !(snapshot.terminal && most == Some(Waker::Outside)) {
        return Proof::Stopped;
    }
    let told = sleepers(snapshot);
    match most {
        Some(Waker::Outside) => Proof::Idle(told),
        Some(Waker::Inside | Waker::Time) | None => Proof::Hang(told),
    }
}

pub(in crate::supervise) fn waker_of(sources: &[Source]) -> Waker {
    sources.iter().map(waker).max().unwrap_or(Waker::Inside)
}

fn waker(source: &Source) -> Waker {
    match source {
        Source::Signal | Source::Child | Source::Offspring | Source::Futex | Source::Ipc | Source::Queue => {
            Waker::Inside
        }
        Source::Lock | Source::Opening | Source::Unknown | Source::FutexOf(_) => Waker::Outside,
        Source::Requests | Source::Time => Waker::Time,
        Source::Descriptor(_, kind) => match kind {
            Kind::Pipe
            | Kind::Event
            | Kind::Signals
            | Kind::Process
            | Kind::Timer(false)
            | Kind::EmptySet
            | Kind::Connected
            | Kind::Inside => Waker::Inside,
            Kind::Listening | Kind::Outside | Kind::File(_) | Kind::Terminal | Kind::Unknown => {
                Waker::Outside
            }
            Kind::Output | Kind::Timer(true) | Kind::Timed | Kind::Connecting => Waker::Time,
        },
    }
}

/// True if processes of the program alone could bring this about, and no client.
fn only_the_program(source: &Source) -> bool {
    let own = |kind: &Kind| matches!(kind, Kind::Pipe | Kind::Event | Kind::Timer(false) | Kind::EmptySet);
    match source {
        Source::Child | Source::Offspring | Source::Futex => true,
        Source::Descriptor(_, kind) => own(kind),
        Source::Signal
        | Source::Ipc
        | Source::Queue
        | Source::Lock
        | Source::Opening
        | Source::Requests
        | Source::Time
        | Source::Unknown
        | Source::FutexOf(_) => false,
    }
}

/// What each of them sleeps in.
pub(in crate::supervise) fn sleepers(snapshot: &Snapshot) -> Vec<Sleeper> {
    snapshot.sleepers.iter().map(|sleeper| told(sleeper, snapshot)).collect()
}

fn told(sleeper: &Sleeping, snapshot: &Snapshot) -> Sleeper {
    let most = sleeper.sources.iter().max_by_key(|source| waker(source)).unwrap_or(&Source::Signal);
    let mut why = words(most);
    let process = sleeper.thread.process();
    let own = snapshot.asynchronous.iter().filter(|(owner, _)| *owner == process);
    if let Some((_, Source::Descriptor(fd, _))) = own.max_by_key(|(_, source)| waker(source)) {
        why += &format!("; descriptor {fd} may send it a signal (O_ASYNC)");
    }
    Sleeper { thread: sleeper.thread.clone(), call: sleeper.call, caught: sleeper.caught, why }
}

/// What a sleeper waits for, and why it does not come by itself.
fn words(source: &Source) -> String {
    let text = match source {
        Source::Signal => "waits for a signal, and nobody is left to send one",
        Source::Child => "waits for a child to change, and every child sleeps",
        Source::Offspring => "waits for its vfork child to execute or end",
        Source::Futex => "waits for a futex, and every thread that could wake it sleeps",
        Source::Ipc => "waits for System V IPC of the run's own namespace",
        Source::Queue => "waits for a message queue of the run's own namespace",
        Source::Lock => "waits for a file lock, which another program may hold",
        Source::Opening => "waits for somebody to open the other end of a FIFO, which others can use",
        Source::Requests => "waits for the kernel's own work",
        Source::Time => "waits for a time",
        Source::Unknown => "sleeps in a call of which it is not known that only the run could end it",
        Source::FutexOf(file) => return format!("waits for a futex in {file}, which others can use"),
        Source::Descriptor(fd, kind) => {
            let inside =
                |what: &str| format!("waits for {what} (descriptor {fd}), and everybody in the run sleeps");
            return match kind {
                Kind::Pipe => inside("a pipe of the run's own"),
                Kind::Terminal => format!("waits for somebody to type at the terminal (descriptor {fd})"),
                Kind::Output => format!("waits for its own output to be read (descriptor {fd})"),
                Kind::Event => inside("an eventfd"),
                Kind::Signals => inside("a signal through a signalfd"),
                Kind::Process => inside("a process's end"),
                Kind::Timer(true) => format!("waits for a timer (descriptor {fd})"),
                Kind::Timer(false) => inside("a timer that is not set"),
                Kind::EmptySet => inside("an empty epoll set"),
                Kind::Listening => format!("waits for clients of a listening socket (descriptor {fd})"),
                Kind::Timed => format!("waits for what has a timeout of its own (descriptor {fd})"),
                Kind::Connecting => format!("waits for a peer to accept its connection (descriptor {fd})"),
                Kind::Connected => inside("a connection within the run's own network"),
                Kind::Inside => inside("a socket whose peer is in the run"),
                Kind::Outside => {
                    format!("waits for a socket that may lead outside the run (descriptor {fd})")
                }
                Kind::File(name) => format!("waits for {name} (descriptor {fd}), which others can use"),
                Kind::Unknown => format!("waits for a descriptor of which nothing is known ({fd})"),
            };
        }
    };
    text.to_owned()
}

#[cfg(test)]
mod tests;
