//! When two runs count as the same, although something in them differs that no schedule decides.
//!
//! NOTE \[By design\] What may differ between two runs of one schedule, and says nothing against either:
//!
//! * The words that explain a sleep or what was counted, the process table, what processes held at the end, which children were
//!   not waited for (the events tell), and how long it took, which are for people.
//! * The content of files: it may have a date in it, or random bytes. Of their names, what may be random too.
//! * What a run that was cut off at a limit had done by then.
//! * Whether a thread fell asleep in a call that the outside answers: it does not if the answer is already there.
//! * How often a loop that transfers data goes round: a file may have grown since, or come in other pieces.
//!
//! Everything else is compared, the order of the threads above all: a longer sleep that lets another thread go first makes
//! another run.

use super::{
    Changing, End, Event, ExecBlocked, Leftover, Outcome, Output, Run, Sleeper, Status, TerminalLeft, What,
    shape,
};
use crate::schedule::{Site, Syscall, ThreadName};
use crate::signal::SignalSet;
use syscalls::Sysno;

/// All that makes an outcome distinct.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Essence<'a> {
    end: Ending,
    /// None of a run that was cut off: what it had written and left by then is where it happened to be.
    rest: Option<Rest<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Ending {
    Ended(Status),
    Hang(Vec<Asleep>),
    Idle(Vec<Asleep>),
    Stopped,
    Spinning,
    Stalled(Vec<Asleep>),
    TimedOut,
}

/// A sleeping thread, its call, and what it catches.
type Asleep = (ThreadName, Syscall, SignalSet);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Rest<'a> {
    stdout: &'a Output,
    stderr: &'a Output,
    clients: Vec<Answered<'a>>,
    roused: Vec<Asleep>,
    leftover: &'a [Leftover],
    exec_blocked: &'a [ExecBlocked],
    terminal: Option<&'a TerminalLeft>,
    files: Vec<(String, Did)>,
}

/// What was done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Did {
    Make,
    Change,
    Remove,
}

/// A client, how it ended, and what it was told; what it wrote to its standard error is often how long that took.
type Answered<'a> = (&'a ThreadName, Option<Status>, &'a Output);

impl End {
    /// The status of the first process, if it has ended.
    pub fn status(&self) -> Option<Status> {
        match self {
            End::Ended(status) => Some(*status),
            End::Hang(_)
            | End::Idle(_)
            | End::Stopped
            | End::Spinning(_)
            | End::Stalled(_)
            | End::TimedOut => None,
        }
    }

    /// True if the run was cut off at a limit: of time, of points, or of what a thread may compute.
    pub fn is_limit(&self) -> bool {
        match self {
            End::Spinning(_) | End::Stalled(_) | End::TimedOut => true,
            End::Ended(_) | End::Hang(_) | End::Idle(_) | End::Stopped => false,
        }
    }
}

impl Outcome {
    /// What makes it distinct: two outcomes with equal essences count as the same.
    pub fn essence(&self) -> Essence<'_> {
        let Outcome {
            end,
            stdout,
            stderr,
            clients,
            roused,
            leftover,
            unwaited: _,
            exec_blocked,
            table: _,
            took: _,
            terminal,
            remains,
        } = self;
        let terminal = terminal.as_ref();
        let asleep = |sleepers: &[Sleeper]| -> Vec<Asleep> {
            let one = |Sleeper { thread, call, caught, why: _ }: &Sleeper| (thread.clone(), *call, *caught);
            sleepers.iter().map(one).collect()
        };
        let ending = match end {
            End::Ended(status) => Ending::Ended(*status),
            End::Hang(sleepers) => Ending::Hang(asleep(sleepers)),
            End::Idle(sleepers) => Ending::Idle(asleep(sleepers)),
            End::Stopped => Ending::Stopped,
            End::Spinning(_) => Ending::Spinning,
            End::Stalled(sleepers) => Ending::Stalled(asleep(sleepers)),
            End::TimedOut => Ending::TimedOut,
        };
        let files = || {
            let did = |how: &Changing| match how {
                Changing::Made(_) => Did::Make,
                Changing::Changed(_) => Did::Change,
                Changing::Removed => Did::Remove,
            };
            let changes = remains.changes.iter();
            let mut files: Vec<_> = changes.map(|change| (shape(&change.name), did(&change.how))).collect();
            files.sort();
            files
        };
        let rest = (!end.is_limit()).then(|| {
            let clients = clients.iter().map(|one| (&one.client, one.status, &one.stdout)).collect();
            let roused = asleep(roused);
            Rest { stdout, stderr, clients, roused, leftover, exec_blocked, terminal, files: files() }
        });
        Essence { end: ending, rest }
    }

    /// True if what became of the program is the same in both, whatever it has written and left.
    pub fn ends_like(&self, other: &Outcome) -> bool {
        self.essence().end == other.essence().end
    }

    /// True if the two count as the same.
    pub fn is_like(&self, other: &Outcome) -> bool {
        self.essence() == other.essence()
    }
}

/// Rounds of a loop are looked for up to this length, in events.
const LONGEST_ROUND: usize = 16;

/// The first event in which two runs of one schedule differ in more than they may: NOTE \[By design\]. It is the index in
/// the events of the first run.
pub fn first_difference(one: &Run, other: &Run) -> Option<usize> {
    let cut = one.outcome.end.is_limit() && other.outcome.end.is_limit();
    difference(&one.events, &other.events, cut)
}

/// The same of events alone. Where both runs were `cut` off, one may have gone on for longer.
pub fn difference(one: &[Event], other: &[Event], cut: bool) -> Option<usize> {
    let (mut left, mut right) = (0, 0);
    loop {
        match (one.get(left), other.get(right)) {
            (None, None) => return None,
            (None, _) | (_, None) if cut => return None,
            (Some(here), Some(there)) if same(here, there) => {
                left += 1;
                right += 1;
            }
            (here, there) => {
                if here.is_some_and(waits_for_outside) {
                    left += 1;
                } else if there.is_some_and(waits_for_outside) {
                    right += 1;
                } else if let Some(round) = another_round(one, left) {
                    left += round;
                } else if let Some(round) = another_round(other, right) {
                    right += round;
                } else {
                    return Some(left);
                }
            }
        }
    }
}

/// True if the events are the same but for which time it was: that follows from the events before, except at instructions,
/// of whose executions not all are events.
fn same(one: &Event, other: &Event) -> bool {
    let what = match (&one.what, &other.what) {
        (What::Go(Site::At(_), _), _) => one.what == other.what,
        (What::Go(here, _), What::Go(there, _)) => here == there,
        (What::Sleep(here, _), What::Sleep(there, _)) => here == there,
        (here, there) => here == there,
    };
    what && one.thread == other.thread && one.others == other.others
}

/// The thread fell asleep in a call that something outside the run may answer.
fn waits_for_outside(event: &Event) -> bool {
    use Sysno as S;
    let What::Sleep(call, _) = event.what else { return false };
    matches!(
        call.sysno(),
        Some(
            S::read
                | S::readv
                | S::recvfrom
                | S::recvmsg
                | S::recvmmsg
                | S::write
                | S::writev
                | S::sendto
                | S::sendmsg
                | S::sendmmsg
                | S::accept
                | S::accept4
                | S::connect
                | S::poll
                | S::ppoll
                | S::select
                | S::pselect6
                | S::epoll_wait
                | S::epoll_pwait
                | S::epoll_pwait2
                | S::open
                | S::openat
                | S::flock
                | S::fcntl
        )
    )
}

/// The length of another round, from this event on, of a loop of one thread that transfers data and that has gone round
/// before; none if there is no such round.
fn another_round(events: &[Event], at: usize) -> Option<usize> {
    (1..=LONGEST_ROUND.min(at)).find(|&length| {
        let (Some(before), Some(round)) = (events.get(at - length..at), events.get(at..at + length)) else {
            return false;
        };
        let of_one = round.iter().all(|event| event.thread == before[0].thread);
        of_one && round.iter().any(transfers) && before.iter().zip(round).all(|(one, other)| same(one, other))
    })
}

fn transfers(event: &Event) -> bool {
    use Sysno as S;
    let Some((call, _)) = event.what.begun() else { return false };
    matches!(
        call.sysno(),
        Some(
            S::read
                | S::readv
                | S::pread64
                | S::preadv
                | S::preadv2
                | S::recvfrom
                | S::recvmsg
                | S::getdents
                | S::getdents64
                | S::sendfile
                | S::splice
                | S::copy_file_range
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arbitrary;
    use proptest::prelude::*;
    use std::sync::Arc;

    /// `p0.1 read` goes on before a call, `p0 ~poll` falls asleep in one, `p0 !` ends.
    fn events(text: &str) -> Vec<Event> {
        let mut counted = std::collections::HashMap::new();
        let event = |line: &str| {
            let (thread, what) = line.trim().split_once(' ').unwrap();
            let nth = counted.entry(line.trim().to_owned()).or_insert(0);
            *nth += 1;
            let what = match what.strip_prefix('~') {
                Some(call) => What::Sleep(call.parse().unwrap(), *nth),
                None if what == "!" => What::End(Status::Exited(0)),
                None => What::Go(Site::Before(what.parse().unwrap()), *nth),
            };
            Event { thread: thread.parse().unwrap(), what, others: Default::default() }
        };
        text.split(',').map(event).collect()
    }

    #[track_caller]
    fn differs(one: &str, other: &str, at: Option<usize>) {
        assert_eq!(difference(&events(one), &events(other), false), at, "{one} | {other}");
        assert_eq!(difference(&events(other), &events(one), false).is_some(), at.is_some());
    }

    #[test]
    fn how_long_the_outside_took_is_no_difference() {
        differs("p0 poll, p0 ~poll, p0 write, p0 !", "p0 poll, p0 write, p0 !", None);
        differs("p0 read, p0 ~read, p0 read, p0 ~read, p0 !", "p0 read, p0 read, p0 ~read, p0 !", None);
        // Only the run itself can end these.
        differs("p0 wait4, p0 ~wait4, p0 write, p0 !", "p0 wait4, p0 write, p0 !", Some(1));
        differs("p0 futex, p0 ~futex, p0 !", "p0 futex, p0 !", Some(1));
        // Somebody else went on first.
        differs("p0 read, p0 ~read, p0.1 write, p0 close", "p0 read, p0 close, p0.1 write", Some(2));
    }

    #[test]
    fn how_much_there_was_to_read_is_no_difference() {
        differs("p0 read, p0 read, p0 close, p0 read, p0 !", "p0 read, p0 close, p0 read, p0 !", None);
        let copied = "p0 openat, p0 read, p0 write, p0 read, p0 write, p0 read, p0 write, p0 read, p0 !";
        differs(copied, "p0 openat, p0 read, p0 write, p0 read, p0 !", None);
        differs("p0 openat, p0 read, p0 close, p0 !", "p0 openat, p0 close, p0 !", Some(1));
        // No data is transferred by these.
        differs("p0 getpid, p0 getpid, p0 !", "p0 getpid, p0 !", Some(1));
        // A round is of one thread.
        let two = "p0 read, p0.1 read, p0 read, p0.1 read, p0 !";
        differs(two, "p0 read, p0.1 read, p0 !", Some(2));
    }

    #[test]
    fn what_was_cut_off_is_compared_up_to_there() {
        let (one, other) = (events("p0 getpid, p0 getpid"), events("p0 getpid, p0 getpid, p0 getpid"));
        assert_eq!((difference(&one, &other, true), difference(&one, &other, false)), (None, Some(2)));
        assert_eq!(difference(&one, &events("p0 write"), true), Some(0));
    }

    proptest! {
        #[test]
        fn words_and_the_table_make_no_outcome_distinct(run in arbitrary::run(), why in ".{0,9}") {
            let mut other = run.outcome.clone();
            other.table.clear();
            match &mut other.end {
                End::Hang(sleepers) | End::Idle(sleepers) | End::Stalled(sleepers) => {
                    sleepers.iter_mut().for_each(|one| one.why = why.clone());
                }
                End::Spinning(words) => *words = why,
                End::Ended(_) | End::Stopped | End::TimedOut => {}
            }
            prop_assert!(run.outcome.is_like(&other));
            if !run.outcome.end.is_limit() {
                other.leftover.push(Leftover { process: "p0.9.9".parse().unwrap(), how: super::super::LeftHow::Zombie });
                prop_assert!(!run.outcome.is_like(&other));
            }
        }

        #[test]
        fn a_run_is_like_itself_and_an_event_more_is_a_difference(run in arbitrary::run()) {
            prop_assert_eq!(first_difference(&run, &run), None);
            let mut more = run.clone();
            let end = What::End(Status::Unseen);
            Arc::make_mut(&mut more.events).push(Event { thread: "p0.9.9".parse().unwrap(), what: end, others: Default::default() });
            let difference = difference(&run.events, &more.events, false);
            prop_assert_eq!(difference, Some(run.events.len()));
        }
    }
}
