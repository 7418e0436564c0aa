//! The reports of all parts of one search become that of the whole (NOTE \[Parts of a search\] in `explore::partition`).
//!
//! Numbers add up. What every part does, the reference run, counts once. What no part can know alone is judged anew: whether
//! a point was disturbed, which finding is the simplest, the verdict.

use super::report::{Chance, Confirmed, Found, Schedules, Search, cut_of_name};
use crate::explore::{self, Level, Verdict};
use crate::show::Extent;
use crate::trace::Broken;
use std::collections::HashSet;

/// The parts of one search, in the order of their numbers, as one, and its verdict; or why they are not of one search.
/// There is at least one.
pub(super) fn join(parts: Vec<Search>) -> Result<(Search, Verdict), String> {
    let count = parts.len() as u64;
    let mut parts = parts.into_iter();
    let mut whole = parts.next().ok_or("there is no part")?;
    let mut found = whole.result.take().ok_or("a part has no result")?;
    for part in parts {
        let same = |field: &str, one: &Option<String>, other: &Option<String>| {
            if one == other {
                Ok(())
            } else {
                Err(format!("the parts differ in {field}: {one:?} and {other:?}"))
            }
        };
        same("the program's name", &Some(whole.name.clone()), &Some(part.name.clone()))?;
        same("what was asked for", &whole.asked, &part.asked)?;
        whole.interrupted |= part.interrupted;
        whole.notes.extend(part.notes);
        add(&mut found, part.result.ok_or("a part has no result")?);
    }
    // Each part has made the reference run, which is the first outcome.
    let again = count - 1;
    if let Some(reference) = found.outcomes.first_mut() {
        reference.runs = reference.runs.saturating_sub(again);
        if !reference.breaks.is_empty() {
            found.failing = found.failing.saturating_sub(again);
        }
    }
    for finding in found.findings.iter_mut().filter(|finding| finding.first == 0) {
        finding.runs = finding.runs.saturating_sub(again);
    }
    simplest(&mut found.findings);
    found.points_taken = found.points.saturating_sub(found.points_not_taken.len() as u64);
    found.points_not_taken.clear();
    let verdict = verdict(&found, whole.interrupted);
    whole.verdict = Some(verdict.to_string());
    found.extent = extent(&found);
    whole.result = Some(found);
    Ok((whole, verdict))
}

/// The verdict of all parts together, as `explore::Report::against` has it for one search.
fn verdict(found: &Found, interrupted: bool) -> Verdict {
    if !found.findings.is_empty() {
        Verdict::Fail
    } else if !found.unstable.is_empty() {
        Verdict::Unstable
    } else if found.steps_taken == 0 || interrupted || found.signals_unsent > 0 {
        Verdict::Unreached
    } else {
        Verdict::Pass
    }
}

fn add(whole: &mut Found, part: Found) {
    whole.runs += part.runs;
    whole.extra_runs += part.extra_runs;
    whole.shared_runs += part.shared_runs;
    whole.merged_runs += part.merged_runs;
    whole.verified += part.verified;
    whole.failing += part.failing;
    whole.steps_taken += part.steps_taken;
    whole.signals_unsent = whole.signals_unsent.min(part.signals_unsent);
    whole.cut = whole.cut.take().or(part.cut);
    let left: HashSet<String> = part.points_not_taken.into_iter().collect();
    whole.points_not_taken.retain(|point| left.contains(point));
    // Every part makes the same undisturbed run.
    for (whole, part) in whole.loops.iter_mut().zip(part.loops) {
        whole.taken.extend(part.taken);
        whole.taken.sort_unstable();
        whole.taken.dedup();
    }
    for (whole, part) in whole.children.iter_mut().zip(part.children) {
        whole.taken.extend(part.taken);
        whole.taken.sort_unstable();
        whole.taken.dedup();
    }
    for level in part.schedules {
        match whole.schedules.iter_mut().find(|other| other.steps == level.steps) {
            Some(other) => *other = Schedules::new(&sum(&read(other), &read(&level))),
            None => whole.schedules.push(level),
        }
    }
    whole.chance = match (whole.chance.take(), part.chance) {
        (Some(one), Some(other)) => Some(together(one, other)),
        (one, other) => one.or(other),
    };
    whole.more_outcomes |= part.more_outcomes;
    for outcome in part.outcomes {
        match whole
            .outcomes
            .iter_mut()
            .find(|other| (&other.digest, &other.breaks) == (&outcome.digest, &outcome.breaks))
        {
            Some(other) => {
                other.runs += outcome.runs;
                if outcome.example.len() < other.example.len() {
                    other.example = outcome.example;
                }
            }
            None => whole.outcomes.push(outcome),
        }
    }
    for finding in part.findings {
        let same =
            |other: &&mut Confirmed| other.breaks == finding.breaks && other.schedule == finding.schedule;
        match whole.findings.iter_mut().find(same) {
            Some(other) => {
                other.runs += finding.runs;
                other.first = other.first.min(finding.first);
                other.shrink_cut &= finding.shrink_cut;
                for race in finding.elsewhere {
                    if !other.elsewhere.contains(&race) {
                        other.elsewhere.push(race);
                    }
                }
                if let (Some(whole), Some(part)) = (&mut other.identity, finding.identity) {
                    whole.join(part);
                }
                // One part may not know the simpler race that another has found.
                let all = other.elsewhere.clone();
                let has = |whole: &[String], part: &[String]| {
                    part.len() < whole.len() && part.iter().all(|step| whole.contains(step))
                };
                other.elsewhere.retain(|race| !all.iter().any(|part| has(race, part)));
                other.elsewhere.sort_by_cached_key(|race| (race.len(), race.clone()));
                other.elsewhere_more = other.elsewhere_more.max(finding.elsewhere_more);
            }
            None => whole.findings.push(finding),
        }
    }
    whole.missing.extend(part.missing);
    // One part checks the handlers for all.
    whole.warnings.extend(part.warnings);
    whole.check_runs += part.check_runs;
    whole.unstable.extend(part.unstable);
}

/// A finding of several steps gives way to one of fewer that breaks the same: it would have been shrunk to that, had its
/// part known of it. The most telling come first.
fn simplest(findings: &mut Vec<Confirmed>) {
    let fewest: Vec<(String, usize)> =
        findings.iter().map(|finding| (finding.breaks.clone(), finding.schedule.len())).collect();
    let outdone = |finding: &Confirmed| {
        let steps = finding.schedule.len();
        steps > 1 && fewest.iter().any(|(breaks, fewer)| *breaks == finding.breaks && *fewer < steps)
    };
    let (gone, mut kept): (Vec<_>, Vec<_>) = findings.drain(..).partition(outdone);
    for gone in gone {
        if let Some(simpler) = kept.iter_mut().find(|kept| kept.breaks == gone.breaks) {
            simpler.runs += gone.runs;
            simpler.first = simpler.first.min(gone.first);
        }
    }
    let gravity = |name: &str| ron::from_str::<Broken>(name).ok();
    kept.sort_by_cached_key(|finding| (gravity(&finding.breaks), finding.schedule.len()));
    *findings = kept;
}

/// A level as the search counts it.
fn read(schedules: &Schedules) -> Level {
    let Schedules { steps, known, covered, same, more, .. } = *schedules;
    Level { steps, all: known, run: covered.saturating_sub(same), same, open: more }
}

fn sum(one: &Level, other: &Level) -> Level {
    Level {
        steps: one.steps,
        all: one.all + other.all,
        run: one.run + other.run,
        same: one.same + other.same,
        open: one.open || other.open,
    }
}

/// Samples of several parts: those that were drawn among fewer moments than another part has seen do not count.
fn together(one: Chance, other: Chance) -> Chance {
    let moments = one.moments.max(other.moments);
    let counted = |chance: &Chance| if chance.moments == moments { chance.samples } else { 0 };
    Chance {
        moments,
        samples: counted(&one) + counted(&other),
        threads: one.threads.max(other.threads),
        given_up: one.given_up + other.given_up,
        everywhere: one.everywhere && other.everywhere,
        ..one
    }
}

fn extent(found: &Found) -> String {
    let levels: Vec<Level> = found.schedules.iter().map(read).collect();
    let chance = found.chance.as_ref().map(|chance| {
        let Chance { depth, threads, moments, signals, samples, given_up, everywhere } = *chance;
        explore::Chance { depth, threads, moments, signals, samples, given_up, everywhere }
    });
    let extent = Extent {
        part: None,
        runs: found.runs,
        levels: &levels,
        points: (found.points_taken, found.points),
        from: found.from.clone(),
        outcomes: found.outcomes.len() as u64,
        more_outcomes: found.more_outcomes,
        chance: chance.as_ref(),
        verified: found.verified,
        cut: found.cut.as_deref().and_then(cut_of_name),
        executed: found.swept,
    };
    extent.to_string()
}
