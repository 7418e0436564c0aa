//! errno changed by a handler that returns.
//!
//! Seen: errno is another after the handler than before it, in a run where the signal came as the main flow was about to
//! use errno: right after `__errno_location` has returned, which is what `errno` is in C (glibc and musl). Where errno is
//! does not have to be known: that is what the function has just answered.
//!
//! Not seen: errno that only library functions look at (perror(3)), and programs whose compiler keeps the location of errno
//! from one function to the next. Where the main flow is about to set errno itself and not to look at it, the handler is
//! reported as well: it would do the same a moment later.

use super::program::{Handler, Program, Site};
use super::runs::{Look, Open, Runs};
use super::{Rule, Warning, safe};
use crate::supervise::{RunError, Word};

/// Places that are tried, at most.
const MOST: usize = 6;

pub(super) fn places(program: &Program) -> Vec<Site> {
    let calls = program.all_calls().into_iter().filter(|call| call.is(safe::locates_errno));
    calls.filter_map(|call| call.next).collect()
}

pub(super) fn prove(
    program: &Program,
    handler: &Handler,
    open: &Open,
    runs: &mut Runs<'_>,
) -> Result<Vec<Warning>, RunError> {
    let sites = places(program);
    let tried = sites.iter().filter_map(|site| open.at(site, handler.signal).map(|nth| (site, nth)));
    for (site, nth) in tried.take(MOST) {
        let look = Look {
            places: Vec::new(),
            handler: Some(&handler.entry),
            word: Some(Word::Returned(site.place)),
        };
        let Some(shown) = runs.send(handler.signal, site, nth, &look)? else { continue };
        let Some((before, after)) = shown.word_around(handler.entry.place, site) else { continue };
        if before != after {
            return Ok(vec![Warning {
                rule: Rule::Errno,
                signal: handler.signal,
                handler: handler.function.name.clone(),
                line: handler.entry.text(),
                interrupted: site.text(),
                what: format!(
                    "changes errno from {before} to {after} and returns, and can interrupt {}, which uses errno",
                    site.told()
                ),
                schedule: shown.schedule,
            }]);
        }
    }
    Ok(Vec::new())
}
