//! What becomes of a panic, in whichever thread: it is the harness's own fault, and is never taken for anything else.

use super::exit::Exit;
use super::say::warn;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// Does what there is to do. If anything panics meanwhile, in this thread or another one, that is told at once, and the exit
/// code is that of a harness fault, whatever was made of it.
pub(super) fn watched(work: impl FnOnce() -> ExitCode) -> ExitCode {
    static PANICKED: AtomicBool = AtomicBool::new(false);
    PANICKED.store(false, Ordering::SeqCst);
    panic::set_hook(Box::new(|what| {
        PANICKED.store(true, Ordering::SeqCst);
        warn(format_args!("sigrace: harness fault: {what}"));
    }));
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(code) if !PANICKED.load(Ordering::SeqCst) => code,
        Ok(_) | Err(_) => Exit::Harness.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_panic_ends_111_in_whichever_thread_it_is() {
        let good = || ExitCode::from(Exit::AsExpected);
        let here = watched(|| panic!("this is thrown by a test"));
        let joined = watched(|| {
            let other = thread::spawn(|| panic!("this is thrown by a test, in another thread"));
            assert!(other.join().is_err());
            good()
        });
        drop(panic::take_hook());
        assert_eq!([here, joined], [Exit::Harness.into(); 2]);
    }
}
