//! The `status` of a thread and its process.

use super::malformed;
use crate::signal::SignalSet;
use std::cell::Cell;
use std::{fs, io};

/// The parts of a thread's `status` that are of use (proc_pid_status(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The process's number in its own, innermost pid namespace.
    pub own_pid: i32,
    /// The thread's number there.
    pub own_tid: i32,
    /// Its process group there.
    pub own_group: i32,
    /// That namespace is one that the program made, below the run's.
    pub nested: bool,
    /// The parent's number, in the reader's namespace.
    pub parent: i32,
    /// Somebody traces it (ptrace(2)).
    pub traced: bool,
    /// The command's name.
    pub command: String,
    /// R, S, D, T, Z ...
    pub state: char,
    /// How many threads the process has.
    pub threads: u32,
    /// Pending for this thread alone.
    pub pending_thread: SignalSet,
    /// Pending for the process.
    pub pending_process: SignalSet,
    /// Blocked by this thread.
    pub blocked: SignalSet,
    /// Ignored by the process.
    pub ignored: SignalSet,
    /// Caught by the process.
    pub caught: SignalSet,
    /// Real, effective, saved and file system user, as the reader's namespace numbers them (credentials(7)).
    pub users: [u32; 4],
    /// Capabilities in effect (capabilities(7)).
    pub capabilities: u64,
}

/// The lines of a `status`: read on from the field that was read last, since one that is asked for in their order is near.
struct Fields<'a> {
    text: &'a str,
    next: Cell<usize>,
}

impl<'a> Fields<'a> {
    fn of(text: &'a str) -> Fields<'a> {
        Fields { text, next: Cell::new(0) }
    }

    fn field(&self, name: &'static str) -> io::Result<&'a str> {
        let found = self.behind(name, self.next.get()).or_else(|| self.behind(name, 0));
        let (value, next) = found.ok_or_else(|| malformed("status", name, ""))?;
        self.next.set(next);
        Ok(value)
    }

    /// The field's value if it is somewhere behind this byte, and where the next line begins.
    fn behind(&self, name: &'static str, from: usize) -> Option<(&'a str, usize)> {
        let mut next = from;
        self.text.get(from..)?.split_inclusive('\n').find_map(|line| {
            next += line.len();
            let value = line.strip_prefix(name)?.strip_prefix(':')?;
            Some((value.trim(), next))
        })
    }

    fn parsed<T>(&self, name: &'static str, parse: impl FnOnce(&'a str) -> Option<T>) -> io::Result<T> {
        let field = self.field(name)?;
        parse(field).ok_or_else(|| malformed("status", name, field))
    }

    fn set(&self, name: &'static str) -> io::Result<SignalSet> {
        self.parsed(name, |field| u64::from_str_radix(field, 16).ok().map(SignalSet))
    }

    /// A number in the innermost pid namespace, the last of those of all namespaces, the reader's first; and how many there are.
    fn innermost(&self, name: &'static str) -> io::Result<(i32, usize)> {
        let of = |field: &str| {
            let last = field.split_ascii_whitespace().next_back()?.parse().ok()?;
            Some((last, field.split_ascii_whitespace().count()))
        };
        self.parsed(name, of)
    }
}

impl Status {
    pub(super) fn parse(text: &str) -> io::Result<Status> {
        // In the order in which the kernel writes them.
        let fields = Fields::of(text);
        let command = fields.field("Name")?.to_owned();
        let state = fields.parsed("State", |field| field.chars().next())?;
        let parent = fields.parsed("PPid", |field| field.parse().ok())?;
        let traced = fields.parsed("TracerPid", |field| field.parse::<i32>().ok())? != 0;
        let users = fields.parsed("Uid", |field| {
            let users = field.split_ascii_whitespace().map(|word| word.parse().ok());
            users.collect::<Option<Vec<u32>>>()?.try_into().ok()
        })?;
        let (own_pid, namespaces) = fields.innermost("NStgid")?;
        Ok(Status {
            command,
            state,
            parent,
            traced,
            users,
            own_pid,
            nested: namespaces > 2,
            own_tid: fields.innermost("NSpid")?.0,
            own_group: fields.innermost("NSpgid")?.0,
            threads: fields.parsed("Threads", |field| field.parse().ok())?,
            pending_thread: fields.set("SigPnd")?,
            pending_process: fields.set("ShdPnd")?,
            blocked: fields.set("SigBlk")?,
            ignored: fields.set("SigIgn")?,
            caught: fields.set("SigCgt")?,
            capabilities: fields.set("CapEff")?.0,
        })
    }

    /// Pending for the thread or its process.
    pub fn pending(&self) -> SignalSet {
        self.pending_thread.union(self.pending_process)
    }

    /// Caught and not blocked: what a handler would run for.
    pub fn handled(&self) -> SignalSet {
        self.caught.without(self.blocked)
    }

    /// Pending and not blocked: what the kernel will act on as soon as it looks.
    pub fn deliverable(&self) -> SignalSet {
        self.pending().without(self.blocked)
    }
}

/// The capabilities in effect of this process (capabilities(7)).
pub fn capabilities() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    Fields::of(&text).parsed("CapEff", |field| u64::from_str_radix(field, 16).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Signal;

    const STATUS: &str = "Name:\tsh (x)\nState:\tS (sleeping)\nPPid:\t1\nTracerPid:\t0\nUid:\t0\t5\t6\t7\n\
        NStgid:\t4211\t1002\nNSpid:\t4213\t1004\nNSpgid:\t4209\t1000\nThreads:\t3\n\
        SigPnd:\t0000000000000000\nShdPnd:\t0000000000010000\nSigBlk:\t0000000000010000\n\
        SigIgn:\t0000000000000000\nSigCgt:\t0000000000004002\nCapEff:\t0000000000000020\n";

    #[test]
    fn a_status_is_understood() {
        let status = Status::parse(STATUS).unwrap();
        assert_eq!((status.own_pid, status.parent, status.state, status.threads), (1002, 1, 'S', 3));
        assert!(status.pending().contains(Signal::CHLD) && status.deliverable().is_empty());
        assert!(status.caught.contains(Signal::TERM) && !status.nested);
        assert_eq!((status.own_tid, status.own_group), (1004, 1000));
        assert_eq!((status.users, status.capabilities), ([0, 5, 6, 7], 0x20));
        assert!(Status::parse(&STATUS.replace("\t1002", "\t1002\t1")).unwrap().nested);
        // In whatever order.
        let reversed: Vec<&str> = STATUS.lines().rev().collect();
        assert_eq!(Status::parse(&reversed.join("\n")).unwrap(), status);
    }

    #[test]
    fn what_a_status_does_not_say_is_an_error_that_names_it() {
        let error = |text: &str| Status::parse(text).unwrap_err().to_string();
        // Where a read of the beginning alone ends in the middle.
        assert_eq!(
            error(&STATUS[..STATUS.find("SigBlk").unwrap()]),
            "SigBlk of status under /proc makes no sense: \"\""
        );
        for (field, value) in [("Threads", "3"), ("PPid", "1"), ("SigCgt", "0000000000004002")] {
            let text = STATUS.replace(&format!("{field}:\t{value}"), &format!("{field}:\tmany"));
            assert_eq!(error(&text), format!("{field} of status under /proc makes no sense: \"many\""));
        }
    }
}
