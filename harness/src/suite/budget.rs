//! The time of a search, which also ends what is going on when it is used up: a run that takes longer, shrinking, a check.

use crate::explore::Plan;
use crate::slots::Stopwatch;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// What is going on when the time is used up may go on for so long: mostly it ends by itself.
const GRACE: Duration = Duration::from_millis(500);
/// Between two looks at the time and at the user's wish to stop.
const LOOK: Duration = Duration::from_millis(50);

/// Does `work`, which ends early when its flag becomes true: when the user asks for it, or when the plan's time has been used
/// up for a moment. Gives what came of it, and whether the time was what ended it.
pub(super) fn within<T>(
    plan: &Plan,
    user: &Arc<AtomicBool>,
    work: impl FnOnce(&Arc<AtomicBool>) -> T,
) -> (T, bool) {
    let Some(time) = plan.time else { return (work(user), false) };
    let clock = Stopwatch::start(&plan.waited);
    let (cancel, used_up) = (Arc::new(AtomicBool::new(false)), AtomicBool::new(false));
    let (done, changed) = (Mutex::new(false), Condvar::new());
    let watch = || {
        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
        while !*done {
            if user.load(Ordering::Relaxed) {
                cancel.store(true, Ordering::Relaxed);
            } else if clock.elapsed() >= time.saturating_add(GRACE) {
                used_up.store(true, Ordering::Relaxed);
                cancel.store(true, Ordering::Relaxed);
            }
            (done, _) = changed.wait_timeout(done, LOOK).unwrap_or_else(PoisonError::into_inner);
        }
    };
    let result = thread::scope(|scope| {
        scope.spawn(watch);
        let result = work(&cancel);
        *done.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
        result
    });
    (result, used_up.load(Ordering::Relaxed) && !user.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(time: Option<Duration>) -> Plan {
        Plan { time, ..Plan::default() }
    }

    fn wait_for(flag: &AtomicBool) {
        while !flag.load(Ordering::Relaxed) {
            thread::yield_now();
        }
    }

    #[test]
    fn time_that_is_used_up_ends_the_work() {
        let user = Arc::new(AtomicBool::new(false));
        assert!(within(&plan(Some(Duration::ZERO)), &user, |cancel| wait_for(cancel)).1);
        assert_eq!(within(&plan(Some(Duration::MAX)), &user, |_| 7), (7, false));
        assert_eq!(within(&plan(None), &user, |_| 7), (7, false));
    }

    #[test]
    fn the_user_ends_it_all_the_same() {
        let user = Arc::new(AtomicBool::new(false));
        let work = |cancel: &Arc<AtomicBool>| {
            user.store(true, Ordering::Relaxed);
            wait_for(cancel);
        };
        assert!(!within(&plan(Some(Duration::MAX)), &user, work).1);
    }
}
