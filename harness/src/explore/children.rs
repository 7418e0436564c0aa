//! Children that do the same as others before them.
//!
//! NOTE \[Children\] What the tenth child does as nine others did it before is mostly no other place for a race. So children of
//! a process that are alike (`visits`) are tried as visits of a loop are: first the first two, the one in the middle and the last, with all
//! that they have made; the points of the others when no other step is left to try. Nothing else changes: see NOTE \[Loops\] in `loops`.

use super::visits::{Visits, is_open, tried_first};
use crate::schedule::{Point, Site, Syscall, ThreadName};
use crate::trace::Run;
use std::collections::BTreeMap;

/// Fewer children are tried one by one: there is little to save.
const LEAST: usize = 6;

/// Children of a process that do the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alike {
    /// The first of them.
    pub first: ThreadName,
    /// The last of them.
    pub last: ThreadName,
    /// The file of the program that they execute last; none if they execute none.
    pub program: Option<String>,
    /// Something could be done in them.
    open: bool,
    /// The points of each of them, and of what it has made.
    each: Vec<Vec<Point>>,
}

impl Alike {
    /// True if something could be done in them.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.each.len()
    }

    /// Which of them have a point for which this holds, counted from 1.
    pub fn those_with(&self, holds: impl Fn(&Point) -> bool) -> Vec<u64> {
        let each = (1..).zip(&self.each);
        each.filter(|(_, points)| points.iter().any(&holds)).map(|(nth, _)| nth).collect()
    }

    /// The points of those that are not tried first.
    pub(super) fn inner(&self) -> impl Iterator<Item = &Point> {
        let first = tried_first(self.count());
        let each = self.each.iter().enumerate();
        each.filter(move |(nth, _)| !first.contains(nth)).flat_map(|(_, points)| points)
    }
}

/// Those of a run with these visits.
pub(super) fn alike(run: &Run, visits: &Visits) -> Vec<Alike> {
    let mut families: BTreeMap<(ThreadName, usize), Vec<&ThreadName>> = BTreeMap::new();
    for (process, number) in &visits.alike {
        if let Some(parent) = process.parent() {
            families.entry((parent, *number)).or_default().push(process);
        }
    }
    let mut found = Vec::new();
    for members in families.into_values().filter(|members| members.len() >= LEAST) {
        let mut open = false;
        let mut each: BTreeMap<&ThreadName, Vec<Point>> =
            members.iter().map(|member| (*member, Vec::new())).collect();
        for reached in &run.reached {
            // Each instruction is a point of its own.
            if matches!(reached.point.site, Site::At(_)) {
                continue;
            }
            let process = reached.point.thread.process();
            let mut line = std::iter::successors(Some(process), ThreadName::parent);
            let member = line.find(|one| each.contains_key(one));
            if let Some(points) = member.and_then(|member| each.get_mut(&member)) {
                points.push(reached.point.clone());
                open |= is_open(reached);
            }
        }
        let ends = members.first().zip(members.last());
        let Some((first, last)) = ends else { continue };
        let mut own = run.events.iter().rev().filter(|event| event.thread.process() == **first);
        let program = own.find_map(|event| event.what.executed()).map(str::to_owned);
        let each = members.iter().filter_map(|member| each.remove(member)).collect();
        let (first, last) = ((*first).clone(), (*last).clone());
        found.push(Alike { first, last, program, open, each });
    }
    found
}

/// The calls of these children and of what they have made, and those by which their parents have made them: what has to be
/// looked at to know whether they are alike.
pub(super) fn calls<'a>(
    found: &'a [Alike],
    run: &'a Run,
) -> impl Iterator<Item = (ThreadName, Syscall)> + 'a {
    let parents = |thread: &ThreadName| found.iter().any(|one| one.first.parent().as_ref() == Some(thread));
    let own = found.iter().flat_map(|one| one.each.iter().flatten());
    let makers = run.reached.iter().map(|reached| &reached.point);
    let makers = makers.filter(move |point| parents(&point.thread.process()));
    own.chain(makers).filter_map(|point| match point.site {
        Site::Before(call) => Some((point.thread.clone(), call)),
        Site::Entering(_) | Site::After(_) | Site::In(_) | Site::At(_) | Site::Probe(_) | Site::Quiet => None,
    })
}
