//! How far a search went, in words.

use super::words::count;
use crate::explore::{Chance, Coverage, Cut, ENOUGH, Executed, Level, MOST_VISITS, Partition, Report};
use std::fmt::{self, Display, Formatter};

/// How far a search went, or its part, or all parts of it together: displayed as a list of numbers in words.
pub struct Extent<'a> {
    /// Which part of a search it is, if it is one.
    pub part: Option<Partition>,
    /// Runs of the strategies.
    pub runs: u64,
    /// The schedules, by their number of steps.
    pub levels: &'a [Level],
    /// At how many steps were taken, and how many there are.
    pub points: (u64, u64),
    /// The first of them, where the search does not begin with the program.
    pub from: Option<String>,
    /// Distinct outcomes.
    pub outcomes: u64,
    /// True if there were more.
    pub more_outcomes: bool,
    /// What samples by chance are good for.
    pub chance: Option<&'a Chance>,
    /// Schedules that were run twice.
    pub verified: u64,
    /// Why it ended early, if it did.
    pub cut: Option<Cut>,
    /// How much of the code that was swept is executed.
    pub executed: Executed,
}

impl Display for Extent<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.part.map(|Partition { part, of }| format!("part {part} of {of}")));
        parts.push(count(self.runs, "run"));
        parts.extend(self.levels.iter().map(|level| self.level(level)));
        let (taken, open) = self.points;
        let points = count(open, "point");
        let from = self.from.as_ref().map_or_else(String::new, |from| format!(" from {from} on"));
        parts.push(if taken == open { points } else { format!("steps at {taken} of {points}") } + &from);
        let more = if self.more_outcomes { "more than " } else { "" };
        parts.push(format!("{more}{}", count(self.outcomes, "distinct outcome")));
        parts.extend(self.chance.map(told));
        if self.verified > 0 {
            parts.push(format!("{} made twice with equal events", self.verified));
        }
        parts.extend(swept(&self.executed));
        if self.cut == Some(Cut::NothingNew) {
            parts.push(format!(
                "the last {ENOUGH} of several steps or far inside what repeats itself showed nothing new (--runs, --time for more)"
            ));
        }
        f.write_str(&parts.join(", "))
    }
}

impl Extent<'_> {
    /// `212 of 212 one-step schedules`, and what is missing, if anything.
    fn level(&self, level: &Level) -> String {
        let steps = match level.steps {
            1 => "one-step".to_owned(),
            2 => "two-step".to_owned(),
            3 => "three-step".to_owned(),
            steps => format!("{steps}-step"),
        };
        let known = if level.open { "more than " } else { "" };
        let text =
            format!("{} of {known}{}", level.covered(), count(level.all, &format!("{steps} schedule")));
        let why = match self.cut {
            Some(Cut::Interrupted) => "interrupted",
            Some(Cut::Time) => "the time was used up",
            Some(Cut::NothingNew) => "far inside what repeats itself",
            Some(Cut::FirstFinding) => "stopped at the first finding",
            Some(Cut::KnownFound) => "stopped when the known findings were found",
            Some(Cut::Full) => "stopped at so many findings",
            Some(Cut::Runs) | None => "the runs were used up",
        };
        if level.exhausted() { text } else { format!("{text} ({} not tried: {why})", not_tried(level)) }
    }
}

/// `12 samples of depth 2 over 3 threads and 25 moments, each with a chance of at least 1 in 75`.
fn told(chance: &Chance) -> String {
    let Chance { depth, threads, moments, samples, given_up, everywhere, .. } = chance;
    let bound = match chance.one_in() {
        Some(number) => format!("each with a chance of at least 1 in {number}"),
        None if *given_up > 0 => format!("no bound: {given_up} given up"),
        None if !everywhere => "no bound: only some kinds of points are used".to_owned(),
        None => "no bound worth telling".to_owned(),
    };
    format!(
        "{} of depth {depth} over {} and {}, {bound}",
        count(*samples, "sample"),
        count(*threads, "thread"),
        count(*moments, "moment")
    )
}

fn not_tried(level: &Level) -> String {
    if level.open { format!("at least {}", level.missing()) } else { level.missing().to_string() }
}

/// How much of the code that was to be swept the undisturbed run executes: `15 of 16 instructions executed`.
fn swept(executed: &Executed) -> Option<String> {
    let Executed { instructions, executed, visits, points, library, more } = *executed;
    let capped = if points < visits { format!(" (their first {MOST_VISITS} visits)") } else { String::new() };
    let all = count(instructions as u64, "instruction");
    let own = (instructions > 0).then(|| format!("{executed} of {all} executed{capped}"));
    let further =
        if more { " (as far as they were followed; --sweep FUNCTION follows them further)" } else { "" };
    let library = (library > 0).then(|| format!("{} of libraries{further}", count(library, "instruction")));
    let parts: Vec<String> = own.into_iter().chain(library).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

impl<'a> Extent<'a> {
    /// That of a search.
    pub fn of(report: &'a Report) -> Extent<'a> {
        let Report { runs, outcomes, verified, part, cut, more_outcomes, reference, from, .. } = report;
        let Coverage { levels, taken, open, chance, .. } = &report.coverage;
        Extent {
            part: *part,
            runs: *runs,
            levels,
            points: (*taken as u64, *open as u64),
            from: from.as_ref().map(|from| from.point.to_string()),
            outcomes: outcomes.len() as u64,
            more_outcomes: *more_outcomes,
            chance: chance.as_ref(),
            verified: *verified,
            cut: *cut,
            executed: reference.executed,
        }
    }
}
