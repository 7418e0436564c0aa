//! Several outcomes in a line each, told apart by what differs.

use super::layout::{plain, short};
use super::words::{listed, made_words, ordinal, outcome_words};
use crate::trace::{Changing, ClientEnd, End, LeftHow, Outcome, Output, Sleeper, lasting};
use std::collections::BTreeMap;

/// Columns that a line of output may take.
const LINE: usize = 40;
/// Of what is the same before the first difference in a line, so much is shown.
const BEFORE: usize = 8;
/// Files that are named.
const MOST_FILES: usize = 2;

/// In what outcomes that are told alike differ: what is to be added for each.
type Part = fn(&[&Outcome]) -> Vec<String>;

/// Outcomes that are distinct, in their order: how each ended, and where several ended alike, in what they differ, but in when that
/// was only if in nothing else. No two are told alike.
pub fn told_apart(outcomes: &[&Outcome]) -> Vec<String> {
    let outcomes: Vec<Outcome> = outcomes.iter().map(|outcome| outcome.without_moments()).collect();
    let ended = |one: &Outcome| outcome_words(one) + &made_words(&one.remains);
    let mut told: Vec<String> = outcomes.iter().map(ended).collect();
    // Of several that differ in one line some may differ in a later one.
    let parts: [Part; 11] = [
        left,
        roused,
        printed,
        then_printed,
        then_printed,
        complained,
        answered,
        files,
        terminal,
        blocked,
        caught,
    ];
    for part in parts.into_iter().chain([took as Part, one_of]) {
        for group in alike(&told) {
            let members: Vec<&Outcome> = group.iter().filter_map(|index| outcomes.get(*index)).collect();
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

/// Who slept on until clients came.
fn roused(outcomes: &[&Outcome]) -> Vec<String> {
    let one = |outcome: &&Outcome| match outcome.roused.as_slice() {
        [] => String::new(),
        sleepers => format!(", while {}", Sleeper::list(sleepers)),
    };
    outcomes.iter().map(one).collect()
}

fn printed(outcomes: &[&Outcome]) -> Vec<String> {
    differing(outcomes.iter().map(|outcome| &outcome.stdout), "prints")
}

/// The same of those that are told apart from others by an earlier line.
fn then_printed(outcomes: &[&Outcome]) -> Vec<String> {
    differing(outcomes.iter().map(|outcome| &outcome.stdout), "then")
}

fn complained(outcomes: &[&Outcome]) -> Vec<String> {
    differing(outcomes.iter().map(|outcome| &outcome.stderr), "prints to standard error")
}

/// What clients are told: the first one that is told different things.
fn answered(outcomes: &[&Outcome]) -> Vec<String> {
    let nothing = Output::Text(String::new());
    let told = |outcome: &Outcome, client: usize| -> Output {
        outcome.clients.get(client).map_or_else(|| nothing.clone(), |one: &ClientEnd| one.stdout.clone())
    };
    let clients = outcomes.iter().map(|outcome| outcome.clients.len()).max().unwrap_or_default();
    let differ =
        |client: &usize| outcomes.windows(2).any(|pair| told(pair[0], *client) != told(pair[1], *client));
    let Some(client) = (0..clients).find(differ) else { return vec![String::new(); outcomes.len()] };
    let outputs: Vec<Output> = outcomes.iter().map(|outcome| told(outcome, client)).collect();
    differing(outputs.iter(), &format!("c{} is told", client + 1))
}

/// Which files were changed or removed.
fn files(outcomes: &[&Outcome]) -> Vec<String> {
    let one = |outcome: &&Outcome| {
        let told = outcome.remains.changes.iter().filter_map(|change| match change.how {
            Changing::Made(_) => None,
            Changing::Changed(_) => Some(format!("changed {}", plain(&change.name))),
            Changing::Removed => Some(format!("removed {}", plain(&change.name))),
        });
        let mut told: Vec<String> = told.collect();
        if told.len() > MOST_FILES {
            let more = told.len() - MOST_FILES;
            told.truncate(MOST_FILES);
            told.push(format!("{more} more"));
        }
        if told.is_empty() { ", changed no file".to_owned() } else { format!(", {}", listed(told)) }
    };
    outcomes.iter().map(one).collect()
}

/// How the terminal was left.
fn terminal(outcomes: &[&Outcome]) -> Vec<String> {
    let one = |outcome: &&Outcome| {
        let Some(left) = &outcome.terminal else { return String::new() };
        let modes = left.modes_words().unwrap_or_else(|| "in modes that are not known".to_owned());
        let front = left.foreground.as_ref().map(|front| format!(", with {front} in the foreground"));
        format!(", leaves the terminal {}{}", plain(&modes), front.unwrap_or_default())
    };
    outcomes.iter().map(one).collect()
}

/// Which programs were started with signals blocked.
fn blocked(outcomes: &[&Outcome]) -> Vec<String> {
    let one = |outcome: &&Outcome| {
        let names = outcome
            .exec_blocked
            .iter()
            .map(|one| format!("{} starts with {} blocked", one.process, listed(&one.signals)));
        names.map(|words| format!(", {words}")).collect()
    };
    outcomes.iter().map(one).collect()
}

/// What those catch who sleep at the end.
fn caught(outcomes: &[&Outcome]) -> Vec<String> {
    let one = |outcome: &&Outcome| match &outcome.end {
        End::Hang(sleepers) | End::Idle(sleepers) | End::Stalled(sleepers) => {
            let catches = |one: &Sleeper| match one.caught.iter().count() {
                0 => format!(", {} catches nothing", one.thread),
                _ => format!(", {} catches {}", one.thread, listed(one.caught.iter())),
            };
            sleepers.iter().map(catches).collect()
        }
        End::Ended(_) | End::Stopped | End::Spinning(_) | End::TimedOut => String::new(),
    };
    outcomes.iter().map(one).collect()
}

/// How long they took on the program's clock.
fn took(outcomes: &[&Outcome]) -> Vec<String> {
    let words = |outcome: &&Outcome| format!(", after {} on its clock", lasting(outcome.took.whole));
    outcomes.iter().map(words).collect()
}

/// What is too long or too much for a line.
fn one_of(outcomes: &[&Outcome]) -> Vec<String> {
    let one = |nth| format!(", the {} of {} that differ further on", ordinal(nth), outcomes.len());
    (1..).take(outcomes.len()).map(one).collect()
}

/// The first line in which they differ.
fn differing<'a>(outputs: impl Iterator<Item = &'a Output>, prints: &str) -> Vec<String> {
    let texts: Vec<_> = outputs.map(|output| String::from_utf8_lossy(output.bytes())).collect();
    let lines: Vec<Vec<&str>> = texts.iter().map(|text| text.lines().collect()).collect();
    let longest = lines.iter().map(Vec::len).max().unwrap_or_default();
    let first = (0..longest)
        .find(|index| lines.windows(2).any(|pair| pair[0].get(*index) != pair[1].get(*index)))
        .unwrap_or_default();
    let same = shared(&lines.iter().filter_map(|lines| lines.get(first).copied()).collect::<Vec<_>>());
    let one = |lines: &Vec<&str>| match (lines.get(first), first) {
        (Some(line), 0) => format!(", {prints} '{}'", excerpt(line, same)),
        (Some(line), _) => format!(", {prints} '{}' in line {}", excerpt(line, same), first + 1),
        (None, 0) => format!(", {prints} nothing"),
        (None, _) => format!(", {prints} nothing after line {first}"),
    };
    lines.iter().map(one).collect()
}

/// With how many characters all lines begin alike.
fn shared(lines: &[&str]) -> usize {
    let Some((first, others)) = lines.split_first() else { return 0 };
    let same =
        |other: &&str| first.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    others.iter().map(same).min().unwrap_or_default()
}

/// A line; what is the same in all others for so many characters is left out where it would hide what differs.
fn excerpt(line: &str, same: usize) -> String {
    if same + BEFORE < LINE {
        return short(&plain(line), LINE);
    }
    let rest: String = line.chars().skip(same - BEFORE).collect();
    format!("…{}", short(&plain(&rest), LINE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

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
                "exit code 0, prints nothing after line 1"
            ]
        );
        assert_eq!(
            told(&[outcome("a\n", ""), outcome("b\n", ""), outcome("b\nc\n", "")]),
            [
                "exit code 0, prints 'a'",
                "exit code 0, prints 'b', then nothing after line 1",
                "exit code 0, prints 'b', then 'c' in line 2"
            ]
        );
    }

    #[test]
    fn what_differs_far_inside_a_line_is_shown_with_what_is_before() {
        let long = |end: &str| outcome(&format!("{}{end}\n", "-".repeat(60)), "");
        assert_eq!(
            told(&[long("one"), long("two")]),
            ["exit code 0, prints '…--------one'", "exit code 0, prints '…--------two'"]
        );
    }

    #[test]
    fn what_differs_only_in_how_long_it_took_is_told_by_that() {
        let after = |millis| {
            let mut outcome = outcome("a\n", "");
            outcome.took.whole = Duration::from_millis(millis);
            outcome
        };
        assert_eq!(
            told(&[after(20), after(1_000_400)]),
            ["exit code 0, after 20ms on its clock", "exit code 0, after 16m 40s 400ms on its clock"]
        );
    }

    #[test]
    fn when_something_was_printed_is_no_difference_to_tell() {
        assert_eq!(
            told(&[outcome("17:42:18 up\nold\n", ""), outcome("17:43:19 up\nnew\n", "")]),
            ["exit code 0, prints 'old' in line 2", "exit code 0, prints 'new' in line 2"]
        );
    }

    /// Whatever makes two outcomes distinct, two of them are never told in the same words.
    #[test]
    fn no_two_outcomes_are_told_alike() {
        let of = |text: &str| -> Outcome {
            let options =
                ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
            let outcome =
                format!("(stdout: Text(\"a\"), stderr: Text(\"\"), leftover: [], table: [], {text})");
            options.from_str(&outcome).unwrap_or_else(|error| panic!("{outcome}: {error}"))
        };
        let client = |told: &str| {
            format!(
                "end: Ended(Exited(0)), exec_blocked: [], clients: [(client: \"c1\", command: \"x\", \
                 status: Exited(0), stdout: Text({told:?}), stderr: Text(\"\"))]"
            )
        };
        let (yes, no) = (client("yes"), client("no"));
        let distinct = [
            "end: Ended(Exited(0)), exec_blocked: []",
            "end: Ended(Exited(0)), exec_blocked: [(process: \"p0.1\", file: \"x\", signals: [SIGINT])]",
            "end: Ended(Exited(0)), exec_blocked: [], remains: (changes: [(name: \"old\", how: Removed)])",
            "end: Ended(Exited(0)), exec_blocked: [], roused: [(thread: \"p0\", call: accept, caught: [], why: \"\")]",
            "end: Ended(Exited(0)), exec_blocked: [], terminal: (modes: [\"-echo\"])",
            "end: Ended(Exited(0)), exec_blocked: [], terminal: (modes: [\"-icanon\"])",
            "end: Hang([(thread: \"p0\", call: pause, caught: [], why: \"\")]), exec_blocked: []",
            "end: Hang([(thread: \"p0\", call: pause, caught: [SIGTERM], why: \"\")]), exec_blocked: []",
            &yes,
            &no,
        ];
        let outcomes: Vec<Outcome> = distinct.into_iter().map(of).collect();
        let mut words = told(&outcomes);
        for wanted in [
            "p0.1 starts with SIGINT blocked",
            "removed old",
            "-echo",
            "p0 catches SIGTERM",
            "c1 is told 'no'",
            "only when a client comes",
        ] {
            assert!(words.iter().any(|words| words.contains(wanted)), "{wanted}: {words:#?}");
        }
        words.sort();
        words.dedup();
        assert_eq!(words.len(), distinct.len(), "{words:#?}");
        // What no line has room for.
        let cut = |digest: &str| Outcome {
            stdout: Output::Cut { first: b"a".to_vec(), left_out: 9, digest: digest.to_owned() },
            ..outcome("", "")
        };
        assert_eq!(
            told(&[cut("1"), cut("2")]),
            [
                "exit code 0, the 1st of 2 that differ further on",
                "exit code 0, the 2nd of 2 that differ further on"
            ]
        );
    }
}
