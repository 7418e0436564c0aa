//! Time that was spent waiting for a CPU: nobody's budget pays for it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the workers that share this have waited. Of workers that could run, some may wait while others have a CPU:
/// then that share of the time counts. Copies are one and the same.
#[derive(Clone, Default)]
pub struct Waited(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// How many have a CPU, and how many wait for one, since when.
    having: u32,
    waiting: u32,
    since: Option<Instant>,
    total: Duration,
}

impl State {
    fn bring_up_to_date(&mut self) {
        let now = Instant::now();
        let past =
            self.since.replace(now).map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        if self.waiting > 0 {
            self.total += past.mul_f64(f64::from(self.waiting) / f64::from(self.waiting + self.having));
        }
    }
}

impl Waited {
    /// All of it, up to now.
    pub fn total(&self) -> Duration {
        self.change(|_| {})
    }

    fn change(&self, change: impl FnOnce(&mut State)) -> Duration {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.bring_up_to_date();
        change(&mut state);
        state.total
    }

    pub(super) fn has(&self) {
        self.change(|state| state.having = state.having.saturating_add(1));
    }

    pub(super) fn has_no_more(&self) {
        self.change(|state| state.having = state.having.saturating_sub(1));
    }

    /// Does something that is waiting.
    pub(super) fn waiting<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.change(|state| state.waiting = state.waiting.saturating_add(1));
        let done = wait();
        self.change(|state| state.waiting = state.waiting.saturating_sub(1));
        done
    }
}

impl fmt::Debug for Waited {
    /// The same whatever it holds: what a search was asked for is told by its text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waited")
    }
}

/// Measures time without what was spent waiting.
#[derive(Clone, Debug)]
pub struct Stopwatch {
    waited: Waited,
    start: Instant,
    before: Duration,
}

impl Stopwatch {
    /// Starts to measure now.
    pub fn start(waited: &Waited) -> Stopwatch {
        Stopwatch { waited: waited.clone(), start: Instant::now(), before: waited.total() }
    }

    /// The time since then, without what was spent waiting.
    pub fn elapsed(&self) -> Duration {
        let waited = self.waited.total().saturating_sub(self.before);
        self.start.elapsed().saturating_sub(waited)
    }
}
