//! Programs that compute without a call: for ever, which is shown where it can be, or for long.

mod supervised;

use sigrace::program::Limits;
use sigrace::trace::{End, Status};
use std::time::Duration;

/// How `spins.c` ends if a thread may compute for so long.
fn end(how: &str, cpu: Duration) -> End {
    let folder = tempfile::tempdir().unwrap();
    let program = supervised::build("spins.c", &[], folder.path());
    let launch = supervised::launch(&[program.to_str().unwrap(), how], folder.path());
    let (run, ()) = supervised::run(launch, Limits { cpu, ..Limits::default() }, || ());
    run.unwrap().outcome.end
}

#[test]
fn a_loop_that_changes_nothing_is_known_by_its_state_and_not_by_its_time() {
    let End::Spinning(words) = end("waits", Duration::from_secs(10_000)) else { panic!() };
    assert!(words.contains("that changes nothing, always in the same state"), "{words}");
}

#[test]
fn what_computes_for_long_or_can_be_woken_goes_on() {
    for how in ["counts", "backs-off", "profiled"] {
        assert_eq!(end(how, Duration::from_secs(10_000)), End::Ended(Status::Exited(0)), "{how}");
    }
}

#[test]
fn where_others_could_change_what_a_loop_looks_at_only_its_time_tells() {
    for how in ["shared", "beside"] {
        let End::Spinning(words) = end(how, Duration::from_millis(300)) else { panic!("{how}") };
        assert!(words.contains("of CPU time without a call"), "{how}: {words}");
    }
}
