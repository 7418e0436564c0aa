//! An unsafe function called by a handler that has interrupted an unsafe function.
//!
//! Seen: a call, in the handler or in what it calls of the program's own code, of a function outside of it that is not on the list
//! ([`super::safe`]), in a run where the signal came as the main flow was about to call such a function itself.
//!
//! Not seen: unsafe functions within other functions of a library; those of the program's own libraries, and those that the
//! main flow is in without having called them by name (exit(3) after main() returns). Two unsafe functions that have nothing
//! to do with each other are reported as well: that is what POSIX says, and nobody promises that they have not.

use super::program::{Call, Handler, Program, Site};
use super::runs::{Look, Open, Runs};
use super::{Rule, Warning, safe};
use crate::supervise::RunError;

/// Calls of the main flow that are tried, at most.
const MOST: usize = 24;
/// How many places are watched besides the one where the signal is sent.
const WATCHED: usize = 3;

/// The unsafe calls that the handler could make.
fn candidates(program: &Program, handler: &Handler) -> Vec<Call> {
    program.calls_of(handler).into_iter().filter(|call| call.is_unsafe() && !call.is(safe::jumps)).collect()
}

/// The unsafe calls of the main flow.
pub(super) fn interrupted(program: &Program) -> Vec<Call> {
    program.all_calls().into_iter().filter(Call::is_unsafe).collect()
}

pub(super) fn places(program: &Program, handler: &Handler) -> Vec<Site> {
    if candidates(program, handler).is_empty() {
        return Vec::new();
    }
    interrupted(program).into_iter().map(|call| call.site).collect()
}

pub(super) fn prove(
    program: &Program,
    handler: &Handler,
    open: &Open,
    runs: &mut Runs<'_>,
) -> Result<Vec<Warning>, RunError> {
    let mut left = candidates(program, handler);
    let mut warnings = Vec::new();
    if left.is_empty() {
        return Ok(warnings);
    }
    let main = interrupted(program);
    let tried =
        main.iter().filter_map(|call| open.at(&call.site, handler.signal).map(|moment| (call, moment)));
    for (main, moment) in tried.take(MOST) {
        let mut kept = Vec::new();
        for calls in left.chunks(WATCHED) {
            let look = Look { places: calls.iter().map(|call| &call.site).collect(), ..Look::default() };
            let shown = runs.bring(handler.signal, &main.site, &moment, &look)?;
            for call in calls {
                let Some(shown) =
                    shown.as_ref().filter(|shown| shown.in_handler(call.site.place, &main.site))
                else {
                    kept.push(call.clone());
                    continue;
                };
                let what = format!(
                    "calls {}, which is not async-signal-safe, in {}, and can interrupt {}, which is not either, called by {}",
                    call.name(),
                    call.site.function,
                    main.name(),
                    main.site.told()
                );
                warnings.push(handler.breaks(
                    Rule::UnsafeCalls,
                    (&call.site, &main.site),
                    what,
                    shown.schedule.clone(),
                ));
            }
        }
        left = kept;
        if left.is_empty() {
            break;
        }
    }
    Ok(warnings)
}
