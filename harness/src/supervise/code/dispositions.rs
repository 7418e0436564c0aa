//! What is known of how a process with breakpoints handles signals, as a value: see `obstacle`.

use crate::signal::SignalSet;

/// What is known of the signals of a process that has breakpoints.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::supervise) struct Handlers {
    /// Signals whose handler is told of the sender.
    pub(in crate::supervise) with_siginfo: SignalSet,
    /// The handling of some signal, or what is blocked, was changed since breakpoints were last aimed.
    pub(in crate::supervise) changed: bool,
    /// Signals that the call which is about to be let happen catches.
    pub(in crate::supervise) soon: SignalSet,
    /// It blocks SIGCONT.
    pub(in crate::supervise) soon_blocked: bool,
    /// Let go by SIGCONT while that was blocked: it is pending now.
    pub(in crate::supervise) stray_continue: bool,
}
