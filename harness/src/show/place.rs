//! Where in their code threads are: in a few words, and with the source lines around it.

use super::Page;
use super::layout::{plain, short};
use crate::code::{SourceLine, snippet};
use crate::schedule::{Point, Site, Step, ThreadName};
use crate::trace::{End, Event, Frame, InlinedCall, Line, Moment, Trace, What, Whereabouts};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// Lines of source that are shown before and after one.
const AROUND: u32 = 2;
/// Steps, crashes, and threads at the end, that are shown with their source.
pub(super) const MOST: usize = 8;
/// Callers that are named.
const CALLERS: usize = 8;
/// Functions of libraries that are named.
const THROUGH: usize = 6;
/// What is beside a picture is no longer than this.
const WIDEST: usize = 32;

/// What a thread was doing when it was at a place.
pub(super) struct Told<'a> {
    place: &'a Whereabouts,
    /// The frames of the program's own source; of its own code where no source is known; or all there are.
    own: Vec<(usize, &'a Frame)>,
}

impl<'a> Told<'a> {
    pub(super) fn new(place: &'a Whereabouts) -> Told<'a> {
        let is_main = |name: &str| name == "main" || name.ends_with("::main");
        let main = place.stack.iter().position(|frame| frame.function.as_deref().is_some_and(is_main));
        // Before main there is only what starts it.
        let frames = place.stack.iter().take(main.map_or(usize::MAX, |main| main + 1));
        let frames: Vec<_> = frames.enumerate().filter(|(_, frame)| !frame.signal).collect();
        let only = |keep: &dyn Fn(&Frame) -> bool| -> Vec<_> {
            frames.iter().copied().filter(|(_, frame)| keep(frame)).collect()
        };
        let own = only(&|frame| !frame.foreign && frame.line.is_some());
        let own = if own.is_empty() { only(&|frame| !frame.foreign) } else { own };
        Told { place, own: if own.is_empty() { frames } else { own } }
    }

    /// The place in the program's own code that is nearest to what the thread is doing.
    pub(super) fn nearest(&self) -> Option<&'a Frame> {
        self.own.first().map(|(_, frame)| *frame)
    }

    /// The same in words: `insert (list.c:23)`.
    pub(super) fn words(&self) -> Option<String> {
        self.nearest().map(frame_words)
    }

    /// The same in the fewest words: `list.c:23`; none if it is in a library.
    pub(super) fn short(&self) -> Option<String> {
        let frame = self.nearest().filter(|frame| !frame.foreign)?;
        let text = match frame.line_of_program() {
            Some(line) => format!("{}:{}", file_name(line.file), line.number),
            None => frame_words(frame),
        };
        Some(short(&text, WIDEST))
    }

    /// The instruction that the thread is about to execute.
    pub(super) fn instruction(&self) -> Option<String> {
        self.place.stack.first()?.instruction.as_deref().map(plain)
    }

    /// It was about to execute where no code is.
    pub(super) fn is_nowhere(&self) -> bool {
        let frame = self.place.stack.first();
        frame.is_some_and(|frame| frame.function.is_none() && frame.module.as_deref() == Some("?"))
    }

    /// The function in which it was, if that is not the program's own: `libc.so.6!strlen+0x16`.
    pub(super) fn inside(&self) -> Option<String> {
        let (nearest, _) = self.own.first()?;
        self.place.stack.first().filter(|_| *nearest > 0).map(frame_words)
    }

    /// It was in a handler of which nothing is left on the stack but what it returns to (a call in place of a return).
    pub(super) fn on_signal(&self) -> bool {
        let nearest = self.own.first().map_or(0, |(index, _)| *index);
        self.place.stack.iter().take(nearest).any(|frame| frame.signal)
    }

    /// Its callers, nearest first: `called from fill (list.c:40), from main (list.c:52)`; none if it has none.
    pub(super) fn callers(&self) -> Option<String> {
        let mut text = String::new();
        let mut last = self.own.first()?.0;
        let mut called = false;
        for (index, frame) in self.own.iter().skip(1).take(CALLERS) {
            let interrupted = self.place.stack.iter().take(*index).skip(last).any(|frame| frame.signal);
            if !text.is_empty() {
                text += ", ";
            }
            text += match (interrupted, called) {
                (true, _) => "on a signal in ",
                (false, false) => "called from ",
                (false, true) => "from ",
            };
            text += &frame_words(frame);
            called = !interrupted;
            last = *index;
        }
        if self.own.len() > CALLERS + 1 {
            text += ", …";
        }
        (!text.is_empty()).then_some(text)
    }

    /// The functions of libraries between it and what the thread is doing, if there is more than the one that makes the
    /// call: `by way of printf > _IO_file_write > write`, but not `fork > _Fork`.
    pub(super) fn through(&self) -> Option<String> {
        let (nearest, _) = self.own.first()?;
        let inner = self.place.stack.get(..*nearest)?;
        let names = inner.iter().rev().filter_map(|frame| frame.function.as_deref()).map(plain);
        let mut names: Vec<String> = names.collect();
        let bare = |name: &String| name.trim_start_matches('_').to_lowercase();
        if names.first().map(bare) == names.last().map(bare) || inner.iter().any(|frame| frame.signal) {
            return None;
        }
        if names.len() > THROUGH {
            let left_out = names.len() - THROUGH + 1;
            names.splice(THROUGH / 2..THROUGH / 2 + left_out, ["…".to_owned()]);
        }
        Some(format!("by way of {}", names.join(" > ")))
    }
}

fn file_name(file: &str) -> String {
    plain(file.rsplit('/').next().unwrap_or(file))
}

/// `insert (list.c:23)`, without a line `insert+0x1f`, without a function `list+0x1139`; a library's function has its
/// file's name before it, and an inlined function the one that it was put into after it.
fn frame_words(frame: &Frame) -> String {
    let module = frame.module.as_deref().map(plain);
    let Some(function) = &frame.function else {
        let module = module.unwrap_or_default();
        return if module == "?" {
            "code of no file".to_owned()
        } else {
            format!("{module}+{:#x}", frame.offset)
        };
    };
    let place = |line: Line<'_>| format!(" ({}:{})", file_name(line.file), line.number);
    let mut places = frame.lines().map(|line| line.map(place));
    let mut text = String::new();
    for InlinedCall { function, .. } in &frame.inlined {
        text += &format!("{}{} inlined into ", plain(function), places.next().flatten().unwrap_or_default());
    }
    let at = places.next().flatten();
    if let Some(module) = module.filter(|_| frame.foreign) {
        text += &format!("{module}!");
    }
    text += &plain(function);
    text + &match at {
        Some(at) => at,
        None if frame.offset > 0 => format!("+{:#x}", frame.offset),
        None => String::new(),
    }
}

/// The place of the event at this index. A thread that falls asleep in a call is where it made the call.
pub(super) fn of_event<'a>(
    events: &[Event],
    places: &'a [Whereabouts],
    index: usize,
) -> Option<&'a Whereabouts> {
    let event = events.get(index)?;
    // They are in the order of the events.
    let after = places.partition_point(|place| place.at <= Moment::Event(index));
    let before = places.get(..after)?;
    if matches!(event.what, What::Sleep(..)) {
        let place = before.iter().rev().find(|place| place.thread == event.thread)?;
        let Moment::Event(at) = place.at else { return None };
        // Where the call itself was not looked at, an earlier one says nothing.
        let goes = |other: &Event| other.thread == event.thread && matches!(other.what, What::Go(..));
        let since = events.get(at + 1..index).unwrap_or_default();
        (!since.iter().any(goes)).then_some(place)
    } else {
        before.last().filter(|place| place.at == Moment::Event(index))
    }
}

/// The event of each step that was taken: the first that is left of this thread with this action.
pub(super) fn of_steps(steps: &[Step], events: &[Event]) -> Vec<Option<usize>> {
    let mut taken = BTreeSet::new();
    let event = |step: &Step| {
        let found = events.iter().enumerate().position(|(index, event)| {
            let same = matches!(&event.what, What::Step(action) if *action == step.action);
            // When everything sleeps a step is about the process, and the event is of a thread of it that sleeps.
            let there = match step.at {
                Site::Quiet => event.thread.process() == step.thread,
                Site::Before(_)
                | Site::Entering(_)
                | Site::After(_)
                | Site::In(_)
                | Site::At(_)
                | Site::Probe(_) => event.thread == step.thread,
            };
            same && there && !taken.contains(&index)
        });
        taken.extend(found);
        found
    };
    steps.iter().map(event).collect()
}

/// For each step of the schedule the place in the program's own code where it landed, where that is known.
pub fn landings(trace: &Trace) -> Vec<Option<&Frame>> {
    let events = of_steps(&trace.schedule.steps, &trace.events).into_iter();
    let place = |event: Option<usize>| of_event(&trace.events, &trace.places, event?);
    let own = |event| Told::new(place(event)?).nearest().filter(|frame| !frame.foreign);
    events.map(own).collect()
}

/// Where in the program's own code the points of a run are, in words, as far as that is known.
pub fn sources(events: &[Event], places: &[Whereabouts]) -> HashMap<Point, String> {
    of_points(events, places, |place| Told::new(place).words())
}

/// The functions of the program's own that the points of a run are in, as far as they are known.
pub fn functions(trace: &Trace) -> HashMap<Point, String> {
    of_points(&trace.events, &trace.places, |place| {
        let frame = Told::new(place).nearest().filter(|frame| !frame.foreign)?;
        let line = frame.line_of_program();
        line.map_or(frame.function.as_deref(), |line| line.function).map(str::to_owned)
    })
}

/// What is to be told of the places of a run's points.
fn of_points(
    events: &[Event],
    places: &[Whereabouts],
    told: impl Fn(&Whereabouts) -> Option<String>,
) -> HashMap<Point, String> {
    let mut found = HashMap::new();
    for (index, event) in events.iter().enumerate() {
        let Some((site, nth)) = event.what.visit() else { continue };
        if let Some(words) = of_event(events, places, index).and_then(&told) {
            if let Site::Before(call) = site {
                // The thread is where it makes the call, and nobody tells twice.
                let entering = Point { thread: event.thread.clone(), site: Site::Entering(call), nth };
                found.insert(entering, words.clone());
            }
            found.insert(Point { thread: event.thread.clone(), site, nth }, words);
        }
    }
    found
}

/// Shows places, each source line once.
pub(super) struct Places<'a> {
    pub(super) trace: &'a Trace,
    pub(super) page: Page,
    folders: Vec<PathBuf>,
    shown: BTreeSet<(&'a str, u32)>,
}

impl<'a> Places<'a> {
    pub(super) fn new(trace: &'a Trace, page: Page) -> Places<'a> {
        let launch = &trace.launch;
        let folder = |path: &Path| path.parent().map(Path::to_owned);
        let folders =
            [launch.source.as_deref().and_then(folder), Some(launch.cwd.clone()), folder(&launch.file)];
        Places { trace, page, folders: folders.into_iter().flatten().collect(), shown: BTreeSet::new() }
    }

    /// Where each step landed; empty if that is not known.
    pub(super) fn steps(&mut self) -> String {
        let Trace { schedule, events, places, .. } = self.trace;
        let mut text = String::new();
        for (index, event) in of_steps(&schedule.steps, events).into_iter().enumerate().take(MOST) {
            let Some(place) = event.and_then(|event| of_event(events, places, event)) else { continue };
            let told = Told::new(place);
            let Some(words) = told.words() else { continue };
            let before = told.instruction().map_or_else(String::new, |text| format!(", before `{text}`"));
            text += &self.page.strong(format!("step {} lands in {words}{before}", index + 1));
            text += "\n";
            text += &self.details(&told);
        }
        text
    }

    /// Where the threads were when it was known that the run would not end; empty if it did, or that is not known.
    pub(super) fn end(&mut self) -> String {
        let Trace { outcome, places, .. } = self.trace;
        let mut text = String::new();
        let mut spins = matches!(outcome.end, End::Spinning(_));
        let at_end = places.iter().filter(|place| place.at == Moment::End);
        for place in at_end.take(MOST) {
            let told = Told::new(place);
            let Some(words) = told.words() else { continue };
            let doing = match &outcome.end {
                End::Hang(sleepers) | End::Idle(sleepers) | End::Stalled(sleepers) => {
                    let asleep = |thread: &ThreadName| sleepers.iter().find(|one| one.thread == *thread);
                    let call = asleep(&place.thread).map(|one| one.call.to_string());
                    call.map_or_else(|| "is in".to_owned(), |call| format!("sleeps in {call}, called from"))
                }
                End::Spinning(_) if std::mem::take(&mut spins) => "spins in".to_owned(),
                End::Ended(_) | End::Stopped | End::Spinning(_) | End::TimedOut => "is in".to_owned(),
            };
            text += &format!("{}\n", self.page.strong(format!("{} {doing} {words}", place.thread)));
            text += &self.details(&told);
        }
        text
    }

    /// How it got there, and the source around it.
    pub(super) fn details(&mut self, told: &Told<'a>) -> String {
        let mut text = String::new();
        for line in [told.callers(), told.through()].into_iter().flatten() {
            text += &format!("  {line}\n");
        }
        let Some(Line { file, number, .. }) = told.nearest().and_then(Frame::line_of_program) else {
            return text;
        };
        if self.shown.insert((file, number)) {
            text += &self.source(file, number);
        }
        text
    }

    fn source(&self, file: &str, line: u32) -> String {
        let place = SourceLine { file: file.into(), line };
        let Some(lines) = snippet(&place, AROUND, &self.folders) else { return String::new() };
        let digits = lines.last().map_or(1, |(number, _)| number.to_string().len());
        let room = self.page.width.saturating_sub(digits + 8).max(20);
        let mut text = String::new();
        for (number, source) in lines {
            let source = plain(&source.replace('\t', "    "));
            let source = short(&source, room);
            let marker = if number == line { '>' } else { ' ' };
            let shown = format!("  {marker} {number:>digits$}  {source}");
            let shown = shown.trim_end();
            text += &if number == line { self.page.step(shown) } else { self.page.faint(shown) };
            text += "\n";
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Syscall;
    use crate::trace::Threads;

    #[test]
    fn who_sleeps_in_a_call_that_nobody_looked_at_is_nowhere() {
        let (read, pause) = (Syscall(0), Syscall(34));
        let event = |what| Event { thread: ThreadName::root(), what, others: Threads::default() };
        let events = [
            event(What::Go(Site::Before(read), 1)),
            event(What::Go(Site::Before(pause), 1)),
            event(What::Sleep(pause, 1)),
        ];
        let looked_at = |index, function: &str| Whereabouts {
            at: Moment::Event(index),
            thread: ThreadName::root(),
            stack: vec![Frame { function: Some(function.to_owned()), ..Frame::default() }],
            complete: true,
        };
        let asleep = Point { thread: ThreadName::root(), site: Site::In(pause), nth: 1 };
        let first = looked_at(0, "reads");
        assert_eq!(sources(&events, std::slice::from_ref(&first)).get(&asleep), None);
        let both = [first, looked_at(1, "pauses")];
        assert_eq!(sources(&events, &both).get(&asleep).map(String::as_str), Some("pauses"));
    }
}
