//! errno changed by a handler that returns.
//!
//! Seen: errno is another after the handler than before it, in a run where the signal came as the main flow was about to
//! read errno. Where errno is does not have to be known: C programs ask `__errno_location` (glibc and musl), and what that
//! has answered is followed to the instruction that reads there.
//!
//! Not seen: errno that only library functions look at (perror(3)), and code where the answer is kept elsewhere than in registers
//! and on the function's own stack.

use super::program::{Handler, Program, Site};
use super::runs::{Look, Open, Runs};
use super::{Rule, Warning, safe};
use crate::supervise::{RunError, Word};

/// Places that are tried, at most.
const MOST: usize = 12;

/// Where the main flow reads errno: the place after the call that tells where that is, and the place that reads.
fn candidates(program: &Program) -> Vec<(Site, Site)> {
    let mut found = Vec::new();
    for body in program.bodies() {
        let calls = program.calls(body).into_iter().filter(|call| call.is(safe::locates_errno));
        for call in calls {
            let reads = program.reads_through(body, &call);
            found.extend(
                call.next.iter().flat_map(|next| {
                    reads.iter().map(|read| (next.clone(), read.clone())).collect::<Vec<_>>()
                }),
            );
        }
    }
    found
}

pub(super) fn places(program: &Program) -> Vec<Site> {
    candidates(program).into_iter().map(|(_, read)| read).collect()
}

pub(super) fn prove(
    program: &Program,
    handler: &Handler,
    open: &Open,
    runs: &mut Runs<'_>,
) -> Result<Vec<Warning>, RunError> {
    let mut warnings: Vec<Warning> = Vec::new();
    let all = candidates(program);
    let tried = all.iter().filter_map(|one| open.at(&one.1, handler.signal).map(|moment| (one, moment)));
    for ((answered, read), moment) in tried.take(MOST) {
        let places = if answered == read { Vec::new() } else { vec![answered] };
        let look = Look { places, returns: true, word: Some(Word::Returned(answered.place)) };
        let Some(shown) = runs.bring(handler.signal, read, &moment, &look)? else { continue };
        let Some((before, after)) = shown.word_around(read) else { continue };
        if before != after {
            let what = format!(
                "({}) changes errno from {before} to {after} and returns, when it interrupts {}, which is about to read it",
                handler.entry.text(),
                read.told()
            );
            warnings.push(handler.breaks(Rule::Errno, (read, read), what, shown.schedule));
        }
    }
    Ok(warnings)
}
