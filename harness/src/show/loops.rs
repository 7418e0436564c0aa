//! What goes round in the program that was explored, in words.

use super::words::{count, listed};
use crate::explore::{Alike, Coverage, Loop};
use crate::schedule::{Point, Site, Syscall};
use indexmap::IndexMap;

/// So many kinds of loops are told of, those that go round most often.
const MOST: usize = 4;
/// And so many threads of each.
const MOST_NAMED: usize = 4;

/// The loops of the undisturbed run, a line for those that go round alike in several threads:
/// `p0: 300 visits of read in a loop, before read to before read #300, with the same results, are one point; steps at 4 of them`.
pub fn loops(coverage: &Coverage) -> String {
    let mut kinds: IndexMap<Kind<'_>, Threads<'_>> = IndexMap::new();
    for (one, taken) in &coverage.loops {
        let (threads, steps) = kinds.entry(kind(one)).or_default();
        threads.push(one);
        *steps += taken.len();
    }
    // Where steps were taken at all visits there is nothing to tell.
    let times = |alike: &[&Loop]| alike.iter().map(|one| one.times()).sum::<usize>();
    let mut kinds: Vec<Threads<'_>> =
        kinds.into_values().filter(|(alike, steps)| *steps < times(alike)).collect();
    kinds.sort_by_key(|(alike, _)| std::cmp::Reverse(times(alike)));
    let mut text: String = kinds.iter().take(MOST).filter_map(told).collect();
    let more: usize = kinds.iter().skip(MOST).map(|(alike, _)| alike.len()).sum();
    if more > 0 {
        text += &format!("and {} more in which it is so\n", count(more as u64, "loop"));
    }
    for (one, taken) in coverage.children.iter().filter(|(one, taken)| taken.len() < one.count()) {
        text += &siblings(one, taken.len());
    }
    text
}

/// What is the same in loops that go round alike, whichever thread it is.
type Kind<'a> = (&'a [Syscall], usize, bool, [(Site, u32); 2]);

/// Such loops, and at how many of their visits steps were taken.
type Threads<'a> = (Vec<&'a Loop>, usize);

fn kind(one: &Loop) -> Kind<'_> {
    (&one.calls, one.times(), one.results, [&one.from, &one.to].map(|point| (point.site, point.nth)))
}

/// `p0: 10 children, p0.1 to p0.10, that execute /bin/true and do the same calls with the same results are one; steps in 4 of them`.
fn siblings(one: &Alike, taken: usize) -> String {
    let Alike { first, last, program, .. } = one;
    let parent = first.parent().map_or_else(String::new, |parent| format!("{parent}: "));
    let executes = program.as_ref().map_or_else(String::new, |program| format!("execute {program} and "));
    format!(
        "{parent}{} alike children, {first} to {last}, that {executes}do the same calls with the same results, are one; steps in {taken} of them\n",
        one.count()
    )
}

fn told((alike, taken): &Threads<'_>) -> Option<String> {
    let one = alike.first()?;
    let threads = alike.iter().map(|one| one.from.thread.to_string());
    let (threads, each, point) = match alike.len() {
        1 => (listed(threads), "", "one point"),
        2..=MOST_NAMED => (listed(threads), " each", "one point in each"),
        many => {
            let few = threads.take(MOST_NAMED - 1).chain([format!("{} more", many + 1 - MOST_NAMED)]);
            (listed(few), " each", "one point in each")
        }
    };
    let visits = count(one.times() as u64, "visit");
    let results = if one.results { "with the same results" } else { "with results that could not be seen" };
    Some(format!(
        "{threads}: {visits}{each} of {} in a loop, {} to {}, {results}, are {point}; steps at {taken} of them\n",
        listed(repeated(&one.calls)),
        place(&one.from),
        place(&one.to),
    ))
}

/// These calls, with how often each comes in a row if that is not once.
fn repeated(calls: &[Syscall]) -> Vec<String> {
    let rows = calls.chunk_by(|one, other| one == other);
    let rows = rows.filter_map(|row| Some((row.first()?, row.len())));
    rows.map(|(call, times)| if times == 1 { call.to_string() } else { format!("{times} {call}") }).collect()
}

/// The point without its thread.
fn place(point: &Point) -> String {
    let text = point.to_string();
    text.split_once(' ').map_or_else(String::new, |(_, place)| place.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use syscalls::Sysno;

    #[test]
    fn loops_that_go_round_alike_in_several_threads_are_told_once() {
        let point = |text: &str| text.parse::<Point>().unwrap();
        let one = |thread: &str, times: u32| {
            let ends = [1, 2 * times - 1].map(|nth| point(&format!("{thread} before rt_sigaction #{nth}")));
            let [from, to] = ends;
            Loop::new(from, to, vec![Sysno::rt_sigaction.into(); 2], times as usize)
        };
        let told = |loops: &[(Loop, Vec<u64>)]| {
            let coverage = Coverage { loops: loops.to_vec(), ..Coverage::default() };
            super::loops(&coverage)
        };
        let ends = "before rt_sigaction to before rt_sigaction #61, with the same results";
        assert_eq!(
            told(&[(one("p0.1", 31), vec![1, 2])]),
            format!(
                "p0.1: 31 visits of 2 rt_sigaction in a loop, {ends}, are one point; steps at 2 of them\n"
            )
        );
        let loops: Vec<_> = (1..=9).map(|child| (one(&format!("p0.{child}"), 31), vec![1])).collect();
        let text =
            format!("31 visits each of 2 rt_sigaction in a loop, {ends}, are one point in each; steps at");
        assert_eq!(told(&loops), format!("p0.1, p0.2, p0.3 and 6 more: {text} 9 of them\n"));
        assert_eq!(told(&loops[..4]), format!("p0.1, p0.2, p0.3 and p0.4: {text} 4 of them\n"));
        // Others are told beside them, those that go round most often first, and of more than a few kinds only how many.
        let others = (0..5).map(|more| (one("p0", 8 + more), vec![]));
        let text = told(&loops.iter().cloned().chain(others).collect::<Vec<_>>());
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("p0.1, ") && lines[1].starts_with("p0: 12 visits of "), "{text}");
        assert_eq!((lines.len(), lines[4]), (5, "and 2 loops more in which it is so"));
    }
}
