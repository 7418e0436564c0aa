//! Who goes next, by the default rule: the current thread goes on; when it cannot, the one that has waited longest. Pure.

use crate::supervise::books::ids::ThreadId;

/// A thread that is held and could be let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervise) struct Waiting {
    pub(in crate::supervise) id: ThreadId,
    /// A `Switch` put it behind all others.
    pub(in crate::supervise) demoted: bool,
    /// When it was last found settled: smaller is longer ago.
    pub(in crate::supervise) since: u64,
    /// It is of a descendant of the process that is held back for its children.
    pub(in crate::supervise) descends: bool,
}

/// Who goes, and what that means for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervise) struct Choice {
    pub(in crate::supervise) id: ThreadId,
    /// The low priority of all those that a `Switch` put behind has ended.
    pub(in crate::supervise) promotes: bool,
    /// This one has had its turn, and is the last of the queue.
    pub(in crate::supervise) gives_way: Option<ThreadId>,
}

/// Whose turn it is, and how long it has been.
#[derive(Debug, Default)]
pub(in crate::supervise) struct Picker {
    current: Option<ThreadId>,
    /// A `Switch(To(..))` in force, or another reason to let somebody go first: who, and who goes on afterwards.
    detour: Option<(ThreadId, ThreadId)>,
    /// A `Switch(Children)` in force: who is held back, and how many points there were since.
    family: Option<(ThreadId, u32)>,
    /// The current thread has called sched_yield.
    yielded: bool,
    /// Points of the present turn, and of the run.
    turn: u32,
    points: u64,
}

impl Picker {
    pub(in crate::supervise) fn current(&self) -> Option<ThreadId> {
        self.current
    }

    /// Points of the run so far.
    pub(in crate::supervise) fn points(&self) -> u64 {
        self.points
    }

    /// The current thread is at one more point.
    pub(in crate::supervise) fn point(&mut self) {
        self.points += 1;
        self.turn += 1;
        if let Some((_, points)) = &mut self.family {
            *points += 1;
        }
    }

    /// The current thread gives up its turn (sched_yield(2)).
    pub(in crate::supervise) fn yields(&mut self) {
        self.yielded = true;
    }

    /// Nobody's turn: a switch to all ends it, and one to children as well.
    pub(in crate::supervise) fn end_turn(&mut self) {
        self.current = None;
        self.family = None;
    }

    /// The descendants of its process go until none of them can, or they have had a turn; then `back` goes on.
    pub(in crate::supervise) fn hold_back_for_children(&mut self, back: ThreadId) {
        self.family = Some((back, 0));
    }

    /// Who is held back for its process's children.
    pub(in crate::supervise) fn held_back_for_children(&self) -> Option<ThreadId> {
        self.family.map(|(back, _)| back)
    }

    /// `first` goes until it first sleeps, stops or ends, or has had its turn; then `back` goes on.
    pub(in crate::supervise) fn detour(&mut self, first: ThreadId, back: ThreadId) {
        self.detour = Some((first, back));
        self.turn = 0;
    }

    /// This one waits for others, as if it slept: if it was to go first, that is over.
    pub(in crate::supervise) fn waits(&mut self, id: ThreadId) {
        self.detour = self.detour.filter(|(first, _)| *first != id);
    }

    /// Who of those that are held goes next, after so many points at most in one turn.
    pub(in crate::supervise) fn choose(&mut self, held: &[Waiting], most: u32) -> Option<Choice> {
        let choice = self.choice(held, most)?;
        if self.current != Some(choice.id) {
            self.current = Some(choice.id);
            self.turn = 0;
        }
        self.yielded = false;
        Some(choice)
    }

    fn choice(&mut self, held: &[Waiting], most: u32) -> Option<Choice> {
        let find = |id: ThreadId| held.iter().find(|one| one.id == id);
        let only = |id: ThreadId| Some(Choice { id, promotes: false, gives_way: None });
        if let Some((first, back)) = self.detour {
            if find(first).is_some() && self.turn <= most {
                return only(first);
            }
            self.detour = None;
            if find(back).is_some() {
                return only(back);
            }
        }
        if let Some((back, points)) = self.family {
            let family: Vec<Waiting> = held.iter().filter(|one| one.descends).copied().collect();
            if !family.is_empty() && points <= most {
                return self.longest(&family, most);
            }
            self.family = None;
            if find(back).is_some() {
                return only(back);
            }
        }
        self.longest(held, most)
    }

    /// The current thread, or the one of these that has waited longest.
    fn longest(&mut self, held: &[Waiting], most: u32) -> Option<Choice> {
        let find = |id: ThreadId| held.iter().find(|one| one.id == id);
        let mut promotes = false;
        let mut gives_way = None;
        if let Some(current) = self.current.and_then(find) {
            // The count of a turn also ends the low priority of those that a switch put behind.
            promotes = self.turn > most;
            let demoted = |one: &Waiting| one.demoted && !promotes;
            let others_wait = held.iter().any(|one| one.id != current.id && !demoted(one));
            let yields = (self.yielded || promotes) && others_wait;
            if !yields && !demoted(current) {
                if promotes {
                    self.turn = 0;
                }
                return Some(Choice { id: current.id, promotes, gives_way: None });
            }
            gives_way = Some(current.id).filter(|_| yields);
        }
        // Whoever gives way has waited less than all.
        let rank = |one: &&Waiting| (one.demoted && !promotes, gives_way == Some(one.id), one.since, one.id);
        let longest = held.iter().min_by_key(rank)?;
        Some(Choice { id: longest.id, promotes, gives_way })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: u32 = 3;

    fn held(list: &[(usize, u64)]) -> Vec<Waiting> {
        list.iter().map(|(id, since)| held_one(*id, *since)).collect()
    }

    fn held_one(id: usize, since: u64) -> Waiting {
        Waiting { id: ThreadId(id), demoted: false, since, descends: false }
    }

    fn chosen(picker: &mut Picker, held: &[Waiting]) -> Option<usize> {
        picker.choose(held, MOST).map(|choice| choice.id.0)
    }

    #[test]
    fn the_current_thread_goes_on_and_else_the_one_that_has_waited_longest() {
        let mut picker = Picker::default();
        let all = held(&[(0, 5), (1, 2), (2, 9)]);
        assert_eq!(chosen(&mut picker, &all), Some(1));
        assert_eq!(chosen(&mut picker, &held(&[(0, 1), (1, 20)])), Some(1));
        assert_eq!(chosen(&mut picker, &held(&[(0, 5), (2, 4)])), Some(2));
        assert_eq!(chosen(&mut picker, &[]), None);
    }

    #[test]
    fn a_turn_ends_by_its_count_and_by_yielding_if_somebody_waits() {
        let mut picker = Picker::default();
        let all = held(&[(0, 1), (1, 2)]);
        assert_eq!(chosen(&mut picker, &all), Some(0));
        picker.yields();
        let choice = picker.choose(&all, MOST).unwrap();
        assert_eq!((choice.id, choice.gives_way), (ThreadId(1), Some(ThreadId(0))));
        for _ in 0..=MOST {
            picker.point();
        }
        let choice = picker.choose(&all, MOST).unwrap();
        assert_eq!((choice.id, choice.promotes, choice.gives_way), (ThreadId(0), true, Some(ThreadId(1))));
        // Alone it goes on.
        picker.yields();
        assert_eq!(chosen(&mut picker, &all[..1]), Some(0));
    }

    #[test]
    fn who_was_put_behind_goes_when_nobody_else_can_or_a_turn_is_over() {
        let mut picker = Picker::default();
        let mut all = held(&[(0, 1), (1, 2)]);
        all[0].demoted = true;
        assert_eq!(chosen(&mut picker, &all), Some(1));
        assert_eq!(chosen(&mut picker, &all[..1]), Some(0));
        assert_eq!(chosen(&mut picker, &all), Some(1));
        for _ in 0..=MOST {
            picker.point();
        }
        let choice = picker.choose(&all, MOST).unwrap();
        assert_eq!((choice.id, choice.promotes), (ThreadId(0), true));
    }

    #[test]
    fn a_detour_lasts_until_its_thread_cannot_go_and_leads_back() {
        let mut picker = Picker::default();
        let all = held(&[(0, 1), (1, 2), (2, 3)]);
        assert_eq!(chosen(&mut picker, &all), Some(0));
        picker.detour(ThreadId(2), ThreadId(0));
        assert_eq!(chosen(&mut picker, &all), Some(2));
        assert_eq!(chosen(&mut picker, &all), Some(2));
        assert_eq!(chosen(&mut picker, &all[..2]), Some(0));
        assert_eq!(picker.current(), Some(ThreadId(0)));
    }

    #[test]
    fn children_go_until_none_of_them_can_and_nobody_else_does_meanwhile() {
        let mut picker = Picker::default();
        // The one that is held back, a stranger that has waited longest, and two children.
        let mut all = held(&[(0, 5), (1, 1), (2, 7), (3, 6)]);
        all[2].descends = true;
        all[3].descends = true;
        picker.hold_back_for_children(ThreadId(0));
        assert_eq!(picker.held_back_for_children(), Some(ThreadId(0)));
        assert_eq!(chosen(&mut picker, &all), Some(3));
        assert_eq!(chosen(&mut picker, &all[..3]), Some(2));
        // Neither can go: the one that was held back goes on, and then all is as ever.
        assert_eq!(chosen(&mut picker, &all[..2]), Some(0));
        assert_eq!(picker.held_back_for_children(), None);
        assert_eq!(chosen(&mut picker, &all[1..]), Some(1));
    }

    #[test]
    fn children_have_one_turn_together() {
        let mut picker = Picker::default();
        let mut all = held(&[(0, 5), (1, 1), (2, 7), (3, 6)]);
        all[2].descends = true;
        all[3].descends = true;
        picker.hold_back_for_children(ThreadId(0));
        for _ in 0..=MOST {
            assert!([Some(2), Some(3)].contains(&chosen(&mut picker, &all)));
            picker.yields();
            picker.point();
        }
        assert_eq!(chosen(&mut picker, &all), Some(0));
        // A switch to all takes its place, and one to a thread comes before it.
        picker.hold_back_for_children(ThreadId(0));
        picker.end_turn();
        assert_eq!(picker.held_back_for_children(), None);
        picker.hold_back_for_children(ThreadId(0));
        picker.detour(ThreadId(1), ThreadId(3));
        assert_eq!(chosen(&mut picker, &all), Some(1));
        assert_eq!(chosen(&mut picker, &[all[0], all[2], all[3]]), Some(3));
    }
}
