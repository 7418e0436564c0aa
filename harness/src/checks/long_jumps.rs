//! A handler left by a jump where that does harm.
//!
//! Seen: the handler comes to its call of longjmp(3) or siglongjmp(3) in a run where the signal came as the main flow was
//! about to call a function that is not async-signal-safe, which the jump would leave half done; or in a run where the
//! program had not called setjmp(3) or sigsetjmp(3) before, so that there is nowhere to jump to.
//!
//! Not seen: jumps by C++ exceptions and by functions of libraries; a place that another function has left since it was set; a
//! mask that is not restored (that a signal stays blocked shows in what the program does).

use super::program::{Call, Handler, Program, Site};
use super::runs::{Look, Moment, Open, Runs};
use super::{Rule, Warning, safe, unsafe_calls};
use crate::supervise::RunError;

/// Places that are tried, at most.
const MOST: usize = 12;
/// How many places are watched besides the one where the signal is sent.
const WATCHED: usize = 3;

fn jumps(program: &Program, handler: &Handler) -> Vec<Call> {
    program.calls_of(handler).into_iter().filter(|call| call.is(safe::jumps)).collect()
}

/// Where a signal may be deliverable for the first time.
fn early(program: &Program) -> Vec<Site> {
    let calls = program.all_calls().into_iter().filter(|call| call.is(safe::opens));
    calls.filter_map(|call| call.next).collect()
}

pub(super) fn places(program: &Program, handler: &Handler) -> Vec<Site> {
    if jumps(program, handler).is_empty() {
        return Vec::new();
    }
    let calls = unsafe_calls::interrupted(program).into_iter().map(|call| call.site);
    calls.chain(early(program)).collect()
}

pub(super) fn prove(
    program: &Program,
    handler: &Handler,
    open: &Open,
    runs: &mut Runs<'_>,
) -> Result<Vec<Warning>, RunError> {
    let sets: Vec<Site> = program
        .all_calls()
        .into_iter()
        .filter(|call| call.is(safe::sets_jump))
        .map(|call| call.site)
        .collect();
    let mut warnings = Vec::new();
    for jump in jumps(program, handler) {
        let warning = |interrupted: &Site, what: String, schedule| {
            handler.breaks(Rule::LongJumps, (&jump.site, interrupted), what, schedule)
        };
        for site in early(program).iter().take(MOST) {
            let Some(moment) = open.at(site, handler.signal).filter(|_| !sets.is_empty()) else { continue };
            if let Some(schedule) = before_set(handler, &jump, site, &moment, &sets, runs)? {
                let what = format!(
                    "calls {} before there is anywhere to jump to: it can interrupt {}, before {} is called",
                    jump.name(),
                    site.told(),
                    sets.iter().map(Site::text).collect::<Vec<_>>().join(" or ")
                );
                warnings.push(warning(site, what, schedule));
                break;
            }
        }
        let main = unsafe_calls::interrupted(program);
        let tried =
            main.iter().filter_map(|call| open.at(&call.site, handler.signal).map(|moment| (call, moment)));
        for (call, moment) in tried.take(MOST) {
            let look = Look { places: vec![&jump.site], ..Look::default() };
            let Some(shown) = runs.bring(handler.signal, &call.site, &moment, &look)? else { continue };
            if shown.in_handler(jump.site.place, &call.site) {
                let what = format!(
                    "calls {} and can leave {} half done, which is not async-signal-safe, called by {}",
                    jump.name(),
                    call.name(),
                    call.site.told()
                );
                warnings.push(warning(&call.site, what, shown.schedule));
                break;
            }
        }
    }
    Ok(warnings)
}

/// The run in which the handler jumps before any place to jump to is set, if that is so in all runs that are needed to look at
/// all calls which set one.
fn before_set(
    handler: &Handler,
    jump: &Call,
    site: &Site,
    moment: &Moment,
    sets: &[Site],
    runs: &mut Runs<'_>,
) -> Result<Option<crate::schedule::Schedule>, RunError> {
    let mut schedule = None;
    for sets in sets.chunks(WATCHED - 1) {
        let places = std::iter::once(&jump.site).chain(sets).collect();
        let look = Look { places, ..Look::default() };
        let Some(shown) = runs.bring(handler.signal, site, moment, &look)? else { return Ok(None) };
        let jumped = shown.after.iter().position(|visit| visit.place == jump.site.place);
        let Some(jumped) = jumped.filter(|_| shown.in_handler(jump.site.place, site)) else {
            return Ok(None);
        };
        let earlier = shown.before.iter().chain(shown.after.iter().take(jumped));
        if earlier.into_iter().any(|visit| sets.iter().any(|set| set.place == visit.place)) {
            return Ok(None);
        }
        schedule = Some(shown.schedule);
    }
    Ok(schedule)
}
