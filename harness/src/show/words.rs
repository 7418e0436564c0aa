//! Events, steps and what they are about in short words.

use super::layout::plain;
use crate::judge::files::made;
use crate::schedule::{Action, Site, Step, Syscall};
use crate::signal::{Signal, SignalSet};
use crate::trace::{End, Event, Outcome, Remains, Sleeper, Status, What};
use std::fmt;
use syscalls::Sysno;

/// A number with its noun: `1 run`, `2 runs`.
pub fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Several things in a sentence: `one, two and three`.
pub fn listed(things: impl IntoIterator<Item: fmt::Display>) -> String {
    let things: Vec<String> = things.into_iter().map(|thing| thing.to_string()).collect();
    match things.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Signals in a sentence; real-time ones that follow one another, three of them or more, by the first and the last.
pub fn signals(set: SignalSet) -> String {
    let mut words: Vec<String> = Vec::new();
    let all: Vec<Signal> = set.iter().collect();
    let follows = |one: &Signal, other: &Signal| !one.is_standard() && one.number() + 1 == other.number();
    for row in all.chunk_by(follows) {
        match row {
            [first, _, .., last] => words.push(format!("{first} to {last}")),
            _ => words.extend(row.iter().map(Signal::to_string)),
        }
    }
    listed(words)
}

/// A step for a list of steps: `p0 before pause, the 2nd time: send SIGUSR1 to p0`.
pub fn step_words(step: &Step) -> String {
    let nth = if step.nth > 1 { format!(", the {} time", ordinal(step.nth)) } else { String::new() };
    let to = match step.action {
        Action::Send(_) => format!(" to {}", step.thread.process()),
        Action::SendGroup(_) => format!(" (that of {})", step.thread.process()),
        Action::Switch(_) | Action::Fire | Action::Type(_) | Action::Resize(..) | Action::HangUp => {
            String::new()
        }
    };
    format!("{} {}{nth}: {}{to}", step.thread, site_words(step.at), step.action)
}

/// A kind of place: some have names that the program's author chose, or whoever wrote the file.
pub(super) fn site_words(site: Site) -> String {
    plain(&site.to_string())
}

pub(super) fn ordinal(nth: u32) -> String {
    let ending = match (nth % 10, nth % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{nth}{ending}")
}

/// An event, without its thread. `next` is the thread's next event: a signal that ends or stops it runs no handler.
pub fn event_words(what: &What, next: Option<&What>) -> String {
    let times = |nth: u32| if nth > 1 { format!(" #{nth}") } else { String::new() };
    match what {
        What::Exec(file) => format!("runs {}", plain(file)),
        What::Go(Site::In(call), nth) => format!("goes on in {call}{}", times(*nth)),
        What::Go(site, nth) => format!("{}{}", site_words(*site), times(*nth)),
        What::Step(action) => action.to_string(),
        What::Sleep(call, nth) => format!("asleep in {call}{}", times(*nth)),
        What::Make(thread) => format!("makes {thread}"),
        What::Signal(signal) if takes_effect(*signal, next) => format!("{signal} takes effect"),
        What::Signal(signal) => format!("{signal} handler first"),
        What::Stop => "stopped".to_owned(),
        What::Continue => "continued".to_owned(),
        What::Expire(call) => format!("{call} runs out of time"),
        What::Fire(signal) => format!("timer runs out: {signal}"),
        What::Refuse(call, why) => format!("{call} refused: {}", plain(why)),
        What::NotHeld(site, why) => format!("not held {}: {}", site_words(*site), plain(why)),
        What::End(status) => status.to_string(),
    }
}

/// The call in which a thread is, or is about to be; as people write it.
pub(super) fn called(site: Site) -> String {
    match site {
        Site::Before(call) | Site::Entering(call) | Site::In(call) => call.to_string(),
        Site::After(_) | Site::At(_) | Site::Probe(_) | Site::Quiet => site_words(site),
    }
}

/// How a call ends in which a thread slept when a signal interrupted it, and that is not begun again (signal(7)). What transfers data may have done a
/// part of it.
pub(super) fn cut_short(site: Site) -> &'static str {
    const WHOLE: &[Sysno] = &[
        Sysno::accept,
        Sysno::accept4,
        Sysno::clock_nanosleep,
        Sysno::connect,
        Sysno::epoll_pwait,
        Sysno::epoll_pwait2,
        Sysno::epoll_wait,
        Sysno::fcntl,
        Sysno::flock,
        Sysno::futex,
        Sysno::nanosleep,
        Sysno::open,
        Sysno::openat,
        Sysno::pause,
        Sysno::poll,
        Sysno::ppoll,
        Sysno::pselect6,
        Sysno::read,
        Sysno::readv,
        Sysno::rt_sigsuspend,
        Sysno::rt_sigtimedwait,
        Sysno::select,
        Sysno::semop,
        Sysno::semtimedop,
        Sysno::wait4,
        Sysno::waitid,
    ];
    match site {
        Site::In(call) if call.sysno().is_some_and(|call| WHOLE.contains(&call)) => "EINTR",
        Site::In(_)
        | Site::Before(_)
        | Site::Entering(_)
        | Site::After(_)
        | Site::At(_)
        | Site::Probe(_)
        | Site::Quiet => "EINTR, or a part of it done",
    }
}

/// How a run ended, in a few words.
pub fn end_words(end: &End) -> String {
    match end {
        End::Ended(status) => status.to_string(),
        End::Hang(sleepers) => format!("hangs ({})", Sleeper::list(sleepers)),
        End::Idle(sleepers) => format!("waits for the outside ({})", Sleeper::list(sleepers)),
        End::Stopped => "stopped".to_owned(),
        End::Spinning(why) => format!("goes on for ever ({why})"),
        End::Stalled(sleepers) => format!("only lets time pass ({})", Sleeper::list(sleepers)),
        End::TimedOut => "the time limit was reached".to_owned(),
    }
}

/// How a run ended, and its clients, in a few words.
pub fn outcome_words(outcome: &Outcome) -> String {
    let clients = outcome.clients.iter().map(|one| match one.status {
        Some(status) => format!("; {} {status}", one.client),
        None => format!("; {} still waits", one.client),
    });
    let once = if outcome.roused.is_empty() { "" } else { ", but only when a client comes" };
    end_words(&outcome.end) + once + &clients.collect::<String>()
}

/// What a run made that is still there, where it made anything: `, made a and b`.
pub(super) fn made_words(remains: &Remains) -> String {
    const MOST: usize = 2;
    let names: Vec<String> = made(remains).map(|(change, _)| plain(&change.name)).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => format!(", made {one}"),
        [one, other] => format!(", made {one} and {other}"),
        [first @ .., _] => {
            let first: Vec<&str> = first.iter().take(MOST).map(String::as_str).collect();
            format!(", made {} and {} more", first.join(", "), names.len() - first.len())
        }
    }
}

/// True if the signal ends or stops the thread, of which `next` is the next event.
pub(super) fn takes_effect(signal: Signal, next: Option<&What>) -> bool {
    match next {
        Some(What::Stop) => true,
        Some(What::End(status)) => *status == Status::Killed(signal),
        Some(
            What::Exec(_)
            | What::Go(..)
            | What::Step(_)
            | What::Sleep(..)
            | What::Make(_)
            | What::Signal(_)
            | What::Continue
            | What::Expire(_)
            | What::Fire(_)
            | What::Refuse(..)
            | What::NotHeld(..),
        )
        | None => false,
    }
}

/// An event, and the next one of its thread.
fn with_next(events: &[Event], index: usize) -> Option<(&What, Option<&What>)> {
    let event = events.get(index)?;
    let next = events.iter().skip(index + 1).find(|later| later.thread == event.thread);
    Some((&event.what, next.map(|event| &event.what)))
}

/// The words of the event at `index`, with those of its thread that follow taken into account.
pub(super) fn words_at(events: &[Event], index: usize) -> Option<String> {
    let (what, next) = with_next(events, index)?;
    match (what, entered(events, index)) {
        (What::Signal(signal), Some(call)) if !takes_effect(*signal, next) => {
            Some(format!("{signal} handler after {call}"))
        }
        _ => Some(event_words(what, next)),
    }
}

/// The call into which the thread was let with the signals of which the event at `index` is one.
fn entered(events: &[Event], index: usize) -> Option<Syscall> {
    let thread = &events.get(index)?.thread;
    let mut before = events.iter().take(index).rev().filter(|event| event.thread == *thread);
    let last = before.find(|event| !matches!(event.what, What::Signal(_)))?;
    if let What::Go(Site::Entering(call), _) = last.what { Some(call) } else { None }
}

/// True if the event at `index` is a signal whose handler comes next.
pub(super) fn runs_handler(events: &[Event], index: usize) -> bool {
    with_next(events, index)
        .is_some_and(|(what, next)| matches!(what, What::Signal(signal) if !takes_effect(*signal, next)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_real_time_signals_are_told_by_the_first_and_the_last() {
        let told =
            |numbers: &[i32]| signals(numbers.iter().filter_map(|one| Signal::from_number(*one)).collect());
        assert_eq!(told(&[1, 2, 3, 15]), "SIGHUP, SIGINT, SIGQUIT and SIGTERM");
        assert_eq!(told(&[10, 34, 35, 36, 64]), "SIGUSR1, SIGRTMIN to SIGRTMIN+2 and SIGRTMIN+30");
        assert_eq!(told(&[34, 35]), "SIGRTMIN and SIGRTMIN+1");
        assert_eq!(told(&[]), "");
    }
}
