//! Point, action, step, schedule: what the harness does in a run that it would not have done by itself.

mod keys;
mod name;
mod point;
mod receiver;

pub use keys::{BadKeys, Keys};
pub use name::{BadName, ThreadName};
pub use point::{BadPoint, Point};
pub use receiver::Receiver;

use crate::probe::ProbeName;
use crate::signal::{Signal, Word};
use serde::de::{self, Deserializer, EnumAccess, VariantAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use syscalls::Sysno;

/// A system call of x86-64, by its number. In RON and messages it is the bare name: `pause`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Syscall(pub u32);

impl Syscall {
    /// The call as the kernel's table names it; none for a number outside the table.
    pub fn sysno(self) -> Option<Sysno> {
        Sysno::new(self.0 as usize)
    }
}

impl From<Sysno> for Syscall {
    fn from(sysno: Sysno) -> Syscall {
        Syscall(sysno.id() as u32)
    }
}

impl fmt::Display for Syscall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sysno() {
            Some(sysno) => f.write_str(sysno.name()),
            None => write!(f, "syscall_{}", self.0),
        }
    }
}

impl fmt::Debug for Syscall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text names no system call.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no system call of x86-64 (syscalls(2))")]
pub struct UnknownSyscall(String);

impl FromStr for Syscall {
    type Err = UnknownSyscall;

    fn from_str(text: &str) -> Result<Syscall, UnknownSyscall> {
        let unknown = || UnknownSyscall(text.to_owned());
        if let Some(number) = text.strip_prefix("syscall_") {
            return number.parse().map(Syscall).map_err(|_| unknown());
        }
        text.parse::<Sysno>().map(Syscall::from).map_err(|_| unknown())
    }
}

/// Not from the derive: a serialized enum's names must be `'static`, which those of the table are.
impl Serialize for Syscall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.sysno() {
            Some(sysno) => serializer.serialize_unit_variant("Syscall", self.0, sysno.name()),
            None => serializer.serialize_newtype_variant("Syscall", self.0, "syscall", &self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Syscall {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Syscall, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Syscall;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a system call's name")
            }

            fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Syscall, A::Error> {
                let (Word(name), rest) = access.variant::<Word>()?;
                if name == "syscall" {
                    return rest.newtype_variant().map(Syscall);
                }
                rest.unit_variant()?;
                name.parse().map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_enum("Syscall", &[], Names)
    }
}

/// The calls that make a process or thread: fork, vfork, clone, clone3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Making {
    /// Any of the four; which one the C library uses for `fork()` is its own business.
    Fork,
}

/// A name of the program's, such as that of a function. Equal names are one text, which is kept until the end: it is
/// copied and compared like a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(&'static str);

impl Label {
    /// The label of a text that is in sigrace itself.
    pub(crate) const fn own(text: &'static str) -> Label {
        Label(text)
    }

    /// The label of this text.
    pub fn new(text: &str) -> Label {
        static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(text) {
            Some(text) => Label(text),
            None => {
                let text: &'static str = Box::leak(text.into());
                known.insert(text);
                Label(text)
            }
        }
    }

    /// Its text.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

impl Serialize for Label {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Label, D::Error> {
        String::deserialize(deserializer).map(|text| Label::new(&text))
    }
}

/// A kind of place where a thread can be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Site {
    /// The thread is about to make this call.
    Before(Syscall),
    /// The thread has entered this call, and nothing of it has happened: a signal that comes now is handled when the call has
    /// done what it can without sleeping. It is the same visit as that of `Before`, and has its number.
    Entering(Syscall),
    /// The thread has just come back from making a process or thread, or has just been made.
    After(Making),
    /// The thread is asleep inside this call.
    In(Syscall),
    /// The thread is about to execute an instruction: the first of a function (`insert`), of a source line (`list.c:23`),
    /// or the one so many bytes into a function (`insert+0x1f`).
    At(Label),
    /// The thread is at a place that the program's author has marked with this name.
    Probe(ProbeName),
    /// Everything sleeps: every thread of every process, and only time or the outside could go on. The thread is the first
    /// of the process that the step is about.
    Quiet,
}

impl Site {
    /// The call that begins there: the thread is before it, or enters it.
    pub fn begun(self) -> Option<Syscall> {
        match self {
            Site::Before(call) | Site::Entering(call) => Some(call),
            Site::In(_) | Site::After(_) | Site::At(_) | Site::Probe(_) | Site::Quiet => None,
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Site::Before(call) => write!(f, "before {call}"),
            Site::Entering(call) => write!(f, "entering {call}"),
            Site::After(Making::Fork) => f.write_str("after fork"),
            Site::In(call) => write!(f, "in {call}"),
            Site::At(place) => write!(f, "at {place}"),
            Site::Probe(name) => write!(f, "at probe {name}"),
            Site::Quiet => f.write_str("when everything sleeps"),
        }
    }
}

/// Who goes first when a thread is held back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Target {
    /// Everybody else, until nothing else can run or the turn's count is used up.
    All,
    /// The children of this process and what these have made, all of them, until none of these can run or the turn's count
    /// is used up. Who is no descendant of the process waits as well.
    Children,
    /// This thread, until it first sleeps, stops or ends.
    To(ThreadName),
}

/// What the harness does at a point.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    /// Hold the thread here and let another go first: the kernel may preempt anywhere.
    Switch(Target),
    /// The outside world sends this signal to the thread's process now, process-directed as kill(2) does.
    Send(Signal),
    /// The same to all processes of the thread's process group, as kill(2) does with a negative number.
    SendGroup(Signal),
    /// A person types these keys at the run's terminal now.
    Type(Keys),
    /// A person gives the terminal another size now: so many columns, so many rows.
    Resize(u16, u16),
    /// The line to the terminal breaks now, or a person closes its window.
    HangUp,
    /// The earliest armed timer of the thread's process that sends a signal runs out here: the process was kept off the CPU
    /// for that long. What was to run out before it has then run out too.
    Fire,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Switch(Target::All) => f.write_str("let all others run first"),
            Action::Switch(Target::Children) => f.write_str("let its children run first"),
            Action::Switch(Target::To(thread)) => write!(f, "let {thread} run first"),
            Action::Send(signal) => write!(f, "send {signal}"),
            Action::SendGroup(signal) => write!(f, "send {signal} to its process group"),
            Action::Type(keys) => write!(f, "type {keys}"),
            Action::Resize(columns, rows) => write!(f, "resize the terminal to {columns} by {rows}"),
            Action::HangUp => f.write_str("hang up"),
            Action::Fire => f.write_str("let its timer run out"),
        }
    }
}

impl Action {
    /// The signal by which it asks a program to end, if it does beyond doubt: SIGTERM, or what a key of the terminal causes by default.
    pub fn asks_to_end(&self) -> Option<Signal> {
        match self {
            Action::Send(signal) | Action::SendGroup(signal) => {
                Some(*signal).filter(|signal| *signal == Signal::TERM)
            }
            Action::Type(keys) => keys.signal().filter(|signal| *signal != Signal::TSTP),
            Action::Switch(_) | Action::Resize(..) | Action::HangUp | Action::Fire => None,
        }
    }

    /// The signal that the outside sends by it.
    pub fn signal(&self) -> Option<Signal> {
        match self {
            Action::Send(signal) | Action::SendGroup(signal) => Some(*signal),
            Action::Switch(_) | Action::Type(_) | Action::Resize(..) | Action::HangUp | Action::Fire => None,
        }
    }

    /// True if it is what the outside does, not what the kernel or the scheduler may.
    pub fn is_from_outside(&self) -> bool {
        match self {
            Action::Send(_)
            | Action::SendGroup(_)
            | Action::Type(_)
            | Action::Resize(..)
            | Action::HangUp => true,
            Action::Switch(_) | Action::Fire => false,
        }
    }
}

/// A point and an action.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What kind of place.
    pub at: Site,
    /// In which thread.
    #[serde(rename = "in")]
    pub thread: ThreadName,
    /// Which time the thread gets there, counted from 1.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub nth: u32,
    /// What is done there.
    pub action: Action,
}

fn first() -> u32 {
    1
}

fn is_first(nth: &u32) -> bool {
    *nth == 1
}

impl Step {
    /// `action` at `point`.
    pub fn new(point: Point, action: Action) -> Step {
        Step { at: point.site, thread: point.thread, nth: point.nth, action }
    }

    /// Where it is taken.
    pub fn point(&self) -> Point {
        Point { thread: self.thread.clone(), site: self.at, nth: self.nth }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.point(), self.action)
    }
}

/// A list of deviations from the default rule, in the order of the points; the empty one is the baseline.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Schedule {
    /// At most one `Switch` for a point is of use; steps at one point are taken in this order.
    pub steps: Vec<Step>,
}

impl Schedule {
    /// The baseline: nothing but the default rule.
    pub fn empty() -> Schedule {
        Schedule::default()
    }

    /// The step that sends a signal and its signal, if that comes once and nothing else comes from outside.
    pub fn only_signal(&self) -> Option<(&Step, Signal)> {
        let mut outside = self.steps.iter().filter(|step| step.action.is_from_outside());
        let step = outside.next()?;
        outside.next().is_none().then_some((step, step.action.signal()?))
    }

    /// True if some step is taken at a code point.
    pub fn uses_code(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.at, Site::At(_)))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return f.write_str("(no step)");
        }
        for (index, step) in self.steps.iter().enumerate() {
            write!(f, "{}{step}", if index > 0 { "; " } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_written_as_the_examples_show_it() {
        let text = r#"[(at:After(Fork),in:"p0",action:Switch(All)),(at:Before(pause),in:"p0",nth:2,action:Send(SIGUSR1))]"#;
        let schedule: Schedule = ron::from_str(text).unwrap();
        assert_eq!(schedule.steps.len(), 2);
        assert_eq!(ron::to_string(&schedule).unwrap(), text);
    }

    #[test]
    fn an_unknown_system_call_is_an_error_at_its_place() {
        let error =
            ron::from_str::<Schedule>("[\n(at:Before(puase),in:\"p0\",action:Switch(All))]").unwrap_err();
        assert_eq!(error.span.start.line, 2);
        assert!(error.to_string().contains("puase"), "{error}");
    }
}
