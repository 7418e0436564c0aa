//! Ctrl-C: the first one asks the command to end and to report, a second one ends it at once.

use super::exit::{Exit, Stop};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A flag that becomes true when the user asks the command to end.
///
/// After a second request the process ends on the spot; the kernel then kills what it supervised.
pub(super) fn flag() -> Result<Arc<AtomicBool>, Stop> {
    let stop = Arc::new(AtomicBool::new(false));
    let fail = |error| Stop::new(Exit::Harness, format!("cannot listen for signals: {error}"));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // The order matters: the request that sets the flag must not yet find it set.
        flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, Arc::clone(&stop))
            .and_then(|_| flag::register(signal, Arc::clone(&stop)))
            .map_err(fail)?;
    }
    // A file that may not grow further is an error of its own, not the end of the command (setrlimit(2), RLIMIT_FSIZE).
    flag::register(SIGXFSZ, Arc::default()).map_err(fail)?;
    Ok(stop)
}
