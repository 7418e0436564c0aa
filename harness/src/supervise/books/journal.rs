//! What is told of a run, in order. No I/O.

use crate::schedule::{Action, Point, ThreadName};
use crate::signal::SignalSet;
use crate::supervise::books::ids::ThreadId;
use crate::supervise::books::news::News;
use crate::supervise::{Receiver, Start, WantsTerminal};
use crate::trace::{Event, Lapse, Reached, Threads, What};
use std::collections::BTreeMap;

/// The events and points of a run so far, and the news that are still to be told.
#[derive(Debug, Default)]
pub(in crate::supervise) struct Journal {
    pub(in crate::supervise) events: Vec<Event>,
    pub(in crate::supervise) reached: Vec<Reached>,
    /// Where handlers were taken away: see `lapse`.
    pub(in crate::supervise) lapses: Vec<Lapse>,
    /// Signals that were not sent since they were pending.
    pub(in crate::supervise) refused: SignalSet,
    /// What became of threads while they settled.
    pub(in crate::supervise) news: Vec<(ThreadId, News)>,
    /// Where every thread slept when for the first time all of them did.
    pub(in crate::supervise) first_quiet: Vec<Point>,
    /// The signals that each process has something to do with, as far as the run is looked at for that.
    pub(in crate::supervise) receivers: BTreeMap<ThreadName, SignalSet>,
    /// Signals that other processes of the run send these.
    pub(in crate::supervise) from_within: BTreeMap<ThreadName, SignalSet>,
    /// Where the program waits to be connected to, as far as the run is looked at for that.
    pub(in crate::supervise) listens: Vec<String>,
    /// What it wants of a terminal that it does not have, as far as the run is looked at for that.
    pub(in crate::supervise) wants_terminal: WantsTerminal,
    /// What the first process does as it starts, as far as the run is looked at for that.
    pub(in crate::supervise) start: Start,
    /// How many events there were when everything was last seen asleep: if there are no more, it is the same moment.
    pub(in crate::supervise) quiet_at: Option<usize>,
    /// The threads that were last named together: mostly they are the same at the next point.
    last: (Vec<ThreadId>, Threads),
    stamp: u64,
}

impl Journal {
    pub(in crate::supervise) fn event(&mut self, thread: ThreadName, what: What) {
        self.events.push(Event { thread, what, others: Threads::default() });
    }

    /// A thread was let go, or a step was taken, while these others could have gone.
    pub(in crate::supervise) fn choice(&mut self, thread: ThreadName, what: What, others: Threads) {
        self.events.push(Event { thread, what, others });
    }

    pub(in crate::supervise) fn step(&mut self, thread: ThreadName, action: Action, others: Threads) {
        self.choice(thread, What::Step(action), others);
    }

    /// A point was reached, at which the process had taken away its handlers of the signals in `lapsed`.
    pub(in crate::supervise) fn reach(&mut self, reached: Reached, lapsed: SignalSet) {
        if !lapsed.is_empty() {
            let point = reached.point.clone();
            self.lapses.push(Lapse { point, signals: lapsed, over: SignalSet::EMPTY });
        }
        self.reached.push(reached);
    }

    /// The names of these threads, by `name`: one list for as long as they are the same.
    pub(in crate::supervise) fn names(
        &mut self,
        ids: &[ThreadId],
        name: impl Fn(ThreadId) -> ThreadName,
    ) -> Threads {
        if self.last.0 != ids {
            self.last = (ids.to_vec(), ids.iter().map(|id| name(*id)).collect());
        }
        self.last.1.clone()
    }

    /// The processes that have something to do with signals, by name.
    pub(in crate::supervise) fn receivers(&mut self) -> Vec<Receiver> {
        let receivers = std::mem::take(&mut self.receivers).into_iter();
        let within = std::mem::take(&mut self.from_within);
        receivers
            .map(|(process, signals)| {
                let from_within = within.get(&process).copied().unwrap_or(SignalSet::EMPTY);
                Receiver { process, signals, from_within }
            })
            .collect()
    }

    /// A later moment than all before.
    pub(in crate::supervise) fn next_stamp(&mut self) -> u64 {
        self.stamp += 1;
        self.stamp
    }

    /// The news, in the order of the threads' making: the order in which they were noticed may differ from run to run.
    pub(in crate::supervise) fn take_news(&mut self) -> Vec<(ThreadId, News)> {
        let mut news = std::mem::take(&mut self.news);
        // A thread that waits for what it made (vfork) has made it before.
        news.sort_by_key(|(thread, what)| (*thread, !matches!(what, News::Told(What::Make(_)))));
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_are_told_in_the_order_of_the_threads_and_what_was_made_first() {
        let mut journal = Journal::default();
        let made = || News::Told(What::Make(ThreadName::root().child(1)));
        journal.news = vec![(ThreadId(1), News::Held), (ThreadId(0), News::Held), (ThreadId(0), made())];
        let told: Vec<(usize, bool)> =
            journal.take_news().iter().map(|(id, news)| (id.0, matches!(news, News::Held))).collect();
        assert_eq!(told, [(0, false), (0, true), (1, true)]);
        assert!(journal.news.is_empty());
    }

    #[test]
    fn the_same_threads_are_one_list() {
        let mut journal = Journal::default();
        let name = |id: ThreadId| ThreadName::root().thread(id.0 as u32 + 1);
        let one = journal.names(&[ThreadId(0), ThreadId(3)], name);
        let other = journal.names(&[ThreadId(0), ThreadId(3)], |_| unreachable!("they are known"));
        assert!(one == other && one.len() == 2);
        assert_eq!(journal.names(&[], name), Threads::default());
    }
}
