//! What came of a search, in words: where else the same breaks, and what did not repeat itself.

use super::words::outcome_words;
use super::{Page, diverged};
use crate::explore::{Finding, Unstable};
use crate::schedule::Schedule;

/// Other places where the same breaks: `also at: p0 before write #2; p0 before close; and 3 more`.
pub fn elsewhere(finding: &Finding) -> String {
    if finding.elsewhere.is_empty() {
        return String::new();
    }
    let short = |schedule: &Schedule| match (schedule.steps.as_slice(), finding.schedule.steps.as_slice()) {
        ([step], [headline]) if step.action == headline.action => step.point().to_string(),
        (steps, _) => steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "),
    };
    let mut places: Vec<String> = finding.elsewhere.iter().map(short).collect();
    if finding.elsewhere_more > 0 {
        places.push(format!("and {} more", finding.elsewhere_more));
    }
    format!("  also at: {}\n", places.join("; "))
}

/// What did not repeat itself: why, and how both runs ended.
pub fn unstable(all: &[Unstable], page: Page) -> String {
    let mut text = String::new();
    for unstable in all {
        text += &format!("unstable ({}): {}\n", unstable.schedule, unstable.why);
        text += &format!("  one run:     {}\n", outcome_words(&unstable.one.outcome));
        if let Some(other) = &unstable.other {
            text += &format!("  another run: {}\n", outcome_words(&other.outcome));
            if let Some(index) = unstable.differs {
                text += &diverged(&unstable.one.events, &other.events, index, page);
            }
        }
    }
    text
}
