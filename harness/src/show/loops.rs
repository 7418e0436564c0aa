//! What goes round in the program that was explored, in words.

use super::words::{count, listed};
use crate::explore::{Alike, Coverage, Loop};
use crate::schedule::Point;

/// So many loops are told of, those that go round most often.
const MOST: usize = 4;

/// The loops of the undisturbed run, a line each:
/// `p0: 300 visits of read in a loop, before read to before read #300, with the same results, are one point; steps at 4 of them`.
pub fn loops(coverage: &Coverage) -> String {
    let mut loops: Vec<&(Loop, Vec<u64>)> = coverage.loops.iter().collect();
    loops.sort_by_key(|(one, _)| std::cmp::Reverse(one.times()));
    let mut text: String = loops.iter().take(MOST).map(|(one, taken)| told(one, taken.len())).collect();
    if let Some(more @ 1..) = loops.len().checked_sub(MOST) {
        text += &format!("and {} more in which it is so\n", count(more as u64, "loop"));
    }
    for (one, taken) in &coverage.children {
        text += &siblings(one, taken.len());
    }
    text
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

fn told(one: &Loop, taken: usize) -> String {
    let visits = count(one.times() as u64, "visit");
    let alike = if one.results { "with the same results" } else { "with results that could not be seen" };
    format!(
        "{}: {visits} of {} in a loop, {} to {}, {alike}, are one point; steps at {taken} of them\n",
        one.from.thread,
        listed(&one.calls),
        place(&one.from),
        place(&one.to),
    )
}

/// The point without its thread.
fn place(point: &Point) -> String {
    let text = point.to_string();
    text.split_once(' ').map_or_else(String::new, |(_, place)| place.to_owned())
}
