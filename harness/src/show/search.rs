//! What came of a search, in words: where else the same breaks, and what did not repeat itself.

use super::apart::told_apart;
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
        let one = &unstable.one.outcome;
        let Some(other) = &unstable.other else {
            text += &format!("  one run:     {}\n", outcome_words(one));
            continue;
        };
        // They may differ in their events alone.
        let both = [one, &other.outcome];
        let alike = one.without_moments().is_like(&other.outcome.without_moments());
        let words = if alike { both.map(outcome_words).to_vec() } else { told_apart(&both) };
        for (run, words) in ["one run:    ", "another run:"].into_iter().zip(words) {
            text += &format!("  {run} {words}\n");
        }
        if let Some(index) = unstable.differs {
            text += &diverged(&unstable.one.events, &other.events, index, page);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arbitrary;
    use crate::trace::{End, Output, Status};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn two_runs_that_end_otherwise_are_not_told_in_the_same_words(run in arbitrary::run()) {
            let told = |one: &str, other: &str| {
                let of = |text: &str| {
                    let mut run = run.clone();
                    run.outcome.end = End::Ended(Status::Exited(0));
                    run.outcome.stdout = Output::Text(text.to_owned());
                    run
                };
                let (one, other) = (of(one), Some(of(other)));
                let schedule = run.schedule.clone();
                let unstable = Unstable { breaks: None, schedule, why: String::new(), one, other, differs: None };
                let text = unstable_words(&unstable);
                let words = |head: &str| text.lines().find_map(|line| line.trim().strip_prefix(head)).unwrap().trim().to_owned();
                (words("one run:"), words("another run:"))
            };
            let (one, other) = told("a\nb\n", "a\nc\n");
            prop_assert!(one.ends_with("prints 'b' in line 2") && other.ends_with("prints 'c' in line 2"), "{one} {other}");
            let (one, other) = told("a\n", "a\n");
            prop_assert_eq!(one, other);
        }
    }

    fn unstable_words(one: &Unstable) -> String {
        unstable(std::slice::from_ref(one), Page { color: false, width: 80 })
    }
}
