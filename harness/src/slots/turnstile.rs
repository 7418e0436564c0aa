//! How the workers of one search come to CPUs: each to one of its own, for a batch of runs at a time.
//!
//! A search that kept its CPUs to its end would let all others wait for that long. So a worker whose batch is used up gives
//! its CPU to whoever waits for it, and queues again. It comes back to the same CPU: its supervisor is pinned there with the
//! cell in which its programs run, and to keep a cell that sleeps costs nothing, while a new one costs as much as several runs.

use super::waited::Waited;
use super::{Slot, SlotError, Slots};
use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a worker keeps its CPU although others wait for it: long against a run, and against changing over.
const BATCH: Duration = Duration::from_millis(300);

/// The CPUs of one search: no two of its workers share one.
#[derive(Clone, Debug)]
pub struct Seats<'a> {
    slots: &'a Slots,
    taken: Arc<Mutex<BTreeSet<usize>>>,
    waited: Waited,
    batch: Duration,
}

impl<'a> Seats<'a> {
    /// None is taken yet. What the workers wait is added to `waited`.
    pub fn new(slots: &'a Slots, waited: &Waited) -> Seats<'a> {
        Seats { slots, taken: Arc::default(), waited: waited.clone(), batch: BATCH }
    }

    /// The way of one worker to a CPU. `stop` ends its waiting, which lasts for `bound` at most.
    pub fn turnstile(&self, bound: Duration, stop: &Arc<AtomicBool>) -> Turnstile<'a> {
        Turnstile { seats: self.clone(), bound, stop: Arc::clone(stop), cpu: None, slot: None }
    }

    /// The same with batches of another length.
    #[cfg(test)]
    pub(super) fn with_batch(self, batch: Duration) -> Seats<'a> {
        Seats { batch, ..self }
    }

    fn with_taken<T>(&self, work: impl FnOnce(&mut BTreeSet<usize>) -> T) -> T {
        work(&mut self.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One worker's way to its CPU, which is the first one that it gets.
#[derive(Debug)]
pub struct Turnstile<'a> {
    seats: Seats<'a>,
    bound: Duration,
    stop: Arc<AtomicBool>,
    cpu: Option<usize>,
    slot: Option<Slot>,
}

impl Turnstile<'_> {
    /// To be called before each run: the worker has its CPU afterwards. If its batch is used up, and somebody waits for that
    /// CPU, it has first been given to those who do.
    ///
    /// None if `still` has become false while it waited.
    pub fn pass(&mut self, still: &dyn Fn() -> bool) -> Result<Option<usize>, SlotError> {
        if let Some(slot) = &self.slot {
            if slot.since.elapsed() < self.seats.batch || !slot.is_waited_for()? {
                return Ok(Some(slot.cpu));
            }
            self.leave();
        }
        let Seats { slots, waited, .. } = &self.seats;
        let free = |cpu| {
            self.cpu.map_or_else(|| self.seats.with_taken(|taken| !taken.contains(&cpu)), |own| own == cpu)
        };
        let claim = |cpu| self.cpu == Some(cpu) || self.seats.with_taken(|taken| taken.insert(cpu));
        let take = || slots.take_where((&free, &claim), self.bound, (&self.stop, still));
        let Some(slot) = waited.waiting(|| slots.waited.waiting(take))? else { return Ok(None) };
        waited.has();
        slots.waited.has();
        let cpu = slot.cpu;
        (self.cpu, self.slot) = (Some(cpu), Some(slot));
        Ok(Some(cpu))
    }

    /// To be called when there is nothing to run for now: others may have the CPU.
    pub fn leave(&mut self) {
        if self.slot.take().is_some() {
            self.seats.waited.has_no_more();
            self.seats.slots.waited.has_no_more();
        }
    }
}

impl Drop for Turnstile<'_> {
    fn drop(&mut self) {
        self.leave();
        if let Some(cpu) = self.cpu {
            self.seats.with_taken(|taken| taken.remove(&cpu));
        }
    }
}
