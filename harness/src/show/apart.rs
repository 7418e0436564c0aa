//! Several outcomes in a line each, told apart by what differs.

use super::layout::{plain, short};
use super::words::{count, made_words, outcome_words};
use crate::trace::{LeftHow, Outcome, Output};
use std::collections::BTreeMap;

/// Columns that a line of output may take.
const LINE: usize = 40;

/// The outcomes, in their order: how each ended, and where several ended alike, in what they differ.
pub fn told_apart(outcomes: &[&Outcome]) -> Vec<String> {
    let mut told: Vec<String> =
        outcomes.iter().map(|one| outcome_words(one) + &made_words(&one.remains)).collect();
    // Of several that differ in one line some may differ in a later one.
    for part in [left, printed, printed, printed, complained] {
        for group in alike(&told) {
            let members: Vec<&Outcome> =
                group.iter().filter_map(|index| outcomes.get(*index).copied()).collect();
            let words = part(&members);
            if words.windows(2).any(|pair| pair[0] != pair[1]) {
                for (index, words) in group.into_iter().zip(words) {
                    if let Some(text) = told.get_mut(index) {
                        *text += &words;
                    }
                }
            }
        }
    }
    told
}

/// The indices of those that are told in the same words, where there are several.
fn alike(told: &[String]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, text) in told.iter().enumerate() {
        groups.entry(text).or_default().push(index);
    }
    groups.into_values().filter(|group| group.len() > 1).collect()
}

/// Who is left over.
fn left(outcomes: &[&Outcome]) -> Vec<String> {
    let one = |outcome: &&Outcome| {
        let names = outcome.leftover.iter().map(|left| {
            let how = match left.how {
                LeftHow::Zombie => "a zombie",
                LeftHow::Orphan => "an orphan",
            };
            format!("{} {how}", left.process)
        });
        let names: Vec<String> = names.collect();
        if names.is_empty() { ", leaves nobody".to_owned() } else { format!(", leaves {}", names.join(", ")) }
    };
    outcomes.iter().map(one).collect()
}

fn printed(outcomes: &[&Outcome]) -> Vec<String> {
    differing(outcomes.iter().map(|outcome| &outcome.stdout).collect(), "prints")
}

fn complained(outcomes: &[&Outcome]) -> Vec<String> {
    differing(outcomes.iter().map(|outcome| &outcome.stderr).collect(), "prints to standard error")
}

/// The first line in which they differ.
fn differing(outputs: Vec<&Output>, prints: &str) -> Vec<String> {
    let texts: Vec<_> = outputs.iter().map(|output| String::from_utf8_lossy(output.bytes())).collect();
    let lines: Vec<Vec<&str>> = texts.iter().map(|text| text.lines().collect()).collect();
    let longest = lines.iter().map(Vec::len).max().unwrap_or_default();
    let first = (0..longest)
        .find(|index| lines.windows(2).any(|pair| pair[0].get(*index) != pair[1].get(*index)))
        .unwrap_or_default();
    let one = |lines: &Vec<&str>| match (lines.get(first), first) {
        (Some(line), 0) => format!(", {prints} '{}'", short(&plain(line), LINE)),
        (Some(line), _) => format!(", {prints} '{}' in line {}", short(&plain(line), LINE), first + 1),
        (None, 0) => format!(", {prints} nothing"),
        (None, _) => format!(", {prints} {}", count(first as u64, "line")),
    };
    lines.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(stdout: &str, leftover: &str) -> Outcome {
        let text = format!(
            "(end: Ended(Exited(0)), stdout: Text({stdout:?}), stderr: Text(\"\"), leftover: [{leftover}], \
             exec_blocked: [], table: [])"
        );
        ron::from_str(&text).unwrap()
    }

    fn told(outcomes: &[Outcome]) -> Vec<String> {
        told_apart(&outcomes.iter().collect::<Vec<_>>())
    }

    #[test]
    fn what_differs_is_told_and_nothing_else() {
        assert_eq!(told(&[outcome("a\n", "")]), ["exit code 0"]);
        assert_eq!(
            told(&[outcome("", ""), outcome("bye\n", "")]),
            ["exit code 0, prints nothing", "exit code 0, prints 'bye'"]
        );
        let zombie = "(process: \"p0.1\", how: Zombie)";
        assert_eq!(
            told(&[outcome("a\n", ""), outcome("a\n", zombie)]),
            ["exit code 0, leaves nobody", "exit code 0, leaves p0.1 a zombie"]
        );
        assert_eq!(
            told(&[outcome("a\nb\n", ""), outcome("a\nc\n", ""), outcome("a\n", "")]),
            [
                "exit code 0, prints 'b' in line 2",
                "exit code 0, prints 'c' in line 2",
                "exit code 0, prints 1 line"
            ]
        );
        assert_eq!(
            told(&[outcome("a\n", ""), outcome("b\n", ""), outcome("b\nc\n", "")]),
            [
                "exit code 0, prints 'a'",
                "exit code 0, prints 'b', prints 1 line",
                "exit code 0, prints 'b', prints 'c' in line 2"
            ]
        );
    }
}
